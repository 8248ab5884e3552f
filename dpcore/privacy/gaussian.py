"""The Gaussian mechanism on everybody: without sampling, epsilon and delta have a closed form."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

_ROUNDING = 1e-15  # relative, of a term and of where it is taken
Numbers = NDArray[np.float64] | float
_BISECTIONS = 60  # halve the bracket to less than a float tells apart
_FARTHEST, _LEAST = 38.0, 1e-300  # standard deviations; and a delta below which tails lose their digits


def _deltas(output: Numbers, shift: Numbers, unsure: Numbers = 0) -> NDArray[np.float64]:
    """The delta at the loss of an output, never below the true one; both in standard deviations.

    Args:
        output: Counted from the middle of those with the user towards those without.
        shift: How far apart the two middles are.
        unsure: How many roundings are in the output, by the shift.
    """
    density, near = np.exp(-(output**2) / 2), np.maximum(output, 0)

    def beyond(far: Numbers) -> NDArray[np.float64]:
        """The mass beyond, over the density there: it does not underflow."""
        mass: NDArray[np.float64] = special.erfcx(far / np.sqrt(2)) / 2
        return mass

    with_user = np.where(output > 0, density * beyond(near), special.ndtr(-output))
    # exp(epsilon) times the density so much farther out is the density here: so both have the same rounding of it.
    without = density * beyond(output + shift)
    rounding = _ROUNDING * (with_user + without * (1 + unsure + np.minimum(output, 0) ** 2))
    found: NDArray[np.float64] = (with_user - without + rounding) * (1 + _ROUNDING * output**2)
    return found


def deltas(noise_multiplier: Numbers, epsilons: Numbers) -> NDArray[np.float64]:
    """Returns the delta at each epsilon, float64 [of the arguments' common shape], never below the true one.

    Above it by less than a billionth of delta, at noise from a thousandth to a thousand. Source: Balle and Wang (2018)
    <https://arxiv.org/abs/1805.06530>, theorem 8.

    Args:
        noise_multiplier: Above 0; of rounds that are alike, that of one round over the root of their number.
        epsilons: At least 0.
    """
    shift = 1 / noise_multiplier
    return _deltas(noise_multiplier * epsilons - shift / 2, shift, epsilons + shift**2 / 2)


def epsilons(noise_multiplier: Numbers, delta: Numbers) -> NDArray[np.float64]:
    """Returns the least epsilon at each delta, float64 of the arguments' common shape, never below the true one.

    Args:
        noise_multiplier: As in `deltas`.
        delta: In (0, 1); below 1e-300, the answer is infinite.

    >>> epsilons(np.array([1.2, 0.12]), np.array(1e-5)).round(3)
    array([ 3.549, 69.457])
    """
    noise, delta = np.broadcast_arrays(noise_multiplier, delta)
    shift = 1 / noise
    # Where losses are large, the output that has one is known far better than it is from the loss.
    low, high = -shift / 2, np.full(noise.shape, _FARTHEST)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = _deltas(middle, shift) > delta
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = np.where(delta < _LEAST, np.inf, (high + shift / 2) * shift * (1 + _ROUNDING))
    return np.where(_deltas(-shift / 2, shift) > delta, found, 0)
