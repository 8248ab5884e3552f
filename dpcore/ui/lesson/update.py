"""Screen: what one user's update looks like, and why it tells on them."""

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import language, limits
from dpcore.charts.lesson import pictures
from dpcore.datasets.federated import Split
from dpcore.language import N_, _
from dpcore.lesson import leakage, softmax
from dpcore.ui.core import chart, controls
from dpcore.ui.lesson import screen
from dpcore.ui.lesson.screen import Screen


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    with words:
        st.markdown(
            _(
                "In federated learning the digits stay on the phone, and only an **update** of the model is sent. "
                "Here the model is so simple that each of its weights belongs to one pixel: so the update is a "
                "picture, in the handwriting of its user."
            )
        )
        number = controls.knob(limits.WRITER, low=limits.WRITER.minimum, high=limits.WRITER.maximum)
        with controls.explain():
            user = limits.WRITER.check(number) - 1
        found, digit = _matches(), leakage.leakage(_users(), user).digit
    figure = _figure(user, language.current())
    with picture:
        chart.show(
            figure,
            key="lesson_update",
            label=_(
                "Four of writer {number}'s own images of the digit {digit}, and beside them their update of its "
                "weights: a picture in the same handwriting."
            ).format(number=number, digit=digit),
            table=_table(user),
        )
    with words:
        right = int((found == np.arange(len(found))).sum())
        taken = (
            _(
                "An attacker with other digits of all {total} writers attributes this update to **writer {taken}: "
                "correct.**"
            )
            if found[user] == user
            else _(
                "An attacker with other digits of all {total} writers attributes this update to writer {taken}: "
                "wrong."
            )
        )
        st.markdown(taken.format(total=len(found), taken=found[user] + 1))
        st.markdown(
            _("In this way, {right} of the {total} are identified; random guessing would identify 1.").format(
                right=right, total=len(found)
            )
        )
        screen.way_on("data", _("See all writers"), dataset="writers")


@st.cache_resource(show_spinner=False)
def _users() -> Split:
    return softmax.first_writers(int(limits.WRITER.maximum))


@st.cache_data(show_spinner=False)
def _matches() -> np.ndarray:
    return leakage.matched_users(_users())


@st.cache_data(max_entries=100, show_spinner=False)
def _figure(user: int, language_code: str) -> str:
    told = leakage.leakage(_users(), user)
    return pictures.update(told.own, told.steps).to_json()


def _table(user: int) -> pd.DataFrame:
    told = leakage.leakage(_users(), user)
    row, column = np.indices(told.steps[-1].shape)
    return pd.DataFrame({"row": row.ravel(), "column": column.ravel(), "update": told.steps[-1].ravel()})


SCREEN = Screen(
    key="update",
    name=N_("One update"),
    heading=N_("What does one user's update reveal about them?"),
    show=_show,
)
