"""How private is a plan, and which plan is private enough?"""

import math

import streamlit as st

from dpcore import limits
from dpcore.charts import lines
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.ui import calibrate, chart, controls, frame, tables

frame.page("Accountant", "How private is this plan?")
answer = st.container()
left, right = st.columns([2, 3], gap="large")

with left:
    with st.container(border=True):
        st.subheader("Mechanism")
        noise = controls.knob(limits.NOISE_MULTIPLIER, low=0.0, high=5.0)
        clients = controls.knob(limits.CLIENTS_PER_ROUND, low=1, high=10_000, logarithmic=True)
        rounds = controls.knob(limits.ROUNDS, low=1, high=10_000, logarithmic=True)
    with st.container(border=True):
        st.subheader("Population and budget")
        population = controls.knob(limits.POPULATION, low=100, high=10_000_000, logarithmic=True)
        delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)

with controls.explain():
    plan = PrivacyPlan(
        noise_multiplier=noise,
        clients_per_round=clients,
        rounds=rounds,
        population=population,
        delta=delta,
    )

epsilon = accounting.epsilon(plan)
with answer:
    one, two, three = st.columns(3)
    one.metric(
        "Epsilon",
        statement.epsilon_text(epsilon.value),
        border=True,
        help="Rounded up. By RDP with the orders of the TensorFlow Federated tutorial.",
    )
    two.metric(
        "Noise on the average",
        f"{plan.noise_multiplier / plan.clients_per_round:.4g}",
        border=True,
        help="Noise multiplier over clients per round, in units of the clip norm.",
    )
    three.metric(
        "Sampling probability",
        f"{plan.sampling_prob:.3%}",
        border=True,
        help="How likely a given user is to take part in a given round.",
    )
    st.info(
        statement.sentence(plan, epsilon.value),
        icon=":material/lock:",
    )
    for warning in plan.warnings:
        st.warning(warning, icon=":material/warning:")

with right:
    st.subheader("Privacy spent, round by round")
    curve = tables.epsilon_by_round(plan)
    if math.isfinite(epsilon.value):
        chart.show(
            lines.epsilon_by_round(curve, rounds=plan.rounds, delta=plan.delta),
            key="epsilon_by_round",
            label=f"Epsilon grows from 0 to {statement.epsilon_text(epsilon.value)} in {plan.rounds} rounds.",
            table=curve,
        )
    else:
        st.caption("Without noise there is nothing to draw: epsilon is infinite from the first round on.")

calibrate.section(plan)
