"""What do all runs on the same users spend together?"""

import streamlit as st

from dpcore.runs import budget
from dpcore.ui import controls, data, frame, ledger, services

frame.page("Ledger", "What do all runs spend together?")
with controls.explain():
    store = services.store()
dataset = data.choose(budget.dataset_names(store))
left, right = st.columns([3, 2], gap="large")
with left:
    ledger.show(store, dataset)
with right, st.container(border=True):
    st.subheader("What is allowed")
    ledger.decide(store, dataset)
