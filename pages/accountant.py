"""How private is a plan, and which plan is private enough?"""

import streamlit as st

from dpcore.language import N_, _
from dpcore.privacy.precision import Precision
from dpcore.ui.accountant import answer, onward, plan
from dpcore.ui.core import controls, frame
from dpcore.ui.server import keeping, turns

frame.page(N_("Accountant"), N_("How private is this plan?"))
top, ways = st.container(), st.container()
left, right = st.columns([2, 3], gap="large")
# An upper bound at once, then what it means, then the number to keep.
with turns.turn(turns.AT_ONCE):
    found = None
    with left, controls.refusals():
        question = plan.ask()
        found, short = question.answer(Precision.PREVIEW)
    answers = top.empty()
    with answers.container():
        if found is None:
            answer.none()
            st.stop()
        answer.show(found, Precision.PREVIEW, short)
    question.show(found)


def keep() -> None:
    """Shows the number to keep in the place of the first one."""
    with controls.explain():
        kept, why = question.answer(Precision.REPORTED)
    question.show(kept)
    with answers.container():
        answer.show(kept, Precision.REPORTED, why)


with keeping.number(question.asked, keep) as number:
    with turns.turn(turns.SOON, number):
        with ways:
            onward.what_if(found)
            onward.train(found)
        from dpcore.ui.accountant import (
            assumptions,
            curves,
            risk,
        )  # pandas and plotly: the number does not wait for them

        with right:
            compared = st.container(key="assumptions").empty()
            with compared.container():
                assumptions.table(found, Precision.PREVIEW)
            curves.show(found)
            assumptions.picture(found, Precision.PREVIEW)
        st.header(_("What does that mean for a user?"))
        left, right = st.columns([2, 3], gap="large")
        with left:
            attack = risk.ask()
            noise = st.container()
        with right:
            meaning = st.empty()
            with meaning.container():
                risk.show(found, attack)
            risk.curve(found, attack)
    report = st.container()

    with turns.turn(turns.TO_KEEP, number):
        number.show()
        found, _short = question.answer(Precision.REPORTED)
        with compared.container():
            assumptions.table(found, Precision.REPORTED)
        with meaning.container():
            risk.show(found, attack)
    with noise:
        risk.noise(found, attack)
    with report:
        answer.report(found, attack.false_positive_rate)
