"""Zeroing of outlying updates, with the settings that `tff.learning.dp_aggregator` ships.

An update whose largest entry exceeds a threshold becomes zero. The threshold follows a quantile of those
entries over the cohort, **without noise**: it is outside the (epsilon, delta) guarantee.
"""

import math

import numpy as np

INITIAL_ESTIMATE = 10.0
TARGET_QUANTILE = 0.98
LEARNING_RATE = math.log(10.0)
MULTIPLIER = 2.0
INCREMENT = 1.0


def threshold(estimate: float) -> float:
    """Returns the size of an entry above which an update becomes zero."""
    return MULTIPLIER * estimate + INCREMENT


def next_estimate(estimate: float, largest: np.ndarray) -> float:
    """Returns the quantile's estimate after a round; `largest` is each update's largest entry, [cohort_size].

    Source: Andrew et al. (2021) <https://arxiv.org/abs/1905.03871>, section 3.1, without noise. A round
    without users counts as half of them below, as TFF has it.
    """
    below = float((largest <= np.float32(estimate)).mean()) if len(largest) else 0.5
    return estimate * math.exp(-LEARNING_RATE * (below - TARGET_QUANTILE))
