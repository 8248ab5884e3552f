"""What a run that was trained elsewhere guarantees: on this program's accountants, and never by the framework's own."""

from dataclasses import dataclass

from dpcore import limits, rounding
from dpcore.elsewhere import faults, mechanism, seen_cohorts
from dpcore.elsewhere.log import Claim, RoundLog
from dpcore.elsewhere.mechanism import Mechanism
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.privacy import accounting
from dpcore.privacy.accounting import Epsilon
from dpcore.privacy.precision import Precision

_FAR = 10  # standard deviations above what is expected: it is not drawn
_NO_GUARANTEE = 1e15  # an epsilon above is none to anybody


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What holds of a run, and what was said of it.

    Attributes:
        log: The record, with all answers in it.
        delta: That all of it is accounted at.
        because: Why there is no guarantee, in sentences; empty where there is one.
        holds: Guarantees, each an upper bound; of each adjacency the smallest first.
    """

    log: RoundLog
    delta: float
    because: tuple[str, ...]
    holds: tuple[Claim, ...]

    @property
    def guarantee(self) -> bool:
        """Whether there is one."""
        return not self.because


def delta_of(log: RoundLog) -> float:
    """Returns the delta to account at: the record's, or of what was claimed, or the usual one."""
    claimed = next((one.delta for one in log.claimed or () if one.delta), None)
    given = log.delta if log.delta is not None else claimed
    return float(limits.DELTA.check(limits.DELTA.default if given is None else given))


def verdict(log: RoundLog, precision: Precision = Precision.REPORTED) -> Verdict:
    """Returns what a run guarantees, or why it guarantees nothing.

    Raises:
        InvalidValueError: If the record contradicts itself.
    """
    check(log)
    delta, because = delta_of(log), faults.of(log)
    holds = () if because else _holds(log, delta, precision)
    if not because and not any(one.epsilon is not None and one.epsilon < _NO_GUARANTEE for one in holds):
        because = [
            _("No guarantee, because the noise bounds no epsilon at delta {delta}.").format(
                delta=rounding.given(delta)
            )
        ]
        holds = ()
    return Verdict(log=log, delta=delta, because=tuple(because), holds=holds)


def check(log: RoundLog) -> None:
    """Refuses a record that contradicts itself.

    Raises:
        InvalidValueError: If more users were drawn than there were, or more replied than were drawn.
    """
    for number, one in enumerate(log.rounds or (), 1):
        cohort = one.sampled if one.sampled is not None else log.sampling.cohort
        there = one.online if one.online is not None else log.population.size
        if log.sampling.kind == "poisson" and (expected := log.sampling.cohort) is not None:
            _check_most(number, "sampled", one.sampled, int(expected + _FAR * (1 + expected**0.5)))
        several = log.sampling.kind == "with-replacement"  # then one user can have many places
        _check_most(number, "online", one.online, log.population.size)
        _check_most(number, "sampled", cohort, None if several else there)
        drawn = (
            one.sampled if log.sampling.kind == "poisson" else cohort
        )  # by coins, a cohort is one that is expected
        _check_most(number, "replied", one.replied, drawn)
        _check_most(number, "replied", one.replied, None if several else there)
        if log.sampling.kind == "all" and cohort is not None and there is not None and cohort < there:
            less = _("Expected all {there:,} users in round {number}, found {cohort:,}: sampling is not all.")
            raise InvalidValueError("sampling", less.format(there=there, number=number, cohort=cohort))


def _check_most(number: int, what: str, found: int | None, most: int | None) -> None:
    if found is not None and most is not None and found > most:
        message = _("Expected round {number} to have at most {most:,} {what}, found {found:,}.")
        raise InvalidValueError("rounds", message.format(number=number, most=most, what=what, found=found))


def _holds(log: RoundLog, delta: float, precision: Precision) -> tuple[Claim, ...]:
    if log.noise.kind == "pure":
        return _pure(log)
    sampling = log.sampling.kind or "unknown"
    found = [
        Claim(
            adjacency=one.adjacency,
            epsilon=epsilon.value,
            delta=delta,
            accountant=epsilon.accountant,
            sampling=sampling,
        )
        for one in mechanism.bounds(log)
        for epsilon in epsilons(one, delta, precision)
    ]
    first = wanted(log)
    return tuple(sorted(found, key=lambda one: one.adjacency != first))


def wanted(log: RoundLog) -> str | None:
    """Returns the adjacency that is asked about: the record's, or that of what was claimed."""
    return log.adjacency or next((one.adjacency for one in log.claimed or () if one.adjacency), None)


def epsilons(bound: Mechanism, delta: float, precision: Precision = Precision.REPORTED) -> list[Epsilon]:
    """Returns what accountants say of a mechanism, the smallest first."""
    if bound.drawn:
        return [Epsilon(value=seen_cohorts.epsilon(bound.drawn, delta), accountant="pld")]
    account = accounting.compose_events(bound.events, delta, precision)
    return sorted(filter(None, (account.pld, account.rdp)), key=lambda one: one.value)


def _pure(log: RoundLog) -> tuple[Claim, ...]:
    """Of what each client sends through a mechanism of its own, at delta 0: what its rounds cost, added up."""
    return tuple(
        Claim(
            adjacency=name,
            epsilon=stated(log, name),
            delta=0.0,
            accountant="sum",
            sampling=log.sampling.kind or "unknown",
        )
        for name in (mechanism.REPLACE, mechanism.ZERO_OUT)
    )


def stated(log: RoundLog, adjacency: str) -> float:
    """Returns what a mechanism states that all rounds have cost: twice that to replace whom it takes out."""
    total = sum(one.count * (one.epsilon or 0.0) for one in log.costly) * (1 + 1e-12)
    taken_out = log.adjacency in (mechanism.ZERO_OUT, mechanism.ADD_OR_REMOVE)
    return 2 * total if adjacency == mechanism.REPLACE and taken_out else total
