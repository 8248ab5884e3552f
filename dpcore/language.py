"""The program's words in the reader's language: gettext catalogues under `locale/`, English where there is none.

A sentence is written in English where it is used: `_("Round {number}").format(number=3)`, never an f-string, whose
words nobody could look up. A sentence that stands in a table made at import is marked by `N_` there, and looked up by
`_` where it is shown. `make words` collects what is marked; `tests/test_language.py` fails for what has no translation.
"""

import functools
import gettext
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

LANGUAGES = {"en": "English", "ja": "日本語"}  # by the code in links; the first is the default
LOCALE = Path(__file__).with_name("locale")
_current: ContextVar[str] = ContextVar("language", default="en")


def current() -> str:
    """Returns the code of the language that is spoken in this thread."""
    return _current.get()


def speak(code: str) -> None:
    """Speaks a language in this thread from now on; English if there is no such code."""
    _current.set(code if code in LANGUAGES else "en")


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speaks a language for a while."""
    before = _current.set(code)
    try:
        yield
    finally:
        _current.reset(before)


def in_current_language(do: Callable) -> Callable:
    """Returns `do`, which speaks the language of now wherever it is called later: a new thread begins in English."""
    code = current()

    @functools.wraps(do)
    def in_language(*arguments, **named):
        with speaking(code):
            return do(*arguments, **named)

    return in_language


class Message(str):
    """A text in the language that was spoken when it was made, which knows what it is made of.

    So it can be stored by `dpcore.messages`, and told in another language by `translated`, also within another one
    that it has filled a place of. What is made of it by `+`, `join` or an f-string is a plain text.

    Attributes:
        key: The English sentence with its places, which catalogues know it by.
        values: What fills them: messages, texts and numbers.
    """

    key: str
    values: Mapping[str, Any]

    def __new__(cls, text: str, key: str, values: Mapping[str, Any]) -> "Message":
        made = super().__new__(cls, text)
        made.key, made.values = key, values
        return made

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, Any]]:  # type: ignore[override]  # pickles call `__new__`
        return str(self), self.key, self.values

    def format(self, *places: object, **values: object) -> str:
        """Returns the message with its places filled; a plain text where it could not be made again."""
        text = super().format(*places, **values)
        plain = {name: _plain(value) for name, value in values.items()}
        with suppress(LookupError, ValueError, TypeError, AttributeError):
            if not places and super().format(**plain) == text:
                return Message(text, self.key, plain)
        return text


def _plain(value: object) -> Any:
    """Returns a value as it can be kept: what is no number is as it is written."""
    if isinstance(value, Exception) and value.args and isinstance(value.args[0], Message):
        return value.args[0]
    return value if isinstance(value, str | int | float | None) else str(value)


def _(message: str) -> str:
    """Returns a message in the language that is spoken."""
    return Message(_catalogue(_current.get()).gettext(message), message, {}) if message else ""


def translated(message: str) -> str:
    """Returns a message in the language that is spoken, whichever it was made in; any other text as it is."""
    if not isinstance(message, Message):
        return message
    values = {
        name: translated(value) if isinstance(value, str) else value for name, value in message.values.items()
    }
    return _(message.key).format(**values) if values else _(message.key)


def sentences(*messages: str) -> str:
    """Returns messages as one, with spaces between."""
    said = [message for message in messages if message]
    if len(said) < 2:
        return said[0] if said else ""
    places = {f"sentence_{number}": message for number, message in enumerate(said, 1)}
    key = " ".join(f"{{{place}}}" for place in places)  # the same in every language
    return Message(key, key, {}).format(**places)


def N_(message: str) -> str:
    """Marks a message for the catalogues, and returns it in English."""
    return Message(message, message, {})


@functools.cache
def _catalogue(code: str) -> gettext.NullTranslations:
    # A missing catalogue is an error, but for English, which is what stands in the code.
    return gettext.translation("messages", LOCALE, [code], fallback=code == "en")
