"""Whether two audited runs have the same noise, by what was kept of each: which one run alone does not show.

Whoever has both releases can subtract them. If their noise is the same, what is left is that of users, bare.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dpcore import rounding
from dpcore.language import _
from dpcore.privacy.auditing.ingredients import ALARM_LEVEL, CONFIDENCE

SHARED, NO_SIGN, CANNOT_TELL = "shared", "no_sign", "cannot_tell"
_BLOCK = 256  # rounds that are compared with all others at once


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """What two runs' noises have in common.

    Attributes:
        verdict: `SHARED` where the p-value is below `ALARM_LEVEL`; `CANNOT_TELL` where it would not be so either if all
            noise were the same, since rounds are too few or users hide it; else `NO_SIGN`, which proves nothing.
        same_directions: Whether both runs were looked at along the same directions.
        rounds: How many rounds both have, which are compared one by one.
        correlation: Of their noises in these: 1 where it is the same, 0 where they are independent. Users' updates, also
            such as both runs have in common, can only lower it.
        low: Where its 95% interval begins.
        high: Where it ends.
        p: How often two runs with independent noise, whatever their users add, come as close; `rounding.LEAST_P` for that
            or less.
        closest: The round of the first run and that of the second whose noises are closest, of all pairs, from 1.
        closest_correlation: As `correlation`, of these two alone.
    """

    verdict: str
    same_directions: bool
    rounds: int
    correlation: float
    low: float
    high: float
    p: float
    closest: tuple[int, int]
    closest_correlation: float

    def to_values(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self) | {"closest": list(self.closest)}


def compare(first: NDArray[np.float64], second: NDArray[np.float64], *, overlap: float = 1.0) -> Sharing:
    """Returns what two runs' noises have in common.

    In a round, what the first run shows is taken from what the second shows. Independent noises make a difference with
    at least the variance of one of them, and of both where the directions are the same; users' updates, which are not
    known, add to the sum of its squares (a noncentral chi-squared, which is stochastically larger than the central one).
    Only noise that is the same makes it less: users that are alike in both runs cannot ring.

    Assumed: both runs' noise is Gaussian, and of the planned size; too little of it rings in an audit of each.

    Args:
        first: The releases of one run along its bystanders' directions, over their planned noise, as they look along
            those of the second: float64 [rounds, num_directions].
        second: Those of the other along its own: float64 [its rounds, num_directions].
        overlap: The mean square of what looking along other directions leaves of a direction; 1 where they are the same.
    """
    rounds, directions = min(len(first), len(second)), second.shape[1]
    variance, number = 2.0 if overlap == 1 else 1.0, rounds * directions
    apart, nearest, least = 0.0, (1, 1), math.inf
    for begin, squares in _squares(first, second):
        apart += float(np.trace(squares, offset=begin))  # each round with that of the same number
        place = np.unravel_index(np.argmin(squares), squares.shape)
        if squares[place] < least:
            least, nearest = float(squares[place]), (begin + int(place[0]) + 1, int(place[1]) + 1)

    def p_value(squares: float) -> float:  # of all rounds together, one of two looks
        return 2 * float(special.chdtr(number, max(squares, 0.0) / variance))

    of_pairs = 2 * len(first) * len(second) * float(special.chdtr(directions, least / variance))
    p = min(1.0, max(min(p_value(apart), of_pairs), rounding.LEAST_P))
    unseen = p_value(apart - 2 * overlap * number) >= ALARM_LEVEL  # what it were with the same noise
    found = _correlation(apart, number, overlap)
    reach = -float(special.ndtri((1 - CONFIDENCE) / 2)) * math.sqrt((1 + 3 * overlap) / 2 / number) / overlap
    low, correlation, high, closest = (
        min(1.0, max(-1.0, one))
        for one in (found - reach, found, found + reach, _correlation(least, directions, overlap))
    )
    return Sharing(
        verdict=SHARED if p < ALARM_LEVEL else CANNOT_TELL if unseen else NO_SIGN,
        same_directions=overlap == 1,
        rounds=rounds,
        correlation=correlation,
        low=low,
        high=high,
        p=p,
        closest=nearest,
        closest_correlation=closest,
    )


def _squares(first: NDArray[np.float64], second: NDArray[np.float64]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yields the squared distances of some rounds of the first, from that number on, to all of the second."""
    own = np.einsum("td,td->t", second, second)
    for begin in range(0, len(first), _BLOCK):
        some = first[begin : begin + _BLOCK]
        found = np.einsum("td,td->t", some, some)[:, None] + own - 2 * some @ second.T
        yield begin, found.clip(0)


def _correlation(squares: float, number: int, overlap: float) -> float:
    return (number * (1 + overlap) - squares) / (2 * overlap * number)


def sentence(found: Sharing, *, by_design: bool = False) -> str:
    """Returns what two runs' noises have in common, in a sentence or two. Never that they are independent.

    Args:
        found: What was found.
        by_design: Whether both runs follow from one plan, one seed and as many canaries.
    """
    if found.verdict == CANNOT_TELL:
        return _(
            "Whether the two runs share noise cannot be told: too few rounds are there, or what users send hides it."
        )
    measured = _(
        "Correlation of the noise, round by round over {rounds:,} rounds: {correlation} ({low} to {high}), p {p}."
    ).format(
        rounds=found.rounds,
        correlation=_signed(found.correlation),
        low=_signed(found.low),
        high=_signed(found.high),
        p=rounding.p_value(found.p),
    )
    return " ".join(part for part in (_verdict(found, by_design), measured, _pair(found)) if part)


def _verdict(found: Sharing, by_design: bool) -> str:
    if found.verdict == NO_SIGN:
        return _(
            "No sign that the two runs share noise. That is no proof: it is of the audits' directions alone, and what "
            "users send can hide a part that is the same."
        )
    if by_design:
        return _(
            "The noise of the two runs is the same, as it must be: both follow from one plan and one seed, so they are "
            "one release, drawn twice. If their data differ all the same, whoever subtracts them gets that without noise."
        )
    return _(
        "ALARM: the two runs share noise. Whoever has both and subtracts them gets what the noise should hide: neither "
        "has the guarantee of its plan beside the other."
    )


def _pair(found: Sharing) -> str:
    if found.verdict != SHARED or found.closest[0] == found.closest[1]:
        return ""
    return _(
        "Closest are round {first:,} of the first run and round {second:,} of the second: correlation {correlation}."
    ).format(first=found.closest[0], second=found.closest[1], correlation=_signed(found.closest_correlation))


def _signed(correlation: float) -> str:
    return rounding.given(rounding.short([correlation])[0])
