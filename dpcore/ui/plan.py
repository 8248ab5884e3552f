"""The controls of a privacy plan, of which one may be the number that is looked for."""

from dataclasses import dataclass

import streamlit as st

from dpcore import limits
from dpcore.plan import ADD_OR_REMOVE, ADJACENCIES, REPLACE_REFUSED, AdaptiveClipping, FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.statement import epsilon_text
from dpcore.ui import controls

EPSILON = "epsilon"
_LABELS = {
    EPSILON: "Epsilon",
    "clients": "Clients per round, noise-to-clients ratio held",
    "clients_at_noise": "Clients per round, noise held",
    "noise": "Noise multiplier",
    "rounds": "Rounds",
    "delta": "Delta",
    "population": "Population",
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
}
_SLIDERS = {
    limits.NOISE_MULTIPLIER: {"low": 0.0, "high": 5.0},
    limits.CLIENTS_PER_ROUND: {"low": 1, "high": 10_000, "logarithmic": True},
    limits.ROUNDS: {"low": 1, "high": 10_000, "logarithmic": True},
    limits.POPULATION: {"low": 100, "high": 10_000_000, "logarithmic": True},
    limits.DELTA: {"low": 1e-10, "high": 1e-2, "logarithmic": True},
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is given and what is looked for.

    Attributes:
        given: The plan, with a placeholder for the unknown.
        unknown: One of `calibration.UNKNOWNS`, or `EPSILON`.
        target: What to reach, as keywords of `calibration.solve`; empty where epsilon is the unknown.
        slots: Where the answer's numbers go.
    """

    given: PrivacyPlan
    unknown: str
    target: dict
    slots: dict

    def answer(self, finest: float) -> PrivacyPlan:
        """The plan that reaches the target; raises as `calibration.solve` does."""
        if self.unknown == EPSILON:
            return self.given
        return _solve(self.given, self.unknown, finest=finest, **self.target)

    def show(self, plan: PrivacyPlan) -> None:
        """Puts the answer's numbers where their sliders would be."""
        for setting, slot in self.slots.items():
            with slot.container():
                controls.solved(setting, getattr(plan, setting.name))


_solve = st.cache_data(calibration.solve, max_entries=1000, show_spinner=False)
_floor = st.cache_data(calibration.floor, max_entries=1000, show_spinner=False)


def ask() -> Question:
    """Shows all controls; ends the page with a sentence beside the one that cannot be."""
    unknown = st.selectbox(
        "Solve for", list(_LABELS), format_func=_LABELS.__getitem__, key="solve", bind="query-params"
    )
    slots, values = {}, {}

    def show(setting: limits.Knob) -> None:
        if setting in _ANSWERS[unknown]:
            slots[setting] = st.empty()
        else:
            values[setting.name] = controls.knob(setting, **_SLIDERS[setting])

    target = {}
    if unknown != EPSILON:
        with st.container(border=True):
            st.subheader("Target")
            target["target_epsilon"] = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
            if unknown == "clients":
                target["noise_to_clients_ratio"] = controls.knob(
                    limits.NOISE_TO_CLIENTS_RATIO, low=0.001, high=0.09
                )
            target["accountant"] = st.radio(
                "Accountant",
                accounting.ACCOUNTANTS,
                format_func={"pld": "PLD, tight", "rdp": "RDP, as the tutorial"}.__getitem__,
                key="accountant",
                bind="query-params",
                horizontal=True,
            )
            floor = st.empty()
    with st.container(border=True):
        st.subheader("Mechanism")
        show(limits.NOISE_MULTIPLIER)
        everybody = st.toggle(
            "All users in every round: no sampling",
            key="everybody",
            bind="query-params",
            disabled=unknown in ("clients", "clients_at_noise", "population"),
            help="Otherwise each user joins by an own coin (Poisson sampling), which nobody else sees.",
        )
        everybody = everybody and unknown not in ("clients", "clients_at_noise", "population")
        if not everybody:
            show(limits.CLIENTS_PER_ROUND)
        show(limits.ROUNDS)
        clipping = clipping_control()
    with st.container(border=True):
        st.subheader("Population and budget")
        show(limits.POPULATION)
        show(limits.DELTA)
        adjacency = st.radio(
            "Neighbouring data sets differ by",
            ADJACENCIES,
            format_func={ADJACENCIES[0]: "a user more or less", ADJACENCIES[1]: "another user's data"}.__getitem__,
            key="adjacency",
            bind="query-params",
            disabled=not everybody,
            help=REPLACE_REFUSED,
            horizontal=True,
        )
        if not everybody:
            st.caption(
                "Replacing a user's data: not with sampling, which dp-accounting 0.4.3 cannot analyse for it."
            )
    values |= calibration.PLACEHOLDERS.get(unknown, {})
    if everybody:
        values["clients_per_round"] = values["population"]
    with controls.explain():
        given = PrivacyPlan(clipping=clipping, adjacency=adjacency if everybody else ADD_OR_REMOVE, **values)
        if unknown != EPSILON:
            limits.TARGET_EPSILON.check(target["target_epsilon"])
            arguments = {key: value for key, value in target.items() if key != "target_epsilon"}
            lowest = _floor(given, unknown, **arguments, grid=accounting.COARSE)
            floor.caption(f"The lowest epsilon in reach: {epsilon_text(lowest)}.")
    return Question(given=given, unknown=unknown, target=target, slots=slots)


def clipping_control() -> AdaptiveClipping | FixedClipping:
    """Shows how updates are clipped; ends the page where the clip norm is none."""
    kind = st.radio(
        "Clipping",
        ["adaptive", "fixed"],
        key="clipping",
        bind="query-params",
        horizontal=True,
        help="Adaptive: the clip norm follows a private quantile, for a little of the noise. Fixed: it stays.",
    )
    if kind == "adaptive":
        return AdaptiveClipping()
    norm = controls.knob(limits.CLIP_NORM, low=0.01, high=10, logarithmic=True)
    with controls.explain():
        return FixedClipping(clip_norm=norm)
