"""Screen: guarantees as they are published, and what is wrong with them."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from scipy import stats
from streamlit.delta_generator import DeltaGenerator

from dpcore import rounding
from dpcore.charts.lesson import mistakes as charts
from dpcore.language import N_, _
from dpcore.lesson import mistakes
from dpcore.lesson.mistakes import Claim
from dpcore.plan import PrivacyPlan
from dpcore.ui.core import chart, choices, tables
from dpcore.ui.lesson import claims, screen
from dpcore.ui.lesson.screen import Screen

_ANSWERS, _CHOICE = "lesson_claims", "lesson_claim"
_BY_NAME = {claim.name: claim for claim in mistakes.CLAIMS}
_NAMES = list(_BY_NAME)


@st.cache_data(show_spinner=False)
def _epsilons(name: str) -> tuple[float, float]:
    return _BY_NAME[name].claimed, _BY_NAME[name].actual


def _show(picture: DeltaGenerator, words: DeltaGenerator) -> None:
    answers = st.session_state.setdefault(_ANSWERS, {})
    with words:
        st.write(_("Eight teams publish a guarantee. Some hold, most do not. What is wrong with this one?"))
        name = choices.linked(
            st.pills,
            _("Claim"),
            _NAMES,
            default=_NAMES[0],
            format_func=lambda one: _mark(one, answers),
            key=_CHOICE,
            required=True,
            wrap=True,
            help=_("A tick is an answer that was right, a cross one that was wrong."),
        )
        claim = _BY_NAME[name]
        _ask(claim, answers)
    with picture:
        _publish(claim)
        if name in answers:
            _picture(claim)


def _mark(name: str, answers: dict[str, str]) -> str:
    number = _NAMES.index(name) + 1
    if name not in answers:
        return f"{number}"
    return f"{number} {'✓' if _BY_NAME[name].accepts(answers[name]) else '✗'}"


def _ask(claim: Claim, answers: dict[str, str]) -> None:
    said = answers.get(claim.name)
    chosen = None
    if said is None:
        chosen = st.radio(
            _("What is wrong with it?"),
            mistakes.REASONS,
            index=None,
            format_func=lambda reason: _(claims.REASONS[reason]),
            key=f"claim_{claim.name}",
            help=_("One answer is correct. The first one counts."),
        )
    else:
        # Not the radio disabled: what is still to be read would be grey.
        marks = {said: "✓" if claim.accepts(said) else "✗", claim.reason: "✓"}
        st.markdown("\n".join(f"- {mark} {_(claims.REASONS[reason])}" for reason, mark in marks.items()))
    following = _NAMES[(_NAMES.index(claim.name) + 1) % len(_NAMES)]
    with st.container(horizontal=True):
        st.button(
            _("Answer"),
            key="claim_answer",
            type="primary" if said is None else "secondary",
            disabled=chosen is None or said is not None,
            on_click=_answer,
            args=(claim.name, chosen),
        )
        st.button(
            _("Next claim"),
            key="claim_next",
            type="secondary" if said is None else "primary",
            on_click=_go,
            args=(following,),
        )
    if said is not None:
        _explain(claim, said)
    right = sum(_BY_NAME[name].accepts(reason) for name, reason in answers.items())
    st.caption(
        _("{right} right of {answered} answered, {total} in all.").format(
            right=right, answered=len(answers), total=len(_NAMES)
        )
    )
    if answers:
        st.button(_("Begin again"), key="claim_again", type="tertiary", on_click=_forget)


def _answer(name: str, reason: str) -> None:
    st.session_state[_ANSWERS].setdefault(name, reason)


def _go(name: str) -> None:
    st.session_state[_CHOICE] = name


def _forget() -> None:
    st.session_state[_ANSWERS] = {}
    for name in _NAMES:
        st.session_state.pop(f"claim_{name}", None)


def _explain(claim: Claim, said: str) -> None:
    if claim.accepts(said):
        st.success(_("Right."), icon=":material/check:")
    else:
        wrong = _("Not quite. The problem is: {reason}.")
        if claim.reason == mistakes.HOLDS:
            wrong = _("Not quite. There is no problem.")
        st.error(wrong.format(reason=_(claims.REASONS[claim.reason])), icon=":material/close:")
    st.write(_(claims.EXPLANATIONS[claim.name]).format(**_numbers(claim)))
    page, query, label = claims.LINKS[claim.name]
    screen.way_on(page, _(label), **query)


def _numbers(claim: Claim) -> dict[str, float | str]:
    """What the words of a claim may name."""
    plan = claim.plan
    claimed, actual = _epsilons(claim.name)
    clip_moved, clip_noise = mistakes.clip_norm_sensitivity(plan)
    return _turns(plan) | {
        "claimed": rounding.epsilon(claimed),
        "actual": rounding.epsilon(actual),
        "noise": rounding.noise(plan.noise_multiplier),
        "clients": plan.clients_per_round,
        "rounds": plan.rounds,
        "population": plan.population,
        "delta": rounding.given(plan.delta),
        "usual": rounding.given(PrivacyPlan.delta),
        "published": math.floor(plan.delta * plan.population),
        "once": rounding.noise(plan.noise_multiplier / math.sqrt(plan.rounds)),
        "moved": mistakes.threshold_sensitivity(plan.clients_per_round),
        "clip_moved": clip_moved,
        "clip_noise": clip_noise,
    }


def _turns(plan: PrivacyPlan) -> dict[str, float | str]:
    """What the words of a claim may name of cohorts that are formed otherwise than its accountant was told."""
    if not plan.event.is_sampled:
        return {}
    often, apart = mistakes.scheduled(plan).cohorts.pattern(plan.fleet)
    return {"often": often, "apart": apart, "replaced": _replaced(plan)}


@st.cache_data(show_spinner=False)
def _replaced(plan: PrivacyPlan) -> str:
    return rounding.epsilon(mistakes.replaced_epsilon(plan))


def _publish(claim: Claim) -> None:
    """Shows a claim as its team would."""
    with st.container(border=True):
        st.markdown(_(claims.CLAIMS[claim.name]).format(**_numbers(claim)))
        st.subheader(
            _("({epsilon}, {delta})-differential privacy").format(
                epsilon=rounding.epsilon(_epsilons(claim.name)[0]), delta=rounding.given(claim.plan.delta)
            )
        )


def _picture(claim: Claim) -> None:
    """Shows what a claim overlooks; or that its number is right."""
    show = {"delta": _over_delta, "came": _average_moves, "zeroing": _moves, "sweep": _sweep}.get(claim.name, _bars)
    show(claim)


def _bars(claim: Claim) -> None:
    claimed, actual = _epsilons(claim.name)
    second = _("by PLD") if claim.reason == mistakes.HOLDS else _("provable")
    _show_bars(pd.DataFrame({"what": [_("claimed"), second], "epsilon": [claimed, actual]}))


def _sweep(claim: Claim) -> None:
    plans = mistakes.sweep(claim.plan)
    names = [
        _("noise {noise}, {clients} clients").format(
            noise=rounding.noise(plan.noise_multiplier), clients=plan.clients_per_round
        )
        for plan in plans
    ]
    epsilons = [mistakes.headline(plan) for plan in plans]
    _show_bars(
        pd.DataFrame(
            {"what": [*names, _("together")], "epsilon": [*epsilons, _epsilons(claim.name)[1]]},
        )
    )


def _show_bars(table: pd.DataFrame) -> None:
    values = ", ".join(f"{what}: {rounding.epsilon(value)}" for what, value in table.itertuples(index=False))
    chart.show(
        charts.epsilon_bars(table),
        key="claim_picture",
        label=_("Epsilons. {values}.").format(values=values),
        table=table.assign(epsilon=[rounding.epsilon(value) for value in table["epsilon"]]),
    )


def _over_delta(claim: Claim) -> None:
    curve = tables.epsilon_against(replace(claim.plan, delta=PrivacyPlan.delta), "delta")
    curve = curve[["delta"]].assign(epsilon=curve[["PLD", "RDP"]].min(axis=1))
    claimed, actual = _epsilons(claim.name)
    points = pd.DataFrame(
        {
            "what": [_("claimed"), _("at {delta}").format(delta=rounding.given(PrivacyPlan.delta))],
            "delta": [claim.plan.delta, PrivacyPlan.delta],
            "epsilon": [claimed, actual],
        }
    )
    chart.show(
        charts.over_delta(curve, points, population=claim.plan.population),
        key="claim_picture",
        label=_(
            "Epsilon over delta. From delta {least} on, publishing a user's data satisfies the guarantee."
        ).format(least=rounding.down(1 / claim.plan.population)),
        table=curve,
    )


def _average_moves(claim: Claim) -> None:
    plan = claim.plan
    came = stats.binom(plan.population, plan.sampling_prob)
    sizes = np.arange(int(came.ppf(1e-6)), int(came.ppf(1 - 1e-6)) + 1)
    table = pd.DataFrame(
        {"cohort": sizes, "moved": mistakes.average_sensitivity(sizes), "allowed": 1 / plan.clients_per_round}
    )
    usual = came.interval(0.95)
    chart.show(
        charts.average_sensitivity(table, expected=plan.clients_per_round, usual=usual),
        key="claim_picture",
        label=_(
            "Sensitivity of the average to one user. Divided by the actual cohort size {clients}: {moved} clip "
            "norms; divided by the expected size: {allowed}."
        ).format(
            clients=plan.clients_per_round,
            moved=rounding.up(float(mistakes.average_sensitivity(np.array(plan.clients_per_round)))),
            allowed=rounding.down(1 / plan.clients_per_round),
        ),
        table=table,
    )


def _moves(claim: Claim) -> None:
    clip_moved, clip_noise = mistakes.clip_norm_sensitivity(claim.plan)
    moved = mistakes.threshold_sensitivity(claim.plan.clients_per_round)
    table = pd.DataFrame(
        {
            "what": [_("quantile for zeroing"), _("clip norm")],
            "moved": [moved, clip_moved],
            "noise": [0.0, clip_noise],
        }
    )
    chart.show(
        charts.sensitivity(table),
        key="claim_picture",
        label=_(
            "One user moves the quantile for zeroing by {moved}, under no noise, and the clip norm by "
            "{clip_moved}, under noise of {clip_noise}."
        ).format(
            moved=rounding.percent(moved),
            clip_moved=rounding.percent(clip_moved),
            clip_noise=rounding.down_percent(clip_noise),
        ),
        table=table,
    )


SCREEN = Screen(
    key="mistakes",
    name=N_("Wrong guarantees"),
    heading=N_("Which of these guarantees hold?"),
    show=_show,
)
