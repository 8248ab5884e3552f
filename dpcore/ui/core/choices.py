"""A choice that stands in the link by its name in the program, whatever language the page speaks."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dpcore.ui.core import actions, address


def linked(
    show: Callable[..., Any], label: str, options: Sequence[str], *, key: str, stays: bool = False, **how: Any
) -> Any:
    """Shows a choice of one or several options, and keeps it in the link; returns what is chosen.

    Args:
        show: What shows it, as `st.radio` or `st.pills`.
        label: What a person reads beside it.
        options: What can be chosen, each as links name it; the first is the default.
        key: Its name in the link and in the session.
        stays: Whether a link that names the first option goes on naming it: options and their words change meanwhile.
        how: What else `show` takes.
    """
    for gone in address.drop(key, options):
        if gone not in actions.just_deleted():  # else the page says so already
            address.missing(key, gone)
    address.key(key, [] if how.get("selection_mode") == "multi" else options[0], stays=stays)
    if stays:  # else Streamlit keeps its words, also where they have changed
        st.session_state[key] = st.session_state[key]
    return show(label, options, key=key, **how)
