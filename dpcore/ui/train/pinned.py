"""The run that a person has pinned as a baseline: every chart of runs shows it in grey. It stands in the link."""

import pandas as pd
import streamlit as st

from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run
from dpcore.ui.core import address, tables

NAME = "pinned"


def run_id() -> str:
    """Returns the id of the run that is pinned; empty where none is."""
    found: str = address.value(NAME, "")
    return found


def table(store: StoreAccess, *, beside: str = "") -> pd.DataFrame | None:
    """Returns the rounds of the run that is pinned, as `tables.rounds` has them; `None` where there is none.

    Args:
        store: Where it is kept.
        beside: The run that is shown: no run is a baseline of itself.
    """
    chosen = run_id()
    if not chosen or chosen == beside:
        return None
    try:
        return tables.rounds(store.rounds(store.run(chosen).run_id))
    except EpsilonLabError:  # in the bin for good, or of another dashboard
        return None


def button(run: Run) -> None:
    """Shows the button that pins a run, or takes the pin out."""
    is_pinned = run_id() == run.run_id
    st.button(
        _("Unpin") if is_pinned else _("Pin as baseline"),
        key="pin",
        icon=":material/keep_off:" if is_pinned else ":material/keep:",
        on_click=address.put,
        args=(NAME, None if is_pinned else run.run_id),
        help=_("Every chart of runs then shows it in grey. The link says which run is pinned."),
    )
