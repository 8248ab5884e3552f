"""The states of runs and of studies in words: what each is called, its sign, and what to do next.

Links and the store keep the English names; only what is shown is translated.
"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import address

_NAMES = {
    "queued": N_("queued"),
    "running": N_("running"),
    "finished": N_("finished"),
    "stopped": N_("stopped"),
    "interrupted": N_("interrupted"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
    "going": N_("going"),
    "paused": N_("paused"),
    "stuck": N_("stuck"),
}
_SIGNS = {
    "queued": "◷",
    "running": "►",  # U+25B6 is taken for an icon
    "finished": "✓",
    "stopped": "■",
    "interrupted": "‖",
    "failed": "✕",
    "cancelled": "–",
}
_ICONS = {
    "queued": ":material/hourglass_top:",
    "running": ":material/model_training:",
    "finished": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "interrupted": ":material/link_off:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "going": ":material/model_training:",
    "waiting": ":material/hourglass_top:",
    "paused": ":material/pause_circle:",
    "stuck": ":material/error:",
}
_RUN_NEXT = {
    "queued": N_("It begins by itself when those before it are done. The page can be closed."),
    "running": N_("It trains in the background, also when this page is closed."),
    "finished": N_("All its rounds are done. Compare it with others, or see what all runs have spent."),
    "stopped": N_("Its results so far are kept. Resume it, or run it again."),
    "interrupted": N_("Its rounds so far are kept. Resume goes on from its last checkpoint."),
    "failed": N_(
        "See the log. Resume, where it is offered, goes on from the last checkpoint; Run again starts from the "
        "beginning."
    ),
    "cancelled": N_(
        "It was taken out of the queue before it began, and has spent nothing. Run again queues it once more."
    ),
}
_STUDY_NEXT = {
    "going": N_("Its runs train in the background, also when this page is closed."),
    "paused": N_("Runs in progress finish; no more are started until you press Continue."),
    "waiting": N_("Its runs wait in the queue. They begin by themselves, also when this page is closed."),
    "stuck": N_(
        "Continue tries again what did not finish. Its runs are on the page Runs, what data have spent in the "
        "Ledger."
    ),
    "finished": N_("All its runs have finished. Compare accuracy with cost, or see what they have spent."),
}


def name(status: str) -> str:
    """Returns what a state is called."""
    return _(_NAMES[status])


def sign(status: str) -> str:
    """Returns a state with its sign, so that it is told without colour and without reading."""
    return f"{_SIGNS[status]} {name(status)}"


def next_step(status: str, *, study: bool = False) -> None:
    """Shows what to do about a run (or a study) in this state, and the way to where it is done.

    One line in every state, so that nothing below it moves when the state changes.
    """
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{_ICONS[status]} {_((_STUDY_NEXT if study else _RUN_NEXT)[status])}", width="content")
        with st.container(horizontal=True, width="content"):
            if status == "finished":
                link("frontier")
                link("ledger")
            elif status == "stuck":
                link("runs")
                link("ledger")


_PAGES = {
    "data": (N_("Data"), ":material/database:"),
    "train": (N_("Train"), ":material/model_training:"),
    "study": (N_("Study"), ":material/science:"),
    "frontier": (N_("Frontier"), ":material/query_stats:"),
    "runs": (N_("Runs"), ":material/list:"),
    "audit": (N_("Audit"), ":material/straighten:"),
    "ledger": (N_("Ledger"), ":material/account_balance:"),
}


def link(page: str, **controls: str) -> None:
    """Shows the way to another page, with some of its controls set."""
    label, icon = _PAGES[page]
    st.page_link(f"pages/{page}.py", label=_(label), icon=icon, query_params=address.query(page, **controls))


def nothing_yet(words: str, *, icon: str, to: tuple[str, ...]) -> None:
    """Shows that there is nothing yet, in a sentence, and the pages where that changes."""
    st.info(words, icon=icon)
    with st.container(horizontal=True):
        for page in to:
            link(page)
