"""The workers of a cluster, as a run sees them: read from what its own worker has noted, without a connection."""

import time

import pandas as pd
import streamlit as st

from dpcore import language
from dpcore.cluster import status
from dpcore.language import N_, _
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.ui.core import frame
from dpcore.ui.core.markdown import plain
from dpcore.ui.server import visitors

_POLL_SECONDS = 2.0
_OLD_SECONDS = 30.0
_STATES = {
    "preparing": N_("preparing: loads the data"),
    "ready": N_("ready"),
    "computing": N_("computing"),
    "refused": N_("refused"),
    "gone": N_("gone"),
    "elsewhere": N_("works for another run"),
}


def show(store: StoreAccess, run_id: str) -> None:
    """Shows the workers that a run has met; nothing where it used no cluster, or to visitors: it names machines."""
    if visitors.hosted():
        return
    active = supervisor.current(store, run_id).active

    def look() -> None:
        seen = status.read(store.folder(run_id))
        if seen is not None:  # a run that begins has not met any yet
            with st.expander(_("The cluster that computed its cohorts"), expanded=active):
                _draw(seen, active)

    frame.fragment(look, run_every=_POLL_SECONDS if active else None)


def _draw(seen: status.ClusterStatus, active: bool) -> None:
    st.caption(
        _("{where}. Shards computed again, because a worker was lost or far too slow: {again}.").format(
            where=seen.where, again=seen.again
        )
    )
    if active and seen.message:
        st.warning(plain(language.translated(seen.message)), icon=":material/hourglass:")
    elif active and time.time() - seen.written > _OLD_SECONDS:
        st.caption(
            _("The cluster has not responded for {seconds:.0f} s.").format(seconds=time.time() - seen.written)
        )
    st.dataframe(
        pd.DataFrame(
            {
                _("Worker"): [one.name for one in seen.workers],
                _("Address"): [one.address for one in seen.workers],
                _("State"): [_(_STATES.get(one.state, one.state)) for one in seen.workers],
                _("Shards"): [one.shards for one in seen.workers],
                _("Time per client (ms)"): [
                    one.seconds_per_client and 1e3 * one.seconds_per_client for one in seen.workers
                ],
                _("Note"): [
                    one.reason or (_("far slower than the others") if one.slow else "") for one in seen.workers
                ],
            }
        ),
        hide_index=True,
        width="stretch",
    )
