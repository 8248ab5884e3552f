"""Epsilon after each of some released rounds of a run from elsewhere."""

from dataclasses import replace

from dpcore.elsewhere import account, mechanism
from dpcore.elsewhere.log import Round, RoundLog
from dpcore.privacy.precision import Precision

_POINTS = 12


def is_gaussian(log: RoundLog) -> bool:
    """Whether its cost is that of Gaussian noise, and not stated by a mechanism."""
    return log.noise.kind != "pure"


def epsilons(log: RoundLog, adjacency: str, delta: float) -> list[tuple[int, float]]:
    """Returns some numbers of released rounds, the last among them, each with the epsilon after it.

    Args:
        log: A record that has a guarantee.
        adjacency: One of those that hold for it.
        delta: That of each epsilon.
    """
    total = sum(one.count for one in log.costly)
    points = sorted({-(-total * number // _POINTS) for number in range(1, _POINTS + 1)} - {0})
    found = []
    for count in points:
        first = replace(log, rounds=_first(log, count))
        found.append((count, _epsilon(first, adjacency, delta)))
    return found


def _epsilon(log: RoundLog, adjacency: str, delta: float) -> float:
    if not is_gaussian(log):
        return account.stated(log, adjacency)
    bound = next(one for one in mechanism.bounds(log) if one.adjacency == adjacency)
    return account.epsilons(bound, delta, Precision.PREVIEW)[0].value


def _first(log: RoundLog, count: int) -> tuple[Round, ...]:
    """The rounds up to so many released ones."""
    kept = []
    for one in log.rounds or ():
        if not log.costs(one):
            kept.append(one)
            continue
        if count <= 0:
            break
        kept.append(replace(one, repeat=min(one.count, count)))
        count -= one.count
    return tuple(kept)
