"""Lower bounds on what a mechanism leaks, from how well somebody guessed; and two figures that are no bounds.

A lower bound says that the mechanism protects no better. A low one never says that it protects well: the attack may have
been a poor one.
"""

import functools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from dpcore import rounding
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.privacy import gaussian

CONFIDENCE = 0.95

# The least false-negative rate at a false-positive rate, of any attack on one user. Here always that of both directions
# together (a user added, a user removed), which is symmetric: its own inverse.
TradeOff = Callable[[float], float]

_CLOSE = 1e-9  # how far a bound may be below the best one
_HIGHEST = 2.0**10  # a bound that is asked for: beyond, floats have no tails


def _check_counts(num_canaries: int, num_guesses: int, num_right: int) -> None:
    if not 0 <= num_right <= num_guesses <= num_canaries:
        raise InvalidValueError(
            "num_guesses",
            _(
                "Expected at most as many guesses as canaries, and as many right ones as guesses: found {right:,} right "
                "of {guesses:,} guesses on {canaries:,} canaries."
            ).format(right=num_right, guesses=num_guesses, canaries=num_canaries),
        )


def _last(holds: Callable[[float], bool]) -> float:
    """The largest number from 0 on at which something still holds that holds up to some number; 0 if nowhere."""
    if not holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while holds(high) and high < _HIGHEST:
        low, high = high, 2 * high
    while high - low > _CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def one_run_p_value(*, num_canaries: int, num_guesses: int, num_right: int, epsilon: float, delta: float) -> float:
    """Returns the most probability that an (epsilon, delta)-DP mechanism lets so many guesses be right.

    Source: Steinke, Nasr and Jagielski (2023) <https://arxiv.org/abs/2305.08846>, theorem 5.2. Assumed: each canary is
    in or out by a fair coin of its own, the guarantee holds for each coin with all others given, and **the number of
    guesses was fixed in advance**. Nothing else is assumed of the attack: which canaries it abstains on may depend on all
    that was released. The delta term grows with all canaries, with those as well that it abstains on.

    Args:
        num_canaries: How many coins were tossed.
        num_guesses: For how many of them a side was named.
        num_right: How many of these were right.
        epsilon: At least 0.
        delta: In [0, 1).
    """
    _check_counts(num_canaries, num_guesses, num_right)
    right = np.arange(num_guesses + 1)
    sides = special.log_expit(epsilon), special.log_expit(-epsilon)
    masses = np.exp(_log_binomials(num_guesses) + right * sides[0] + right[::-1] * sides[1])
    at_least = np.cumsum(masses[::-1])[::-1]
    tail, fewer = at_least[num_right], np.arange(1, num_right + 1)
    slack = np.max((at_least[num_right - fewer] - tail) / fewer, initial=0)
    return float(min(tail + 2 * num_canaries * delta * slack, 1.0))


@functools.lru_cache(maxsize=16)
def _log_binomials(number: int) -> NDArray[np.float64]:
    chosen = np.arange(number + 1)
    found: NDArray[np.float64] = -special.gammaln(chosen + 1) - special.gammaln(number - chosen + 1)
    found += special.gammaln(number + 1)
    return found


def one_run(
    *,
    num_canaries: int,
    num_guesses: int,
    num_right: int,
    delta: float,
    confidence: float = CONFIDENCE,
) -> float:
    """Returns the largest epsilon that the guesses rule out: a lower bound with that confidence; 0 where none.

    Source, assumptions and arguments: `one_run_p_value`. Where guesses are chosen among several numbers of them, the
    confidence has to be shared (Bonferroni).

    >>> round(one_run(num_canaries=1_000, num_guesses=200, num_right=180, delta=1e-5), 4)
    1.7963
    """

    def ruled_out(epsilon: float) -> bool:
        counts = {"num_canaries": num_canaries, "num_guesses": num_guesses, "num_right": num_right}
        return one_run_p_value(**counts, epsilon=epsilon, delta=delta) <= 1 - confidence

    return _last(ruled_out)


def gaussian_trade_off(mu: float) -> TradeOff:
    """Returns the trade-off of one Gaussian whose mean a user moves by mu standard deviations.

    Source: Dong et al. (2022) <https://arxiv.org/abs/1905.02383>, definition 2.
    """
    return lambda rate: float(special.ndtr(special.ndtri(1 - rate) - mu))


def rules_out(
    trade_off: TradeOff, *, num_canaries: int, num_guesses: int, num_right: int, significance: float
) -> bool:
    """Whether a mechanism with this trade-off lets so many guesses be right with less than that probability.

    Going down from the right guesses, the masses of what is right and of what is wrong must grow by as much as the
    trade-off asks for; they may not add up to more than the guesses there are.

    Source: Mahloujifar, Melis and Chaudhuri (2024) <https://arxiv.org/abs/2410.22235>, section 3, for two sides of each
    coin. Assumed: fair and independent coins as in `one_run_p_value`, the trade-off holds for each coin with all others
    given, and **the number of guesses was fixed in advance**.

    Args:
        trade_off: A symmetric one, as `dpcore.privacy.risk` has it: one that is too low only rules out less.
        num_canaries: How many coins were tossed.
        num_guesses: For how many of them a side was named, fixed in advance.
        num_right: How many of these were right.
        significance: In (0, 1].
    """
    _check_counts(num_canaries, num_guesses, num_right)
    hit = significance * num_right / num_canaries
    missed = significance * (num_guesses - num_right) / num_canaries
    for count in range(num_right - 1, -1, -1):
        needed = trade_off(1 - hit)
        if needed <= missed:
            break  # from here on, neither grows
        hit = min(hit + count / (num_guesses - count) * (needed - missed), 1.0)
        missed = needed
    return hit + missed > num_guesses / num_canaries


def claim_p_value(trade_off: TradeOff, *, num_canaries: int, num_guesses: int, num_right: int) -> float:
    """Returns the most probability that a mechanism with this trade-off lets so many guesses be right.

    `rounding.LEAST_P` for that or less. Source, assumptions and arguments: `rules_out`.
    """

    def at(folds: float) -> bool:  # e-folds below 1
        counts = {"num_canaries": num_canaries, "num_guesses": num_guesses, "num_right": num_right}
        return rules_out(trade_off, **counts, significance=math.exp(-folds))

    return max(math.exp(-_last(at)), rounding.LEAST_P)


def gaussian_f_dp(*, num_canaries: int, num_guesses: int, num_right: int, confidence: float = CONFIDENCE) -> float:
    """Returns the largest mu such that mu-Gaussian DP is ruled out, with that confidence; 0 where none is.

    It bounds epsilon of a mechanism that **is** Gaussian, by `dpcore.privacy.gaussian.epsilons(1 / mu, delta)`. Of one
    that is not, it says only that its trade-off is below that of mu somewhere. Source, assumptions and arguments:
    `rules_out`.

    >>> round(gaussian_f_dp(num_canaries=1_000, num_guesses=200, num_right=180), 3)
    0.698
    """

    def at(mu: float) -> bool:
        counts = {"num_canaries": num_canaries, "num_guesses": num_guesses, "num_right": num_right}
        return rules_out(gaussian_trade_off(mu), **counts, significance=1 - confidence)

    return _last(at)


def clopper_pearson(
    *,
    true_positives: int,
    positives: int,
    false_positives: int,
    negatives: int,
    delta: float,
    confidence: float = CONFIDENCE,
) -> float:
    """Returns a lower bound on epsilon from the rates of right and of wrong accusations; 0 where there is none.

    Each of the two rates is bounded with half of what the confidence leaves. Source: Nasr et al. (2021)
    <https://arxiv.org/abs/2101.04535>, section IV; Kairouz et al. (2015) <https://arxiv.org/abs/1311.0776>, theorem 2.1.
    Assumed: the threshold was fixed without these canaries, **they are independent of each other**, and all are alike.
    The source has each from a run of its own. Those of one run share its model, and what users add along directions at
    right angles is not independent: of one run this is **an estimate and no bound**, whatever the confidence.

    Args:
        true_positives: Accused among those that were in.
        positives: How many were in.
        false_positives: Accused among those that were not.
        negatives: How many were not.
        delta: In [0, 1).
        confidence: In (0, 1).
    """
    found, accused = (
        stats.binomtest(count, total).proportion_ci(confidence, method="exact")
        for count, total in ((true_positives, positives), (false_positives, negatives))
    )
    pairs = ((found.low, accused.high), (1 - accused.high, 1 - found.low))
    ratios = [(more - delta) / less for more, less in pairs if less > 0]
    return math.log(max(1.0, *ratios))


def two_gaussians(*, means: tuple[float, float], stddevs: tuple[float, float], delta: float) -> float:
    """Returns the epsilon at delta between two Gaussians, the larger of the two directions.

    Of fitted ones it is **an estimate and no bound**: of Andrew et al. (2023) <https://arxiv.org/abs/2302.03098>,
    algorithm 1, whose Gaussians are those of canaries' cosines with the canaries in and out of the run. Assumed: the two
    are Gaussian as far out as delta reaches, of which some hundreds of canaries say nothing.

    Args:
        means: Of the two.
        stddevs: Of the two, above 0.
        delta: In (0, 1).

    >>> round(two_gaussians(means=(1, 0), stddevs=(1.2, 1.2), delta=1e-5), 4)
    3.5487
    """
    (mean, other), (stddev, another) = means, stddevs
    shift, ratio = (mean - other) / another, stddev / another  # as if the second one were N(0, 1)
    ways = ((shift, ratio), (-shift / ratio, 1 / ratio))
    return _last(lambda epsilon: max(_hockey_stick(*way, epsilon) for way in ways) > delta)


def _hockey_stick(mean: float, stddev: float, epsilon: float) -> float:
    """The delta at an epsilon of N(mean, stddev^2) over N(0, 1)."""
    # Where the log ratio of their densities is epsilon: square * x^2 + 2 * half * x + rest = 0.
    square, half = (1 - stddev**-2) / 2, mean / stddev**2 / 2
    rest = -((mean / stddev) ** 2) / 2 - np.log(stddev) - epsilon
    under = half**2 - square * rest
    if under <= 0:
        return 0.0
    far = -(half + np.copysign(np.sqrt(under), half))
    roots = np.sort([rest / far, far / square if square else np.copysign(np.inf, half)])

    def outside(centre: float, scale: float) -> float:
        low, high = (roots - centre) / scale
        return float(special.ndtr(low) + special.ndtr(-high))

    def inside(centre: float, scale: float) -> float:
        low, high = (roots - centre) / scale
        low, high = (low, high) if low < 0 else (-high, -low)  # the tail that is small
        return float(special.ndtr(high) - special.ndtr(low))

    mass = outside if square > 0 else inside
    other = mass(0.0, 1.0)
    return mass(mean, stddev) - (math.exp(min(epsilon + math.log(other), 700.0)) if other > 0 else 0.0)


def known_schedule(*, noise_multiplier: float, sampling_prob: float, rounds: int, delta: float) -> float:
    """Returns the epsilon against somebody who knows in which rounds a user would take part.

    How often that is, is binomial; given it, the rounds are one Gaussian. Source: Dong et al. (2022)
    <https://arxiv.org/abs/1905.02383>, corollary 3.3, for each number of rounds, and the joint convexity of the
    hockey-stick divergence, exact here since the schedule is seen.

    Args:
        noise_multiplier: That of the sum, above 0.
        sampling_prob: A user's, of taking part in a round.
        rounds: At least 1.
        delta: In (0, 1).
    """
    times = np.arange(1, rounds + 1)
    weights = stats.binom.pmf(times, rounds, sampling_prob)
    noise = noise_multiplier / np.sqrt(times)
    return _last(lambda epsilon: bool(weights @ gaussian.deltas(noise, epsilon) > delta))
