"""Epsilons and deltas in milliseconds, of many settings at once: never below the accountant's, and hardly above."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, signal, special

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.events import Event, SampledGaussian
from dpcore.plan import PrivacyPlan
from dpcore.privacy import composition, gaussian, replacement
from dpcore.privacy.bounds import (
    COMPOSED_LEAST_DELTA,
    FFT_ERROR,
    LOG_A_ERROR,
    PLD_LEAST_DELTA,
    PLD_LEAST_NOISE,
    PLD_MOST_EPSILON,
    RDP_ORDERS,
)

# The binomial sums of the whole orders a, laid end to end: one entry for each k from 2 to a.
_ORDERS = np.array(RDP_ORDERS, dtype=float)
_IS_WHOLE = _ORDERS % 1 == 0
_WHOLE = _ORDERS[_IS_WHOLE].astype(int)
_A, _K = np.repeat(_WHOLE, _WHOLE - 1), np.concatenate([np.arange(2, order + 1) for order in _WHOLE])
_STARTS = np.cumsum(_WHOLE - 1) - (_WHOLE - 1)
_LOG_BINOMIALS = special.gammaln(_A + 1) - special.gammaln(_K + 1) - special.gammaln(_A - _K + 1)

# The series of the other orders: its signs alternate from term 5 on, and Euler's transform weights what follows.
_BROKEN, _I = _ORDERS[~_IS_WHOLE][:, None], np.arange(5 + 48)
_BINOMIALS = special.binom(_BROKEN, _I)
_WEIGHTS = np.sign(_BINOMIALS) * np.where(_I < 5, 1, special.bdtrc(_I - 5, 48, 0.5))

# A PLD grid that takes every n-th point of the library's answers with an upper bound of the library's answer.
_FINEST, _TILTS = 1e-4, 2.0 ** np.arange(-24, 4)

# Steps of that grid, as fractions of the spread of a round's losses: what no eye sees in a chart, and what moves no
# digit that a page shows.
CHART, NUMBER = 0.09, 0.02


def _flat(*values: ArrayLike) -> tuple[tuple[int, ...], list[NDArray[np.float64]]]:
    """The common shape of the arguments, and each of them as float64 [num_points]."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in values))
    return arrays[0].shape, [array.ravel() for array in arrays]


@np.errstate(all="ignore")  # what overflows bounds nothing: it is infinite
def round_rdp(noise: NDArray[np.float64], prob: NDArray[np.float64]) -> NDArray[np.float64]:
    """Renyi divergences of a round, float64 [num_settings, num_orders], never below the true ones."""
    noise, prob = noise[:, None], prob[:, None]
    log_a, log_p, log_q = np.empty((len(noise), len(_ORDERS))), np.log(prob), np.log1p(-prob)
    # Less the 1 that the binomials add up to, the sum has positive terms only: nothing cancels at a small `prob`.
    k = np.arange(2, _WHOLE[-1] + 1)
    power = k * (k - 1) / (2 * noise**2)
    growth = power + np.log(-np.expm1(-power))  # log(exp(power) - 1)
    terms = _LOG_BINOMIALS + _K * log_p + (_A - _K) * log_q + growth[:, _K - 2]
    largest = np.maximum.reduceat(terms, _STARTS, axis=1)
    sums = np.add.reduceat(np.exp(terms - np.repeat(largest, _WHOLE - 1, axis=1)), _STARTS, axis=1)
    log_a[:, _IS_WHOLE] = np.logaddexp(0, largest + np.log(sums))
    # The two-sided series can converge slowly; but for moments of a measure on [0, 1], as its terms are, Euler's
    # transform is off by 2^-48 at most.
    z, log_p, log_q, j = noise[..., None], log_p[..., None], log_q[..., None], _BROKEN - _I
    middle = z**2 * (log_q - log_p) + 0.5
    left = _I * log_p + j * log_q + _I * (_I - 1) / (2 * z**2) + special.log_ndtr((middle - _I) / z)
    right = j * log_p + _I * log_q + j * (j - 1) / (2 * z**2) + special.log_ndtr((j - middle) / z)
    terms = np.logaddexp(left, right) + np.log(np.abs(_BINOMIALS))
    log_a[:, ~_IS_WHOLE] = special.logsumexp(terms, b=_WEIGHTS, axis=-1)
    # Rounding, here and in the library's binomials, is below 1e-9 of log A or half of `accounting`'s pad.
    rdp = np.where(prob == 1, _ORDERS / (2 * noise**2), log_a / (_ORDERS - 1))
    return np.where(np.isfinite(rdp), rdp * (1 + 1e-9) + 1.5 * LOG_A_ERROR / (_ORDERS - 1), np.inf)


def _round_rdp(settings: NDArray[np.float64], replaces: bool) -> NDArray[np.float64]:
    if not replaces:
        return round_rdp(*settings.T)
    noise, prob = settings.T
    everybody = _ORDERS / (2 * noise[:, None] ** 2)  # bounds that of some, and is right for all
    rdp = np.where(prob[:, None] == 1, np.inf, replacement.log_moments(noise, prob) / (_ORDERS - 1))
    rdp = np.fmin(everybody, rdp)
    return np.where(np.isfinite(rdp), rdp * (1 + 1e-9) + 1.5 * LOG_A_ERROR / (_ORDERS - 1), np.inf)


def rounds_rdp(settings: NDArray[np.float64], replaces: bool) -> NDArray[np.float64]:
    """Returns Renyi divergences of a round, float64 [num_settings, num_orders], never below the true ones.

    Args:
        settings: Noise multipliers and sampling probabilities, float64 [num_settings, 2].
        replaces: As in `rdp_epsilons`.
    """
    parts = [_round_rdp(settings[start : start + 64], replaces) for start in range(0, len(settings) or 1, 64)]
    return np.concatenate(parts)


def rdp_epsilons(
    *,
    noise_multiplier: ArrayLike,
    sampling_prob: ArrayLike,
    rounds: ArrayLike,
    delta: ArrayLike,
    replaces: bool = False,
) -> NDArray[np.float64]:
    """Returns epsilons by RDP, float64 of the arguments' common shape.

    Never below `accounting`'s and at most a millionth above. Source: Mironov et al. (2019)
    <https://arxiv.org/abs/1908.10530>, section 3.3; Canonne et al. (2020) <https://arxiv.org/abs/2004.00010>,
    proposition 12.

    Args:
        noise_multiplier: At least 0; without noise, epsilon is infinite.
        sampling_prob: A user's, of taking part in a round, in (0, 1].
        rounds: Whole numbers; after none, epsilon is 0.
        delta: In (0, 1).
        replaces: Whether it is sampling without replacement, for replacing a user.

    >>> rdp_epsilons(noise_multiplier=[1.2, 2.4], sampling_prob=120 / 3383, rounds=100, delta=1e-5).round(3)
    array([1.989, 0.66 ])
    """
    shape, (noise, prob, counts, deltas) = _flat(noise_multiplier, sampling_prob, rounds, delta)
    settings, which = np.unique(np.stack([noise, prob], axis=1), axis=0, return_inverse=True)
    best = np.full(len(noise), np.inf)
    with np.errstate(all="ignore"):
        for order, rdp in zip(_ORDERS, rounds_rdp(settings, replaces).T, strict=True):
            rdp = counts * rdp[which]
            epsilon = rdp + np.log1p(-1 / order) - np.log(deltas * order) / (order - 1)
            epsilon = np.where(deltas**2 + np.expm1(-rdp) > 0, 0, np.maximum(epsilon, 0))
            best = np.minimum(best, epsilon)
    return np.where(counts == 0, 0, best * (1 + 1e-12)).reshape(shape)


def _groups(*columns: NDArray[np.float64]) -> Iterator[tuple[list[float], NDArray[np.float64]]]:
    """Each distinct row of the columns, with the places where it stands."""
    rows, which, counts = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True, return_counts=True)
    yield from zip(rows.tolist(), np.split(np.argsort(which), np.cumsum(counts))[:-1], strict=True)


_Side = tuple[float, int, NDArray[np.float64], float, NDArray[np.float64]]


def _sides(noise: float, prob: float, tail: float, step: float, finest: float = _FINEST) -> Iterator[_Side]:
    """Yields the losses of a round that a user is removed from, then of one that a user is added to.

    "Connect the dots", Doroshenko et al. (2022) <https://arxiv.org/abs/2207.04380>, algorithm 1: a step, the lowest
    loss in steps, the probabilities of it and those that follow, and of infinity; then log E[exp(-tilt * place)] of
    the place among them, from either end, float64 [num_tilts, 2]. `tail` is cut off at each end; `step` is one of
    `CHART` and `NUMBER`, and the grid's a multiple of `finest`.
    """
    reach, half = -special.ndtri(tail) / noise, 0.5 / noise**2
    # The dots move the mean loss up by step^2 / 12: a tenth of the spread sqrt(2 KL) costs a sixth of a percent. Where
    # losses are large and rare, `accounting` takes a coarser grid than the library, so this is no finer.
    x = np.linspace(-9, 9, 145)
    divergence = -np.log1p(prob * np.expm1(x / noise - half)) @ np.exp(-(x**2) / 2) / np.exp(-(x**2) / 2).sum()
    largest = half + 8 / noise + math.log(prob)
    step = finest * max(
        1, int(step * math.sqrt(2 * max(divergence, 0)) / finest), math.ceil(largest / 20 * _FINEST / finest)
    )
    for side, ratios in ((1, (-reach - half, reach + half)), (-1, (reach - half, -reach - half))):
        lowest, highest = (side * math.log1p(prob * math.expm1(ratio)) / step for ratio in ratios)
        losses = np.arange(math.floor(lowest), math.ceil(highest) + 1) * step
        # The output that has the loss, in standard deviations, and the hockey-stick divergence beyond: a multiple
        # of prob and one of the loss, since the difference of the two distributions' masses would cancel.
        output = -side * (noise * np.log1p(np.maximum(np.expm1(side * losses) / prob, -1)) + 0.5 / noise)
        mass = special.ndtr(output)
        moved = prob * (special.ndtr(output + side / noise) - mass) * (1 if side == 1 else -np.exp(losses))
        deltas = np.clip(moved - np.expm1(losses) * mass, 0, 1)
        slopes = np.diff(deltas) / math.expm1(step)
        masses = np.maximum(np.append(slopes, 0) - np.append(deltas[0] - 1, math.exp(step) * slopes), 0)
        powers, sums = np.exp(-_TILTS[0] * np.arange(len(masses))), []
        for _ in _TILTS:
            # No products of BLAS: at this length it would wake threads, for longer than the sum takes.
            sums.append(((masses * powers).sum(), (masses[::-1] * powers).sum()))
            powers *= powers  # each tilt is twice the one before
        yield step, math.floor(lowest), masses, deltas[-1], np.log(np.maximum(sums, 1e-290))


class _Profile(NamedTuple):
    """The deltas of one of `_sides` at the losses of its grid, from the highest down to the lowest above 0.

    Attributes:
        step: That of the grid.
        highest: The highest loss.
        deltas: float64 [num_losses], never falling; before the first of them, it is as large.
        lower: Sums of mass_i exp(loss - loss_i) over the losses from each one on up, float64 [num_losses].
    """

    step: float
    highest: float
    deltas: NDArray[np.float64]
    lower: NDArray[np.float64]

    def epsilons_at(self, deltas: NDArray[np.float64]) -> NDArray[np.float64]:
        """The least epsilon at each delta, float64 [num_deltas]."""
        at = np.searchsorted(self.deltas, deltas, side="right") - 1
        beyond = np.log1p(np.maximum((self.deltas[at] - deltas) / self.lower[at], -1))
        return np.where(at < 0, np.inf, np.maximum(self.highest - at * self.step + beyond, 0))

    def deltas_at(self, epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
        """The delta at each epsilon, float64 [num_epsilons]."""
        at = np.clip((self.highest - epsilons) / self.step, 0, len(self.lower) - 1).astype(int)
        beyond = np.expm1(np.minimum(epsilons - self.highest + at * self.step, 0))
        found: NDArray[np.float64] = self.deltas[at] - self.lower[at] * beyond
        return found


class Composed(NamedTuple):
    """One of `_sides` after some rounds.

    Attributes:
        step: That of the grid.
        lowest: The lowest loss, in steps.
        masses: The probabilities of it and of those that follow, float64 [num_losses]; rounding may make some negative.
        infinity: That of an infinite loss.
    """

    step: float
    lowest: int
    masses: NDArray[np.float64]
    infinity: float

    @property
    def profile(self) -> _Profile:
        """Its deltas."""
        # The delta at a loss is infinity + sum of mass_i (1 - exp(loss - loss_i)) over the losses above it. It grows
        # from loss to lower loss by 1 - exp(-step) times `lower`, the sum of mass_i exp(loss - loss_i).
        above_zero = self.masses[max(0, -self.lowest) :][::-1]
        lower = signal.lfilter([1], [1, -math.exp(-self.step)], above_zero)
        deltas = self.infinity - math.expm1(-self.step) * np.append(0, np.cumsum(lower[:-1]))
        highest = (self.lowest + len(self.masses) - 1) * self.step
        return _Profile(
            self.step, highest, np.maximum.accumulate(deltas), lower
        )  # rounding must not hide a crossing


def _composed(side: _Side, rounds: int, tail: float) -> _Profile:
    """The deltas of one of `_sides` after so many rounds; `tail` is cut off at each end."""
    return _after(side, rounds, tail).profile


def _after(side: _Side, rounds: int, tail: float) -> Composed:
    """One of `_sides` after so many rounds; `tail` is cut off at each end."""
    step, lowest, masses, infinity, log_mgf = side
    # Chernoff: less than `tail` lies beyond either of these places. Above, it counts as infinite. Below, the Fourier
    # transform brings it round to the upper end, which lowers no epsilon.
    cut = np.max((math.log(tail) - rounds * log_mgf.T) / _TILTS, axis=1)
    first, last = np.array([0, (len(masses) - 1) * rounds]) + [1, -1] * np.maximum(cut, 0).astype(int)
    length = fft.next_fast_len(max(last - first + 1, len(masses)), real=True)
    spectrum = fft.rfft(masses, length)
    kept = np.abs(spectrum) > 1e-40 ** (1 / rounds)  # the others' powers are nothing, but would take the time
    powers = np.zeros_like(spectrum)
    powers[kept] = np.exp(rounds * np.log(spectrum[kept]))
    masses = np.roll(fft.irfft(powers, length), -first)[: last - first + 1]
    infinity = tail - math.expm1(rounds * math.log1p(-infinity))
    return Composed(step, lowest * rounds + first, masses, infinity)


def composed_sides(noise: float, prob: float, rounds: int, tail: float, finest: float = _FINEST) -> list[Composed]:
    """Returns the losses of so many rounds that a user is removed from, then of as many that one is added to.

    On the grid of `NUMBER`; `tail` is cut off at each end. See `_sides`.
    """
    with np.errstate(all="ignore"):
        return [_after(side, rounds, tail) for side in _sides(noise, prob, tail / rounds, NUMBER, finest)]


def pld_epsilons(
    *,
    noise_multiplier: ArrayLike,
    sampling_prob: ArrayLike,
    rounds: ArrayLike,
    delta: ArrayLike,
    replaces: bool = False,
    step: float = CHART,
) -> NDArray[np.float64]:
    """Returns epsilons by privacy loss distributions; arguments and shape as in `rdp_epsilons`.

    Not below `dp-accounting`'s at its grid of 1e-4, and above by 0.2% + 1e-4 at most (at a `step` of `NUMBER`, by
    0.02% + 1e-5); by 2% where delta is below 3e-13 a round, or losses are large and rare. The larger of the two sides
    counts, a user removed and a user added.
    Equal noise and sampling share the losses of a round, and with equal rounds the composition. Without sampling, the
    closed form, as `accounting`.

    Where the library's PLD has no answer (noise below 0.15, delta below 1e-10 or 1e-14 a round, epsilon above 700), each
    point is composed on its own, in some milliseconds. "Not a number" where delta is below 1e-200. Where `replaces`, the
    bound of everybody taking part.

    >>> pld_epsilons(noise_multiplier=[1.2, 2.4], sampling_prob=120 / 3383, rounds=100, delta=1e-5).round(3)
    array([1.708, 0.593])
    """
    shape, (noise, prob, counts, deltas) = _flat(noise_multiplier, sampling_prob, rounds, delta)
    found = np.where(counts == 0, 0, np.where(noise == 0, np.inf, np.nan))
    if replaces and (prob < 1).any():  # the library has none: everybody's bounds those of some
        prob = np.ones_like(prob)
    asked, least_delta = (counts > 0) & (noise > 0), np.maximum(PLD_LEAST_DELTA, 10 * FFT_ERROR * counts)
    plain, given = np.flatnonzero(asked & (prob == 1)), deltas
    sampled = np.flatnonzero(asked & (prob < 1) & (noise >= PLD_LEAST_NOISE) & (deltas >= least_delta))
    with np.errstate(all="ignore"):
        found[plain] = gaussian.epsilons(noise[plain] / np.sqrt(counts[plain]), deltas[plain])
        # What the library's rounding adds: in its Fourier transforms, and by clipping at 0 in each round.
        deltas = deltas * (1 - 1e-10 * counts) - 2 * FFT_ERROR * (counts + 1)
        for setting, places in _groups(noise[sampled], prob[sampled]):
            places = sampled[places]
            noise_of_all, prob_of_all = setting
            sides = list(_sides(noise_of_all, prob_of_all, 1e-6 * np.min(deltas[places] / counts[places]), step))
            for (count,), alike in _groups(counts[places]):
                wanted = deltas[places[alike]]
                both = [_composed(side, int(count), 1e-6 * wanted.min()).epsilons_at(wanted) for side in sides]
                found[places[alike]] = np.maximum(*both)
    unknown = asked & (prob < 1) & (given >= COMPOSED_LEAST_DELTA) & ~(found <= PLD_MOST_EPSILON)
    for place in np.flatnonzero(unknown):
        run = noise[place], prob[place], int(counts[place])
        found[place] = composition.epsilon([run], given[place], closeness=math.inf)[0]
    return found.reshape(shape)


def pld_deltas(
    *,
    noise_multiplier: float,
    sampling_prob: float,
    rounds: int,
    epsilons: NDArray[np.float64],
    replaces: bool = False,
) -> NDArray[np.float64]:
    """Returns the delta of one setting at each epsilon of at least 0, float64 [num_epsilons].

    Never below the true one, and as near to it as `pld_epsilons` at a `step` of `NUMBER`: by epsilon.

    Args:
        noise_multiplier: At least 0.15.
        sampling_prob: In (0, 1].
        rounds: At least 1.
        epsilons: In any order.
    """
    if sampling_prob == 1:
        return np.clip(gaussian.deltas(noise_multiplier / math.sqrt(rounds), epsilons), 0, 1)
    tail = 1e-6 * PLD_LEAST_DELTA
    with np.errstate(all="ignore"):
        sides = composed_sides(noise_multiplier, sampling_prob, rounds, tail)
        found = np.maximum(*(side.profile.deltas_at(epsilons) for side in sides))
    return np.clip(found * (1 + 1e-10 * rounds) + 2 * FFT_ERROR * (rounds + 1), 0, 1)


def plan_arguments(plan: PrivacyPlan, **numbers: NDArray[Any] | float) -> dict[str, Any]:
    """Returns a plan, with some of its numbers others, as the arguments of `rdp_epsilons` and `pld_epsilons`.

    Args:
        plan: Whose event is accounted.
        numbers: `delta`, and those that `PrivacyPlan.event_with` takes: arrays [of one common shape], or numbers.
    """
    delta = numbers.pop("delta", plan.delta)
    return {**plan.event_with(**numbers).arguments(), "delta": delta}


def arguments_by_participations(plan: PrivacyPlan, most: Iterable[int]) -> dict[str, Any]:
    """Returns the same of a plan in which users take part in so many rounds at most, one plan for each number.

    Without noise where there cannot be such a plan: its epsilon is infinite.

    Raises:
        InvalidValueError: If nothing limits how often a user takes part.
    """
    events = []
    for number in most:
        participation = plan.participation.at_most(number, plan.fleet)
        try:
            events.append(replace(plan, participation=participation).event)
        except InvalidValueError:
            events.append(Event(SampledGaussian(0.0, 1.0), 1))
    columns = zip(*((one.mechanism.noise_multiplier, one.rounds) for one in events), strict=True)
    noise, rounds = map(np.array, columns)
    return {"noise_multiplier": noise, "sampling_prob": 1.0, "rounds": rounds, "delta": plan.delta}


def epsilons(**given: Any) -> NDArray[np.float64]:
    """Returns the smaller of the two bounds, float64 [of the arguments' common shape]; arguments as in `rdp_epsilons`."""
    return np.fmin(rdp_epsilons(**given), pld_epsilons(**given))


def epsilon_spent(plan: PrivacyPlan, round_num: int, *, planned: float) -> float:
    """Returns what the first rounds of a plan have spent; never more than `planned`, the epsilon of them all."""
    given = {**plan.event_after(round_num).arguments(), "delta": plan.delta}
    return min(planned, float(epsilons(**given)))
