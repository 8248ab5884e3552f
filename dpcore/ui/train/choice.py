"""Which run Train shows."""

from collections.abc import Mapping

import streamlit as st

from dpcore import language
from dpcore.language import _
from dpcore.ui.core import actions, address

_RUN = "run"  # as links name it


def choose(runs: Mapping[str, str]) -> str:
    """Shows the choice of a run, and keeps it in the link; returns its id.

    Args:
        runs: What each is called, by its id, the newest first.
    """
    for gone in address.drop(_RUN, runs):
        if gone not in actions.just_deleted():  # else the page says so already
            address.missing(_RUN, gone)
    key = _key()
    shown = st.session_state.get(key)
    # Set anew each time: Streamlit keeps its words else, also where they have changed.
    st.session_state[key] = address.value(_RUN) or (shown if shown in runs else next(iter(runs)))
    with st.container(key=None if key == _RUN else _RUN):  # found by the same name, whichever control it is
        return st.selectbox(
            _("Run"),
            list(runs),
            format_func=runs.__getitem__,
            key=key,
            label_visibility="collapsed",
            help=_("Which run is shown below, the newest first."),
            on_change=language.in_current_language(_chosen),
            args=(key, tuple(runs)),
        )


def _key() -> str:
    begun = len(actions.selected())
    return f"{_RUN}_{begun}" if begun else _RUN


def _chosen(key: str, runs: tuple[str, ...]) -> None:
    # Neither what a control of before says, nor words that were those of a run a moment ago.
    if key == _key() and st.session_state[key] in runs:
        address.put(_RUN, st.session_state[key])
