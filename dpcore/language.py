"""The program's words in the reader's language: gettext catalogues under `locale/`, English where there is none.

A sentence is written in English where it is used: `_("Round {number}").format(number=3)`, never an f-string, whose
words nobody could look up. A sentence that stands in a table made at import is marked by `N_` there, and looked up by
`_` where it is shown. `make words` collects what is marked; `tests/test_language.py` fails for what has no translation.
"""

import functools
import gettext
import re
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語"}  # by the code in links; the first is the default
LOCALE = Path(__file__).with_name("locale")
_LEAST_SAID = 15  # characters: what says less fits too much
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


def _(message: str) -> str:
    """Returns a message in the language that is spoken."""
    return _catalogue(_current.get()).gettext(message) if message else ""


def retold(message: str) -> str:
    """Returns what a process that knew no reader has said in English, in the language that is spoken.

    Sentences are looked up, as many together as stand in the catalogue, also those that were filled in; else what stands
    before the first colon; else it stays.
    """
    return _retold(message, _current.get())


@functools.lru_cache(1000)
def _retold(message: str, code: str) -> str:
    for end in [len(message), *(found.start() + 1 for found in reversed([*re.finditer(r"\. ", message)]))]:
        if known := _looked_up(message[:end], code):
            rest = message[end:].strip()
            return f"{known} {_retold(rest, code)}" if rest else known
    what, colon, rest = message.partition(": ")
    return f"{_looked_up(what, code) or what}{colon}{rest}"


def _looked_up(message: str, code: str) -> str:
    """Returns the translation of a message; empty if there is none."""
    if message and (known := _catalogue(code).gettext(message)) != message:
        return known
    for pattern, translation in _templates(code):
        if found := pattern.fullmatch(message):
            values = {name: _retold(value, code) for name, value in found.groupdict().items()}
            parts = string.Formatter().parse(translation)
            return "".join(words + values.get(name, "") for words, name, _spec, _conversion in parts)
    return ""


@functools.cache
def _templates(code: str) -> list[tuple[re.Pattern, str]]:
    """Sentences with places to fill in, as what fits them and their translation; those that say most come first."""
    found = []
    # No public name leads to all messages of a catalogue.
    for message, translation in getattr(_catalogue(code), "_catalog", {}).items():
        parts = [(words, name) for words, name, _spec, _conversion in string.Formatter().parse(message)]
        said, names = sum(len(words) for words, _name in parts), [name for _words, name in parts if name]
        apart = all(words for words, name in parts[1:] if name)  # else nobody knows where one value ends
        if said >= _LEAST_SAID and names and all(map(str.isidentifier, names)) and apart:
            pattern, known = "", set()
            for words, name in parts:
                pattern += re.escape(words)
                if name:
                    pattern += f"(?P={name})" if name in known else rf"(?P<{name}>(?:(?!\. ).)+?)"
                    known.add(name)
            found.append((said, re.compile(pattern, re.DOTALL), translation))
    return [(pattern, translation) for _said, pattern, translation in sorted(found, key=lambda one: -one[0])]


def N_(message: str) -> str:
    """Marks a message for the catalogues, and returns it as it is."""
    return message


@functools.cache
def _catalogue(code: str) -> gettext.NullTranslations:
    # A missing catalogue is an error, but for English, which is what stands in the code.
    return gettext.translation("messages", LOCALE, [code], fallback=code == "en")
