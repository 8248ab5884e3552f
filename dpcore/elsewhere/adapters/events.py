"""TFF and jax-privacy: a DpEvent as Python prints it. It is read by a grammar of its own; nothing is called.

TFF's `state.dp_event` is of one round, and has no sampling; jax-privacy's `plan.dp_event` is of a whole run.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from dpcore import rounding
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_TOKEN = re.compile(
    r"\s*(b?'[^'\\\n]{0,200}'|b?\"[^\"\\\n]{0,200}\"|[A-Za-z_][\w.]*|[-+]?[0-9.][0-9.eE+-]*|[()\[\]=,])"
)
_DEEPEST, _LONGEST = 30, 100_000
_FIELDS = {
    "GaussianDpEvent": ("noise_multiplier",),
    "SelfComposedDpEvent": ("event", "count"),
    "ComposedDpEvent": ("events",),
    "PoissonSampledDpEvent": ("sampling_probability", "event"),
    "SampledWithoutReplacementDpEvent": ("source_dataset_size", "sample_size", "event"),
    "NoOpDpEvent": (),
    "NonPrivateDpEvent": (),
    "UnsupportedDpEvent": (),
    "SingleEpochTreeAggregationDpEvent": ("noise_multiplier", "step_counts", "l1_norm", "l2_norm"),
}
_UNKNOWN = ("UnsupportedDpEvent", "SingleEpochTreeAggregationDpEvent")


class _Call(NamedTuple):
    name: str
    values: dict[str, Any]


@dataclass(frozen=True)
class _Release:
    """Rounds of a Gaussian: how cohorts are formed, `(kind, probability)`, its noise, and how many."""

    sampling: tuple[str, float] | None
    noise: float
    count: int


def is_event(text: str) -> bool:
    """Whether a text is a printed DpEvent."""
    return bool(re.match(r"\s*(?:\w+\.)*_?\w*DpEvent(?:NamedTupleWrapper)?\(", text))


def from_text(text: str, framework: str) -> dict[str, Any]:
    """Returns the values of a round log.

    Args:
        text: The event as it was printed.
        framework: tff or jax-privacy.

    Raises:
        InvalidValueError: If it is no event, or one of a kind that is not accounted for here.
    """
    event = _read(text)
    values: dict[str, Any] = {
        "framework": {"name": framework},
        "noise": {"kind": "gaussian", "of": "sum", "where": "server", "optimizer_inside": "none"},
        "average": {"weights": "equal", "divisor": "fixed"},
    }
    if framework == "tff":
        values["also_released"] = [
            N_("zeroing, unless it was off: its threshold follows the updates without noise")
        ]
        values["unit"] = "client"
    if _has(event, _UNKNOWN):
        values["noise"]["kind"] = "correlated"
        return values
    if _has(event, ("NonPrivateDpEvent",)):
        values["noise"]["kind"] = "none"
        return values
    releases = _flat(event, 1)
    if framework == "tff" and all(one.sampling is None for one in releases):
        values["noise"]["multiplier"] = _together(releases)
        return values
    kinds = {one.sampling and one.sampling[0] for one in releases}
    if len(kinds) > 1:
        raise InvalidValueError("file", _("Expected one way to form cohorts in the event, found several."))
    (kind,) = kinds or {None}
    values["sampling"] = {"kind": kind or "unknown"}
    if kind:
        values["sampling"]["probability"] = max(one.sampling[1] for one in releases if one.sampling)
    values["rounds"] = [{"repeat": one.count, "multiplier": one.noise} for one in releases if one.count]
    return values


def _has(event: Any, names: tuple[str, ...]) -> bool:
    if isinstance(event, list):
        return any(_has(one, names) for one in event)
    return isinstance(event, _Call) and (
        event.name in names or any(_has(one, names) for one in event.values.values())
    )


def _flat(event: Any, count: int) -> list[_Release]:
    """The releases of an event that runs so often."""
    if not isinstance(event, _Call):
        raise _damaged(str(event))
    if event.name == "GaussianDpEvent":
        return [_Release(None, _number(event, "noise_multiplier", most=1e12), count)]
    if event.name == "SelfComposedDpEvent":
        return _flat(event.values.get("event"), count * int(_number(event, "count", most=1e7, whole=True)))
    if event.name == "ComposedDpEvent":
        events = event.values.get("events")
        if not isinstance(events, list):
            raise _damaged("ComposedDpEvent")
        return [release for one in events for release in _flat(one, count)]
    if event.name == "NoOpDpEvent":
        return []
    inner = _flat(event.values.get("event"), 1)
    if any(one.sampling for one in inner):
        raise InvalidValueError("file", _("Expected an event that is sampled once, found one inside another."))
    return [_Release(_sampling(event), _together(inner), count)] if inner else []


def _sampling(event: _Call) -> tuple[str, float]:
    if event.name == "PoissonSampledDpEvent":
        return "poisson", _number(event, "sampling_probability", most=1.0)
    size = _number(event, "source_dataset_size", most=1e9, whole=True)
    drawn = _number(event, "sample_size", most=1e9, whole=True)
    if not 0 < drawn <= size:
        raise _damaged("SampledWithoutReplacementDpEvent")
    return "fixed-size", drawn / size


def _together(releases: list[_Release]) -> float:
    """The noise of the one Gaussian that releases of one cohort are together."""
    if any(one.noise == 0 for one in releases):
        return 0.0
    total = math.fsum(one.count / one.noise**2 for one in releases)
    return total**-0.5 if total > 0 else 1e12


def _number(event: _Call, name: str, *, most: float, whole: bool = False) -> float:
    found = event.values.get(name)
    if isinstance(found, float) and 0 <= found <= most and (not whole or found == int(found)):
        return found
    message = _("Expected {name} of {event} to be a number in [0, {most}], found {found}.")
    raise InvalidValueError(
        "file", message.format(name=name, event=event.name, most=rounding.given(most), found=repr(found)[:60])
    )


def _damaged(near: str) -> InvalidValueError:
    message = _("Expected a DpEvent as it is printed, found a text that breaks off or is damaged near {near}.")
    return InvalidValueError("file", message.format(near=repr(near[:40])))


def _read(text: str) -> Any:
    if len(text) > _LONGEST:
        message = _("Expected a DpEvent of at most {most:,} characters, found {found:,}.")
        raise InvalidValueError("file", message.format(most=_LONGEST, found=len(text)))
    tokens, at = [], 0
    stripped = text.strip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if not found:
            raise _damaged(stripped[at:])
        tokens.append(found[1])
        at = found.end()
    value, end = _value(tokens, 0, 0)
    if end != len(tokens) or not isinstance(value, _Call):
        raise _damaged("".join(tokens[end : end + 5]))
    return value


def _value(tokens: list[str], at: int, depth: int) -> tuple[Any, int]:
    """The value that begins at a token, and where the next one does."""
    if at >= len(tokens) or depth > _DEEPEST:
        raise _damaged("" if at >= len(tokens) else tokens[at])
    token = tokens[at]
    if token == "[":
        return _list(tokens, at + 1, depth)
    if token[0] in "'\"" or token[:2] in ("b'", 'b"'):
        return token, at + 1
    if at + 1 < len(tokens) and tokens[at + 1] == "(":
        return _call(tokens, at, depth)
    try:
        return float(token), at + 1
    except ValueError:
        raise _damaged(token) from None


def _list(tokens: list[str], at: int, depth: int) -> tuple[list[Any], int]:
    found = []
    while at < len(tokens) and tokens[at] != "]":
        one, at = _value(tokens, at, depth + 1)
        found.append(one)
        if at < len(tokens) and tokens[at] == ",":
            at += 1
    if at >= len(tokens):
        raise _damaged("[")
    return found, at + 1


def _call(tokens: list[str], at: int, depth: int) -> tuple[Any, int]:
    name = tokens[at].split(".")[-1].removeprefix("_").removesuffix("NamedTupleWrapper")
    is_number = tokens[at].split(".")[0] in ("np", "numpy", "float32", "float64", "int32", "int64")
    if not is_number and name not in _FIELDS:
        message = _("Expected a DpEvent that is known here, found {found}: it is not accounted for.")
        raise InvalidValueError("file", message.format(found=tokens[at][:60]))
    values, at, place = {}, at + 2, 0
    while at < len(tokens) and tokens[at] != ")":
        key = None
        if at + 1 < len(tokens) and tokens[at + 1] == "=":
            key, at = tokens[at], at + 2
        elif not is_number and place < len(_FIELDS[name]):
            key = _FIELDS[name][place]
        one, at = _value(tokens, at, depth + 1)
        values[key or str(place)] = one
        place += 1
        if at < len(tokens) and tokens[at] == ",":
            at += 1
    if at >= len(tokens):
        raise _damaged(tokens[-1])
    if is_number:
        return values.get("0", values.get("None")), at + 1
    return _Call(name, values), at + 1
