"""Whether counts of independent coins spread as such counts do."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """The index of dispersion of equal binomial counts: their mean squared distance from what is expected over its own.

    It is 1 where each count is one of independent coins; more where coins fall together, less where they avoid it. Its
    distribution is taken as the gamma distribution of the same mean, variance and skewness (Pearson's type III), which
    are exact. It is close where some hundred successes are expected in all.

    Attributes:
        counts: int [num_counts].
        trials: Coins behind each count.
        prob: The probability of each, in (0, 1).
    """

    counts: NDArray[np.int64]
    trials: int
    prob: float

    @property
    def index(self) -> float:
        """The index itself."""
        return float(np.mean(_squares(self.counts, self.trials, self.prob)))

    def p_value(self) -> float:
        """Returns how often an index is at least as far out on its side, twice."""
        shape, place = self._shape, self._place(self.index)
        tails = special.gammainc(shape, place), special.gammaincc(shape, place)
        return float(min(1.0, 2 * min(tails)))

    def interval(self, confidence: float) -> tuple[float, float]:
        """Returns by how much the counts may spread more than coins' do, for the index to be what it is."""
        tail, shape = (1 - confidence) / 2, self._shape
        low, high = (
            1 + self._spread * (float(special.gammaincinv(shape, beyond)) - shape) / math.sqrt(shape)
            for beyond in (tail, 1 - tail)
        )
        return self.index / high, self.index / low if low > 0 else math.inf

    @property
    def _spread(self) -> float:
        return math.sqrt(_moment(self.trials, self.prob, 2) / len(self.counts))

    @property
    def _shape(self) -> float:
        variance, third = (_moment(self.trials, self.prob, power) for power in (2, 3))
        return 4 * len(self.counts) * variance**3 / third**2

    def _place(self, index: float) -> float:
        shape = self._shape
        return max(shape + math.sqrt(shape) * (index - 1) / self._spread, 0.0)


def _squares(counts: NDArray[np.int64], trials: int, prob: float) -> NDArray[np.float64]:
    mean = trials * prob
    squares: NDArray[np.float64] = (counts - mean) ** 2 / (mean * (1 - prob))
    return squares


@functools.lru_cache(maxsize=64)
def _moment(trials: int, prob: float, power: int) -> float:
    """The central moment of that order of one count's square."""
    counts = np.arange(trials + 1)
    return float(stats.binom.pmf(counts, trials, prob) @ (_squares(counts, trials, prob) - 1) ** power)
