"""What was a run worth that some other framework trained?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.ui.core import controls, frame, states
from dpcore.ui.elsewhere import ask, shown
from dpcore.ui.server import turns

frame.page(N_("From elsewhere"), N_("What was it worth, a run that was trained elsewhere?"))
with controls.explain(), ask.escaped():
    record = ask.record()
if record is None:
    states.nothing_yet(
        _(
            "No record yet: drop one above, or paste it. It is read as a text, and nothing in it is executed or fetched."
        ),
        icon=":material/upload_file:",
        to=(),
    )
    st.stop()
left, right = st.columns([2, 3], gap="large")
with left, controls.explain(), ask.escaped():
    answered = ask.answers(record)
with right:
    place = st.container()
with place, controls.explain(), ask.escaped(), turns.turn(turns.SOON):
    with st.spinner(_("Accounting …")):
        found = shown.verdict(answered)
    shown.beside(found)
    shown.reasons(found)
if found.guarantee:
    with turns.turn(turns.SOON):
        shown.assumptions(found)
        shown.over_rounds(found)
        shown.risk(found)
shown.remedies(found)
shown.report(found)
