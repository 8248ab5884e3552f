"""What one screen of the lesson is: an idea, a large picture that moves, two or three sentences, one control."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore.language import _
from dpcore.ui.core import address, parameters

DRAW = parameters.DRAW.name


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One idea. Every module `lesson_...` has one, named `SCREEN`.

    Attributes:
        key: What the link calls it.
        name: A word or two for the menu, marked by `N_`.
        heading: The idea as a question or a claim, marked by `N_`.
        show: Fills the screen: the picture goes into the first place, words and control into the second.
    """

    key: str
    name: str
    heading: str
    show: Callable[[DeltaGenerator, DeltaGenerator], None]


def places() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Returns where the picture goes, at left and large, and where the words and the control go."""
    left, right = st.columns([3, 2], gap="large")
    return left, right


def way_on(page: str, label: str, **settings: bool | float | str) -> None:
    """Shows a link to a page on which these settings, and no others, are set."""
    st.page_link(
        f"pages/{page}.py",
        label=label,
        icon=":material/arrow_forward:",
        query_params=address.anew(**settings),
    )


def draw_again() -> int:
    """Offers another draw of what chance decides on a screen; returns the number of the draw, which is in the link."""
    st.button(
        _("Draw again"),
        key="lesson_draw",
        icon=":material/casino:",
        on_click=lambda: keep_draw((draw() + 1) % (int(parameters.DRAW.maximum) + 1)),
        help=_("Draws new random numbers. The number of the draw is in the address, so a link shows the same one."),
    )
    return draw()


def draw(default: int = 0) -> int:
    """Returns the number of the draw that the link asks for, or the default."""
    return address.value(DRAW, default)


def keep_draw(number: int) -> None:
    """Writes the number of the draw into the link."""
    if number != draw(-1):
        address.put(DRAW, number)
