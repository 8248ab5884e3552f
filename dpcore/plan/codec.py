"""How the parts of a plan stand in JSON: with their kind, and the fields of that kind."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from dpcore import limits, strict_json
from dpcore.language import _
from dpcore.mechanisms import choices
from dpcore.mechanisms.clipping import CLIPPINGS, Clipping
from dpcore.mechanisms.noise import Independent, Noise
from dpcore.mechanisms.participation import Participation, Poisson

# What a plan had before there was a choice, and what goes without saying.
USUAL: Mapping[str, Participation | Noise] = {"participation": Poisson(), "noise": Independent()}
_KINDS: Mapping[str, Mapping[str, type[Participation] | type[Noise]]] = {
    "participation": choices.PARTICIPATION_BY_KIND,
    "noise": choices.NOISE_BY_KIND,
}


def tagged(part: Clipping | Participation | Noise) -> dict[str, Any]:
    """Returns a part of a plan as JSON has it."""
    return {"kind": part.kind, **asdict(part)}


def parts(privacy: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parts of a plan, by name, whose JSON this is.

    Raises:
        InvalidValueError: If one is of no kind that there is, or has other fields than that kind.
    """
    found: dict[str, Any] = {"clipping": read_clipping(privacy["clipping"])}
    for name in _KINDS:
        if name in privacy:
            found[name] = read_part(name, privacy[name])
    return found


def read_part(name: str, values: Any) -> Any:
    """Returns the "participation" or the "noise" whose JSON this is.

    Raises:
        InvalidValueError: If it is of no kind that there is, or has other fields than that kind.
    """
    kinds = _KINDS[name]
    tag = values.get("kind") if isinstance(values, dict) else None
    choices.check_here(name, tag)
    if not isinstance(tag, str) or tag not in kinds:
        message = _("Expected {name} to have a kind, one of {kinds}, found {value}.")
        raise limits.refusal(name, message, values if tag is None else tag, kinds=", ".join(kinds))
    kind = kinds[tag]
    given = {key: value for key, value in values.items() if key != "kind"}
    return kind(**strict_json.fields_of(kind, given, name, may_lack=[field.name for field in fields(kind)]))


def read_clipping(values: Any) -> Clipping:
    """Returns the way to clip whose fields these are, as JSON has them: without its kind.

    Raises:
        InvalidValueError: If they are those of none.
    """
    kind = clipping_kind(values)
    return kind(**strict_json.fields_of(kind, values, "clipping"))


def clipping_kind(values: Any) -> type[Clipping]:
    """Returns the class whose fields these are; the first of `CLIPPINGS` where they are those of none."""
    names = set(values) if isinstance(values, dict) else set()
    return next((kind for kind in CLIPPINGS if names & {field.name for field in fields(kind)}), CLIPPINGS[0])
