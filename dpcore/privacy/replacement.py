"""Renyi divergences of cohorts of a fixed size where a user is replaced by another: many settings at once.

Source: Wang et al. (2019) <https://arxiv.org/abs/1808.00087>, theorem 27 for whole orders and corollary 10 between them,
as `dp-accounting` has it, which takes a third of a second for one setting.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpcore.privacy.bounds import RDP_ORDERS

_BELOW, _ABOVE = np.floor(RDP_ORDERS).astype(int), np.ceil(RDP_ORDERS).astype(int)
_WHOLE = np.unique([*_BELOW, *_ABOVE, 2])
_WHOLE = _WHOLE[_WHOLE > 1]
_EXACT = 256  # the library takes differences up to this order
_ROUNDING = 2e-15  # of a sum
# Row n: the coefficients of the forward difference of order 2 n.
_SIGNED = special.binom(np.arange(0, _EXACT + 1, 2)[:, None], np.arange(_EXACT + 1)) * (-1.0) ** np.arange(
    _EXACT + 1
)
# The binomial sums of the whole orders a, laid end to end: one entry for each k from 2 to a.
_A, _K = np.repeat(_WHOLE, _WHOLE - 1), np.concatenate([np.arange(2, order + 1) for order in _WHOLE])
_STARTS = np.cumsum(_WHOLE - 1) - (_WHOLE - 1)
_LOG_BINOMIALS = special.gammaln(_A + 1) - special.gammaln(_K + 1) - special.gammaln(_A - _K + 1)


@np.errstate(all="ignore")  # what overflows bounds nothing: it is infinite
def log_moments(noise: NDArray[np.float64], prob: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (order - 1) times the divergence of a round at each of `RDP_ORDERS`, float64 [num_settings, num_orders].

    Args:
        noise: Noise multipliers, over the most by which the sum moves, float64 [num_settings].
        prob: The fraction of the users in a cohort, each below 1, float64 [num_settings].
    """
    noise = noise[:, None]
    k = np.arange(_WHOLE[-1] + 1)
    plain = math.log(2) + k * (k - 1) / (2 * noise**2)
    ternary = np.minimum(plain[:, : _EXACT + 1], math.log(4) + _differences(noise))
    middle = np.concatenate([ternary, plain[:, _EXACT + 1 :]], axis=1)
    terms = np.where(_A <= _EXACT, middle[:, _K], np.where(_K == 2, middle[:, 2:3], plain[:, _K]))
    terms = terms + _K * np.log(prob)[:, None] + _LOG_BINOMIALS
    largest = np.maximum.reduceat(terms, _STARTS, axis=1)
    sums = np.add.reduceat(np.exp(terms - np.repeat(largest, _WHOLE - 1, axis=1)), _STARTS, axis=1)
    found = np.zeros((len(noise), _WHOLE[-1] + 1))
    found[:, _WHOLE] = np.logaddexp(0, largest + np.log(sums))
    above = np.array(RDP_ORDERS) - _BELOW
    between: NDArray[np.float64] = (1 - above) * found[:, _BELOW] + above * found[:, _ABOVE]
    return between


def _differences(noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of what bounds the k-th ternary divergence, for k from 0, float64 [num_settings, _EXACT + 1].

    That is the root of the product of two forward differences of exp(x (x - 1) / (2 noise^2)) at 0, of even orders.
    """
    x = np.arange(_EXACT + 1)
    values = x * (x - 1) / (2 * noise**2)
    ends = values[:, ::2]
    # Of each order: the terms over the last one.
    terms = np.exp(np.minimum(values[:, None, :] - ends[:, :, None], 0))
    found, summed = (terms * _SIGNED).sum(-1), (terms * np.abs(_SIGNED)).sum(-1)
    logs = ends + np.log(np.maximum(found, 0) + _ROUNDING * summed)  # nothing is left of some but their rounding
    middle: NDArray[np.float64] = 0.5 * (logs[:, x // 2] + logs[:, -(-x // 2)])
    return middle
