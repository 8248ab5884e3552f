"""The controls of how cohorts are formed, and with what noise; numbers that are not typed follow from the others."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import limits
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.mechanisms.choices import NOISE_BY_KIND, PARTICIPATION_BY_KIND, chosen
from dpcore.mechanisms.clipping import Clipping
from dpcore.mechanisms.noise import Noise
from dpcore.mechanisms.participation import Fleet, Participation
from dpcore.plan import ADJACENCIES
from dpcore.ui.core import address, choices, controls

ADJACENCY_NAMES = {ADJACENCIES[0]: N_("add or remove one user"), ADJACENCIES[1]: N_("replace one user")}


@dataclass(frozen=True, kw_only=True)
class Forming:
    """What was chosen, and where its numbers go: what follows is known only after all other controls.

    Attributes:
        participation: How cohorts are formed, by its kind.
        noise: What noise is added, by its kind.
        places: The place of each number that these kinds have, by its knob.
    """

    participation: str
    noise: str
    places: Mapping[limits.Knob, DeltaGenerator]

    @property
    def is_full(self) -> bool:
        """Whether all users take part in every round, so that clients per round are no choice."""
        return self.participation == "full"

    def parts(
        self, fleet: Fleet, *, solved: Sequence[limits.Knob] = (), **held: int
    ) -> tuple[Participation, Noise]:
        """Shows the numbers, and returns what they make; raises as plans do where that cannot be.

        Args:
            fleet: The other numbers.
            solved: Numbers that are looked for, and have no box.
            held: Those that stand for numbers which are not typed, in place of what follows.
        """
        fleet = Fleet(
            limits.POPULATION.check(fleet.population),
            limits.CLIENTS_PER_ROUND.check(fleet.clients_per_round),
            limits.ROUNDS.check(fleet.rounds),
        )
        boxes = [knob for knob in self.places if knob not in solved]
        names = [knob.name for knob in boxes]
        own = {name: number for name, number in held.items() if name in names}
        typed: dict[str, Any] = {knob.name: _typed_before(knob.name) for knob in boxes}
        for knob in boxes:
            with self.places[knob]:
                follows = own.get(knob.name) if held else self._following(knob.name, fleet, typed)
                typed[knob.name] = controls.optional(knob, follows=follows)
        given = {name: number for name, number in typed.items() if number is not None}
        return chosen(self.participation, self.noise, fleet, **own | given)

    def _following(self, name: str, fleet: Fleet, given: dict[str, Any]) -> int | None:
        """The number that stands for one that is not typed; `None` where the others make no plan."""
        others = {other: number for other, number in given.items() if other != name and number is not None}
        with suppress(InvalidValueError):
            participation, noise = chosen(self.participation, self.noise, fleet, **others)
            often, apart = participation.pattern(fleet)
            numbers = {"max_participations": often, "min_separation": apart, "bands": getattr(noise, "bands", None)}
            return numbers[name]
        return None


def _typed_before(name: str) -> int | float | None:
    number = st.session_state.get(name, address.value(name))
    return int(number) if number is not None and float(number).is_integer() else number


def ask(offered: Sequence[str] = tuple(PARTICIPATION_BY_KIND)) -> Forming:
    """Shows how cohorts are formed and what noise is added.

    Args:
        offered: The ways to form cohorts that can be chosen.
    """
    participation = choices.linked(
        st.selectbox,
        _("How cohorts are formed"),
        offered,
        format_func=lambda kind: _(PARTICIPATION_BY_KIND[kind].title),
        key="participation",
        help=_(
            "What epsilon assumes of who takes part in a round. Poisson sampling: each user is sampled independently, "
            "and nobody learns who was. Fixed-size cohorts: exactly so many users, drawn anew in each round, in "
            "secret. Known schedule: groups of users take turns, and nothing is secret. Cyclic Poisson sampling: "
            "groups take turns, and each user of a group is sampled independently, in secret."
        ),
    )
    controls.place("participation")
    left, right = st.columns(2)
    noise = choices.linked(
        st.selectbox,
        _("Noise"),
        tuple(NOISE_BY_KIND),
        format_func=lambda kind: _(NOISE_BY_KIND[kind].title).capitalize(),
        key="noise",
        help=_(
            "Independent: fresh noise in every round. The others are correlated: later rounds take back part of what "
            "earlier ones added, so that less adds up in the model. They need fixed clipping, and cohorts of which it is "
            "known how far apart a user's rounds are."
        ),
    )
    controls.place("noise")
    below = st.container()
    knobs = (*PARTICIPATION_BY_KIND[participation].knobs[::-1], *NOISE_BY_KIND[noise].knobs)
    where = {limits.MIN_SEPARATION: left, limits.MAX_PARTICIPATIONS: right, limits.BANDS: below}
    places = {knob: where[knob].container() for knob in knobs}
    return Forming(participation=participation, noise=noise, places=places)


def offer_fixed_clipping(forming: Forming, clipping: Clipping) -> None:
    """Shows the way out where correlated noise is chosen with adaptive clipping, which plans refuse."""
    if NOISE_BY_KIND[forming.noise].is_correlated and clipping.releases_clip_norm:
        st.button(
            _("Use fixed clipping"),
            key="use_fixed_clipping",
            on_click=address.put,
            args=("clipping", "fixed"),
            help=_("Correlated noise needs a clip norm that stays; the other values are kept."),
        )


def adjacency(forming: Forming) -> str:
    """Shows how neighbouring data sets differ: a choice where the way to form cohorts is accounted for several."""
    offered = PARTICIPATION_BY_KIND[forming.participation].adjacencies
    if len(offered) == 1:
        words = _("Adjacency: add or remove one user.")
        reason = (
            _(
                "Replacing one user is not available with Poisson sampling, which dp-accounting 0.4.3 cannot analyse "
                "for it."
            )
            if forming.participation == "poisson"
            else _(
                "Replacing one user is not available with a schedule, whose groups are dealt by independent coins."
            )
        )
        st.caption(f"{words} {reason}")
        return offered[0]
    return choices.linked(
        st.radio,
        _("Adjacency"),
        offered,
        format_func=lambda kind: _(ADJACENCY_NAMES[kind]),
        key="adjacency",
        help=_(
            "How neighbouring data sets differ. Replacing one user by another is at least as strict as adding or "
            "removing one; full participation and fixed-size cohorts are accounted for both."
        ),
        horizontal=True,
    )
