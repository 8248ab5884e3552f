"""The guided lesson: one screen at a time, chosen by its name, by Back and Next, or by the link."""

import streamlit as st

from dpcore.language import _
from dpcore.ui import assets
from dpcore.ui.core import address
from dpcore.ui.lesson import clipping, correlated, game, mistakes, noise, round, sampling, tradeoff, update
from dpcore.ui.lesson.screen import DRAW, places

_MODULES = (
    update,
    clipping,
    noise,
    sampling,
    correlated,
    game,
    tradeoff,
    mistakes,
)
SCREENS = {module.SCREEN.key: module.SCREEN for module in _MODULES}
_LINK, _CHOICE, _LECTURE = "screen", "lesson_screen", "lecture"


def show() -> None:
    """Shows the screen that the link names, or the first; and the ways to the others."""
    keys = list(SCREENS)
    current = st.session_state[_CHOICE] = address.value(_LINK, keys[0])
    st.segmented_control(
        _("Screen of the lesson"),
        keys,
        format_func=lambda key: f"{keys.index(key) + 1} {_(SCREENS[key].name)}",
        key=_CHOICE,
        required=True,
        label_visibility="collapsed",
        help=_("Each screen is one idea; they build on each other."),
        on_change=lambda: _go(st.session_state[_CHOICE]),
    )
    screen, number = SCREENS[current], keys.index(current)
    lecture = address.value(_LECTURE, False)
    if lecture:
        st.html(assets.path("lecture.css"))
    round.show(current)
    st.header(_(screen.heading))
    body = st.container()  # filled last: a refusal in it ends the page, and the ways on must be there by then
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="center"):
        for label, key, to, pressed in (
            (_("Back"), "lesson_back", number - 1, "PageUp"),
            (_("Next"), "lesson_next", number + 1, "PageDown"),
        ):
            inside = 0 <= to < len(keys)
            st.button(
                label,
                key=key,
                disabled=not inside,
                type="primary" if to > number else "secondary",
                help=_(SCREENS[keys[to]].name) if inside else _("There is none."),
                on_click=_go,
                args=(keys[to] if inside else current,),
                shortcut=pressed if lecture else None,  # else these keys scroll the page
            )
            if to < number:
                st.markdown(_("{number} of {total}").format(number=number + 1, total=len(keys)), width="content")
        st.button(  # no switch: with that in focus, Streamlit takes no key as a shortcut
            _("End the lecture") if lecture else _("For a lecture"),
            key="lesson_lecture",
            type="tertiary",
            icon=":material/co_present:",
            help=_("The screen alone, in large type. Page up and page down, a presenter's keys, turn the screens."),
            on_click=lambda: address.put(_LECTURE, not lecture or None),
        )
    with body:
        screen.show(*places())


def _go(key: str) -> None:
    address.put(_LINK, key)
    address.put(DRAW, None)
