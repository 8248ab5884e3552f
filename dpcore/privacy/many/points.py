"""The library's loss distribution of a sampled round, with all points of its grid at once.

`dp-accounting` 0.4.3 asks for the output that has a loss point by point, in a loop that takes most of the time of an
epsilon. The same formulas on arrays give the same masses to the last digits.
"""

import math

import numpy as np
from dp_accounting.pld.pld_pmf import PLDPmf, create_pmf_pessimistic_connect_dots_fixed_gap
from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution
from dp_accounting.pld.privacy_loss_mechanism import AdjacencyType, GaussianPrivacyLoss
from numpy.typing import NDArray


def of_a_round(noise_multiplier: float, sampling_prob: float, grid: float) -> PrivacyLossDistribution:
    """Returns the loss distribution of a round, as the library's `from_gaussian_mechanism`.

    Args:
        noise_multiplier: Above 0.
        sampling_prob: Below 1.
        grid: The step that losses are brought to.
    """
    return PrivacyLossDistribution(
        *(
            _masses(GaussianPrivacyLoss(noise_multiplier, sampling_prob=sampling_prob, adjacency_type=side), grid)
            for side in (AdjacencyType.REMOVE, AdjacencyType.ADD)
        )
    )


def _masses(mechanism: GaussianPrivacyLoss, grid: float) -> PLDPmf:
    """One side on the grid, by "connect the dots"."""
    ends = mechanism.connect_dots_bounds()
    lowest, highest = math.floor(ends.epsilon_lower / grid), math.ceil(ends.epsilon_upper / grid)
    deltas = _deltas(mechanism, np.arange(lowest, highest + 1) * grid)
    # Rounding must not let them rise, not even by the last digit: the larger one stays.
    falling = np.maximum.accumulate(deltas[::-1])[::-1]
    return create_pmf_pessimistic_connect_dots_fixed_gap(grid, lowest, highest, falling)


@np.errstate(all="ignore")  # at the largest loss of one side, and beyond the other's lowest
def _deltas(mechanism: GaussianPrivacyLoss, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The delta at each loss, float64 [num_losses]."""
    prob, variance = mechanism.sampling_prob, mechanism.standard_deviation**2
    removes = mechanism.adjacency_type == AdjacencyType.REMOVE
    least = math.log1p(-prob)  # beyond it, nobody's presence can change an output by so little
    sign = 1 if removes else -1
    # The loss without sampling: sign * log(1 + (exp(sign * loss) - 1) / prob).
    powers = sign * losses + math.log(1 / prob)
    unsampled = sign * (powers + np.log1p(-np.exp(math.log(1 / prob - 1) - powers)))
    outputs = -sign * 0.5 - unsampled * variance
    found = mechanism.mu_upper_cdf(outputs) - np.exp(losses + mechanism.mu_lower_log_cdf(outputs))
    beyond = sign * losses <= least
    found[beyond] = -np.expm1(losses[beyond]) if removes else 0.0
    if not removes:
        found[np.isclose(losses, -least, rtol=1e-9, atol=0)] = 0.0
    clipped: NDArray[np.float64] = np.clip(found, 0, 1)
    return clipped
