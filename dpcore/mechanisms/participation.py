"""Who takes part in a round."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dpcore.language import N_, _
from dpcore.mechanisms.events import Event, SampledGaussian

ADD_OR_REMOVE, REPLACE = "add-or-remove-one", "replace-one"
ADJACENCIES = (ADD_OR_REMOVE, REPLACE)
REPLACE_REFUSED = N_(
    "Expected adjacency add-or-remove-one, found replace-one: dp-accounting 0.4.3 cannot analyse Poisson sampling "
    "for it. Keep add-or-remove-one, or use full participation (clients per round = population)."
)


def movement(adjacency: str) -> int:
    """Returns the most by which neighbouring data sets move a round's sum, in clip norms.

    Replacing a user takes one update away and adds another: twice as far as adding or removing one.
    """
    return 2 if adjacency == REPLACE else 1


@dataclass(frozen=True)
class Poisson:
    """Each user joins each round by an independent coin, which nobody but the trusted server sees."""

    kind: ClassVar[str] = "poisson"
    sampling: ClassVar[str] = "poisson"  # as the command line has always called it

    def refusal(self, adjacency: str) -> str:
        """Returns why no accountant analyses it for an adjacency, in a sentence; empty where one does."""
        return _(REPLACE_REFUSED) if adjacency == REPLACE else ""

    def cohort(self, draw: np.random.Generator, *, population: int, clients_per_round: int) -> NDArray[np.int64]:
        """Returns the users of a round, int64 [cohort_size], ascending, each in [0, population).

        The size varies from round to round, and an empty cohort is a round like any other.

        Args:
            draw: The round's own stream of random numbers.
            population: How many users there are.
            clients_per_round: How many of them are expected.
        """
        return np.flatnonzero(draw.random(population) < clients_per_round / population)

    def event(self, *, noise_multiplier: Any, population: Any, clients_per_round: Any, rounds: Any) -> Event:
        """Returns what a run costs. All arguments may be arrays of one shape; then so are the event's numbers.

        Args:
            noise_multiplier: Noise over `movement`.
            population: How many users there are.
            clients_per_round: How many of them are expected.
            rounds: How many rounds are released.
        """
        return Event(SampledGaussian(noise_multiplier, clients_per_round / population), rounds)

    def condition(self, *, population: int, clients_per_round: int) -> str:
        """Returns what a guarantee assumes of the sampling, as a clause after "if"."""
        return _(
            "each user joins a round independently with probability {clients_per_round:,} / {population:,}"
        ).format(clients_per_round=clients_per_round, population=population)

    def assumption(self, *, population: int, clients_per_round: int) -> str:
        """Returns what a guarantee assumes of the sampling, as a sentence."""
        return _(
            "Poisson sampling: each user is sampled independently with probability {clients_per_round:,} / "
            "{population:,} in each round; nobody learns who took part."
        ).format(clients_per_round=clients_per_round, population=population)

    def conduct(self, *, seeded: bool) -> str:
        """Returns how a run of this program took its samples, as a sentence."""
        if seeded:
            return _(
                "As assumed: each user was sampled independently (Poisson sampling) by the seed, and a cohort could "
                "be empty."
            )
        return _(
            "As assumed: each user was sampled independently (Poisson sampling) from the operating system's entropy, "
            "and a cohort could be empty."
        )


@dataclass(frozen=True)
class Full(Poisson):
    """All users take part in every round: Poisson sampling with probability 1."""

    kind: ClassVar[str] = "full"
    sampling: ClassVar[str] = "none"

    def refusal(self, adjacency: str) -> str:
        return ""

    def condition(self, **numbers: int) -> str:
        return _("all users take part in every round")

    def assumption(self, **numbers: int) -> str:
        return _("Full participation: all users take part in every round.")

    def conduct(self, *, seeded: bool) -> str:
        return _("As assumed: all users took part in every round.")


PARTICIPATIONS = (Poisson, Full)
Participation = Poisson | Full
