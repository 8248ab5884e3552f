"""What a field of a record can hold: checked when it is read, and said in the schema, from one description."""

import math
from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, NamedTuple

from dpcore import rounding
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import refusal


class Choice(NamedTuple):
    """One of some names."""

    names: tuple[str, ...]

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and value in self.names:
            return value
        message = _("Expected {name} to be one of {choices}, found {value}.")
        raise refusal(name, message, value, choices=", ".join(self.names))

    def schema(self) -> dict[str, Any]:
        return {"enum": [*self.names, None]}


class Number(NamedTuple):
    """A finite number in [least, most]; `whole` where it counts something."""

    least: float
    most: float
    whole: bool = False

    def check(self, name: str, value: Any) -> Any:
        message = (
            _("Expected {name} to be a whole number in {interval}, found {value}.")
            if self.whole
            else _("Expected {name} to be a number in {interval}, found {value}.")
        )
        number = float("nan")
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= self.most:
            number = float(value)
        if not (math.isfinite(number) and number >= self.least) or (self.whole and number != int(number)):
            interval = f"[{rounding.given(self.least)}, {rounding.given(self.most)}]"
            raise refusal(name, message, value, interval=interval)
        return int(number) if self.whole else number + 0.0

    def schema(self) -> dict[str, Any]:
        kind = "integer" if self.whole else "number"
        return {"type": [kind, "null"], "minimum": self.least, "maximum": self.most}


class Text(NamedTuple):
    """A line of text."""

    most: int = 100

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and 0 < len(value) <= self.most and value.isprintable():
            return value
        message = _("Expected {name} to be a line of 1 to {most} characters, found {value}.")
        raise refusal(name, message, value, most=str(self.most))

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "null"], "minLength": 1, "maxLength": self.most}


class Switch(NamedTuple):
    """True or false."""

    def check(self, name: str, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        raise refusal(name, _("Expected {name} to be true or false, found {value}."), value)

    def schema(self) -> dict[str, Any]:
        return {"type": ["boolean", "null"]}


class Seed(NamedTuple):
    """A whole number, or the word none."""

    def check(self, name: str, value: Any) -> Any:
        if value == "none" or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64):
            return value
        raise refusal(name, _("Expected {name} to be a whole number or none, found {value}."), value)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer"}, {"enum": ["none", None]}]}


class Several(NamedTuple):
    """A list of at most so many of one kind; `several` of an object are given by their class."""

    of: Any
    most: int

    def check(self, name: str, value: Any) -> Any:
        if not isinstance(value, list):
            raise refusal(name, _("Expected {name} to be a list, found {value}."), value)
        if len(value) > self.most:
            message = _("Expected {name} to have at most {most:,} entries, found {count:,}.")
            raise InvalidValueError(name, message.format(name=name, most=self.most, count=len(value)))
        return tuple(read(self.of, one, f"{name}[{number}]") for number, one in enumerate(value))

    def schema(self) -> dict[str, Any]:
        return {"type": ["array", "null"], "maxItems": self.most, "items": schema(self.of)}


def holds(takes: Any, help_text: str) -> dict[str, Any]:
    """Returns what is known of a field of a record: what it can hold, and a sentence about it."""
    return {"takes": takes, "help": help_text}


def says(takes: Any, help_text: str) -> Any:
    """Returns a field of a record that may be missing, which is: not said."""
    return field(default=None, metadata=holds(takes, help_text))


def read(takes: Any, value: Any, name: str) -> Any:
    """Returns a value that was read, checked.

    Args:
        takes: What it can hold: a description from this module, or a dataclass of such fields.
        value: As JSON has it; `None` is not said.
        name: Where it stands, for a refusal.

    Raises:
        InvalidValueError: If it holds anything else; a key that is not known is named.
    """
    if not isinstance(takes, type):
        return None if value is None else takes.check(name, value)
    if value is None:
        return takes()
    known: Mapping[str, Any] = {one.name: one.metadata["takes"] for one in fields(takes)}
    if not isinstance(value, dict):
        message = _("Expected {name} to be an object of JSON with {fields}, found {value}.")
        raise refusal(name, message, value, fields=", ".join(known))
    for key in value:
        if key not in known:
            message = _("Expected {name} to have nothing but {fields}, found {value}.")
            raise refusal(name, message, key, fields=", ".join(known))
    return takes(**{key: read(known[key], one, f"{name}.{key}") for key, one in value.items()})


def schema(takes: Any) -> dict[str, Any]:
    """Returns the JSON schema of what `read` takes."""
    if not isinstance(takes, type):
        described: dict[str, Any] = takes.schema()
        return described
    parts = {
        one.name: {"description": one.metadata["help"], **schema(one.metadata["takes"])} for one in fields(takes)
    }
    return {"type": ["object", "null"], "additionalProperties": False, "properties": parts}
