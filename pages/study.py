"""How much noise does a model bear, and how many clients make it private?"""

import time

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import actions, bench, choices, controls, frame
from dpcore.ui.server import services
from dpcore.ui.study import form, steps

frame.page(N_("Study"), N_("How much noise does the model tolerate, and how many clients make it private?"))
with controls.explain():
    store = services.store()
    actions.notices(store)
    known = {
        row.study_id: f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(row.created))} · {row.study_id[-8:]}"
        for row in store.studies()
    }
place = bench.places()
with controls.explain():
    with place.ask:
        choice = choices.linked(
            st.selectbox,
            _("Study"),
            ["", *known],
            format_func=lambda study_id: known.get(study_id) or _("New study"),
            key="study",
            help=_("An existing study, or a new one."),
        )
    if choice:
        steps.show(store, choice, place)
    else:
        form.ask(store, place)
    with place.live:
        bench.in_sight()
