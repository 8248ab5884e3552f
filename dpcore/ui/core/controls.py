"""A knob of `dpcore.limits` as a control that can be dragged and typed into, and all of them in a link."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dpcore import limits, rounding
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.limits import Knob
from dpcore.ui.core import address
from dpcore.ui.server import visitors

_STEPS = 121
_LABELS = {knob.name: knob.label for knob in vars(limits).values() if isinstance(knob, Knob) and knob.label}
_AS_TYPED = "%g"  # every digit, no digit more


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
    key = address.key(setting.name, float(setting.default))
    drag, type_in = st.columns([5, 4], vertical_alignment="bottom")
    value = float(
        type_in.number_input(
            _("{label}: exact value").format(label=_(setting.label)),
            value=float(setting.default),
            step=float(setting.step),  # a whole number too: a box for those makes 2 of "2e6"
            format="%e" if setting.step < 1e-4 else _AS_TYPED,
            key=key,
            label_visibility="collapsed",
            help=setting.described,
        )
    )
    if setting.integer and value.is_integer():
        value = int(value)
    grid = _grid(low, high, setting, logarithmic)
    if math.isfinite(value):  # a stop of its own: the slider must not name another number than the box
        grid = sorted({*grid, value})
    st.session_state[f"{key}_slider"] = value if value in grid else grid[0]
    drag.select_slider(
        _(setting.label),
        grid,
        key=f"{key}_slider",
        format_func=lambda point: _as_shown(setting, point),
        help=setting.described,
        on_change=_slider_moved,
        args=(key,),
    )
    _places()[key] = st.container()
    return value


def optional(setting: Knob, *, follows: int | None) -> int | float | None:
    """Shows a box for a whole number that follows from others where none is typed; returns what is typed, unchecked.

    Args:
        setting: Gives name, label and help.
        follows: The number that follows; `None` where none does.
    """
    number = st.number_input(
        _(setting.label),
        value=None,
        step=1.0,
        format=_AS_TYPED,
        key=address.key(setting.name, None),
        placeholder=_("{number:,} (auto)").format(number=follows) if follows is not None else _("auto"),
        help=setting.described,
    )
    place(setting.name)
    return int(number) if number is not None and float(number).is_integer() else number


def place(name: str) -> None:
    """Says that a refusal of what is called so stands here."""
    _places()[name] = st.container()


def solved(setting: Knob, value: float) -> None:
    """Shows a knob's number where it is the one that is looked for: to be read, not to be moved."""
    address.solve(setting.name, value)
    st.metric(
        _("{label} (solved)").format(label=_(setting.label)),
        f"{value:,}" if setting.integer else rounding.given(value),
        help=setting.described,
        border=True,
    )
    _places()[setting.name] = st.container()


def count(label: str, *, low: int, high: int | None, default: int | None, key: str, **how: Any) -> int | None:
    """Shows a box for a whole number; returns it, or refuses one that is not whole or out of range.

    Streamlit's own box for whole numbers makes 2 of "2e6", and 10 of "10.5"; and what is out of a box's own range, it
    refuses in English, and goes on with the number before.

    Args:
        label: What a person reads beside it.
        low: The lowest number allowed.
        high: The highest; `None` is any.
        default: Where it begins; `None` is nowhere.
        key: Its name in the session.
        how: What else `st.number_input` takes.
    """
    number = st.number_input(
        label,
        value=None if default is None else float(default),
        step=1.0,
        format=_AS_TYPED,
        key=key,
        **how,
    )
    if number is None:
        return None
    most = math.inf if high is None else high
    asked = Knob(
        name=label, minimum=low, maximum=most, below_maximum=high is None, default=low, integer=True, help=""
    )
    return asked.check(int(number) if number.is_integer() else number)


def link() -> str:
    """Returns the address of this page with every number in it, also those that are the default of today."""
    page = (st.context.url or "").split("?")[0]
    return f"{page}?{urlencode(address.whole(_places()))}"


def _as_shown(setting: Knob, number: float) -> str:
    """Returns a stop of a slider as the box beside it writes the number: 1e-5, and not 1e-05."""
    if setting.integer:
        return f"{number:,}"
    return rounding.given(number).replace("e-0", "e-")


def _slider_moved(key: str) -> None:
    st.session_state[key] = float(st.session_state[f"{key}_slider"])


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
