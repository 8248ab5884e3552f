"""The outcome of a sweep: the largest tolerable noise, and the plan that makes that noise private."""

import functools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import calibration
from dpcore.privacy.shortfall import Shortfall
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies.study import NONE, Study

_SEEDS_TO_SAY = 4


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of a study, a plan but for its seed, with the results of its runs.

    Attributes:
        plan: The plan of its runs, with the seed of the first.
        charged: The largest charge of one of its runs in the ledger, with the rounds that were drawn again.
        accuracies: The accuracy at the end of each run that has finished, fractions.
        missing: How many of its runs have not finished.
    """

    plan: Plan
    charged: PrivacyPlan
    accuracies: tuple[float, ...] = ()
    missing: int = 0

    @property
    def mean(self) -> float:
        """The mean accuracy over the seeds."""
        return statistics.fmean(self.accuracies)

    @property
    def band(self) -> float:
        """Half the range over the seeds; 0 with one seed, which says nothing about chance."""
        return (max(self.accuracies) - min(self.accuracies)) / 2


@dataclass(frozen=True, kw_only=True)
class SweepOutcome:
    """What the finished runs of a sweep show.

    Attributes:
        settings: All settings that have finished runs, by noise.
        baseline: The noise-free setting; where the study leaves that out, the one of the least noise.
        tolerable: The setting of the largest noise up to which every setting is within the tolerance; `None` where none
            is, or it cannot be told yet.
        complete: Whether all runs of the grid are there, and have finished.
    """

    settings: list[Setting] = field(default_factory=list)
    baseline: Setting | None = None
    tolerable: Setting | None = None
    complete: bool = False


def settings(runs: Iterable[Run]) -> list[Setting]:
    """Returns the settings of these runs, each with the runs that differ in their seed alone.

    By noise multiplier, clients, and the noise on the model's path, the most first.
    """
    groups: dict[Plan, list[Run]] = {}
    for run in runs:
        groups.setdefault(replace(run.plan, training=replace(run.plan.training, seed=0)), []).append(run)
    found = []
    for members in groups.values():
        done = [run.accuracy for run in members if run.status == "finished" and run.accuracy is not None]
        charged = max(members, key=lambda run: run.redrawn).charged
        found.append(
            Setting(plan=members[0].plan, charged=charged, accuracies=tuple(done), missing=len(members) - len(done))
        )

    def order(one: Setting) -> tuple[float, int, float, str]:
        privacy = one.plan.privacy
        return privacy.noise_multiplier, privacy.clients_per_round, -privacy.path_noise, privacy.cohorts.kind

    return sorted(found, key=order)


def sweep_outcome(study: Study, runs: Sequence[Run]) -> SweepOutcome:
    """Returns the largest noise of a sweep up to which no setting costs more accuracy than the tolerance."""
    found = settings(runs)
    done = [one for one in found if one.accuracies]
    complete = {run.plan for run in runs}.issuperset(study.grid()) and all(one.missing == 0 for one in found)
    left_out = study.baseline == NONE
    baseline = next((one for one in done if left_out or one.plan.privacy.noise_multiplier == 0), None)
    outcome = SweepOutcome(settings=done, baseline=baseline, complete=complete)
    if not complete or outcome.baseline is None:
        return outcome
    tolerable = None
    for one in done:
        if one.mean < outcome.baseline.mean - study.tolerance:
            break
        tolerable = one if one.plan.privacy.noise_multiplier > 0 else tolerable
    return replace(outcome, tolerable=tolerable)


def differ(one: Setting, other: Setting) -> bool | None:
    """Whether two settings differ by more than their seeds do; `None` with too few seeds to say.

    Where there is no difference, ranges of two seeds miss each other in one case of three, of four in one of forty.
    """
    if min(len(one.accuracies), len(other.accuracies)) < _SEEDS_TO_SAY:
        return None
    return abs(one.mean - other.mean) > one.band + other.band


@functools.lru_cache(maxsize=256)  # a page that polls asks for the same one every two seconds
def final_answer(study: Study, tolerable: Setting, accountant: str) -> tuple[Plan, Shortfall | None]:
    """Returns the plan with the clients at which the tolerable noise meets the target; and why its epsilon is far lower.

    Raises:
        UnattainableTargetError: If no number of clients does.
    """
    assert study.target_epsilon is not None  # without one there is nothing to calibrate to
    small = tolerable.plan.privacy
    solved, short = calibration.solution(
        replace(small, **calibration.PLACEHOLDERS["clients"]),
        "clients",
        target_epsilon=study.target_epsilon,
        noise_to_clients_ratio=small.noise_multiplier / small.clients_per_round,
        accountant=accountant,
    )
    return replace(tolerable.plan, privacy=solved), short


def final_plan(study: Study, tolerable: Setting, accountant: str) -> Plan:
    """Returns the plan of `final_answer`; errors as there."""
    return final_answer(study, tolerable, accountant)[0]
