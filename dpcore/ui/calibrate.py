"""The Accountant's search: from a target epsilon to clients and noise."""

import streamlit as st

from dpcore import limits
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration, statement
from dpcore.ui import controls

_search = st.cache_data(calibration.clients_per_round, max_entries=1000, show_spinner=False)


def section(plan: PrivacyPlan) -> None:
    """Shows the two knobs of the search and its answer, for the plan's population, rounds and delta."""
    st.header("Which plan reaches a target?")
    st.write(
        "A model that bears a noise on the average bears it at any cohort size. So hold the ratio of noise to "
        "clients, and look for the fewest clients per round whose epsilon is low enough."
    )
    left, right = st.columns([2, 3], gap="large")
    with left, st.container(border=True):
        target = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
        ratio = controls.knob(limits.NOISE_TO_CLIENTS_RATIO, low=0.001, high=0.09)
    with right:
        with controls.explain():
            found = _search(plan, target_epsilon=target, noise_to_clients_ratio=ratio)
        epsilon = accounting.epsilon(found).value
        one, two, three = st.columns(3)
        one.metric("Clients per round", f"{found.clients_per_round:,}", border=True)
        two.metric("Noise multiplier", f"{found.noise_multiplier:.12g}", border=True)
        three.metric("Epsilon reached", statement.epsilon_text(epsilon), border=True)
        st.button(
            "Use this plan",
            on_click=controls.set_values,
            kwargs={
                "clients_per_round": found.clients_per_round,
                "noise_multiplier": found.noise_multiplier,
            },
            type="primary",
        )
