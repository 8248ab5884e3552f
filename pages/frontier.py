"""What accuracy does which epsilon buy?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import choices, controls, frame, states
from dpcore.ui.server import services
from dpcore.ui.study import frontier

frame.page(N_("Frontier"), N_("What accuracy is possible at which epsilon?"))
with controls.explain():
    store = services.store()
    found = frontier.finished(store)
    if not found:
        states.nothing_yet(
            _("No run has finished yet: start one on **Train** or **Study**."),
            icon=":material/query_stats:",
            to=("train", "study"),
        )
        frontier.ready_made_link()
        st.stop()
    for dataset, runs in found.items():
        st.header(_("On {data}").format(data=dataset))
        frontier.show(dataset, runs)
    frontier.ready_made_link()
    st.header(_("Prediction for a new plan"))
    asked = choices.linked(
        st.selectbox,
        _("Data set"),
        list(found),
        key="dataset",
        stays=True,
        help=_("The data set whose finished runs the prediction is based on."),
    )
    frontier.ask(store, asked, found[asked])
