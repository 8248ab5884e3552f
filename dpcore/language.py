"""The program's words in the reader's language: gettext catalogues under `locale/`, English where there is none.

A sentence is written in English where it is used: `_("Round {number}").format(number=3)`, never an f-string, whose
words nobody could look up. A sentence that stands in a table made at import is marked by `N_` there, and looked up by
`_` where it is shown. `make words` collects what is marked; `tests/test_language.py` fails for what has no translation.
"""

import functools
import gettext
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

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


def kept(do: Callable) -> Callable:
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


def N_(message: str) -> str:
    """Marks a message for the catalogues, and returns it as it is."""
    return message


@functools.cache
def _catalogue(code: str) -> gettext.NullTranslations:
    # A missing catalogue is an error, but for English, which is what stands in the code.
    return gettext.translation("messages", LOCALE, [code], fallback=code == "en")
