"""What do all runs on the same users spend together?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.runs.access import budget, visiting
from dpcore.ui.accountant import ledger
from dpcore.ui.core import actions, controls, frame
from dpcore.ui.data import look
from dpcore.ui.server import services, turns

frame.page(N_("Ledger"), N_("What do all runs spend together?"))
with controls.explain():
    store = services.store()
    actions.read_back(store)
dataset = look.choose(visiting.may_see(store, budget.dataset_names(store)))
left, right = st.columns([3, 2], gap="large")
with right, st.container(border=True, key="budget"):
    st.subheader(_("Budget"))
    ledger.decide(store, dataset)
place, below = left.empty(), st.empty()
for precision, line in turns.PRECISIONS:
    with turns.turn(line):
        with place.container():
            balance = ledger.show(store, dataset, precision)
        with below.container():
            ledger.runs(store, balance)
