"""A choice that stands in the link by its name in the program, whatever language the page speaks.

`bind="query-params"` writes what is shown: a link made in one language would say nothing in another.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dpcore.language import _
from dpcore.ui import actions
from dpcore.ui.markdown import plain


def not_here(name: str) -> None:
    """Says that a link names what is not among the choices."""
    if name in actions.just_deleted():
        return  # the page says so already
    st.warning(
        _("The link names {name}, which is not here: in the bin, removed, or of another dashboard.").format(
            name=plain(name[:80])
        ),
        icon=":material/link_off:",
    )


def linked(
    show: Callable[..., Any], label: str, options: Sequence[str], *, key: str, stays: bool = False, **how: Any
) -> Any:
    """Shows a choice of one or several options, and keeps it in the link; returns what is chosen.

    Args:
        show: What shows it, as `st.radio` or `st.pills`.
        label: What a person reads beside it.
        options: What can be chosen, each as links name it.
        key: Its name in the link and in the session.
        stays: Whether a link that names the first option goes on naming it: options and their words change meanwhile.
        how: What else `show` takes.
    """
    named = [one for one in st.query_params.get(key, "").split(",") if one]
    asked = [one for one in named if one in options]
    for one in named:
        if one not in options:
            not_here(one)
    several = how.get("selection_mode") == "multi"
    if asked and key not in st.session_state:
        st.session_state[key] = asked if several else asked[0]
    elif stays and st.session_state.get(key) in options:
        # Unless it is set, Streamlit keeps its words where they have changed, and forgets one that came by a link.
        st.session_state[key] = st.session_state[key]
    chosen = show(label, options, key=key, **how)
    words = ",".join(chosen) if several else chosen
    if words and (several or words != options[0] or (stays and key in st.query_params)):
        st.query_params[key] = words
    else:
        st.query_params.pop(key, None)
    return chosen
