"""Screen: sampling, and what it is worth."""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, limits, rounding
from dpcore.charts.lesson import rounds
from dpcore.language import N_, _
from dpcore.lesson import sampling
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.ui.core import chart, controls
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen

_USER = 1700  # in the middle of the field; any would do


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    with words:
        st.markdown(
            _(
                "In each round every user is sampled independently (Poisson sampling), and only a few take part. "
                "Nobody but the trusted server knows who, so an attacker cannot tell whether a given user was in a "
                "round at all. This uncertainty lowers epsilon a great deal: **amplification by sampling**. It is "
                "lost against an attacker who knows who took part in which round."
            )
        )
        clients = controls.knob(limits.CLIENTS_PER_ROUND, low=10, high=limits.POPULATION.default, logarithmic=True)
        with controls.explain():
            plan = sampling.plan(clients)
        draw = screen.draw_again()
    sampled = rounding.epsilon(accounting.epsilon(plan, Precision.PREVIEW).value)
    known = rounding.epsilon(accounting.without_amplification(plan))
    with picture:
        chart.show(
            _figure(plan, draw, language.current()),
            key="lesson_sampling",
            label=_(
                "{population:,} users, of whom about {clients:,} are sampled in each of {rounds} rounds; below, "
                "epsilon grows to {sampled}, and to {known} without amplification."
            ).format(population=plan.population, clients=clients, rounds=plan.rounds, sampled=sampled, known=known),
            table=_epsilons(plan),
        )
    with words:
        st.markdown(
            _(
                "A user is sampled in a round with probability {prob}. After {rounds} rounds with noise {noise}, "
                "epsilon is **{sampled}** at delta {delta}; without amplification by sampling, it would be "
                "**{known}**."
            ).format(
                prob=rounding.probability(plan.clients_per_round, plan.population),
                rounds=plan.rounds,
                noise=rounding.noise(plan.noise_multiplier),
                delta=rounding.given(plan.delta),
                sampled=sampled,
                known=known,
            )
        )
        screen.way_on("accountant", _("This plan in the Accountant"), clients_per_round=clients, clipping="fixed")


@st.cache_data(max_entries=50, show_spinner=False)
def _epsilons(plan: PrivacyPlan) -> pd.DataFrame:
    return sampling.epsilon_by_round(plan)


@st.cache_data(max_entries=50, show_spinner=False)
def _figure(plan: PrivacyPlan, draw: int, language_code: str) -> str:
    shown = [*range(1, 10), *range(10, plan.rounds + 1, 5)]
    return rounds.sampling(
        sampling.cohorts(plan, draw), _epsilons(plan), population=plan.population, user=_USER, shown=shown
    ).to_json()


SCREEN = Screen(
    key="sampling",
    name=N_("Sampling"),
    heading=N_("How much privacy does sampling add?"),
    show=_show,
)
