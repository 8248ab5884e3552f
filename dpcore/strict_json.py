"""JSON that every program reads, and what we read ourselves: with all that belongs there, and nothing else."""

import json
import math
from collections import Counter
from collections.abc import Collection
from dataclasses import fields
from typing import Any

from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import excerpt, refusal


def dumps(value: Any, **options: Any) -> str:
    """Returns `value` as JSON; options as of `json.dumps`. Infinity and "not a number", which it lacks, become strings.

    >>> dumps({"epsilon": math.inf, "rounds": (1, 2.5)})
    '{"epsilon": "inf", "rounds": [1, 2.5]}'
    """
    return json.dumps(_plain(value), allow_nan=False, **options)


def loads(text: str) -> Any:
    """Returns what a text of JSON says.

    Raises:
        ValueError: If it is none, says a name twice, or is nested deeper than anything that is read here.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError as err:
        raise ValueError(_("it is nested too deeply")) from err
    except TypeError as err:  # from a damaged row, say
        raise ValueError(_("it is no text")) from err


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        ((twice, _times),) = Counter(name for name, _value in pairs).most_common(1)
        raise ValueError(_("it says {name} twice").format(name=excerpt(twice)))
    return values


def versioned(values: Any, name: str, newest: int) -> tuple[int, dict[str, Any]]:
    """Returns the version of what `loads` gave, and the rest of it.

    Args:
        values: What was read.
        name: What it should be, for a refusal.
        newest: The newest version that this program knows.

    Raises:
        InvalidValueError: If it has no version, or that of a newer program.
    """
    if not isinstance(values, dict) or type(values.get("version")) is not int:
        raise refusal(name, _("Expected {name} to be an object of JSON with a version, found {value}."), values)
    version = values["version"]
    if version not in range(1, newest + 1):
        message = _("Expected a {name} of version {version} or older, found {value}; update the program.")
        raise refusal(name, message, version, version=str(newest))
    return version, {key: value for key, value in values.items() if key != "version"}


def fields_of(kind: type, values: Any, name: str, *, may_lack: Collection[str] = ()) -> dict[str, Any]:
    """Returns the fields of a dataclass that `loads` gave: all that it has, and no others.

    Args:
        kind: The dataclass.
        values: What was read.
        name: What the whole is called, for a refusal.
        may_lack: Fields that older versions did not write.

    Raises:
        InvalidValueError: If it is no object of JSON, lacks a field, or has one that `kind` does not know.
    """
    known = [field.name for field in fields(kind)]
    if not isinstance(values, dict):
        message = _("Expected {name} to be an object of JSON with {fields}, found {value}.")
        raise refusal(name, message, values, fields=", ".join(known))
    for field_name in known:
        if field_name not in values and field_name not in may_lack:
            message = _("Expected {name} to have {field}, found none.")
            raise InvalidValueError(name, message.format(name=name, field=field_name))
    for field_name in values:
        if field_name not in known:
            message = _("Expected {name} to have nothing but {fields}, found {value}.")
            raise refusal(name, message, field_name, fields=", ".join(known))
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
