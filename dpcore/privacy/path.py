"""The noise on a model's path: what has added up in its weights by each round."""

import math

import numpy as np
from numpy.typing import NDArray

from dpcore.plan import PrivacyPlan

MOST_ROUNDS = 10_000  # beyond, a matrix takes long to optimise


def noise_by_round(plan: PrivacyPlan) -> NDArray[np.float64]:
    """Returns the root mean square of the noise in the sum of the first t averages, for t from 1: float64 [rounds].

    In clip norms. Independent noise adds up by the root of the rounds; of what is correlated, later rounds take back
    a part.

    >>> noise_by_round(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120, rounds=4)).round(4)
    array([0.0101, 0.0142, 0.0174, 0.0201])
    """
    variances = plan.noise.prefix_errors(plan.rounds)
    on_average = plan.value_noise_multiplier / plan.clients_per_round
    found: NDArray[np.float64] = on_average * np.sqrt(variances)
    return found


def effective_noise(plan: PrivacyPlan) -> float:
    """Returns the noise on the average, in clip norms; infinite where it takes long to compute.

    Of correlated noise, it is that of the independent noise that is as large on the path, in the mean square over all
    rounds.
    """
    on_average = plan.value_noise_multiplier / plan.clients_per_round
    if not plan.noise.is_correlated or plan.rounds == 0:
        return on_average
    if plan.rounds > MOST_ROUNDS:
        return math.inf
    return on_average * math.sqrt(plan.noise.prefix_errors(plan.rounds).mean() / ((plan.rounds + 1) / 2))
