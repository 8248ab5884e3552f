"""How cohorts are formed, and with what noise, as a user chooses it: by a kind, and those numbers that are given."""

from collections.abc import Mapping
from typing import Any

from dpcore import limits
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.mechanisms.noise import NOISES, Noise
from dpcore.mechanisms.participation import PARTICIPATIONS, Fleet, Participation

PARTICIPATION_BY_KIND: Mapping[str, type[Participation]] = {kind.kind: kind for kind in PARTICIPATIONS}
NOISE_BY_KIND: Mapping[str, type[Noise]] = {kind.kind: kind for kind in NOISES}
# Ways to form cohorts that are known and not here, with the reason.
REFUSED: Mapping[str, str] = {
    "allocation": N_(
        "Expected another participation, found allocation: the library that bounds it, PLD_accounting 2.0, asks for "
        "SciPy 1.10 or newer, and TensorFlow Federated 0.87 for SciPy 1.9. Use schedule, which lets each user take part "
        "as often, and asks nobody to keep anything secret."
    )
}


def chosen(
    participation: str,
    noise: str,
    fleet: Fleet,
    *,
    max_participations: int | None = None,
    min_separation: int | None = None,
    bands: int | None = None,
) -> tuple[Participation, Noise]:
    """Returns both; a number that is not given follows from the others.

    Bands are as many as the separation of a user's rounds; the groups of cyclic Poisson sampling as many as the bands,
    and those at most 16.

    Raises:
        InvalidValueError: If there is no such kind, or a number is given that it does not have.

    >>> chosen("schedule", "banded", Fleet(3383, 120, 100))
    (Schedule(max_participations=None, min_separation=None), Banded(bands=28))
    """
    check_here("participation", participation)
    limits.check_choice("participation", participation, tuple(PARTICIPATION_BY_KIND))
    limits.check_choice("noise", noise, tuple(NOISE_BY_KIND))
    forming, adding = PARTICIPATION_BY_KIND[participation], NOISE_BY_KIND[noise]
    if forming.groups_are_bands and min_separation is None:
        most = max(1, min(int(fleet.population // fleet.clients_per_round), int(limits.BANDS.default)))
        min_separation = bands or (most if adding.is_correlated else 1)
    if forming.groups_are_bands and not adding.is_correlated and bands == min_separation:
        bands = None  # of independent noise they are groups alone
    formed = forming(
        **_own(forming, participation, max_participations=max_participations, min_separation=min_separation)
    )
    if bands is None and limits.BANDS in adding.knobs:
        bands = min(formed.pattern(fleet).separation, int(limits.BANDS.maximum))
    return formed, adding(**_own(adding, noise, bands=bands))


def check_here(name: str, kind: Any) -> None:
    """Refuses a way to form cohorts that is known and not here.

    Raises:
        InvalidValueError: With the reason.
    """
    if name == "participation" and isinstance(kind, str) and kind in REFUSED:
        raise InvalidValueError(name, _(REFUSED[kind]))


def _own(kind: type[Participation] | type[Noise], name: str, **given: Any) -> dict[str, Any]:
    known = {knob.name for knob in kind.knobs}
    for number, value in given.items():
        if value is not None and number not in known:
            message = _("Expected no {number} with {kind}, found {value}. Leave it out.")
            raise InvalidValueError(number, message.format(number=number, kind=name, value=value))
    return {number: value for number, value in given.items() if value is not None}
