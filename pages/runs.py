"""What was trained, what trains, and what waits?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import actions, controls, frame, states
from dpcore.ui.server import services
from dpcore.ui.train import compare, live, run_list

frame.page(N_("Runs"), N_("What was trained, and what comes next?"))
with controls.explain():
    store = services.store()
    actions.notices(store)
    if not store.runs(deleted=None):
        states.nothing_yet(
            _("Nothing was trained here yet: begin on the page **Train**."),
            icon=":material/model_training:",
            to=("train", "study"),
        )
        st.stop()
    chosen = run_list.choose(store)
    if not chosen:
        st.caption(_("Mark a run to look at it; mark several to compare them."))
    elif len(chosen) == 1:
        live.show(store, chosen[0])
    else:
        compare.show(store, chosen)
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(_("The queue"))
        actions.parallel(store)
    with right, st.container(border=True):
        st.subheader(_("On the disk"))
        actions.disk(store)
