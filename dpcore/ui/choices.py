"""A choice that stands in the link by its name in the program, whatever language the page speaks.

`bind="query-params"` writes what is shown: a link made in one language would say nothing in another.
"""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st


def linked(
    show: Callable[..., Any], label: str, options: Sequence[str], *, key: str, always: bool = False, **how: Any
) -> Any:
    """Shows a choice of one or several options, and keeps it in the link; returns what is chosen.

    Args:
        show: What shows it, as `st.radio` or `st.pills`.
        label: What a person reads beside it.
        options: What can be chosen, each as links name it.
        key: Its name in the link and in the session.
        always: Whether the link names the first option too.
        how: What else `show` takes.
    """
    asked = [one for one in st.query_params.get(key, "").split(",") if one in options]
    several = how.get("selection_mode") == "multi"
    if asked and key not in st.session_state:
        st.session_state[key] = asked if several else asked[0]
    chosen = show(label, options, key=key, **how)
    words = ",".join(chosen) if several else chosen
    if words and (several or always or words != options[0]):
        st.query_params[key] = words
    else:
        st.query_params.pop(key, None)
    return chosen
