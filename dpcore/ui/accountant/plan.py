"""The controls of a privacy plan, of which one may be the number that is looked for."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import limits, rounding
from dpcore.language import N_, _
from dpcore.mechanisms import clipping as clippings
from dpcore.mechanisms.choices import PARTICIPATION_BY_KIND
from dpcore.mechanisms.noise import Noise
from dpcore.mechanisms.participation import Fleet, Participation
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.precision import Precision
from dpcore.privacy.shortfall import Shortfall
from dpcore.runs.process import accountants
from dpcore.ui.accountant import cohorts
from dpcore.ui.core import choices, controls
from dpcore.ui.core.parameters import EPSILON

_LABELS = {
    EPSILON: N_("Epsilon"),
    "clients": N_("Clients per round (noise-to-clients ratio fixed)"),
    "clients_at_noise": N_("Clients per round (noise multiplier fixed)"),
    "noise": N_("Noise multiplier"),
    "rounds": N_("Rounds"),
    "delta": N_("Delta"),
    "population": N_("Population"),
    "max_participations": N_("Maximum participations"),
}
# The knobs whose numbers the answer gives.
_ANSWERS = {
    EPSILON: (),
    "clients": (limits.CLIENTS_PER_ROUND, limits.NOISE_MULTIPLIER),
    "clients_at_noise": (limits.CLIENTS_PER_ROUND,),
    "noise": (limits.NOISE_MULTIPLIER,),
    "rounds": (limits.ROUNDS,),
    "delta": (limits.DELTA,),
    "population": (limits.POPULATION,),
    "max_participations": (limits.MAX_PARTICIPATIONS, limits.MIN_SEPARATION),
}
_SLIDERS: dict[limits.Knob, dict[str, Any]] = {
    limits.NOISE_MULTIPLIER: {"low": 0.0, "high": 5.0},
    limits.CLIENTS_PER_ROUND: {"low": 1, "high": 10_000, "logarithmic": True},
    limits.ROUNDS: {"low": 1, "high": 10_000, "logarithmic": True},
    limits.POPULATION: {"low": 100, "high": 10_000_000, "logarithmic": True},
    limits.CLIP_NORM: {"low": 0.01, "high": 10, "logarithmic": True},
    limits.INITIAL_CLIP_NORM: {"low": 0.01, "high": 10, "logarithmic": True},
    limits.TARGET_UNCLIPPED_QUANTILE: {"low": 0.0, "high": 1.0},
    limits.CLIP_LEARNING_RATE: {"low": 0.01, "high": 1.0},
    limits.DELTA: {"low": 1e-10, "high": 1e-2, "logarithmic": True},
}

CLIP_KNOBS = tuple(knob for kind in clippings.BY_KIND.values() for knob in kind.knobs)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is given and what is looked for.

    Attributes:
        given: The plan, with a placeholder for the unknown.
        unknown: One of `calibration.UNKNOWNS`, or `EPSILON`.
        target: What to reach, as keywords of `calibration.solution`; empty where epsilon is the unknown.
        slots: Where the answer's numbers go.
    """

    given: PrivacyPlan
    unknown: str
    target: dict
    slots: dict

    def answer(self, precision: Precision) -> tuple[PrivacyPlan, Shortfall | None]:
        """The plan that reaches the target, and why it stays well below it; raises as `calibration.solution` does."""
        if self.unknown == EPSILON:
            return self.given, None
        return _answer(self.given, self.unknown, precision=precision, **self.target)

    @property
    def asked(self) -> accountants.Question:
        """The same for accountants in a process of their own."""
        unknown = None if self.unknown == EPSILON else self.unknown
        return accountants.Question(self.given, unknown, tuple(self.target.items()))

    def show(self, plan: PrivacyPlan) -> None:
        """Puts the answer's numbers where their sliders would be."""
        for setting, slot in self.slots.items():
            with slot.container():
                controls.solved(setting, _number(plan, setting))


def _number(plan: PrivacyPlan, setting: limits.Knob) -> float:
    often, apart = plan.cohorts.pattern(plan.fleet)
    numbers = {limits.MAX_PARTICIPATIONS: often, limits.MIN_SEPARATION: apart}
    return numbers[setting] if setting in numbers else getattr(plan, setting.name)


_answer = st.cache_data(max_entries=1000, show_spinner=False)(calibration.solution)
_floor = st.cache_data(max_entries=1000, show_spinner=False)(calibration.lowest_epsilon)


def ask() -> Question:
    """Shows all controls, and returns what they ask; raises as plans do where that cannot be."""
    unknown = choices.linked(
        st.selectbox,
        _("Solve for"),
        list(_LABELS),
        format_func=lambda name: _(_LABELS[name]),
        key="solve",
        help=_("The value to solve for; all others are given."),
    )
    shown = _Shown(answers=_ANSWERS[unknown])
    target, floor = _target(unknown) if unknown != EPSILON else ({}, None)
    with st.container(border=True):
        st.subheader(_("Mechanism"))
        forming, clipping = _mechanism(unknown, shown)
    with st.container(border=True):
        st.subheader(_("Population and budget"))
        shown.knob(limits.POPULATION)
        shown.knob(limits.DELTA)
        adjacency = cohorts.adjacency(forming)
    values = shown.values | calibration.PLACEHOLDERS.get(unknown, {})
    if forming.is_full:
        values["clients_per_round"] = values["population"]
    participation, noise = _parts(forming, unknown, values, shown)
    given = PrivacyPlan(clipping=clipping, adjacency=adjacency, participation=participation, noise=noise, **values)
    if floor is not None:
        limits.TARGET_EPSILON.check(target["target_epsilon"])
        arguments = {key: value for key, value in target.items() if key != "target_epsilon"}
        lowest = _floor(given, unknown, **arguments, precision=Precision.PREVIEW)
        floor.caption(_("Lowest achievable epsilon: {epsilon}.").format(epsilon=rounding.epsilon(lowest)))
    return Question(given=given, unknown=unknown, target=target, slots=shown.slots)


def _parts(forming: cohorts.Forming, unknown: str, values: dict, shown: "_Shown") -> tuple[Participation, Noise]:
    """Shows the numbers of how cohorts are formed, and of the noise; returns what they make."""
    usual = PrivacyPlan()
    fleet = Fleet(*(values.get(name, getattr(usual, name)) for name in Fleet._fields))
    answers = [knob for knob in forming.places if knob in shown.answers]
    for knob in answers:
        with forming.places[knob]:
            shown.slots[knob] = st.empty()
    # Bands follow from how many users there are for a round, which is what is looked for.
    held = {"bands": int(limits.BANDS.default)} if unknown in ("clients", "clients_at_noise", "population") else {}
    return forming.parts(fleet, solved=answers, **held)


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """The knobs so far: the number of each that is given, and the place of each that is solved for."""

    answers: tuple[limits.Knob, ...]
    values: dict = field(default_factory=dict)
    slots: dict = field(default_factory=dict)

    def knob(self, setting: limits.Knob) -> None:
        if setting in self.answers:
            self.slots[setting] = st.empty()
        else:
            self.values[setting.name] = controls.knob(setting, **_SLIDERS[setting])


def _target(unknown: str) -> tuple[dict, DeltaGenerator]:
    """Shows what is to be reached; returns it, and the place of the lowest epsilon that can be."""
    target = {}
    with st.container(border=True):
        st.subheader(_("Target"))
        target["target_epsilon"] = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
        if unknown == "clients":
            target["noise_to_clients_ratio"] = controls.knob(limits.NOISE_TO_CLIENTS_RATIO, low=0.001, high=0.09)
        target["accountant"] = accountant_control(
            accounting.ACCOUNTANTS,
            _("Accountant"),
            _(
                "The accountant whose epsilon has to reach the target. Both give upper bounds; that of PLD is nearly "
                "always the smaller one."
            ),
        )
        return target, st.empty()


_OFFERED = {
    "max_participations": ("schedule",),  # nothing else limits how often a user takes part
    **dict.fromkeys(
        ("clients", "clients_at_noise", "population"),
        tuple(kind for kind in PARTICIPATION_BY_KIND if kind != "full"),  # of everybody there is no other number
    ),
}


def _mechanism(unknown: str, shown: _Shown) -> tuple[cohorts.Forming, clippings.Clipping]:
    """Shows noise, cohorts, rounds and clipping; returns how cohorts are formed, and how updates are clipped."""
    shown.knob(limits.NOISE_MULTIPLIER)
    forming = cohorts.ask(_OFFERED.get(unknown, tuple(PARTICIPATION_BY_KIND)))
    if not forming.is_full:
        shown.knob(limits.CLIENTS_PER_ROUND)
    shown.knob(limits.ROUNDS)
    clipping = clipping_control()
    cohorts.offer_fixed_clipping(forming, clipping)
    return forming, clipping


def accountant_control(accountants: tuple[str, ...], label: str, tip: str) -> str:
    """Shows which accountant answers, the first of them by default."""
    return choices.linked(
        st.radio,
        label,
        accountants,
        format_func={"pld": _("PLD (tight)"), "rdp": _("RDP (as in the tutorial)")}.__getitem__,
        key="accountant",
        horizontal=True,
        help=tip,
    )


def clipping_control(shown: Collection[limits.Knob] = (limits.CLIP_NORM,)) -> clippings.Clipping:
    """Shows how updates are clipped; raises as plans do where the clip norm is none.

    Args:
        shown: The knobs that can be set, where the chosen way to clip has them: those of adaptive clipping change no
            epsilon.
    """
    kind = choices.linked(
        st.radio,
        _("Clipping"),
        list(clippings.BY_KIND),
        format_func=lambda name: _(clippings.BY_KIND[name].title),
        key="clipping",
        horizontal=True,
        help=_(
            "Adaptive: the clip norm follows a differentially private estimate of a quantile, which takes a little "
            "of the noise. Fixed: it stays constant."
        ),
    )
    knobs = [knob for knob in clippings.BY_KIND[kind].knobs if knob in shown]
    return clippings.chosen(kind, **{knob.name: controls.knob(knob, **_SLIDERS[knob]) for knob in knobs})
