"""What accuracy does which epsilon buy?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import choices, controls, frame, states
from dpcore.ui.server import services
from dpcore.ui.study import frontier

frame.page(N_("Frontier"), N_("What accuracy does which epsilon buy?"))
with controls.explain():
    store = services.store()
    found = frontier.finished(store)
    if not found:
        states.nothing_yet(
            _("No run has finished yet: the pages **Train** and **Study** make some."),
            icon=":material/query_stats:",
            to=("train", "study"),
        )
        st.stop()
    for dataset, runs in found.items():
        st.header(_("On {data}").format(data=dataset))
        frontier.show(dataset, runs)
    st.header(_("And a plan that nobody has run?"))
    asked = choices.linked(
        st.selectbox,
        _("Data set"),
        list(found),
        key="dataset",
        stays=True,
        help=_("On whose runs the answer is based: of those that finished."),
    )
    frontier.ask(store, asked, found[asked])
