"""The epsilon of a plan, by `dp-accounting`: by PLD, which is tight, and by RDP, as the tutorial has it.

Both are upper bounds, so the smaller one is the headline. Without sampling, PLD needs no grid (`gaussian.py`); where the
library's does not reach, the program composes the losses itself (`composition.py`).
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpcore import limits, rounding
from dpcore.language import N_, _
from dpcore.mechanisms.events import Event, SampledGaussian
from dpcore.plan import PrivacyPlan
from dpcore.privacy.bounds import (
    COMPOSED_LEAST_DELTA,
    FFT_ERROR,
    LOG_A_ERROR,
    PLD_LEAST_DELTA,
    PLD_LEAST_NOISE,
    PLD_MOST_EPSILON,
    RDP_ORDERS,
)
from dpcore.privacy.many import kept
from dpcore.privacy.precision import Precision

# `dp_accounting` is imported by whoever first asks for a number: with SciPy it takes longer to load than a page to paint.
if TYPE_CHECKING:
    import dp_accounting
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

_MOST_REPLACED_NOISE = 1e3  # beyond, the library's sums have hardly a digit
_FEW_KINDS = (
    8  # of more, and at once, the library's RDP takes too long: that of `curves` is a millionth above, at most
)
ACCOUNTANTS = ("pld", "rdp")
VERSION = f"dp-accounting {importlib.metadata.version('dp-accounting')}"


@dataclass(frozen=True, kw_only=True)
class Epsilon:
    """One accountant's answer.

    Attributes:
        value: The epsilon; infinite without noise.
        accountant: Which of `ACCOUNTANTS` gave it.
        order: The Renyi order that gave it, where one did.
        grid: The step of the grid of privacy losses, where there was one.
        own: Whether `composition.py` gave it, since the library's PLD does not reach there.
        several: Whether `together.py` gave it, as it is of several kinds of rounds.
    """

    value: float
    accountant: str
    order: float | None = None
    grid: float | None = None
    own: bool = False
    several: bool = False

    @property
    def note(self) -> str:
        """Whose it is, where it is not the library's, in a sentence."""
        if self.several:
            return _(
                "Runs of several kinds are composed by Epsilon Lab: PLD's epsilon is at most a thousandth above the "
                "library's, and never below the true one."
            )
        return _("PLD's epsilon is composed by Epsilon Lab: the library's does not reach here.") if self.own else ""

    @property
    def warning(self) -> str:
        """What to know about the order; empty where it is inside the grid of orders."""
        if self.order is None or self.order not in (RDP_ORDERS[0], RDP_ORDERS[-1]) or not 0 < self.value < math.inf:
            return ""
        return _(
            "RDP's best order, {order}, is at the end of the tutorial's orders: others might give a smaller epsilon."
        ).format(order=rounding.given(self.order))


@dataclass(frozen=True, kw_only=True)
class Account:
    """What both accountants say of one plan.

    Attributes:
        rdp: RDP's answer.
        pld: PLD's answer, or `None`.
        refusal: Why there is none, in English and without its number: accounts are kept for readers of any language.
        bound: That number.
    """

    rdp: Epsilon
    pld: Epsilon | None
    refusal: str = ""
    bound: float = 0.0

    @property
    def pld_problem(self) -> str:
        """Why PLD has no answer, in a sentence; empty where it has one."""
        return _(self.refusal).format(bound=self.bound)

    def answer_of(self, accountant: str) -> Epsilon:
        """The answer of one accountant; of RDP, where PLD has none."""
        return self.rdp if accountant == "rdp" or self.pld is None else self.pld

    @property
    def headline(self) -> Epsilon:
        """The smaller of the two upper bounds."""
        return self.rdp if self.pld is None or self.rdp.value < self.pld.value else self.pld


def _dp_event(one: SampledGaussian) -> dp_accounting.DpEvent:
    """A mechanism as accountants understand it.

    The noisy sum and the noisy clip count come from the same cohort and are together one Gaussian of the
    plan's noise multiplier (Andrew et al. 2021, theorem 1), so sampling is wrapped once, around both:
    two separately sampled events would claim more privacy than there is.
    """
    import dp_accounting

    gaussian = dp_accounting.GaussianDpEvent(one.noise_multiplier)
    if one.sampling_prob == 1:
        return gaussian  # everyone takes part: sampling adds nothing
    if one.replaces:  # it depends on the fraction alone
        size = 1 << 40
        return dp_accounting.SampledWithoutReplacementDpEvent(size, math.ceil(size * one.sampling_prob), gaussian)
    return dp_accounting.PoissonSampledDpEvent(one.sampling_prob, gaussian)


@functools.lru_cache(maxsize=4096)
def round_rdp(one: SampledGaussian) -> NDArray[np.float64]:
    """Renyi divergences of one round, float64 [num_orders], never below the true ones.

    Source: Mironov et al. (2019) <https://arxiv.org/abs/1908.10530>, section 3.3, for the sampled Gaussian.
    """
    if one.noise_multiplier == 0:
        return np.full(len(RDP_ORDERS), np.inf)
    if one.replaces and one.sampling_prob < 1:
        return _replaced_rdp(one)
    from dp_accounting.rdp import RdpAccountant

    try:
        rdp = RdpAccountant(RDP_ORDERS).compose(_dp_event(one)).rdp
    except ValueError:  # its sums cancel to less than nothing, where the noise is some 1e8 or more
        from dpcore.privacy import curves

        noise, prob = np.transpose([one[:2]])
        found: NDArray[np.float64] = curves.round_rdp(noise, prob)[0]
        return found
    # What overflowed bounds nothing; left as "not a number", it would come out as epsilon 0.
    rdp = np.where(np.isfinite(rdp), rdp, np.inf)
    padded: NDArray[np.float64] = rdp + LOG_A_ERROR / (np.array(RDP_ORDERS) - 1)
    return padded


def _replaced_rdp(one: SampledGaussian) -> NDArray[np.float64]:
    """The same of sampling without replacement, where a user is replaced.

    The library's differences of exponentials cancel to their rounding where there is much noise: what that may be is in
    `replacement`. Everybody's divergence bounds that of some, at all orders.
    """
    from dp_accounting import NeighboringRelation
    from dp_accounting.rdp import RdpAccountant

    from dpcore.privacy import replacement

    order = np.array(RDP_ORDERS)
    rdp: NDArray[np.float64] = order / (2 * one.noise_multiplier**2)
    if one.noise_multiplier > _MOST_REPLACED_NOISE:
        return rdp
    with contextlib.suppress(ValueError):  # its sums cancel to less than nothing
        found = RdpAccountant(RDP_ORDERS, NeighboringRelation.REPLACE_ONE).compose(_dp_event(one)).rdp
        noise, prob = np.transpose([one[:2]])
        rounded = replacement.log_moments(noise, prob)[0] / (order - 1)
        sampled = np.where(np.isfinite(found), np.maximum(found, rounded), np.inf) + LOG_A_ERROR / (order - 1)
        rdp = np.minimum(rdp, sampled)
    return rdp


def _by_rdp(
    runs: Mapping[SampledGaussian, int], delta: float, precision: Precision = Precision.REPORTED
) -> Epsilon:
    """The epsilon of mechanisms that ran so many rounds each.

    Renyi divergences add up (Mironov 2017 <https://arxiv.org/abs/1702.07476>, proposition 1). Source of the
    conversion: Canonne et al. (2020) <https://arxiv.org/abs/2004.00010>, proposition 12.
    """
    if not runs:
        return Epsilon(value=0.0, accountant="rdp")
    rdp = _whole_rdp(runs, precision)
    if delta == 0 or np.isinf(rdp).all():
        return Epsilon(value=math.inf, accountant="rdp")
    from dp_accounting.rdp import compute_epsilon

    value, order = compute_epsilon(RDP_ORDERS, rdp, delta)
    return Epsilon(value=float(value), accountant="rdp", order=order if value > 0 else None)


def _whole_rdp(runs: Mapping[SampledGaussian, int], precision: Precision) -> NDArray[np.float64]:
    """Renyi divergences of all rounds, float64 [num_orders], never below the true ones."""
    if len(runs) <= _FEW_KINDS and precision is Precision.REPORTED:
        return sum((rounds * round_rdp(one) for one, rounds in runs.items()), np.zeros(len(RDP_ORDERS)))
    from dpcore.privacy import curves

    whole = np.zeros(len(RDP_ORDERS))
    for replaces in (False, True):
        kinds = [(*one[:2], rounds) for one, rounds in runs.items() if one.replaces == replaces]
        if kinds:
            *settings, rounds = np.transpose(kinds)
            whole += rounds @ curves.rounds_rdp(np.stack(settings, axis=1), replaces)
    return whole


def epsilon_by_round(plan: PrivacyPlan, rounds: list[int]) -> list[Epsilon]:
    """Returns the epsilon after each of `rounds` rounds of the plan, by RDP."""
    return [_by_rdp(_runs([plan.event_after(count)]), plan.delta) for count in rounds]


def _is_beyond(runs: Mapping[SampledGaussian, int], delta: float, by_rdp: float) -> bool:
    """Whether the library's PLD does not reach there: `composition.py` answers."""
    return (
        delta < max(PLD_LEAST_DELTA, 10 * FFT_ERROR * sum(runs.values()))
        or by_rdp > PLD_MOST_EPSILON
        or any(one.noise_multiplier < PLD_LEAST_NOISE and one.sampling_prob < 1 for one in runs)
    )


def _is_coarse(runs: Mapping[SampledGaussian, int]) -> bool:
    """Whether losses spread over less than ten steps of the library's finest grid: much of epsilon is its rounding."""
    spreads = (one.sampling_prob * math.sqrt(math.expm1(min(one.noise_multiplier**-2, 50))) for one in runs)
    return max(spreads) < 10 * Precision.REPORTED.step


def _pld(one: SampledGaussian, rounds: int, grid: float) -> PrivacyLossDistribution:
    """The privacy loss distribution of a mechanism's rounds.

    Source: Doroshenko et al. (2022) <https://arxiv.org/abs/2207.04380>, "connect the dots".
    """
    noise, sampling_prob, _replaces = one
    if sampling_prob == 1:  # rounds of plain Gaussians are one Gaussian
        from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

        return from_gaussian_mechanism(noise / math.sqrt(rounds), value_discretization_interval=grid)
    from dpcore.privacy.many import points

    return points.of_a_round(noise, sampling_prob, grid).self_compose(rounds)


def _pld_grid(runs: Mapping[SampledGaussian, int], by_rdp: float, grid: float) -> float:
    """Returns `grid`, or as much coarser as keeps the number of points in hand.

    It depends on the runs alone, never on the clock, so that the same plan gives the same number everywhere.
    """
    steps = [grid, grid / 50 * by_rdp]
    for (noise, sampling_prob, _replaces), rounds in runs.items():
        if sampling_prob == 1:
            noise /= math.sqrt(rounds)
        largest_loss = 0.5 / noise**2 + 8 / noise + math.log(sampling_prob)
        steps.append(grid / 20 * largest_loss)
    return max(steps)


def _one_gaussian(runs: Mapping[SampledGaussian, int]) -> float | None:
    """The noise of the one Gaussian that rounds without sampling are together; `None` if any is sampled.

    Source: Dong et al. (2022) <https://arxiv.org/abs/1905.02383>, corollary 3.3.
    """
    if any(one.sampling_prob < 1 for one in runs):
        return None
    return float(sum(rounds / one.noise_multiplier**2 for one, rounds in runs.items()) ** -0.5)


def _whole_pld(runs: Mapping[SampledGaussian, int], grid: float) -> PrivacyLossDistribution:
    return functools.reduce(
        lambda whole, other: whole.compose(other), (_pld(one, rounds, grid) for one, rounds in runs.items())
    )


def compose(plans: Iterable[PrivacyPlan], delta: float, precision: Precision = Precision.REPORTED) -> Account:
    """Returns the epsilon of all the plans together, by both accountants.

    Args:
        plans: Plans of one adjacency, on the same users. Their own deltas do not matter.
        delta: That of the whole.
        precision: What the answer is for.
    """
    return compose_events([plan.event for plan in plans], delta, precision)


def compose_events(events: Iterable[Event], delta: float, precision: Precision = Precision.REPORTED) -> Account:
    """Returns the epsilon of mechanisms with their rounds together, by both accountants: also of what is no plan of ours.

    Args:
        events: On the same users, and for one adjacency.
        delta: That of the whole.
        precision: What the answer is for.
    """
    asked = _asked(events, delta, precision)
    return _remembered.get(asked) or _compose(*asked)


_Asked = tuple[tuple[tuple[SampledGaussian, int], ...], float, Precision]
_remembered: dict[_Asked, Account] = {}


def cache_answers(answers: Iterable[tuple[PrivacyPlan, Precision, Account]]) -> None:
    """Takes over what `account` of another process said of these plans."""
    _remembered.update({_asked([plan.event], plan.delta, precision): answer for plan, precision, answer in answers})


def _asked(events: Iterable[Event], delta: float, precision: Precision) -> _Asked:
    return tuple(sorted(_runs(events).items())), delta, precision


@functools.lru_cache(maxsize=4096)
def _compose(items: tuple[tuple[SampledGaussian, int], ...], delta: float, precision: Precision) -> Account:
    if not kept.anywhere() or all(one.sampling_prob == 1 for one, _rounds in items):  # the latter in a millisecond
        return _composed(items, delta, precision)
    name = _name(items, delta, precision)
    account = _read(kept.find(name))
    if account is None:
        account = _composed(items, delta, precision)
        kept.keep({name: json.dumps(asdict(account)).encode()})
    return account


def _name(items: tuple[tuple[SampledGaussian, int], ...], delta: float, precision: Precision) -> bytes:
    return kept.name(b"account", repr((items, delta, precision.name)).encode())


def _read(content: bytes | None) -> Account | None:
    """An account that was kept."""
    if content is None:
        return None
    said = json.loads(content)
    rdp, pld = Epsilon(**said.pop("rdp")), said.pop("pld")
    return Account(rdp=rdp, pld=pld and Epsilon(**pld), **said)


def _composed(items: tuple[tuple[SampledGaussian, int], ...], delta: float, precision: Precision) -> Account:
    account, unsampled = _by_both(dict(items), delta, precision), Counter[SampledGaussian]()
    for one, rounds in items:
        unsampled[one._replace(sampling_prob=1.0, replaces=False)] += rounds
    if unsampled == dict(items):
        return account
    # What is seen of sampled rounds can be made from what is seen of the same ones without sampling, by a coin for each.
    # So the bound of those is one of these as well, and the smaller one where sampling gains less than PLD's grid, or
    # RDP in its place, loses: it has a closed form.
    everybody = _compose(tuple(sorted(unsampled.items())), delta, precision).pld
    if everybody is not None and everybody.value < account.headline.value:
        return Account(rdp=account.rdp, pld=everybody)
    return account


def _by_both(runs: Mapping[SampledGaussian, int], delta: float, precision: Precision) -> Account:
    rdp = _by_rdp(runs, delta, precision)
    if rdp.value in (0, math.inf):  # there is nothing to compute, and PLD would not add to it
        return Account(rdp=rdp, pld=Epsilon(value=rdp.value, accountant="pld"))
    if noise := _one_gaussian(runs):
        from dpcore.privacy import gaussian

        return Account(rdp=rdp, pld=Epsilon(value=float(gaussian.epsilons(noise, delta)), accountant="pld"))
    if any(one.replaces and one.sampling_prob < 1 for one in runs):
        refusal = N_(
            "dp-accounting 0.4.3 has no PLD of cohorts of a fixed size where a user is replaced by another. RDP "
            "is used instead."
        )
        return Account(rdp=rdp, pld=None, refusal=refusal)
    if delta < COMPOSED_LEAST_DELTA:
        refusal = N_(
            "PLD needs a delta of at least {bound:g} here: a smaller tail underflows in floating point. RDP is used "
            "instead."
        )
        return Account(rdp=rdp, pld=None, refusal=refusal, bound=COMPOSED_LEAST_DELTA)
    several = len(runs) > 1
    if _is_beyond(runs, delta, 0 if several else rdp.value):
        return Account(rdp=rdp, pld=_by_composition(runs, delta, precision))
    if several:
        return Account(rdp=rdp, pld=_together(runs, delta))
    pld = _by_library(runs, delta, precision, rdp.value)
    if pld.value and _is_coarse(runs):
        own = _by_composition(runs, delta, precision)
        pld = own if own.value < pld.value else pld
    return Account(rdp=rdp, pld=pld)


def _by_composition(runs: Mapping[SampledGaussian, int], delta: float, precision: Precision) -> Epsilon:
    from dpcore.privacy import composition

    kinds = [(*one[:2], rounds) for one, rounds in runs.items()]
    value, step = composition.epsilon(kinds, delta, closeness=precision.closeness)
    return Epsilon(value=value, accountant="pld", grid=step, own=True)


def _together(runs: Mapping[SampledGaussian, int], delta: float) -> Epsilon:
    from dpcore.privacy.many import together

    value, step = together.epsilon([(*one[:2], rounds) for one, rounds in runs.items()], delta)
    return Epsilon(value=value, accountant="pld", grid=step, several=True)


def _by_library(runs: Mapping[SampledGaussian, int], delta: float, precision: Precision, by_rdp: float) -> Epsilon:
    if precision is Precision.PREVIEW and len(runs) == 1:
        from dpcore.privacy import curves

        ((one, rounds),) = runs.items()
        value = float(curves.pld_epsilons(**Event(one, rounds).arguments(), delta=delta, step=curves.NUMBER))
        return Epsilon(value=value, accountant="pld")
    grid = _pld_grid(runs, by_rdp, precision.step)
    from dpcore.privacy.many import points

    value = points.epsilon(_whole_pld(runs, grid), delta - FFT_ERROR * sum(runs.values()))
    return Epsilon(value=value, accountant="pld", grid=grid)


def _runs(events: Iterable[Event]) -> Counter[SampledGaussian]:
    """Rounds by what they release: runs that are alike are one longer run."""
    runs: Counter[SampledGaussian] = Counter()
    for mechanism, count in events:
        if count:
            runs[mechanism] += count
    return runs


def account(plan: PrivacyPlan, precision: Precision = Precision.REPORTED) -> Account:
    """Returns the epsilon of the whole plan by both accountants; `precision` as in `compose`.

    >>> both = account(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120))
    >>> round(both.pld.value, 3), round(both.rdp.value, 3), both.headline.accountant
    (1.707, 1.989, 'pld')
    """
    return compose([plan], plan.delta, precision)


def epsilon(plan: PrivacyPlan, precision: Precision = Precision.REPORTED) -> Epsilon:
    """Returns the headline of `account`."""
    return account(plan, precision).headline


def known_epsilon(plan: PrivacyPlan) -> float:
    """Returns the headline of `account` where it is known already, else that of a preview: an upper bound too.

    For lists of many plans, of which each takes a second otherwise.
    """
    asked = _asked([plan.event], plan.delta, Precision.REPORTED)
    known = _remembered.get(asked) or _read(kept.find(_name(*asked)))
    return (known or account(plan, Precision.PREVIEW)).headline.value


def without_amplification(plan: PrivacyPlan) -> float:
    """Returns the epsilon towards those who know which users took part: sampling hides nothing from them.

    >>> round(without_amplification(PrivacyPlan(noise_multiplier=1.2)), 2)
    69.46
    """
    mechanism, count = plan.event
    known = Event(mechanism._replace(sampling_prob=1.0, replaces=False), count)
    return compose_events([known], plan.delta).headline.value


def deltas(plan: PrivacyPlan, epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the privacy profile: the delta at each epsilon, float64 [num_epsilons], never below the true one.

    Args:
        plan: Any plan; its own delta does not matter.
        epsilons: At least 0, float64 [num_epsilons].
    """
    event, usual = plan.event, limits.DELTA.default
    runs = _runs([event])
    if not runs or event.mechanism.noise_multiplier == 0:
        return np.full(len(epsilons), float(plan.rounds > 0))
    if event.mechanism.replaces and event.is_sampled:
        return _deltas_by_rdp(runs, epsilons)
    if event.is_sampled and _is_beyond(runs, usual, _by_rdp(runs, usual).value):
        from dpcore.privacy import composition

        return composition.deltas([(*one[:2], rounds) for one, rounds in runs.items()], epsilons)
    from dpcore.privacy import curves

    return curves.pld_deltas(**event.arguments(), epsilons=epsilons)


def _deltas_by_rdp(runs: Mapping[SampledGaussian, int], epsilons: NDArray[np.float64]) -> NDArray[np.float64]:
    """The deltas that go with `_by_rdp`'s epsilons, by the same conversion."""
    order, rdp = np.array(RDP_ORDERS), sum(rounds * round_rdp(one) for one, rounds in runs.items())
    with np.errstate(divide="ignore"):
        by_kl = 0.5 * np.log(-np.expm1(-rdp))  # Canonne et al. (2020), as `compute_epsilon` has it
        by_order = (order - 1) * (rdp - epsilons[:, None] + np.log1p(-1 / order)) - np.log(order)
    found: NDArray[np.float64] = np.exp(np.minimum(by_order, by_kl).min(axis=1))
    return np.minimum(found, 1.0)
