"""What accuracy a plan would reach that nobody has run, from those that were.

What harms a model is the noise on the average update, z / clients (McMahan et al. 2018,
<https://arxiv.org/abs/1710.06963>, section 3). Where the noise of rounds is correlated, it is what that adds up to on the
model's path: the independent noise with the same root mean square over the sums of the first rounds (Denisov et al. 2022,
<https://arxiv.org/abs/2202.08312>, section 3) stands for it. So the accuracy after a number of rounds is taken to fall
with that ratio and to depend on nothing else of the noise: a monotone (isotonic) fit through the runs that got so far.
That a larger cohort also has less chance in who comes is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from dpcore.errors import InvalidValueError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import curves
from dpcore.rounds import Round
from dpcore.runs.store.run_rows import Run

_CORRECTIONS = 5
_LEAST_ERROR = 0.01  # what another seed moves, where runs are too few to say


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Accuracies expected, float64 [points] each.

    Attributes:
        accuracy: The fit.
        low: Its lower end, by twice the root mean square of what the fit misses when it has not seen a ratio; NaN
            beyond all runs.
        high: Its upper end.
        inside: Whether the ratio lies between those of runs.
    """

    accuracy: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    inside: NDArray[np.bool_]


def accuracy_after(rows: Sequence[Round], rounds: int) -> float | None:
    """Returns a run's accuracy after so many rounds, between its evaluations; `None` if it did not get there."""
    return accuracy_between([(row.round, row.accuracy) for row in rows if row.accuracy is not None], rounds)


def accuracy_between(known: Sequence[tuple[int, float]], rounds: int) -> float | None:
    """Returns the same, from the rounds that were evaluated and their accuracies."""
    if not known or known[-1][0] < rounds:
        return None
    numbers, accuracies = zip(*known, strict=True)
    return float(np.interp(rounds, numbers, accuracies))


def ratio(plan: PrivacyPlan, rounds: int | None = None) -> float:
    """Returns the noise-to-clients ratio, to nine digits; where that is held, so is the noise on the average.

    Of correlated noise, that of the independent noise which is as large on the path of the model: in the root mean
    square of the noise in the sum of the rounds so far.

    Who holds a ratio rounds the noise: all digits would make several ratios of one.

    Args:
        plan: Of a run.
        rounds: How many of its rounds are the path; `None` for all.
    """
    return float(f"{plan.path_noise_after(rounds or plan.rounds) / plan.clients_per_round:.9g}")


def forecast(
    ratios: NDArray[np.float64], accuracies: NDArray[np.float64], wanted: NDArray[np.float64]
) -> Forecast | None:
    """Returns what is expected at the wanted ratios, given accuracies at known ones; `None` with fewer than three.

    Args:
        ratios: Of the runs, float64 [runs].
        accuracies: Of the runs after the same number of rounds, float64 [runs].
        wanted: Ratios to answer for, float64 [points].
    """
    distinct = np.unique(ratios)
    if len(distinct) < 3:
        return None

    def fit(seen: NDArray[np.bool_], at: NDArray[np.float64]) -> NDArray[np.float64]:
        model = IsotonicRegression(increasing=False, out_of_bounds="clip")
        predicted: NDArray[np.float64] = model.fit(ratios[seen], accuracies[seen]).predict(at)
        return predicted

    accuracy = fit(np.ones(len(ratios), bool), wanted)
    # Only ratios between others: what is left out at an end says nothing about the middle.
    missed = np.concatenate(
        [fit(ratios != one, ratios[ratios == one]) - accuracies[ratios == one] for one in distinct[1:-1]]
    )
    error = 2 * max(float(np.sqrt(np.mean(missed**2))), _LEAST_ERROR)
    inside = (wanted >= distinct[0]) & (wanted <= distinct[-1])
    # Beyond all runs the fit only goes on flat: how far off that is, nothing here can say.
    return Forecast(
        accuracy=accuracy,
        low=np.where(inside, np.clip(accuracy - error, 0, 1), np.nan),
        high=np.where(inside, np.clip(accuracy + error, 0, 1), np.nan),
        inside=inside,
    )


def noise_for(plan: PrivacyPlan, clients: NDArray[np.float64], epsilon: float) -> NDArray[np.float64]:
    """Returns the noise multipliers at which cohorts of so many clients keep to an epsilon; NaN where none does.

    A little more than the least; `dpcore.privacy.calibration` finds that of one plan.
    """
    # A run that is one Gaussian takes as many times the noise as a user moves it, in clip norms.
    unit = plan.event_with(clients_per_round=clients, noise_multiplier=np.ones(len(clients))).mechanism
    moved = 1 / np.where(
        unit.noise_multiplier > 0, unit.noise_multiplier, 1.0
    )  # 0 where cohorts cannot be formed so
    by_rdp = _crossing(plan, clients, np.geomspace(0.2, 60, 50) * moved[:, None], epsilon, curves.rdp_epsilons)
    # PLD needs no more noise than RDP, and seldom less than half: few points of the dearer curve are enough.
    near = np.where(np.isfinite(by_rdp), by_rdp, 1.0)[:, None] * np.geomspace(0.35, 1.05, 9)
    by_pld = _crossing(plan, clients, near, epsilon, curves.pld_epsilons)
    noise = np.where(np.isfinite(by_pld), by_pld, by_rdp)
    for _ in range(_CORRECTIONS):  # between two points of a curve its line may lie below it
        over = np.flatnonzero(np.isfinite(noise))
        reached = curves.epsilons(
            **curves.plan_arguments(plan, clients_per_round=clients[over], noise_multiplier=noise[over])
        )
        over, reached = over[reached > epsilon], reached[reached > epsilon]
        if not len(over):
            break
        noise[over] *= reached / epsilon * (1 + 1e-6)
    else:
        noise[over] = np.nan
    for place in np.flatnonzero(np.isfinite(noise)):
        try:
            replace(plan, clients_per_round=int(clients[place]), noise_multiplier=float(noise[place]))
        except InvalidValueError:  # its count of clipped updates takes more noise, or no cohorts can be formed so
            noise[place] = np.nan
    return noise


def _crossing(
    plan: PrivacyPlan,
    clients: NDArray[np.float64],
    noise: NDArray[np.float64],
    epsilon: float,
    curve: Callable[..., NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Returns where each row of noise, [clients, points] ascending, reaches an epsilon; NaN where it does not."""
    repeated = np.repeat(clients, noise.shape[1])
    given = curves.plan_arguments(plan, clients_per_round=repeated, noise_multiplier=noise.ravel())
    epsilons = curve(**given).reshape(noise.shape)
    found = np.full(len(clients), np.nan)
    for index, row in enumerate(epsilons):
        if row[-1] <= epsilon <= row[0]:
            found[index] = np.exp(np.interp(-np.log(epsilon), -np.log(row), np.log(noise[index])))
    return found


def family(run: Run) -> tuple[Any, ...]:
    """Returns all of a run's plan that is not noise, clients, rounds, delta or seed: runs of one can be compared."""
    training, privacy = run.plan.training, run.plan.privacy
    return replace(training, seed=None), privacy.population, privacy.clipping, privacy.zeroing, privacy.adjacency


def pareto_front(costs: NDArray[np.float64], accuracies: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns which points nothing beats: bool [points]; lower costs and higher accuracies are better."""
    return np.array(
        [
            not np.any((costs <= cost) & (accuracies >= accuracy) & ((costs < cost) | (accuracies > accuracy)))
            for cost, accuracy in zip(costs, accuracies, strict=True)
        ],
        bool,
    )


def means_over_seeds(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Returns one row per setting, with the mean over its seeds: the best of several is as good as its luck.

    Args:
        runs: One row per run: `run`, `seed` (the same twice is one and the same training), `accuracy`, what a setting is
            told by, and what it costs: `epsilon`, `minutes`.
        by: The columns that a setting is told by.

    Returns:
        These columns; `run` (all ids, with commas between), `seeds`, the mean `accuracy` and `minutes`, between which
        accuracies (`low`, `high`) its seeds are, and the largest `epsilon`.
    """
    costs = {"epsilon": ("epsilon", "max"), "minutes": ("minutes", "mean")}
    together = ("run", ",".join)
    seeds = runs.groupby([*by, "seed"], as_index=False).agg(run=together, accuracy=("accuracy", "mean"), **costs)
    accuracy = {"accuracy": "mean", "low": "min", "high": "max"}
    return seeds.groupby(list(by), as_index=False).agg(
        run=together, seeds=("seed", "size"), **{name: ("accuracy", how) for name, how in accuracy.items()}, **costs
    )
