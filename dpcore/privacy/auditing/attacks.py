"""Attacks on an audited run, and what they show: lower bounds on epsilon, each with its confidence, and an estimate.

A bound says that the run leaks at least so much. A low one says that these attacks found no more, and nothing of others.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore import limits
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import curves, gaussian, risk
from dpcore.privacy.auditing import bounds
from dpcore.privacy.auditing.trace import Trace

ONE_RUN, GAUSSIAN_F_DP, PLAN_F_DP, CLOPPER_PEARSON = "one_run", "gaussian_f_dp", "plan_f_dp", "clopper_pearson"
RUN, ROUND = "run", "round"

# The fractions of run canaries that are guessed to be in and to be out, fixed before anything is seen. Each bound takes
# the best of these, so each is at a confidence that leaves a third of what the whole leaves (Bonferroni).
GUESSED = ((0.05, 0.0), (0.2, 0.0), (0.2, 0.2))
_ACCUSED = (0.01, 0.05, 0.2)  # of the bystanders that set a threshold, for Clopper-Pearson
_ROUND_GUESSED, _FEWEST_GUESSES = 0.01, 100  # of round coins
_FEWEST_BYSTANDERS = 100  # to set a threshold by half of them
_NOISE_CLOSE = 5e-3  # how far the noise that is ruled out may be from the least such


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A lower bound on an epsilon.

    Attributes:
        method: One of this module's names. `one_run` assumes nothing but fair coins. `gaussian_f_dp` and `plan_f_dp`
            bound epsilon of a mechanism that is a Gaussian, or the plan's with another noise. `clopper_pearson` is an
            estimate: it takes canaries of one run for independent trials, and no theorem says that they are.
        scope: Whose epsilon: that of the whole "run", or that of one "round" to somebody who knows the cohort. The second
            says nothing of the first.
        confidence: With which probability it is none too high; `None` where nothing proves one.
        epsilon: At the plan's delta.
        guesses: How many sides of coins were named; for Clopper-Pearson, how many were accused.
        right: How many of them rightly.
    """

    method: str
    scope: str
    confidence: float | None
    epsilon: float
    guesses: int
    right: int


def log_likelihood_ratios(trace: Trace, plan: PrivacyPlan, which: slice = slice(None)) -> NDArray[np.float64]:
    """Returns what each round says for each of some directions' having been sent, float64 [rounds, num_directions].

    Summed over rounds it is the score of the best attack on unknown schedules: in each round, the plan's own mixture of a
    canary that joins with the sampling probability, against noise alone (Neyman and Pearson). Of correlated noise it is
    what is linear in the releases: not the best attack, but any score makes a valid bound.
    """
    released, variance = trace.released[:, which], trace.noise**2
    ratios: NDArray[np.float64]
    if trace.innovations is not None:
        ratios = released * trace.innovations.sum(axis=1, keepdims=True) / variance
        return ratios
    with np.errstate(divide="ignore"):  # where everybody takes part
        present, absent = np.log(plan.sampling_prob), np.log1p(-plan.sampling_prob)
    ratios = np.logaddexp(absent, present + (released - 0.5) / variance)
    return ratios


def guesses(coins: NDArray[np.bool_], scores: NDArray[np.float64]) -> list[dict[str, int]]:
    """Returns the counts of each of `GUESSED`, by the scores of canaries, the higher the likelier in.

    Args:
        coins: Which of them are in, bool [num_canaries].
        scores: float64 [num_canaries].
    """
    number, ranked = len(coins), coins[np.argsort(-scores, kind="stable")]
    found = []
    for inside, outside in GUESSED:
        top, bottom = round(inside * number), round(outside * number)
        right = np.count_nonzero(ranked[:top]) + np.count_nonzero(~ranked[number - bottom :])
        found.append({"num_canaries": number, "num_guesses": top + bottom, "num_right": int(right)})
    return found


def _shared(confidence: float, among: int) -> float:
    return 1 - (1 - confidence) / among


def one_run(counts: Sequence[dict[str, int]], delta: float, confidence: float = bounds.CONFIDENCE) -> Bound:
    """Returns the best bound of several `guesses`, which share the confidence; assumed: as `bounds.one_run`."""
    level = _shared(confidence, len(counts))
    epsilons = [bounds.one_run(**one, delta=delta, confidence=level) for one in counts]
    return _of_guesses(ONE_RUN, max(epsilons), counts[int(np.argmax(epsilons))], confidence)


def gaussian_f_dp(counts: Sequence[dict[str, int]], delta: float, confidence: float = bounds.CONFIDENCE) -> Bound:
    """Returns the best bound of several `guesses` on a run that is one Gaussian; assumed: as `bounds.gaussian_f_dp`."""
    level = _shared(confidence, len(counts))
    mus = [bounds.gaussian_f_dp(**one, confidence=level) for one in counts]
    return _of_guesses(GAUSSIAN_F_DP, _of_mu(max(mus), delta), counts[int(np.argmax(mus))], confidence)


def _of_mu(mu: float, delta: float) -> float:
    return float(gaussian.epsilons(1 / mu, delta)) if mu and delta else 0.0


def epsilon_by_round(
    trace: Trace,
    plan: PrivacyPlan,
    *,
    rounds: Sequence[int] | None = None,
    confidence: float = bounds.CONFIDENCE,
) -> NDArray[np.float64]:
    """Returns the lower bound `one_run` from the first t rounds alone, float64 [num_rounds].

    Each holds with that confidence by itself; the largest of them holds with less.

    Args:
        trace: With run canaries.
        plan: What was planned.
        rounds: The numbers t, from 1; all that there are, unless given.
        confidence: In (0, 1).
    """
    scores = np.cumsum(log_likelihood_ratios(trace, plan, slice(trace.run_canaries)), axis=0)
    rows = scores if rounds is None else scores[np.array(rounds, int) - 1]
    found = (one_run(guesses(trace.run_coins, row), plan.delta, confidence) for row in rows)
    return np.array([bound.epsilon for bound in found])


def attack(trace: Trace, plan: PrivacyPlan, *, confidence: float = bounds.CONFIDENCE) -> tuple[Bound, ...]:
    """Returns what the attacks show: of the run by its run canaries, and of one round by its round canaries."""
    found = []
    if trace.run_canaries:
        scores = log_likelihood_ratios(trace, plan).sum(axis=0)
        counts = guesses(trace.run_coins, scores[: trace.run_canaries])
        found.append(one_run(counts, plan.delta, confidence))
        if trace.rounds == plan.rounds:  # the plan's claim is of all its rounds
            found.append(plan_f_dp(plan, counts, confidence))
        found += _by_rates(trace, plan, scores, confidence)
    if trace.round_canaries:
        found.append(_of_round(trace, plan, confidence))
    return tuple(found)


def _of_guesses(
    method: str, epsilon: float, counts: dict[str, int], confidence: float | None, scope: str = RUN
) -> Bound:
    return Bound(
        method=method,
        scope=scope,
        confidence=confidence,
        epsilon=epsilon,
        guesses=counts["num_guesses"],
        right=counts["num_right"],
    )


def plan_trade_off(plan: PrivacyPlan) -> bounds.TradeOff:
    """Returns the trade-off that a plan claims: of both directions together, never above the true one."""
    claimed = risk.risk(plan)
    return lambda rate: 1 - float(claimed.true_positive_rate(rate))


def claim_p_value(trace: Trace, plan: PrivacyPlan) -> float:
    """Returns `refutation` of a plan by the attacks on a run of it."""
    scores = log_likelihood_ratios(trace, plan, slice(trace.run_canaries)).sum(axis=0)
    return refutation(plan, guesses(trace.run_coins, scores))


def refutation(plan: PrivacyPlan, counts: Sequence[dict[str, int]]) -> float:
    """Returns how probable it is, at most, that several `guesses` are as right as they were if the plan's claim holds.

    A small one refutes the claim. A large one confirms nothing.
    """
    trade_off = plan_trade_off(plan)
    found = [bounds.claim_p_value(trade_off, **one) for one in counts]
    return min(1.0, len(found) * min(found))


def plan_f_dp(plan: PrivacyPlan, counts: Sequence[dict[str, int]], confidence: float = bounds.CONFIDENCE) -> Bound:
    """Returns the epsilon of the plan with the least noise that several `guesses` rule out; 0 where they rule out none.

    Source: as `bounds.rules_out`; what is claimed is the trade-off of the plan with other noise.
    """
    significance = (1 - confidence) / len(counts)

    def with_noise(noise: float) -> PrivacyPlan:  # the same event, whatever part of it is the count's
        return dataclasses.replace(plan, noise_multiplier=noise, clipping=FixedClipping())

    def ruled_out(noise: float) -> list[dict[str, int]]:
        trade_off = plan_trade_off(with_noise(noise))
        return [one for one in counts if bounds.rules_out(trade_off, **one, significance=significance)]

    low, high = max(plan.noise_multiplier / 4, limits.LEAST_NOISE), plan.noise_multiplier * 16
    best = ruled_out(high) if plan.noise_multiplier and plan.delta else []
    if not best:
        return _of_guesses(PLAN_F_DP, 0.0, counts[0], confidence)
    while high / low > 1 + _NOISE_CLOSE:
        middle = math.sqrt(low * high)
        if found := ruled_out(middle):
            high, best = middle, found
        else:
            low = middle
    epsilon = curves.epsilons(**curves.plan_arguments(plan, noise_multiplier=high))
    return _of_guesses(PLAN_F_DP, float(epsilon), best[0], confidence)


def _by_rates(trace: Trace, plan: PrivacyPlan, scores: NDArray[np.float64], confidence: float) -> list[Bound]:
    """Clopper-Pearson's estimate: half of the bystanders set the threshold, the others are who was not in.

    In one run canaries share a model, and with it all that users add along their directions. So this has no confidence.
    """
    bystanders, inside = scores[trace.num_canaries :], scores[: trace.run_canaries][trace.run_coins]
    if len(bystanders) < _FEWEST_BYSTANDERS or not len(inside):
        return []
    setting, outside = bystanders[::2], bystanders[1::2]
    found = []
    for rate in _ACCUSED:
        threshold = np.quantile(setting, 1 - rate)
        true, false = int(np.count_nonzero(inside > threshold)), int(np.count_nonzero(outside > threshold))
        epsilon = bounds.clopper_pearson(
            true_positives=true,
            positives=len(inside),
            false_positives=false,
            negatives=len(outside),
            delta=plan.delta,
            confidence=_shared(confidence, len(_ACCUSED)),
        )
        accused = {"num_guesses": true + false, "num_right": true}
        found.append(_of_guesses(CLOPPER_PEARSON, epsilon, accused, None))
    return [max(found, key=lambda bound: bound.epsilon)]


def _of_round(trace: Trace, plan: PrivacyPlan, confidence: float) -> Bound:
    """Gaussian f-DP on round coins: rounds times round canaries of them, each of which one Gaussian tells.

    With all other coins given, a round's coin moves that round's release alone (later ones follow from it), so what is
    claimed of each coin is one Gaussian, however the rounds depend on each other.
    """
    which = slice(trace.run_canaries, trace.num_canaries)
    released, weights = trace.released[:, which], np.ones(trace.rounds)
    if trace.innovations is not None:  # what a round's coin moves, in all later innovations
        released, weights = trace.innovations.T @ released, np.square(trace.innovations).sum(axis=0)
    evidence = (released - weights[:, None] / 2).ravel()
    number = evidence.size
    guessed = min(number, max(round(_ROUND_GUESSED * number), _FEWEST_GUESSES))
    surest = np.argsort(-np.abs(evidence), kind="stable")[:guessed]
    right = int(np.count_nonzero((evidence[surest] > 0) == trace.joined[:, which].ravel()[surest]))
    counts = {"num_canaries": number, "num_guesses": guessed, "num_right": right}
    mu = bounds.gaussian_f_dp(**counts, confidence=confidence)
    return _of_guesses(GAUSSIAN_F_DP, _of_mu(mu, plan.delta), counts, confidence, ROUND)


def cosine_estimate(trace: Trace, delta: float) -> float:
    """Returns the estimate of epsilon from the final model alone, by canaries' cosines with its path: **no bound**.

    Source: Andrew et al. (2023) <https://arxiv.org/abs/2302.03098>, algorithm 1; the bystanders give the Gaussian of
    those that were not in. It is of somebody who sees the sum of all releases and no round's own, and can be below the
    true epsilon as well as above.

    Args:
        trace: With run canaries, some of them in.
        delta: In (0, 1).
    """
    path = trace.clip_norms @ trace.projections.astype(float)
    return cosine_of(path[: trace.run_canaries][trace.run_coins], path[trace.num_canaries :], delta)


def cosine_of(inside: NDArray[np.float64], outside: NDArray[np.float64], delta: float) -> float:
    """Returns `cosine_estimate` of cosines, on any scale.

    Args:
        inside: Of canaries that are in, float64 [num_canaries_in].
        outside: Of directions that nobody sends, float64 [num_bystanders].
        delta: In (0, 1).
    """
    if len(inside) < 2 or len(outside) < 2 or not inside.std() or not outside.std():
        return 0.0
    return bounds.two_gaussians(
        means=(float(inside.mean()), float(outside.mean())),
        stddevs=(float(inside.std(ddof=1)), float(outside.std(ddof=1))),
        delta=delta,
    )
