"""The same noise, fresh in every round and correlated, as it adds up in the model over a known schedule."""

import numpy as np
import pandas as pd

from dpcore import rng
from dpcore.mechanisms import choices
from dpcore.mechanisms.noise import Independent, Noise
from dpcore.plan import FixedClipping, PrivacyPlan

NAMES = ("independent", "correlated")


def plan(bands: int) -> PrivacyPlan:
    """Returns the tutorial's numbers on a known schedule, with noise of so many bands: of one, it is independent.

    Raises:
        InvalidValueError: If these are more than the rounds between two of a user's.
    """
    usual = PrivacyPlan(clipping=FixedClipping())
    forming, noise = choices.chosen("schedule", "banded", usual.fleet, bands=bands)
    return PrivacyPlan(clipping=usual.clipping, participation=forming, noise=noise)


def paths(plan: PrivacyPlan, draw: int = 0) -> pd.DataFrame:
    """Returns what the noise on one weight's sum adds up to, in clip norms, in the draw of that number.

    Columns `round`; `independent` and `correlated`, of the same draws in each round; and the root mean square of either,
    `independent_rms` and `correlated_rms`.
    """
    table: dict[str, np.ndarray] = {"round": np.arange(1, plan.rounds + 1)}
    for name, noise in zip(NAMES, (Independent(), plan.noise), strict=True):
        table[name] = plan.noise_multiplier * np.cumsum(_noise(noise, plan.rounds, draw))
        table[f"{name}_rms"] = plan.noise_multiplier * np.sqrt(noise.prefix_errors(plan.rounds))
    return pd.DataFrame(table)


def _noise(noise: Noise, rounds: int, draw: int) -> np.ndarray:
    """The noise of each round on one weight, float64 [rounds], as an engine draws it."""
    of_round = noise.source(lambda number: rng.stream(draw, "lesson/noise_that_remembers", number), rounds, [(1,)])
    return np.array([float(of_round(number)[0][0]) for number in range(1, rounds + 1)])


def effective_noise(paths: pd.DataFrame, name: str) -> float:
    """Returns the root mean square of what a kind of noise adds up to, over all rounds, in clip norms."""
    return float(np.sqrt(np.mean(paths[f"{name}_rms"] ** 2)))
