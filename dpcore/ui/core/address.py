"""The point that a page shows, in its address: taken from there when somebody arrives, and written there when it moves.

A session keeps what differs from the defaults, of all pages, so that it comes along from page to page; the address of a
page has what is its own. Streamlit's `bind="query-params"` would do less: it drops what it cannot read without a word,
fails on a whole number that is infinite, takes from the next page what a control of the page before was bound to, and
writes words as they are shown, which say nothing in another language.
"""

import json
import math
import time
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dpcore import language
from dpcore.language import _
from dpcore.ui.core import parameters
from dpcore.ui.core.parameters import ANEW, LANGUAGE, VERSION

LINK_VERSION = "2"  # 1 wrote choices as they read in the page
_STATE = "_address"
_KEPT = ("_", "lesson")  # how names in the session begin that are no control of a plan
_MOST_TOLD, _MOST_OWN = 8, 200
_LATE_SECONDS = 2.0  # what a browser was told before that has arrived
_ICON = ":material/link_off:"


@dataclass(kw_only=True)
class _Point:
    """What a session keeps.

    Attributes:
        page: The page that is shown.
        values: What differs from the defaults, of all pages.
        solved: Numbers that this page has found, for those to come.
        shown: The controls of this page so far, and the value of each that need not be written.
        coming: What controls take on in the next run: in this one they are shown already.
        known: The controls of this page whose values the browser has, or is being told.
        own: The address that was taken last, and those made here since; whoever asks for one tells nothing new.
        given: What the address said when somebody came by it.
        missing: What it names that is not here, each with the name of its control.
        place: Where what was not taken is told.
        behind: Whether the browser is told the address even if it has asked for that.
        wrote: When the browser was told an address last.
    """

    page: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    solved: dict[str, float] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    coming: dict[str, Any] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    own: list[str] = field(default_factory=list)
    given: dict[str, list[str]] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)
    place: DeltaGenerator | None = None
    behind: bool = False
    wrote: float = -math.inf


def arrive(page: str) -> None:
    """Sets the controls of a page to what its address says, where that is news. Called before any control is shown.

    An address is the truth for what it names, and for every control of its page where somebody goes back to it.
    """
    point, given = _point(), _in_browser()
    came = page != point.page
    back = getattr(get_script_run_ctx(), "is_history_navigation", False)
    asked = _mark(page, given)
    news = back or asked not in point.own
    if came:
        for name in point.shown:
            st.session_state.pop(name, None)  # what was set and not shown would outlive its page
        point.values |= point.solved
        point.page, point.solved, point.shown, point.coming, point.given, point.missing = page, {}, {}, {}, {}, []
    # What is written for a page that was left meanwhile stands in the address of the one that was gone to; and Streamlit
    # leaves the address as it is where a link leads to its own page.
    late = time.monotonic() - point.wrote < _LATE_SECONDS
    point.behind, point.place = (came and late) or (news and not came), None
    point.known = _known_in_browser()
    _collect(point)
    if news:
        _obey(point, given, back=back)
    if came or news:
        point.own = [asked]


def _collect(point: _Point) -> None:
    """Notes what the controls of the page show now."""
    for name, value in point.coming.items():
        if name in st.session_state:
            st.session_state[name] = value
    point.coming = {}
    for name, default in point.shown.items():
        if name in st.session_state:
            _note(point, name, st.session_state[name], default)


def _note(point: _Point, name: str, value: Any, default: Any) -> None:
    if value is None or value == default:
        point.values.pop(name, None)
    else:
        point.values[name] = value


def _obey(point: _Point, given: dict[str, list[str]], *, back: bool) -> None:
    """Takes on what an address says."""
    # The point first: wherever a page touches the session, a new request may end the run.
    reading = parameters.read(point.page, given)
    point.given, point.missing = given, []
    unsaid = point.values if reading.anew else parameters.of_page(point.page, point.values) if back else ()
    for name in {*reading.given, *unsaid} - {LANGUAGE}:
        point.values.pop(name, None)
    point.values |= reading.values
    point.coming = {name: point.values.get(name, default) for name, default in point.shown.items()}
    for name in [name for name in st.session_state if reading.anew and not name.startswith(_KEPT)]:
        del st.session_state[name]
    _collect(point)


def key(name: str, default: Any, *, stays: bool = False) -> str:
    """Returns the key of a control that stands in the address, having set it to where it begins.

    Args:
        name: What addresses call it.
        default: The value that need not be written.
        stays: Whether an address that names the default goes on naming it: what is the default may change.
    """
    point = _point()
    if name in point.solved:
        point.values[name] = point.solved.pop(name)
        st.session_state.pop(name, None)
        write()
    if name not in st.session_state:
        begins = point.values.get(name, default)
        st.session_state[name] = begins if default is None else type(default)(begins)
    elif name not in point.known:  # the run that set it was cut off, and what it had to tell is thrown away
        st.session_state[name] = st.session_state[name]
    point.known.add(name)
    point.shown[name] = None if stays and name in point.values else default
    return name


def value(name: str, default: Any = None) -> Any:
    """Returns what stands in the address, or would on a page that has it."""
    return _point().values.get(name, default)


def put(name: str, value: Any) -> None:
    """Writes a value into the address, and sets its control; `None` takes it out."""
    point = _point()
    _note(point, name, value, None)
    if name in point.shown:
        point.shown[name], point.coming[name] = None, value
        with suppress(StreamlitAPIException):  # shown already in this run: it follows in the next
            st.session_state[name] = value
            del point.coming[name]
    write()


def solve(name: str, value: float) -> None:
    """Notes a number that the page has found: its control begins there once it is back, also on another page."""
    _point().solved[name] = value


def missing(name: str, value: str) -> None:
    """Says that the address sets a control to what is not here."""
    point = _point()
    if (name, value) not in point.missing:
        point.missing.append((name, value))
        _tell(point)


def drop(name: str, options: Container[str]) -> list[str]:
    """Takes out of the address what is none of the options; returns that, if somebody has come or stayed with it."""
    point = _point()
    asked = point.values.get(name, [])
    gone = [option for option in _several(asked) if option not in options]
    if gone:
        _note(
            point, name, [option for option in asked if option in options] if isinstance(asked, list) else None, []
        )
        write()
    if not all(option in options for option in _several(st.session_state.get(name, []))):
        del st.session_state[name]
    return gone if name in point.given or name in point.shown else []


def query(page: str, **settings: Any) -> dict[str, str]:
    """Returns the query of an address that opens a page at the point of now, but for these settings."""
    point = _point()
    values = point.values | (point.solved if page != point.page else {}) | settings
    parts = {name: parameters.written(values[name]) for name in parameters.of_page(page, values)}
    if page == point.page and VERSION in point.given:
        parts[VERSION] = point.given[VERSION][-1]
    code = values.get(LANGUAGE, "en")
    # Nothing says that the browser's language is meant; what was written by a page without naming one is English.
    return parts if code == ("en" if parts else browser_language()) else {LANGUAGE: code} | parts


def whole(names: Iterable[str]) -> dict[str, str]:
    """Returns the query of this page's address with these numbers in it, also where they are at their default."""
    point = _point()
    numbers = {name: point.solved.get(name, st.session_state.get(name)) for name in names}
    texts = {name: parameters.written(number) for name, number in numbers.items() if number is not None}
    return {LANGUAGE: language.current()} | texts | query(point.page) | {VERSION: LINK_VERSION}


def offer(page: str) -> dict[str, str]:
    """Returns the query of the way to a page: whoever takes it brings the point of then along."""
    parts = query(page)
    _own(page, parts)
    return parts


def leave_for(page: str) -> NoReturn:
    """Goes to a page with the point of now."""
    # Streamlit writes the query into the address of the page that is left.
    st.switch_page(f"pages/{page}.py", query_params=query(_point().page))


def anew(**settings: bool | float | str) -> dict[str, str]:
    """Returns the query of a link that opens a page with these settings, and every other control at its default."""
    texts = {name: parameters.written(value) for name, value in settings.items()}
    return {LANGUAGE: language.current(), ANEW: json.dumps(texts)}


def browser_language() -> str:
    """Returns the language that a browser asks for, if there is a translation, and otherwise English."""
    code = (st.context.locale or "").split("-")[0]
    return code if code in language.LANGUAGES else "en"


def write() -> None:
    """Writes the point into the browser's address."""
    point = _point()
    parts = query(point.page)
    _own(point.page, parts)
    if point.behind or {name: [text] for name, text in parts.items()} != _in_browser():
        st.query_params.from_dict(parts)
        point.wrote = time.monotonic()
    point.behind = False


def tell() -> None:
    """Shows what of the link was not taken, and why."""
    point = _point()
    version = point.given.get(VERSION, [LINK_VERSION])[-1]
    if version != LINK_VERSION:
        st.warning(
            _(
                "Expected a link of version {expected}, found {found}: another version of Epsilon Lab wrote it. Look at "
                "each control before you use the answer."
            ).format(expected=LINK_VERSION, found=parameters.quoted(version)),
            icon=_ICON,
        )
    point.place = st.empty()
    _tell(point)


def _tell(point: _Point) -> None:
    refusals = parameters.read(point.page, point.given).refusals
    refusals += [parameters.not_here(point.page, *one) for one in point.missing]
    if refusals and point.place is not None:
        more = len(refusals) - _MOST_TOLD
        rest = [_("And {count} more.").format(count=more)] if more > 0 else []
        lines = [_("Not all of this link was taken:"), "", *(f"- {why}" for why in refusals[:_MOST_TOLD] + rest)]
        point.place.warning("\n".join(lines), icon=_ICON)


def _several(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _point() -> _Point:
    return st.session_state.setdefault(_STATE, _Point())


def _in_browser() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _known_in_browser() -> set[str]:
    """Returns the keys of the controls that the browser has sent a value of; an element's id ends with its key."""
    ctx = get_script_run_ctx()
    states = ctx.session_state.get_widget_states() if ctx else []
    return {state.id.split("-", maxsplit=2)[-1] for state in states}


def _own(page: str, parts: dict[str, str]) -> None:
    point, mark = _point(), _mark(page, {name: [text] for name, text in parts.items()})
    point.own = [*(other for other in point.own if other != mark), mark][-_MOST_OWN:]


def _mark(page: str, given: Mapping[str, list[str]]) -> str:
    return f"{page}?{urlencode(sorted(given.items()), doseq=True)}"
