"""What does a plan learn? Its epsilon first, then the training, live, beside it."""

import streamlit as st

from dpcore.language import N_, _
from dpcore.learning import engines
from dpcore.runs.process import supervisor
from dpcore.ui.core import actions, bench, controls, frame
from dpcore.ui.server import services
from dpcore.ui.train import choice, form, live

frame.page(N_("Train"), N_("What does the model learn under this guarantee?"))
with controls.explain():
    store = services.store()
    actions.notices(store)
place = bench.places()
with controls.refusals():  # what trains beside it is shown all the same
    form.ask(store, place, engine=engines.NAMES[0])
with place.live:
    runs = {run.run_id: live.label(run) for run in supervisor.runs(store)}
    if not runs:
        st.info(
            _("Nothing has been trained here yet. Press **Train**: the charts grow round by round."),
            icon=":material/model_training:",
        )
        st.stop()
    live.show(store, choice.choose(runs))
    bench.in_sight()
