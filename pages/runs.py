"""What was trained, what trains, and what waits?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import actions, controls, frame, states
from dpcore.ui.server import services
from dpcore.ui.train import compare, live, run_list

frame.page(N_("Runs"), N_("Which runs have been trained, and which are queued?"))
with controls.explain():
    store = services.store()
    actions.notices(store)
    if not store.runs(deleted=None):
        states.nothing_yet(
            _("Nothing has been trained here yet: begin on the page **Train**."),
            icon=":material/model_training:",
            to=("train", "study"),
        )
        st.stop()
    chosen = run_list.choose(store)
    if not chosen:
        st.caption(_("Select a run to see it; select several to compare them."))
    elif len(chosen) == 1:
        live.show(store, chosen[0])
    else:
        compare.show(store, chosen)
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(_("The queue"))
        actions.parallel(store)
    with right, st.container(border=True):
        st.subheader(_("Disk usage"))
        actions.disk(store)
