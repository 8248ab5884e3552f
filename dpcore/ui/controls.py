"""A knob of `dpcore.limits` as a control that can be dragged and typed into, and all of them in a link."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dpcore import language, limits, rounding, strict_json
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.limits import Knob
from dpcore.ui import visitors
from dpcore.ui.markdown import plain

_STEPS = 121
_LABELS = {knob.name: knob.label for knob in vars(limits).values() if isinstance(knob, Knob) and knob.label}
LINK_VERSION = "2"  # 1 wrote choices as they read in the page
_ANEW = "anew"
_KEPT = ("_", "lesson")  # how names in the session begin that are no control of a plan
_KINDS = {knob.name: int if knob.integer else float for knob in vars(limits).values() if isinstance(knob, Knob)} | {
    **dict.fromkeys(("everybody", "zeroing"), bool),
    **dict.fromkeys(("clipping", "dataset"), str),
    "seeds": int,
}  # what such a link can set


def knob(setting: Knob, *, low: float, high: float, logarithmic: bool = False) -> Any:
    """Shows a slider over [low, high] with a box to type any number into; returns the number.

    The box is the truth, in the link too; it takes what the slider cannot reach, also what is out of range:
    `Plan` refuses that with a sentence, and `explain` shows it.

    Args:
        setting: Gives name, label, default and help.
        low: The slider's lower end.
        high: The slider's upper end.
        logarithmic: Whether the slider moves by factors.
    """
    key = setting.name
    drag, type_in = st.columns([5, 4], vertical_alignment="bottom")
    kind = int if setting.integer else float
    if key in st.session_state and key not in st.query_params:
        # A number that came by a link and was not touched would not come along to the next page.
        st.session_state[key] = st.session_state[key]
    value = type_in.number_input(
        _("{label}: exact value").format(label=_(setting.label)),
        value=kind(setting.default),
        step=kind(setting.step),
        format="%d" if setting.integer else "%e" if setting.step < 1e-4 else "%g",  # all digits
        key=key,
        bind="query-params",
        label_visibility="collapsed",
        help=setting.described,
    )
    grid = _grid(low, high, setting, logarithmic)
    if math.isfinite(value):  # a stop of its own: the slider must not name another number than the box
        grid = sorted({*grid, value})
    st.session_state[f"{key}_slider"] = value if value in grid else grid[0]
    drag.select_slider(
        _(setting.label),
        grid,
        key=f"{key}_slider",
        format_func=lambda point: f"{point:,}" if setting.integer else rounding.given(point),
        help=setting.described,
        on_change=_slider_moved,
        args=(key,),
    )
    _places()[key] = st.container()
    return value


def solved(setting: Knob, value: float) -> None:
    """Shows a knob's number where it is the one that is looked for: to be read, not to be moved."""
    st.session_state[setting.name] = value  # where the control begins once it is back
    st.metric(
        _("{label} (solved)").format(label=_(setting.label)),
        f"{value:,}" if setting.integer else rounding.given(value),
        help=setting.described,
        border=True,
    )
    _places()[setting.name] = st.container()


def link() -> str:
    """Returns the address of this page with every number in it, also those that are the default of today."""
    numbers = {name: st.session_state[name] for name in _places() if name in st.session_state}
    address = (st.context.url or "").split("?")[0]
    settings = {"lang": language.current(), **numbers, **st.query_params.to_dict(), "version": LINK_VERSION}
    return f"{address}?{urlencode(settings)}"


def anew(**settings: bool | float | str) -> dict[str, str]:
    """Returns the query of a link that opens a page with these settings, and every other control at its default.

    One parameter holds them all: Streamlit drops from a link what a control of the page before is bound to.
    """
    typed = {name: _KINDS[name](value) for name, value in settings.items()}
    return {"lang": language.current(), _ANEW: json.dumps(typed)}


def arrive() -> None:
    """Sets every control as a link of `anew` says, where one was followed. Called before any control is shown."""
    if _ANEW not in st.query_params:
        return
    address = st.query_params.to_dict()
    try:
        asked = {name: _KINDS[name](value) for name, value in strict_json.loads(address.pop(_ANEW)).items()}
    except (ValueError, TypeError, LookupError, OverflowError, AttributeError):
        asked = {}  # somebody has written in the address
    for name in list(st.session_state):
        if not name.startswith(_KEPT):
            del st.session_state[name]
    st.session_state.update(asked)
    with suppress(StreamlitAPIException):  # refused while the page before still holds one of the names
        st.query_params.from_dict(address | asked)
    st.query_params.pop(_ANEW, None)


def check_link() -> None:
    """Warns of an address that another version of the program wrote; what it does not know, it leaves out."""
    found = st.query_params.get("version", LINK_VERSION)
    if found != LINK_VERSION:
        st.warning(
            _(
                "Expected a link of version {expected}, found {found}: another version of Epsilon Lab wrote it. Look at "
                "each control before you use the answer."
            ).format(expected=LINK_VERSION, found=plain(found[:20])),
            icon=":material/link_off:",
        )


def _slider_moved(key: str) -> None:
    st.session_state[key] = st.session_state[f"{key}_slider"]


def _grid(low: float, high: float, setting: Knob, logarithmic: bool) -> list[float]:
    """The slider's stops: a step of the knob apart, or equal factors apart, each a round number."""
    if logarithmic:
        factor = (high / low) ** (1 / (_STEPS - 1))
        points = rounding.short([low * factor**i for i in range(_STEPS)], 2)
    else:
        points = [round(low + i * setting.step, 10) for i in range(math.floor((high - low) / setting.step) + 1)]
    return sorted({int(point) if setting.integer else point for point in points} | {setting.default})


def forget() -> None:
    """Begins a run of a page: no control is shown yet."""
    st.session_state.pop("_places", None)


def _places() -> dict:
    """Where, in this run of the page, the sentence about each control goes."""
    return st.session_state.setdefault("_places", {})


@contextmanager
def refusals() -> Iterator[None]:
    """Shows a refusal beside the control that it is about; the page goes on after the block."""
    try:
        yield
    except EpsilonLabError as err:
        field = getattr(err, "field", "")
        words = visitors.without_paths(str(err))
        if field in _LABELS:  # a refusal calls a control as plans and options do
            words = words.replace(field, _(_LABELS[field]), 1)
        _places().get(field, st).error(words, icon=":material/warning:")


@contextmanager
def explain() -> Iterator[None]:
    """Shows a refusal beside the control that it is about, and ends the page there."""
    with refusals():
        yield
        return
    st.stop()
