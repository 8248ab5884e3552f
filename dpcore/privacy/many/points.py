"""The library's loss distribution of a sampled round, and its epsilon, with all points of its grid at once.

`dp-accounting` 0.4.3 goes from point to point, in loops that take most of the time of an epsilon. The same formulas on
arrays give the same masses to the last digits, and the same epsilon to nine.
"""

import math

import numpy as np
from dp_accounting.pld.pld_pmf import DensePLDPmf, PLDPmf, create_pmf_pessimistic_connect_dots_fixed_gap
from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution
from dp_accounting.pld.privacy_loss_mechanism import AdjacencyType, GaussianPrivacyLoss
from numpy.typing import NDArray

_FEW_POINTS = 1000  # up to so many, the library keeps each point by itself
_LARGEST_EXPONENT = 700.0


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


def epsilon(distribution: PrivacyLossDistribution, delta: float) -> float:
    """Returns the smallest epsilon of a distribution at a delta, as the library's `get_epsilon_for_delta`.

    Args:
        distribution: Of both sides.
        delta: Above 0.
    """
    return max(_epsilon(side, delta) for side in (distribution._pmf_remove, distribution._pmf_add))


@np.errstate(all="ignore")  # where losses are far below the epsilon that is found
def _epsilon(side: PLDPmf, delta: float) -> float:
    if not isinstance(side, DensePLDPmf):
        return float(side.get_epsilon_for_delta(delta))
    if side._infinity_mass > delta:
        return math.inf
    losses = (np.arange(side.size) + side._lower_loss)[::-1] * side._discretization
    masses = side._probs[::-1]
    # With and without a user, the probability of a loss above each point, from the largest loss down.
    upper = np.cumsum(np.concatenate([[side._infinity_mass], masses]))
    lower = np.cumsum(np.concatenate([[0.0], np.exp(np.minimum(-losses, _LARGEST_EXPONENT)) * masses]))
    above = (upper > delta) & (lower > 0)
    # Between two losses, delta is upper - e^epsilon * lower: the first at which that epsilon lies above the loss below.
    found = above[:-1] & (np.log((upper[:-1] - delta) / lower[:-1]) >= losses)
    underflows = (upper[1:] >= delta) & (lower[1:] == 0)
    at, lost = (int(np.argmax(np.append(one, True))) for one in (found, underflows))
    if lost < at:
        return max(0.0, float(losses[lost]))
    return 0.0 if upper[at] <= lower[at] + delta else math.log((upper[at] - delta) / lower[at])


def _masses(mechanism: GaussianPrivacyLoss, grid: float) -> PLDPmf:
    """One side on the grid, by "connect the dots"."""
    ends = mechanism.connect_dots_bounds()
    lowest, highest = math.floor(ends.epsilon_lower / grid), math.ceil(ends.epsilon_upper / grid)
    deltas = _deltas(mechanism, np.arange(lowest, highest + 1) * grid)
    # Rounding must not let them rise, not even by the last digit: the larger one stays.
    falling = np.maximum.accumulate(deltas[::-1])[::-1]
    if len(falling) <= _FEW_POINTS:
        return create_pmf_pessimistic_connect_dots_fixed_gap(grid, lowest, highest, falling)
    steps = np.diff(falling)
    first = 1 - falling[0] + steps[0] / math.expm1(grid)
    between = (steps[1:] - steps[:-1] * math.exp(grid)) / math.expm1(grid)
    masses = np.maximum(0.0, np.concatenate([[first], between, [steps[-1] / math.expm1(-grid)]]))
    return DensePLDPmf(grid, lowest, masses, falling[-1], True)


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
