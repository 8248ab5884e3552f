"""Two audited runs beside each other: whether their noise is the same, which neither shows alone."""

import streamlit as st

from dpcore.language import _
from dpcore.privacy.auditing import sharing
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import compared
from dpcore.runs.process import supervisor
from dpcore.ui.core import choices, controls
from dpcore.ui.server import turns

_NONE = "none"


def show(store: StoreAccess, run_id: str, audited: dict[str, str]) -> None:
    """Shows the choice of a second run, and what is to be said of the two.

    Args:
        store: Where they are.
        run_id: The run that is shown.
        audited: All that there are, in words by their ids.
    """
    if len(audited) < 2:
        return
    st.subheader(_("Beside another run"))
    labels = {_NONE: _("No other run"), **audited}
    other = choices.linked(
        st.selectbox,
        _("Second run"),
        list(labels),
        format_func=labels.__getitem__,
        key="beside",
        help=_(
            "Whether the noise of the two is the same, which neither run shows alone: whoever subtracts them would then "
            "get what the noise should hide."
        ),
    )
    if other == _NONE:
        return
    with controls.refusals(), turns.turn(turns.TO_KEEP):
        with st.spinner(_("Comparing …")):
            found = compared.compare(store, *(supervisor.current(store, one) for one in (run_id, other)))
        if found.sharing.verdict == sharing.SHARED and not found.by_design:
            st.error(found.sentence, icon=":material/notifications_active:")
        elif found.sharing.verdict == sharing.NO_SIGN:
            st.info(found.sentence, icon=":material/straighten:")
        else:
            st.warning(found.sentence, icon=":material/help:")
