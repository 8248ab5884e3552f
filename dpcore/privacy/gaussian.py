"""The Gaussian mechanism on everybody: without sampling, epsilon and delta have a closed form."""

import numpy as np
from scipy import special

_ROUNDING = 1e-15  # relative; the larger an exponent, the more of it there is in the power
_BISECTIONS = 80  # halve any bracket to less than a float tells apart


def deltas(noise_multiplier: np.ndarray | float, epsilons: np.ndarray | float) -> np.ndarray:
    """Returns the delta at each epsilon, float64 of the arguments' common shape, never below the true one.

    Above it by 4e-12 at most, up to epsilon 700. Source: Balle and Wang (2018)
    <https://arxiv.org/abs/1805.06530>, theorem 8.

    Args:
        noise_multiplier: Above 0; of rounds that are alike, that of one round over the root of their number.
        epsilons: At least 0.
    """
    output = -0.5 / noise_multiplier - noise_multiplier * epsilons
    log_below = special.log_ndtr(output)
    above, below = special.ndtr(output + 1 / noise_multiplier), np.exp(epsilons + log_below)
    return above - below + _ROUNDING * (1 + epsilons - log_below) * (above + below)


def epsilons(noise_multiplier: np.ndarray, delta: np.ndarray) -> np.ndarray:
    """Returns the least epsilon at each delta, float64 of the arguments' common shape, never below the true one.

    Args:
        noise_multiplier: As in `deltas`.
        delta: In (0, 1); below some 1e-23, the answer is infinite.

    >>> epsilons(np.array([1.2, 0.12]), np.array(1e-5)).round(3)
    array([ 3.549, 69.457])
    """
    noise, delta = np.broadcast_arrays(noise_multiplier, delta)
    low, high = np.zeros(noise.shape), 0.5 / noise**2 + 10 / noise
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        above = deltas(noise, middle) > delta
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    high = np.where(deltas(noise, high) > delta, np.inf, high)
    return np.where(deltas(noise, 0) > delta, high, 0)
