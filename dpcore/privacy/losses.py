"""The privacy losses of one sampled round, rounded up to a grid, at any noise and with tails of any size."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Run = tuple[float, float, int]  # noise multiplier, sampling probability, and rounds that are alike

# Rounding: of the logarithm of a mass, and of a sum.
_MASS_ERROR, _SUM_ERROR = 1e-13, 1e-15


class Losses(NamedTuple):
    """The privacy losses of a round on one side.

    Attributes:
        rounds: How many rounds are like this one.
        lowest: The lowest loss.
        masses: The probabilities of it and of those that follow in equal steps, float64 [num_losses].
        infinity: That of an infinite loss.
    """

    rounds: int
    lowest: float
    masses: NDArray[np.float64]
    infinity: float


def _log_between(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the mass of N(0, 1) between ascending numbers, float64 [num_outputs - 1]."""
    tails, positive = special.log_ndtr(-np.abs(outputs)), outputs > 0
    here, there = tails[:-1], tails[1:]
    larger, smaller = np.where(positive[:-1], (here, there), (there, here))
    across = positive[1:] & ~positive[:-1]
    return np.where(across, np.log1p(-np.exp(here) - np.exp(there)), larger + np.log(-np.expm1(smaller - larger)))


def _loss(ratio: float, prob: float) -> float:
    """The loss log(1 - prob + prob * exp(ratio)) where a user's presence changes the density by exp(ratio)."""
    if ratio > 1:
        return math.log(prob) + ratio + math.log1p((1 - prob) / prob * math.exp(-ratio))
    moved = prob * math.expm1(ratio)
    return math.log1p(moved) if moved > -0.5 else float(np.logaddexp(np.log1p(-prob), math.log(prob) + ratio))


def _ratios(lowest_ratio: float, lowest: float, above: NDArray[np.float64], prob: float) -> NDArray[np.float64]:
    """The ratios whose losses are so much above the lowest, float64 [num_losses]."""
    small = np.expm1(np.minimum(lowest + above, 1)) / prob
    # exp(ratio) is that of the lowest and what the loss adds to it: both are positive, so that nothing cancels.
    added = lowest - math.log(prob) + above + np.log(-np.expm1(-above))
    return np.where(np.abs(small) < 0.5, np.log1p(small), np.logaddexp(lowest_ratio, added))


def _outputs(noise: float, prob: float, side: int, tail: float) -> tuple[float, float]:
    """Where a round's outputs begin and end but for a tail, in standard deviations from those without the user."""

    def farthest(beyond: float) -> float:
        return -float(special.ndtri_exp(math.log(beyond))) if beyond < 1 else -math.inf

    if side == -1:
        return -farthest(tail), farthest(tail)
    return -farthest(tail), max(farthest(tail / 2), 1 / noise + farthest(tail / 2 / prob))


def largest_loss(noise: float, prob: float, side: int, tail: float) -> float:
    """How far a round's losses reach, above 0; on one side, as `losses` has it."""
    low, high = (_loss(output / noise - 0.5 / noise**2, prob) for output in _outputs(noise, prob, side, tail))
    return max(high - low, 1e-6 * abs(low))


def losses(run: Run, side: int, tail: float, step: float) -> Losses:
    """The losses of a round that a user is removed from (`side` 1) or added to (-1), never below the true ones.

    Source: Doroshenko et al. (2022) <https://arxiv.org/abs/2207.04380>, algorithm 1. Mass between two losses of the grid
    goes to both, so that what it is without the user, or with, remains as well.
    """
    noise, prob, rounds = run
    low, _high = _outputs(noise, prob, side, tail)
    shift = 0.5 / noise**2
    lowest = _loss(low / noise - shift, prob)
    above = step * np.arange(max(1, math.ceil(largest_loss(noise, prob, side, tail) / step)) + 1)
    ratios = _ratios(low / noise - shift, lowest, above, prob)
    outputs = noise * (ratios + shift)
    absent, present = _log_between(outputs), _log_between(outputs - 1 / noise)
    rounding = _MASS_ERROR + _SUM_ERROR * (np.abs(ratios[1:]) + np.abs(absent) + np.abs(present))
    if side == 1:
        masses = (1 - prob) * np.exp(absent) + prob * np.exp(present)
        up = prob * np.exp(present) * (rounding - np.expm1(ratios[:-1] + absent - present))
    else:
        masses = np.exp(absent)
        up = prob * np.exp(ratios[1:] - lowest - above[1:] + absent)
        up *= rounding - np.expm1(present - absent - ratios[1:])
    # Where that is not a number, so little is there that nothing is known of it: all of it goes up.
    up = np.maximum(np.fmin(up / -math.expm1(-step), masses), 0)
    below, beyond = special.ndtr(low), special.ndtr(-outputs[-1])
    if side == -1:
        masses = np.append(up, beyond) + np.append(0, masses - up)
        return Losses(rounds, -lowest - above[-1], masses[::-1], below)
    beyond = (1 - prob) * beyond + prob * special.ndtr(1 / noise - outputs[-1])
    return Losses(rounds, lowest, np.append(masses - up, 0) + np.append(below, up), beyond)
