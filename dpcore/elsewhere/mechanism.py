"""What the rounds of a run release, for one adjacency: the events that accountants are asked.

A user's part in a round's sum is at most the clip norm. Zero-out puts nothing in its place; replace-one another user's,
which moves the sum twice as far; and so does adding a user, wherever somebody then takes part in another's place, or the
divisor changes.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dpcore.elsewhere import noise_added
from dpcore.elsewhere.log import Round, RoundLog
from dpcore.elsewhere.seen_cohorts import Drawn
from dpcore.mechanisms.events import Event, SampledGaussian

ZERO_OUT, ADD_OR_REMOVE, REPLACE = "zero-out", "add-or-remove-one", "replace-one"
_MOST_NOISE, _LEAST_PROBABILITY = 1e6, 1e-9  # what accountants are asked: safer than what is beyond
_MOST_KINDS = 24


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """A bound on a run for one adjacency.

    Attributes:
        adjacency: How neighbouring data sets differ.
        events: What accountants are asked.
        drawn: Or rounds whose cohorts an attacker may as well see.
    """

    adjacency: str
    events: tuple[Event, ...] = ()
    drawn: tuple[Drawn, ...] = ()


@dataclass(frozen=True)
class _Released:
    """Rounds that are alike.

    Attributes:
        ratio: Noise on the sum over the clip norm.
        cohort: Users that were drawn; `None` where it is not said.
        population: Users that they were drawn from.
        count: How many such rounds.
    """

    ratio: float
    cohort: int | None
    population: int | None
    count: int


def bounds(log: RoundLog) -> list[Mechanism]:
    """Returns what a run releases, for each adjacency that something is known for.

    Args:
        log: A record in which `faults` finds none.
    """
    rounds = _coarsened(list(_released(log)))
    if not rounds:
        return [Mechanism(adjacency=name) for name in (ZERO_OUT, ADD_OR_REMOVE, REPLACE)]
    kind = log.sampling.kind
    if log.noise.where == "client":
        return _known(rounds) if kind != "round-robin" else _round_robin(log, rounds)
    if kind == "poisson" and (found := _poisson(log, rounds)):
        return found
    if kind == "fixed-size" and (found := _fixed_size(log, rounds)):
        return found
    if kind == "with-replacement" and (found := _with_replacement(rounds)):
        return found
    if kind == "round-robin":
        return _round_robin(log, rounds)
    if kind == "all":
        return _all(log, rounds)
    return _known(rounds)


def _released(log: RoundLog) -> Iterator[_Released]:
    for one in log.costly:
        ratio = noise_added.of_round(log, one).ratio
        if ratio is not None:
            yield _Released(min(ratio, _MOST_NOISE), _cohort(log, one), _population(log, one), one.count)


def _cohort(log: RoundLog, one: Round) -> int | None:
    return one.sampled if one.sampled is not None else log.sampling.cohort


def _population(log: RoundLog, one: Round) -> int | None:
    if one.online is not None:
        return one.online if log.population.size is None else min(one.online, log.population.size)
    return None if log.population.varies else log.population.size


def _coarsened(rounds: Sequence[_Released]) -> list[_Released]:
    """The same with alike rounds together; of very many kinds, each in its safe direction brought to fewer."""
    merged: dict[_Released, int] = {}
    for digits in (15, 3, 2):
        merged = {}
        for one in rounds:
            kind = replace(one, ratio=_down(one.ratio, digits), count=0)
            merged[kind] = merged.get(kind, 0) + one.count
        if len(merged) <= _MOST_KINDS:
            break
    found = [replace(kind, count=count) for kind, count in merged.items()]
    if len(found) <= _MOST_KINDS:
        return found
    cohorts = [one.cohort for one in found]
    populations = [one.population for one in found]
    cohort = None if None in cohorts else max(one for one in cohorts if one is not None)
    population = None if None in populations else min(one for one in populations if one is not None)
    if cohort is not None and population is not None:
        population = max(population, cohort)
    again = [replace(one, cohort=cohort, population=population) for one in found]
    by_ratio: dict[float, int] = {}
    for one in again:
        by_ratio[one.ratio] = by_ratio.get(one.ratio, 0) + one.count
    return [_Released(ratio, cohort, population, count) for ratio, count in by_ratio.items()]


def _down(value: float, digits: int) -> float:
    """A number with so many digits, never above it."""
    step = 10.0 ** (math.floor(math.log10(value)) - digits + 1)
    return min(value, math.floor(value / step) * step) if digits < 15 else value


def _probability(log: RoundLog, one: _Released) -> float | None:
    """Of a user, of being in a round's cohort; the larger of what is said."""
    cohort = log.sampling.cohort if log.sampling.kind == "poisson" else one.cohort
    by_cohort = cohort / one.population if cohort is not None and one.population else None
    said = [prob for prob in (log.sampling.probability, by_cohort) if prob is not None]
    return min(1.0, max(*said, _LEAST_PROBABILITY)) if said else None


def _sampled(
    rounds: Sequence[_Released], probabilities: Sequence[float], movement: int, *, replaces: bool = False
) -> tuple[Event, ...]:
    return tuple(
        Event(SampledGaussian(one.ratio / movement, prob, replaces and prob < 1), one.count)
        for one, prob in zip(rounds, probabilities, strict=True)
    )


def _seen(rounds: Sequence[_Released], probabilities: Sequence[float], movement: int) -> tuple[Drawn, ...]:
    return tuple(
        Drawn(one.ratio / movement, 1, prob, one.count) for one, prob in zip(rounds, probabilities, strict=True)
    )


def _poisson(log: RoundLog, rounds: list[_Released]) -> list[Mechanism]:
    probabilities = [prob for one in rounds if (prob := _probability(log, one)) is not None]
    if len(probabilities) < len(rounds):
        return []
    replaced = Mechanism(adjacency=REPLACE, drawn=_seen(rounds, probabilities, 2))
    if log.average.divisor != "fixed":
        # The divisor tells how many came, and so of who did: no more is proven than for cohorts that are seen.
        return [Mechanism(adjacency=ZERO_OUT, drawn=_seen(rounds, probabilities, 1)), replaced]
    events = _sampled(rounds, probabilities, 1)
    return [Mechanism(adjacency=name, events=events) for name in (ZERO_OUT, ADD_OR_REMOVE)] + [replaced]


def _fixed_size(log: RoundLog, rounds: list[_Released]) -> list[Mechanism]:
    """Somebody more takes a random member's place: Poisson sampling at half the noise bounds that, and is attained.

    Zero-out leaves the draw as it is, but who is drawn displaces another: it is not Poisson sampling at the whole noise.
    """
    probabilities = [prob for one in rounds if (prob := _probability(log, one)) is not None]
    if len(probabilities) < len(rounds):
        return []
    return [
        Mechanism(adjacency=ADD_OR_REMOVE, events=_sampled(rounds, probabilities, 2)),
        Mechanism(adjacency=REPLACE, events=_sampled(rounds, probabilities, 2, replaces=True)),
        Mechanism(adjacency=ZERO_OUT, drawn=_seen(rounds, probabilities, 1)),
    ]


def _with_replacement(rounds: list[_Released]) -> list[Mechanism]:
    if any(one.cohort is None or not one.population for one in rounds):
        return []

    def drawn(movement: int) -> tuple[Drawn, ...]:
        return tuple(
            Drawn(one.ratio / movement, one.cohort or 1, 1 / (one.population or 1), one.count) for one in rounds
        )

    return [
        Mechanism(adjacency=name, drawn=drawn(movement))
        for name, movement in ((ZERO_OUT, 1), (ADD_OR_REMOVE, 2), (REPLACE, 2))
    ]


def _known(rounds: Sequence[_Released]) -> list[Mechanism]:
    """Anybody may be in every round. Adding a user is left out: nobody knows whom else that moves."""
    everywhere = [1.0] * len(rounds)
    return [
        Mechanism(adjacency=name, events=_sampled(rounds, everywhere, movement))
        for name, movement in ((ZERO_OUT, 1), (REPLACE, 2))
    ]


def _all(log: RoundLog, rounds: list[_Released]) -> list[Mechanism]:
    zeroed, replaced = _known(rounds)
    if log.average.divisor == "fixed":
        return [zeroed, replace(zeroed, adjacency=ADD_OR_REMOVE), replaced]
    if log.noise.of == "average":  # one more changes the divisor: a mean moves by up to twice a part of it
        return [zeroed, replace(replaced, adjacency=ADD_OR_REMOVE), replaced]
    return [zeroed, replaced]


def _round_robin(log: RoundLog, rounds: list[_Released]) -> list[Mechanism]:
    """Users take turns: each is in so many rounds, at worst in those with the least noise."""
    times = participations(log)
    if times is None:
        return _known(rounds)
    chosen, left = [], times
    for one in sorted(rounds, key=lambda one: one.ratio):
        count = min(one.count, left)
        if count:
            chosen.append(replace(one, count=count))
        left -= count
    return _known(chosen)


def participations(log: RoundLog) -> int | None:
    """Returns in how many rounds a user is at most where users take turns; `None` where that is not said."""
    rounds = log.rounds or ()
    total = sum(one.count for one in rounds)
    said = 0 if log.sampling.probability is None else math.ceil(log.sampling.probability * total - 1e-9)
    cohorts, populations = [_cohort(log, one) for one in rounds], [_population(log, one) for one in rounds]
    if any(cohort is None for cohort in cohorts) or not all(populations):
        return said or None
    drawn = sum(one.count * (cohort or 0) for one, cohort in zip(rounds, cohorts, strict=True))
    return max(said, -(-drawn // min(one for one in populations if one)))


def scaled(bound: Mechanism, factor: float) -> Mechanism:
    """Returns the same mechanism with so many times the noise."""
    events = tuple(
        Event(one.mechanism._replace(noise_multiplier=one.mechanism.noise_multiplier * factor), one.rounds)
        for one in bound.events
    )
    return replace(bound, events=events, drawn=tuple(one._replace(noise=one.noise * factor) for one in bound.drawn))
