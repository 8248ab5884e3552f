"""Random cohorts that an attacker sees: how often a user takes part is drawn, and the rest is a plain Gaussian.

Whoever sees the output and the cohorts sees more than the output, and cohorts are drawn without looking at the data.
So the privacy profile is at most that of Gaussians, averaged over how often the user is drawn: exact for known cohorts,
and a bound for secret ones. Zero-out and replace-one leave the draw as it is; and so does adding a user to draws with
replacement, by coins that say which draws would have been theirs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special, stats

from dpcore.privacy import gaussian

_POINTS = 1 << 12  # places of the squared shift
_CUT = 1e-17  # probability of more draws of one user in a round than are looked at
_ERROR = 1e-16  # of a transform, for each round
_BEYOND, _LEAST_MASS = 1e-20, 1e-16  # what may lie beyond the grid, and what is left out of it in all
_BISECTIONS = 60


class Drawn(NamedTuple):
    """Rounds that are alike.

    Attributes:
        noise: Standard deviation over the most that one appearance of the user moves the sum.
        draws: How often somebody is drawn in a round; 1 where a user is in or not.
        probability: Of the user, in each draw.
        rounds: How many rounds.
    """

    noise: float
    draws: int
    probability: float
    rounds: int


def epsilon(kinds: Sequence[Drawn], delta: float) -> float:
    """Returns the least epsilon of all rounds at a delta, never below the true one for an attacker who sees cohorts.

    >>> round(epsilon([Drawn(1.0, 1, 0.1, 50)], 1e-5), 1)
    16.1
    """
    squares, masses, lost = _squared_shifts(kinds)
    left = delta - lost
    if not left > 0:
        return float("inf")
    return _least_epsilon(squares, masses, left)


def _least_epsilon(squares: NDArray[np.float64], masses: NDArray[np.float64], delta: float) -> float:
    noise = squares[squares > 0] ** -0.5
    weights = masses[squares > 0]

    def is_above(at: float) -> bool:
        return float(weights @ gaussian.deltas(noise, at)) > delta

    low, high = 0.0, 1.0
    if not is_above(0.0):
        return 0.0
    while is_above(high):
        high *= 2
        if high > 1e15:
            return float("inf")
    for _bisection in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_above(middle) else (low, middle)
    return high


def _squared_shifts(kinds: Sequence[Drawn]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The squared shift of the whole in standard deviations: values and their probabilities, float64 [num_points] each.

    Values are moved up to a grid, so that none is below the true one; and what was cut off, or rounded away.
    """
    parts = [_values(kind) for kind in kinds]
    top = _highest(parts)
    largest = sum(rounds * float(values[-1]) for values, _masses, rounds in parts)
    unit = min(float(values[1]) for values, _masses, _rounds in parts)
    alike = len({kind.noise for kind in kinds}) == 1  # then all values are whole multiples of one appearance's
    if not alike or top / unit > 16 * _POINTS:
        unit = top / (16 * _POINTS)
    # Each round's value is moved up by less than a step: as far above the highest value, at most.
    more = 0 if alike and unit == float(parts[0][0][1]) else sum(rounds for *_, rounds in parts)
    places = int(min(top, largest) / unit) + 2 + more
    if (
        places > 512 * _POINTS
    ):  # more rounds than steps: the mean of a round's value is what counts, and is below this
        return np.array([largest * (1 + 1e-9)]), np.ones(1), 0.0
    size = fft.next_fast_len(places, real=True)
    whole, lost = np.ones(size // 2 + 1, dtype=complex), 0.0 if top >= largest else _BEYOND
    for (values, masses, rounds), kind in zip(parts, kinds, strict=True):
        at = np.ceil(values / unit * (1 - 1e-12)).astype(int)
        inside = at < size
        one = np.bincount(at[inside], masses[inside], minlength=size)
        cut = 1 - stats.binom.cdf(len(values) - 1, kind.draws, kind.probability) if len(values) <= kind.draws else 0
        lost += rounds * (float(masses[~inside].sum()) + float(max(cut, 0)) + _ERROR)
        whole *= fft.rfft(one) ** rounds
    found = np.maximum(fft.irfft(whole, size), 0)
    kept = found > _LEAST_MASS / size
    lost += float(found[~kept].sum())
    return np.flatnonzero(kept) * unit * (1 + 1e-11), found[kept], lost


def _values(kind: Drawn) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """The squared shift of one round, with its probability, float64 [num_counts] each; and how many rounds."""
    most = int(min(kind.draws, max(1, stats.binom.isf(_CUT, kind.draws, kind.probability))))
    counts = np.arange(most + 1)
    return counts**2 / kind.noise**2, stats.binom.pmf(counts, kind.draws, kind.probability), kind.rounds


def _highest(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], int]]) -> float:
    """A value that the whole exceeds with a probability of at most `_BEYOND`, by Chernoff's bound."""
    best = sum(rounds * float(values[-1]) for values, _masses, rounds in parts)
    scale = max(float(values[1]) for values, _masses, _rounds in parts)
    for slope in np.geomspace(1e-6, 60, 120) / scale:
        logs = sum(rounds * float(special.logsumexp(slope * values, b=masses)) for values, masses, rounds in parts)
        best = min(best, float((logs - np.log(_BEYOND)) / slope))
    return best
