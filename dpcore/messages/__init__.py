"""What a process that knew no reader has to say, as it is stored: keys with values, which become words when shown.

A message is stored as JSON: what is known to the catalogues as `{"key": ..., "values": {...}}`, any other text as a
string. What older versions have stored is the English sentence itself.
"""

import functools
import json
from collections.abc import Iterable
from typing import Any

from dpcore.language import Message
from dpcore.messages import older

_NO_MESSAGE = (LookupError, ValueError, TypeError, AttributeError)  # what `from_content` raises


def to_json(message: str) -> str:
    """Returns a message as it is stored; nothing stays nothing.

    >>> to_json(Message("Round {number}", "Round {number}", {}).format(number=3))
    '{"key": "Round {number}", "values": {"number": 3}}'
    >>> to_json("ValueError: no such thing")
    '"ValueError: no such thing"'
    """
    return json.dumps(content(message)) if message else ""


@functools.lru_cache(4096)  # pages look at all runs every second or two
def from_json(stored: str) -> str:
    """Returns a stored message in English; `dpcore.language.translated` tells it in the language of its reader."""
    try:
        return from_content(json.loads(stored)) if stored else ""
    except (*_NO_MESSAGE, RecursionError):
        return older.read(stored)


def all_to_json(messages: Iterable[str]) -> str:
    """Returns several messages as they are stored together."""
    return json.dumps([content(message) for message in messages])


def all_from_json(stored: str) -> list[str]:
    """Returns messages that are stored together, in English; what older versions have stored is one."""
    try:
        return [from_content(one) for one in json.loads(stored)] if stored else []
    except (*_NO_MESSAGE, RecursionError):
        return [older.read(stored)]


def content(message: Any) -> Any:
    """Returns a message, or what fills it, as a value of JSON; as a text, where it could not be made again of that."""
    if not isinstance(message, Message):
        return str(message) if isinstance(message, str) else message
    values = {name: content(value) for name, value in message.values.items()}
    made = {"key": message.key, "values": values}
    try:
        from_content(made)
    except _NO_MESSAGE:  # numbers of an old sentence are texts
        return str(message)
    return made


def from_content(found: Any) -> str:
    """Returns, in English, the message that `content` has made a value of JSON.

    Raises:
        LookupError, ValueError, TypeError, AttributeError: If it is none.
    """
    if isinstance(found, str):
        return found
    values = {
        name: from_content(value) if isinstance(value, str | dict) else value
        for name, value in found["values"].items()
    }
    return Message(found["key"].format(**values), found["key"], values)
