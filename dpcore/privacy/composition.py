"""Rounds composed at any noise, delta and epsilon: upper bounds where the grid of `dp-accounting`'s PLD does not reach.

Losses are rounded by "connect the dots" to a grid that is made finer until that no longer moves the answer. They are
composed by FFT under an exponential tilt, which puts what is looked for into the middle of what is computed: so its
rounding is small beside the smallest delta.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from dpcore.privacy.losses import Losses, Run, largest_loss, losses

# What is cut off: of a delta that is looked for, the more the more rounding there is else; and of tilted losses.
_TAILS, _OUTSIDE = (1e-5, 1e-2, 1e-1), 1e-12
# Rounding: of a round's masses and losses, relative; of a sum, relative; and of a tail, for each round that is composed
# (measured against 80-bit floats: below 3e-16).
_MASS_ERROR, _LOSS_ERROR, _SUM_ERROR, _FFT_ERROR = 1e-13, 1e-14, 1e-15, 2e-15
# Losses of a round at the coarsest, and those of a round and of all together (in a chart, of all) beyond which no grid is
# made finer.
_FEWEST, _MOST_LOSSES, _MOST_POINTS, _MOST_IN_A_CHART = 2**9, 2**17, 2**20, 2**17
_LARGE = 1e-6  # a delta beside which rounding is small without a tilt
_SMALLEST_PROFILE = 1e-10  # the delta that a whole profile is to show


class _Tilted(NamedTuple):
    """A round's losses, each made exp(tilt * place) times as probable, over the sum of all.

    Attributes:
        rounds: How many rounds are like this one.
        log_sum: The logarithm of that sum.
        masses: The probabilities, float64 [num_losses].
        mean: That of the places.
        variance: That of the places.
    """

    rounds: int
    log_sum: float
    masses: NDArray[np.float64]
    mean: float
    variance: float


def _tilted(kind: Losses, tilt: float) -> _Tilted:
    places = np.arange(len(kind.masses))
    powers = np.log(kind.masses) + tilt * places
    masses = np.exp(powers - powers.max())
    total = masses.sum()
    masses /= total
    mean = float(masses @ places)
    variance = float(masses @ (places - mean) ** 2)
    return _Tilted(kind.rounds, float(powers.max()) + math.log(total), masses, mean, variance)


def _log_sum(kinds: list[Losses], tilt: float) -> float:
    """The logarithm of the mean of exp(tilt * place) of all rounds together."""
    return sum(kind.rounds * _tilted(kind, tilt).log_sum for kind in kinds)


def _best_tilt(kinds: list[Losses], delta: float) -> float:
    """A tilt under which a delta is large: it moves the mean towards where epsilon is. None, where it is large as it is.

    All of the way, it would be the one whose Chernoff bound of that delta is the least.
    """
    # Where delta is smaller than the mass of the highest loss, no tilt is enough, and the largest are of no use.
    highest = -sum(kind.rounds * float(np.log(kind.masses[-1])) for kind in kinds)
    wanted = 0.9 * min(math.log(_LARGE / delta), highest)
    if wanted <= 0:
        return 0.0

    def falls_short(tilt: float) -> bool:
        parts = [_tilted(kind, tilt) for kind in kinds]
        return sum(part.rounds * (tilt * part.mean - part.log_sum) for part in parts) < wanted

    low, high = -20.0, 4.0  # in powers of e
    for _ in range(14):
        middle = (low + high) / 2
        low, high = (middle, high) if falls_short(math.exp(middle)) else (low, middle)
    return math.exp(low)


class _Window(NamedTuple):
    """Which losses are computed.

    Attributes:
        low: The least of them, less the lowest loss that there is.
        high: The largest of them, less the same.
        further: By how much more, in losses, is tilted to bound what is above.
    """

    low: float
    high: float
    further: float


def _window(kinds: list[Losses], tilt: float, step: float) -> _Window:
    """The losses but for a small part of the tilted ones beyond either end, by Chernoff's bound."""
    parts = [_tilted(kind, tilt) for kind in kinds]
    log_sum = sum(part.rounds * part.log_sum for part in parts)
    further = 8 / (math.sqrt(sum(part.rounds * part.variance for part in parts)) + 1e-3) * 4.0 ** np.arange(-8, 2)
    low, high = (
        [(_log_sum(kinds, tilt + sign * more) - log_sum - math.log(_OUTSIDE)) / more for more in further]
        for sign in (-1, 1)
    )
    top = sum(kind.rounds * (len(kind.masses) - 1) for kind in kinds)
    return _Window(max(-min(low), 0) * step, min(*high, top) * step, further[np.argmin(high)] / step)


class _Profile(NamedTuple):
    """The deltas of all rounds together on one side, at the losses of the grid, from the highest down.

    Delta at a loss is exp(log_scale) * excess + infinity.

    Attributes:
        step: That of the grid.
        highest: The highest loss; only the infinite one is above.
        log_scale: float64 [num_losses].
        excess: Sums of the tilted masses above each loss, each by 1 - exp(-its distance), float64 [num_losses].
        lower: Sums of them from each loss on up, each by exp(-its distance), float64 [num_losses].
        infinity: The mass of the infinite loss.
        rounding: What of each excess is there for rounding.
    """

    step: float
    highest: float
    log_scale: NDArray[np.float64]
    excess: NDArray[np.float64]
    lower: NDArray[np.float64]
    infinity: float
    rounding: float

    def epsilon_at(self, delta: float) -> float:
        """The least epsilon at a delta."""
        left = delta - self.infinity
        if left <= 0:
            return math.inf
        needed = np.exp(np.minimum(math.log(left) - self.log_scale, 700))
        within = np.maximum.accumulate(self.excess - needed) <= 0  # rounding must not hide a crossing
        at = np.count_nonzero(within) - 1
        if at < 0:
            return self.highest
        beyond = max((self.excess[at] - needed[at]) / max(self.lower[at], 1e-300), -1)
        least = -math.inf if at == len(within) - 1 else -self.step
        return self.highest - at * self.step + max(least, float(np.log1p(min(beyond, 0))))

    def is_rounded(self, epsilon: float, delta: float) -> bool:
        """Whether a thousandth of a delta is there for rounding."""
        at = min(max(int((self.highest - epsilon) / self.step), 0), len(self.lower) - 1)
        return bool(math.log(self.rounding) + self.log_scale[at] > math.log(delta) - 7)

    def deltas_at(self, epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
        """The delta at each epsilon, float64 [num_epsilons]."""
        at = np.clip((self.highest - epsilons) / self.step, 0, len(self.lower) - 1).astype(int)
        below = np.expm1(np.minimum(epsilons - self.highest + at * self.step, 0))
        found = np.exp(self.log_scale[at]) * (self.excess[at] - self.lower[at] * below)
        return np.where(epsilons > self.highest, 0, found) + self.infinity


def _composed(kinds: list[Losses], tilt: float, step: float, window: _Window) -> _Profile:
    """One side after all rounds.

    Source: Grübel and Hermesmeier (1999), "Computation of compound distributions I", for the tilt.
    """
    parts = [_tilted(kind, tilt) for kind in kinds]
    rounds, log_sum = sum(part.rounds for part in parts), sum(part.rounds * part.log_sum for part in parts)
    top = sum(part.rounds * (len(part.masses) - 1) for part in parts)
    last = min(math.ceil(window.high / step), top)
    first = min(max(math.floor(window.low / step), 0), last)
    masses = _power(parts, first, last)[::-1]
    # What lies above is bounded by Chernoff. What lies below comes round to the upper end, which lowers no epsilon.
    more = tilt + window.further * step
    above = math.exp(min(_log_sum(kinds, more) - more * last, 0)) if last < top else 0.0
    # From loss to lower loss, delta grows by what `lower` has, so that nothing cancels. Rounding counts by the largest
    # factor that a mass has, exp(-tilt * places) * (1 - exp(-distance)).
    lower = signal.lfilter([1], [1, -math.exp(-tilt - step)], masses)
    excess = signal.lfilter([0, -math.exp(-tilt) * math.expm1(-step)], [1, -math.exp(-tilt)], lower)
    rounding = _FFT_ERROR * (rounds + 1) * max(step / (step + tilt), -math.expm1(-step))
    more_or_less = _MASS_ERROR * rounds + _SUM_ERROR * (abs(log_sum) + tilt * last)
    lowest = sum(kind.rounds * (kind.lowest + _LOSS_ERROR * abs(kind.lowest)) for kind in kinds)
    return _Profile(
        step=step,
        highest=lowest + last * step * (1 + _LOSS_ERROR),
        log_scale=log_sum + more_or_less - tilt * np.arange(last, first - 1, -1),
        excess=excess + rounding,
        lower=lower,
        infinity=above - math.expm1(sum(kind.rounds * math.log1p(-kind.infinity) for kind in kinds)),
        rounding=rounding,
    )


def _power(parts: list[_Tilted], first: int, last: int) -> NDArray[np.float64]:
    """The masses of all rounds' places together, from the first place to the last; what is beyond comes round."""
    length = fft.next_fast_len(last - first + 1, real=True)
    spectra, centre = [], 0
    for part in parts:
        middle = round(part.mean)  # powers of what lies around 0 keep more digits
        folded = np.bincount((np.arange(len(part.masses)) - middle) % length, part.masses, length)
        spectra.append(fft.rfft(folded))
        centre += part.rounds * middle
    sizes = sum(part.rounds * np.log(np.abs(one)) for part, one in zip(parts, spectra, strict=True))
    kept = sizes > -90  # the others' powers are nothing, but would take the time
    powers = sum(part.rounds * np.log(one[kept] / one[0].real) for part, one in zip(parts, spectra, strict=True))
    spectrum = np.zeros(len(kept), complex)
    spectrum[kept] = np.exp(powers)
    return np.roll(fft.irfft(spectrum, length), centre % length - first % length)[: last - first + 1]


def _profiles(
    runs: list[Run], side: int, tail: float, delta: float | None, points: int = _MOST_POINTS
) -> Iterator[_Profile]:
    """Yields one side of the runs on ever finer grids, precise at a delta, or else at the large ones."""
    tail /= sum(rounds for *_, rounds in runs)
    step = max(largest_loss(noise, prob, side, tail) for noise, prob, _ in runs) / _FEWEST
    composed = False
    while True:
        kinds = [losses(run, side, tail, step) for run in runs]
        most = max(len(kind.masses) for kind in kinds)
        if most <= 2**14:  # on finer grids they hardly change
            tilt = _best_tilt(kinds, delta) / step if delta else 0.0
            window = _window(kinds, tilt * step, step)
        finest = max((window.high - window.low) / points, most * step / _MOST_LOSSES)
        if step < 0.99 * finest:
            if composed:
                return
            step = finest
            continue
        yield _composed(kinds, tilt * step, step, window)
        composed = True
        if finest > 0.7 * step:
            return
        step = max(step / 2, finest)


def _kinds(runs: Sequence[Run]) -> list[Run]:
    """The runs, with all rounds without sampling as the one Gaussian that they are together."""
    plain = sum(rounds / noise**2 for noise, prob, rounds in runs if prob == 1)
    return [run for run in runs if run[1] < 1] + ([(plain**-0.5, 1.0, 1)] if plain else [])


@np.errstate(all="ignore")
def epsilon(runs: Sequence[Run], delta: float, *, closeness: float) -> tuple[float, float]:
    """Returns the least epsilon of all rounds together at a delta, never below the true one; and the grid's step.

    Args:
        runs: At least one, with noise.
        delta: In (1e-200, 1).
        closeness: The fraction of the answer that the last refinement may have moved; it is off by a third of that.
            Infinite for a chart, where the coarsest grid will do: some tenths of a percent above.

    >>> epsilon([(1.2, 120 / 3383, 100)], 1e-5, closeness=1e-4)[0]
    1.7074...
    """
    runs, best = _kinds(runs), (0.0, 0.0)
    for side in (1, -1):
        if side == -1 and sum(-rounds * float(np.log1p(-prob)) for _, prob, rounds in runs) <= best[0]:
            continue  # adding a user leaves no loss above that
        best = max(best, _on_side(runs, side, delta, closeness=closeness, enough=best[0]))
    return best


def _on_side(runs: list[Run], side: int, delta: float, *, closeness: float, enough: float) -> tuple[float, float]:
    """As `epsilon`, on one side; no closer where it is below what is enough."""
    best, points = (math.inf, 0.0), _MOST_POINTS if math.isfinite(closeness) else _MOST_IN_A_CHART
    for tail in _TAILS:
        found = before = math.inf
        for profile in _profiles(runs, side, tail * delta, delta, points):
            now = max(profile.epsilon_at(delta), 0.0)
            settled = abs(now - before) <= closeness * now and profile.step <= 0.1 * now
            found, before = min(now, found), now
            if settled or found <= enough or math.isinf(closeness):
                break
        best = min(best, (found, profile.step))
        # Where the largest losses are far beyond epsilon, and hardly less probable than delta, no tilt finds it.
        if not profile.is_rounded(found, delta):
            break
    return best


@np.errstate(all="ignore")
def deltas(runs: Sequence[Run], epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the delta of all rounds together at each epsilon of at least 0, float64, never below the true one.

    Args:
        runs: As in `epsilon`.
        epsilons: float64 [num_epsilons].
    """
    best = np.zeros(len(epsilons))
    for side in (1, -1):
        found = np.full(len(epsilons), np.inf)
        for profile in _profiles(_kinds(runs), side, _TAILS[0] * _SMALLEST_PROFILE, None):
            before, found = found, np.maximum(np.minimum(profile.deltas_at(epsilons), found), best)
            if np.all(before <= found * (1 + 1e-3) + _SMALLEST_PROFILE):
                break
        best = found
    return np.minimum(best, 1)
