"""Screen: clipping, and how the clip norm finds the median by itself."""

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, limits
from dpcore.charts.lesson import rounds
from dpcore.language import N_, _
from dpcore.lesson import clipping, softmax
from dpcore.ui.core import chart, controls
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen

_USERS = 100


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    with words:
        st.markdown(
            _(
                "Noise can hide a user only if no update is larger than a known bound: each that is larger is scaled "
                "down to the **clip norm**. Which value is suitable? After each round the server adds noise to the "
                "count of updates below it, and adjusts it a little: down if more than half were, up if fewer. The "
                "norms shown are of a training without clipping or noise."
            )
        )
        start = controls.knob(limits.INITIAL_CLIP_NORM, low=0.001, high=10, logarithmic=True)
        with controls.explain():
            start = limits.INITIAL_CLIP_NORM.check(start)
        draw = screen.draw_again()
    norms = _norms()
    path = clipping.clip_norms(norms, start, draw)
    medians = np.array([np.median(of_round) for of_round in norms])
    # There is the clip norm once it has come within a step of the median: it can make one of 1.105 a round.
    near = np.flatnonzero(np.abs(np.log(path[:-1] / medians)) <= 0.1)
    with picture:
        chart.show(
            _figure(start, draw, language.current()),
            key="lesson_clipping",
            label=_(
                "The clip norm over {rounds} rounds, from {start:.3g} to {end:.3g}, and the norms of each round's "
                "updates, whose median is {median:.3g} at last."
            ).format(rounds=len(norms), start=start, end=path[-1], median=medians[-1]),
            table=pd.DataFrame({"round": np.arange(1, len(norms) + 1), "clip norm": path[:-1], "median": medians}),
        )
    with words:
        if len(near):
            said = _("It starts at {start:.3g} and reaches the median **by round {round}**.")
        else:
            said = _("It starts at {start:.3g}, too far away to reach the median in {rounds} rounds.")
        st.markdown(
            said.format(start=start, round=near[0] + 1 if len(near) else "", rounds=len(norms))
            + " "
            + _("At last it is {end:.3g}, and the true median {median:.3g}.").format(
                end=path[-1], median=medians[-1]
            )
        )
        screen.way_on("accountant", _("Adaptive clipping in the Accountant"))


@st.cache_data(show_spinner=False)
def _norms() -> list[np.ndarray]:
    return clipping.cohort_norms(softmax.first_writers(_USERS))


@st.cache_data(max_entries=100, show_spinner=False)
def _figure(start: float, draw: int, language_code: str) -> str:
    norms = _norms()
    return rounds.clipping(norms, clipping.clip_norms(norms, start, draw)).to_json()


SCREEN = Screen(
    key="clipping",
    name=N_("Clipping"),
    heading=N_("Adaptive clipping: the clip norm follows the median"),
    show=_show,
)
