"""What is asked once more before runs begin that leave data without a guarantee, and the ways out of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import streamlit as st

from dpcore.language import _
from dpcore.plan import Plan
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import outlook
from dpcore.ui.core import controls
from dpcore.ui.server import visitors

_MADE_UP = "writers"  # nobody's: generated from digits that were published


@contextmanager
def asking(
    store: StoreAccess,
    label: str,
    plans: Sequence[Plan],
    *,
    primary: bool = False,
    disabled: bool = False,
    more: str = "",
) -> Iterator[str]:
    """The place of a button that begins runs: behind a question where they would leave data without a guarantee.

    Yields what the button is called in that place.

    Args:
        store: Where the runs are kept.
        label: What the button is called where nothing is asked.
        plans: What is charged.
        primary: Whether it is the button of the page.
        disabled: Whether it cannot be pressed.
        more: Another way out than to mark the data as public.
    """
    names = outlook.losing_guarantee(store, plans)
    if not names:
        yield label
        return
    tip = _("Asks for confirmation first: no guarantee would be left on {data}.").format(data=", ".join(names))
    with st.popover(label, type="primary" if primary else "secondary", disabled=disabled, help=tip):
        for name in names:
            st.write(outlook.warning(store, name, plans))
            _mark_public(store, name)
        if more:
            st.write(more)
        yield _("{label} even so").format(label=label)


def _mark_public(store: StoreAccess, name: str) -> None:
    """Offers the way out that data have which anybody may see anyway."""
    if name == _MADE_UP:
        st.write(_("The Writers are synthetic users: they are generated from published scans of digits."))
    if visitors.hosted():
        st.caption(
            _("The administrator can mark {data} as public; runs on it then cost nothing.").format(data=name)
        )
        return
    tip = _("For data that anybody may see: runs on it then cost nothing. The Ledger can undo it.")
    words = _("Mark {data} as public").format(data=name)
    if st.button(words, key=f"public_{name}_instead", help=tip):
        with controls.refusals():
            store.set_policy(replace(store.policy(name), public=True))
            st.rerun()
