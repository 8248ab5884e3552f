"""A verdict in words: what holds beside what was claimed, what it rests on, and what would make the claim true."""

import math
from collections.abc import Iterator
from dataclasses import replace

from dpcore import rounding
from dpcore.elsewhere import account, mechanism, noise_added
from dpcore.elsewhere.account import Verdict
from dpcore.elsewhere.log import SAMPLINGS, Claim, RoundLog
from dpcore.language import N_, _
from dpcore.privacy.precision import Precision

ADJACENCIES = {
    mechanism.ZERO_OUT: N_("the data of one user taken out, others' turns unchanged (zero-out)"),
    mechanism.ADD_OR_REMOVE: N_("one user added or removed (add-or-remove-one)"),
    mechanism.REPLACE: N_("one user replaced by another (replace-one)"),
}
_COHORTS = {
    "poisson": N_("each user joined each round by an independent coin, and nobody learns who took part"),
    "fixed-size": N_(
        "each round's cohort was drawn at random, of a fixed size and anew, and nobody learns who took part"
    ),
    "with-replacement": N_(
        "each place in a round's cohort was drawn at random from all users, and the same user can have several"
    ),
    "round-robin": N_("users took turns, as often each as counted here"),
    "all": N_("all users took part in every round"),
    "unknown": N_("any user may have been in every round: nothing is gained by sampling"),
}
SAMPLING_NAMES = {
    "poisson": N_("Poisson sampling"),
    "fixed-size": N_("Fixed-size cohorts"),
    "round-robin": N_("In turn (round robin)"),
    "with-replacement": N_("Drawn with replacement"),
    "all": N_("Full participation (no subsampling)"),
    "unknown": N_("Not known"),
}
FRAMEWORKS = {
    "log": N_("Round log"),
    "flower": "Flower",
    "pfl": "pfl",
    "nvflare": "NVFlare",
    "opacus": "Opacus",
    "tff": "TensorFlow Federated",
    "jax-privacy": "jax-privacy",
    "csv": "CSV",
}
UNITS = {
    "user": N_("user"),
    "client": N_("client, with all that it holds"),
    None: N_("row of what was clipped as one"),
}


def sentence(verdict: Verdict) -> str:
    """Returns what holds, in one sentence that says that the run is stated and was not run here."""
    if not verdict.guarantee:
        return _("No privacy guarantee can be stated for this run.")
    best = verdict.holds[0]
    return _(
        "({epsilon}, {delta})-differential privacy for each {unit}, against {adjacency}, if {cohorts}. It "
        "covers all {rounds:,} rounds that were released. Stated from the run's record, not run here."
    ).format(
        epsilon=rounding.epsilon(best.epsilon or 0.0),
        delta=rounding.given(best.delta or 0.0),
        unit=_(UNITS[verdict.log.unit]),
        adjacency=_(ADJACENCIES[best.adjacency or mechanism.ZERO_OUT]),
        cohorts=_(_COHORTS[_cohorts_of(verdict.log)]),
        rounds=released(verdict.log),
    )


def released(log: RoundLog) -> int:
    """Returns how many rounds were released."""
    return sum(one.count for one in log.costly)


def _cohorts_of(log: RoundLog) -> str:
    local = log.noise.where == "client" and log.sampling.kind != "round-robin"
    return "unknown" if local else log.sampling.kind or "unknown"


def claim_sentence(verdict: Verdict) -> str:
    """Returns what was claimed, and whether that holds; empty where nothing was."""
    claim = (verdict.log.claimed or (None,))[0]
    if claim is None or claim.epsilon is None:
        return ""
    claimed = _("Claimed: epsilon {epsilon} at delta {delta}, by {accountant}.").format(
        epsilon=rounding.given(claim.epsilon),
        delta=rounding.given(claim.delta or 0.0),
        accountant=claim.accountant or _("an accountant that is not named"),
    )
    held = counterpart(verdict)
    if held is None:
        return claimed
    if (held.epsilon or 0.0) <= claim.epsilon:
        alike = held.adjacency == (claim.adjacency or verdict.log.adjacency)
        at_most = claim.delta is not None and (held.delta or 0.0) <= claim.delta
        return f"{claimed} " + _("That is not too small.") if alike and at_most else claimed
    more = rounding.up((held.epsilon or 0.0) / claim.epsilon) if claim.epsilon else "∞"
    return f"{claimed} " + _(
        "That is too small: {holds} holds, {times} times as much, against {adjacency}."
    ).format(
        holds=rounding.epsilon(held.epsilon or 0.0),
        times=more,
        adjacency=_(ADJACENCIES[held.adjacency or mechanism.ZERO_OUT]),
    )


def counterpart(verdict: Verdict) -> Claim | None:
    """Returns what holds for the adjacency of the claim, or else what comes first; `None` without a guarantee."""
    wanted = account.wanted(verdict.log)
    return next((one for one in verdict.holds if one.adjacency == wanted), next(iter(verdict.holds), None))


def conditions(log: RoundLog) -> list[str]:
    """Returns what a guarantee rests on that no record shows, in sentences."""
    return list(_conditions(log))


def _conditions(log: RoundLog) -> Iterator[str]:
    if log.unit == "client":
        yield _("A client is a user only where all of a user's data lie on one client.")
    if log.unit is None:
        yield _(
            "The record does not say what was clipped as one: it is a user only where all of a user's data were."
        )
    if log.noise.kind != "pure":
        yield _("Each of them is clipped as a whole, to the clip norm, before anything is added up.")
        if log.noise.seed is None:
            yield _("The noise is new in every round, from a generator whose state nobody knows.")
    if log.noise.where == "client":
        yield _(
            "What a client sends is protected where it is sent; every round in which it sends something counts."
        )
    if log.sampling.kind in ("poisson", "fixed-size", "with-replacement") and log.noise.where != "client":
        yield _("Cohorts were really drawn so, also where users were away, and stay secret.")


def warnings(log: RoundLog) -> list[str]:
    """Returns what else left the server, each as a sentence."""
    words = _("Also released, and outside of this guarantee: {name}.")
    return [words.format(name=_(name)) for name in log.also_released or ()]


def under_each(log: RoundLog, delta: float) -> list[tuple[str, dict[str, float]]]:
    """Returns what the same rounds cost under each way to form cohorts: by adjacency, the smallest bound.

    Ways for which the record lacks numbers cost as much as an unknown one; `all` is left out, which is no other number.
    """
    found = []
    for kind in SAMPLINGS:
        if kind == "all":
            continue
        same = replace(log, sampling=replace(log.sampling, kind=kind))
        if kind == "poisson":
            same = _by_coins(same)
        costs = {
            bound.adjacency: account.epsilons(bound, delta, Precision.PREVIEW)[0].value
            for bound in mechanism.bounds(same)
        }
        found.append((kind, costs))
    return found


def _by_coins(log: RoundLog) -> RoundLog:
    """The same run as Poisson sampling would have it: its cohort is the expected one, by which the sum is divided."""
    sizes = [one.sampled for one in log.rounds or () if one.sampled is not None]
    expected = log.sampling.cohort or max(sizes, default=0) or None
    ratios = tuple(
        replace(one, multiplier=noise_added.of_round(log, one).ratio, noise=None) for one in log.rounds or ()
    )
    return replace(
        log,
        rounds=ratios,
        sampling=replace(log.sampling, cohort=expected),
        average=replace(log.average, divisor="fixed"),
        clipping=replace(log.clipping, kind="fixed"),  # what its count costs is in the multipliers
    )


def remedies(verdict: Verdict) -> list[str]:
    """Returns what to change in that framework so that what was claimed becomes true, in sentences."""
    log = verdict.log
    flower = log.framework.name == "flower"
    found = []
    if log.noise.where != "client" and log.noise.kind == "gaussian":
        if log.average.weights != "equal":
            found.append(
                _(
                    "Aggregate unweighted: let every client return the same number for num-examples, or weigh by a "
                    "key that is 1."
                )
                if flower
                else _("Aggregate unweighted: all updates have to weigh the same.")
            )
        if (log.noise.optimizer_inside or "").lower() != "none":
            found.append(
                _(
                    "Let the server optimiser work on the noisy average: in Flower, wrap FedAvg and no other strategy."
                )
            )
    if log.clipping.kind == "adaptive" and flower:
        found.append(_("Use fixed clipping: Flower's adaptive clipping has no guarantee."))
    if "scalars" in (log.also_released or ()):
        found.append(_("Let no scalars pass the filter: exclude them from what is sent."))
    if isinstance(log.noise.seed, int):
        found.append(_("Leave the noise without a seed."))
    return [*found, *_noise_for_claim(verdict)]


def _noise_for_claim(verdict: Verdict) -> Iterator[str]:
    claim, held = (verdict.log.claimed or (None,))[0], counterpart(verdict)
    if claim is None or held is None or not claim.epsilon or verdict.log.noise.kind == "pure":
        return
    if (held.epsilon or 0.0) <= claim.epsilon:
        return
    factor = factor_for(verdict.log, held.adjacency or "", claim.epsilon, verdict.delta)
    if factor is None:
        return
    name = _("{times} times the noise").format(times=rounding.up(factor))
    if verdict.log.noise.multiplier:
        name = _("noise multiplier {noise}").format(noise=rounding.up(factor * verdict.log.noise.multiplier))
    yield _(
        "Take {noise}: then epsilon {epsilon} holds as it was claimed, with cohorts as they were formed ({sampling})."
    ).format(noise=name, epsilon=rounding.given(claim.epsilon), sampling=verdict.log.sampling.kind or "unknown")


def factor_for(log: RoundLog, adjacency: str, epsilon: float, delta: float) -> float | None:
    """Returns how many times as much noise brings an epsilon about, never less; `None` if a thousand times does not."""

    def at(factor: float) -> float:
        bound = next(one for one in mechanism.bounds(log) if one.adjacency == adjacency)
        return account.epsilons(mechanism.scaled(bound, factor), delta, Precision.PREVIEW)[0].value

    low, high = 1.0, 2.0
    while at(high) > epsilon:
        low, high = high, 2 * high
        if high > 1e3:
            return None
    while high > low * 1.002:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if at(middle) > epsilon else (low, middle)
    return high
