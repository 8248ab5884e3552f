"""Zeroing of outlying updates, with the settings that `tff.learning.dp_aggregator` ships.

An update whose largest entry exceeds a threshold becomes zero. The threshold follows a quantile of those
entries over the cohort, **without noise**: it is outside the (epsilon, delta) guarantee.
"""

import math

INITIAL_ESTIMATE = 10.0
TARGET_QUANTILE = 0.98
LEARNING_RATE = math.log(10.0)
MULTIPLIER = 2.0
INCREMENT = 1.0

# The same, as `tff.aggregators.PrivateQuantileEstimationProcess.no_noise` takes them.
TFF_ARGUMENTS = {
    "initial_estimate": INITIAL_ESTIMATE,
    "target_quantile": TARGET_QUANTILE,
    "learning_rate": LEARNING_RATE,
    "multiplier": MULTIPLIER,
    "increment": INCREMENT,
}


def threshold(estimate: float) -> float:
    """Returns the size of an entry above which an update becomes zero."""
    return MULTIPLIER * estimate + INCREMENT


def next_estimate(estimate: float, num_below: int, num_clients: int) -> float:
    """Returns the quantile's estimate after a round: `num_below` of its `num_clients` updates had no larger entry.

    Source: Andrew et al. (2021) <https://arxiv.org/abs/1905.03871>, section 3.1, without noise. A round
    without users counts as half of them below, as TFF has it.
    """
    fraction = num_below / num_clients if num_clients else 0.5
    return estimate * math.exp(-LEARNING_RATE * (fraction - TARGET_QUANTILE))
