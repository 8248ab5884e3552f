"""How private is a plan, and which plan is private enough?"""

import streamlit as st

from dpcore.privacy import accounting
from dpcore.ui import answer, controls, frame, plan, privacy_charts, risk

frame.page("Accountant", "How private is this plan?")
top = st.empty()
left, right = st.columns([2, 3], gap="large")
with left:
    question = plan.ask()
with right:
    curves = st.container()
st.header("What does that mean for a user?")
left, right = st.columns([2, 3], gap="large")
with left:
    attack = risk.ask()
    noise = st.empty()
with right:
    meaning, trade_off = st.empty(), st.container()
report = st.empty()

# Coarse first: an upper bound at once. Then the fine one, to keep.
for grid in (accounting.COARSE, accounting.FINE):
    with controls.explain():
        found = question.answer(grid)
    question.show(found)
    with top.container():
        answer.show(found, grid)
    if grid == accounting.COARSE:
        with curves:
            privacy_charts.show(found)
        with trade_off:
            risk.curve(found, attack)
    with meaning.container():
        risk.show(found, attack, grid)
with noise.container():
    risk.way_back(found, attack)
with report.container():
    answer.report(found, attack.false_positive_rate)
