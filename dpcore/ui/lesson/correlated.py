"""Screen: noise that remembers, and what that is worth where nothing is secret."""

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, limits, rounding
from dpcore.charts.lesson import correlated as charts
from dpcore.language import N_, _
from dpcore.lesson import correlated
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.ui.core import chart, controls
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen

_USUAL = correlated.plan(1)
_OFTEN, _APART = _USUAL.cohorts.pattern(_USUAL.fleet)


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    with words:
        st.markdown(
            _(
                "That nobody learns who takes part is hard to promise. On a **known schedule** nothing need be "
                "secret: users take turns, each in at most {often} of {rounds} rounds, {apart} rounds apart. And a "
                "model keeps the **sum** of all rounds. So a round's noise may take back part of what earlier rounds "
                "have added, if no two rounds of one user share any: **correlated noise**. Press Play."
            ).format(often=_OFTEN, rounds=_USUAL.rounds, apart=_APART)
        )
        bands = controls.knob(limits.BANDS, low=1, high=_APART)
        with controls.explain():
            plan = correlated.plan(bands)
        draw = screen.draw_again()
    paths = _paths(plan, draw)
    fresh, remembered = (rounding.down(correlated.effective_noise(paths, name)) for name in correlated.NAMES)
    with picture:
        chart.show(
            _figure(plan, draw, language.current()),
            key="lesson_correlated",
            label=_(
                "What the noise on one weight adds up to over {rounds} rounds, fresh in each and correlated in {bands} "
                "bands. Root mean square over the rounds: {fresh} and {remembered} clip norms."
            ).format(rounds=plan.rounds, bands=bands, fresh=fresh, remembered=remembered),
            table=paths,
        )
    with words:
        st.markdown(
            _(
                "Both lines begin with the same draws at noise multiplier {noise}, and both cost epsilon {epsilon} at "
                "delta {delta}. Independent noise adds up to {fresh} clip norms in the root mean square over the rounds, "
                "noise of {bands} bands to **{remembered}**."
            ).format(
                noise=rounding.noise(plan.noise_multiplier),
                epsilon=rounding.epsilon(accounting.epsilon(plan).value),
                delta=rounding.given(plan.delta),
                fresh=fresh,
                bands=bands,
                remembered=remembered,
            )
        )
        screen.way_on("study", _("What is secrecy worth? The study"), ready_made="secrecy")


@st.cache_data(max_entries=50, show_spinner=False)
def _paths(plan: PrivacyPlan, draw: int) -> pd.DataFrame:
    return correlated.paths(plan, draw)


@st.cache_data(max_entries=50, show_spinner=False)
def _figure(plan: PrivacyPlan, draw: int, language_code: str) -> str:
    return charts.paths(_paths(plan, draw)).to_json()


SCREEN = Screen(
    key="correlated",
    name=N_("Correlated noise"),
    heading=N_("Noise that remembers: what if nobody keeps a secret?"),
    show=_show,
)
