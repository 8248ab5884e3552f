"""The epsilon that the plan's own accountant gives to the step and the noise that a run measured: an estimate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpcore import limits
from dpcore.plan import PrivacyPlan
from dpcore.privacy import curves
from dpcore.privacy.auditing.ingredients import ACROSS_DIRECTIONS, ACROSS_ROUNDS, ROUND_STEP, RUN_STEP, Ingredient


@dataclass(frozen=True, kw_only=True)
class PlugIn:
    """What the accountant says of what was measured. No bound: it takes all that was not measured from the plan.

    Attributes:
        claimed: Of the planned noise.
        epsilon: Of the measured noise over the measured step.
        low: Of the most noise and the least step in their intervals.
        high: Of the least noise, or the planned one where that is less, and the largest step.
    """

    claimed: float
    epsilon: float
    low: float
    high: float


def plug_in(rows: Sequence[Ingredient], plan: PrivacyPlan) -> PlugIn:
    """Returns the epsilons, at the plan's delta, by PLD or RDP as `curves.epsilons` has them.

    The noise is the smaller of the two that were measured, the step the one that was measured most closely; the plan's,
    where there is none. Noise on the count of updates is taken from the plan: no canary sees it.

    Args:
        rows: The ingredients.
        plan: What was planned.
    """
    noise = min(
        (row for row in rows if row.name in (ACROSS_DIRECTIONS, ACROSS_ROUNDS)), key=lambda row: row.measured
    )
    steps = [row for row in rows if row.name in (RUN_STEP, ROUND_STEP)]
    step = min(steps, key=lambda row: row.high - row.low, default=None)
    least, measured, most = (step.low, step.measured, step.high) if step else (1.0, 1.0, 1.0)
    most = most if most > 0 else 1.0  # a step that was not seen promises nothing
    # What there is beyond the planned noise may be users' updates, which protect nobody: the upper end has none of it.
    ratios = (noise.measured, measured), (noise.high, least), (min(noise.low, noise.planned), most)
    multipliers = [plan.noise_multiplier, *(_total(plan, *ratio) for ratio in ratios)]
    found = curves.epsilons(**curves.plan_arguments(plan, noise_multiplier=np.array(multipliers)))
    claimed, epsilon, low, high = found.tolist()
    return PlugIn(claimed=claimed, epsilon=epsilon, low=low, high=high)


def _total(plan: PrivacyPlan, noise: float, step: float) -> float:
    """The noise multiplier of sum and count together; 0, for none at all, where it is too little to be accounted for."""
    if step <= 0:
        return limits.NOISE_MULTIPLIER.maximum  # nothing of a user was seen
    values, count = noise / step, 2 * plan.clipped_count_stddev
    total = values * count / math.hypot(values, count) if count else values
    return total if total >= limits.LEAST_NOISE else 0.0
