"""Where one trains: what is asked, narrow, at the left, and what comes of it beside that, from the first second.

On a narrow screen they stand below each other: what is asked, what comes of it, and what is seldom changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore.language import _
from dpcore.ui import assets
from dpcore.ui.core import address

_show = st.components.v2.component("epsilon_lab.in_sight", html="<span></span>", js=assets.text("in_sight.js"))
_OPENED, _BEGUN = "_opened", "_begun_last"  # names that begin so outlive a link that sets all controls anew


class Bench(NamedTuple):
    """Its places, in the order in which they are read.

    Attributes:
        ask: What is asked, and the button.
        live: What comes of it.
        more: What is seldom changed.
    """

    ask: DeltaGenerator
    live: DeltaGenerator
    more: DeltaGenerator


def places() -> Bench:
    """Returns the places of a page; `style.css` says where each stands."""
    with st.container(key="bench"):
        return Bench(*(st.container(key=f"bench_{name}") for name in Bench._fields))


@contextmanager
def fold(label: str, key: str, names: tuple[str, ...]) -> Iterator[None]:
    """What is seldom changed: folded, and open from when one of its controls differs from its default.

    Else a link could set what nobody sees, and a refusal stand where nobody looks.

    Args:
        label: What a person reads on it.
        key: Its name in the session.
        names: Its controls, as addresses call them.
    """
    opened = st.session_state.setdefault(_OPENED, set())
    changed = [name for name in names if address.value(name) is not None]
    if changed:
        opened.add(key)
    with st.expander(_("{label} (changed)").format(label=label) if changed else label, key in opened, key=key):
        yield


def begun(what: str) -> None:
    """Notes which run or study was begun just now, so that a narrow screen scrolls to what comes of it."""
    st.session_state[_BEGUN] = what


def in_sight() -> None:
    """Scrolls a narrow screen, where what comes of it is below the button, to what was begun: once for each."""
    _show(key="in_sight", data={"what": st.session_state.get(_BEGUN, ""), "label": ""})  # it shows nothing
