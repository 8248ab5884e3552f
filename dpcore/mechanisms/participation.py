"""Who takes part in a round."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpcore import limits
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.mechanisms.events import Event, SampledGaussian
from dpcore.mechanisms.noise import Noise

ADD_OR_REMOVE, REPLACE = "add-or-remove-one", "replace-one"
ADJACENCIES = (ADD_OR_REMOVE, REPLACE)
REPLACE_REFUSED = N_(
    "Expected adjacency add-or-remove-one, found replace-one: dp-accounting 0.4.3 cannot analyse Poisson sampling "
    "for it. Keep add-or-remove-one, or use full participation (clients per round = population)."
)

Stream = Callable[[str, int], np.random.Generator]  # a use and a round, 0 for the whole run: the same on every call


class Fleet(NamedTuple):
    """The numbers of a plan that participation depends on; arrays of one shape, where an event is asked for many plans.

    Attributes:
        population: How many users there are.
        clients_per_round: How many of them a round expects.
        rounds: How many rounds are planned.
    """

    population: Any
    clients_per_round: Any
    rounds: Any


class Pattern(NamedTuple):
    """How often a user can take part in a run, and how close together.

    Attributes:
        participations: In so many rounds at most.
        separation: Two of them, i < j, have j - i of at least this.
    """

    participations: int
    separation: int


@dataclass(frozen=True, kw_only=True)
class Poisson:
    """Each user joins each round by an independent coin, which nobody but the trusted server sees."""

    kind: str = field(
        default="poisson", init=False, repr=False
    )  # a field: who compares fields alone (Streamlit) tells kinds apart
    title: ClassVar[str] = N_("Poisson sampling")
    sampling: ClassVar[str] = "poisson"  # as the command line has always called it
    knobs: ClassVar[tuple[limits.Knob, ...]] = ()
    redraws: ClassVar[bool] = True  # whether a round that is drawn twice costs what one more round does
    by_coins_alone: ClassVar[bool] = True  # whether a round's cohort is independent coins of one probability
    draws_alone: ClassVar[bool] = True  # whether somebody more would draw for themselves, and move nobody else
    absence: ClassVar[str] = N_("In a deployment, users that are away or drop out break what is assumed.")
    groups_are_bands: ClassVar[bool] = False  # whether its groups are as many as the noise's bands, unless given
    adjacencies: ClassVar[tuple[str, ...]] = (ADD_OR_REMOVE,)  # those that it is accounted for

    def check(self, fleet: Fleet, adjacency: str, noise: Noise) -> None:
        """Refuses what nobody can account for, or no data can do.

        Raises:
            InvalidValueError: If it does not fit the fleet, the adjacency or the noise.
        """
        if adjacency == REPLACE:
            raise InvalidValueError("adjacency", _(REPLACE_REFUSED))
        if noise.is_correlated:
            raise InvalidValueError(
                "noise",
                _(
                    "Expected independent noise with {participation}, found {noise}: where noise is correlated, it "
                    "has to be known how far apart a user's rounds are. Use a schedule."
                ).format(participation=_(self.title), noise=noise.kind),
            )

    def movement(self, adjacency: str) -> int:
        """Returns the most by which neighbouring data sets move a round's sum, in clip norms.

        Replacing a user takes one update away and adds another: twice as far as adding or removing one.
        """
        return 2 if adjacency == REPLACE else 1

    def fits(self, fleet: Fleet, noise: Noise) -> bool:
        """Whether cohorts can be formed so with this noise; what cannot be formed is accounted as without noise."""
        try:
            self.check(fleet, ADD_OR_REMOVE, noise)
        except InvalidValueError:
            return False
        return True

    def pattern(self, fleet: Fleet) -> Pattern:
        """Returns how often a user can take part, and how close together."""
        return Pattern(fleet.rounds, 1)

    def at_most(self, participations: int, fleet: Fleet) -> "Participation":
        """Returns the way to form cohorts in which a user takes part in so many rounds at most, as far apart as can be.

        Raises:
            InvalidValueError: If it knows no such bound.
        """
        raise InvalidValueError(
            "participation",
            _(
                "Expected a known schedule to look for max_participations, found {participation}: nothing in it limits "
                "how often a user takes part. Choose schedule."
            ).format(participation=self.kind),
        )

    def cohort(self, stream: Stream, round_num: int, fleet: Fleet, more: int = 0) -> NDArray[np.int64]:
        """Returns the users of a round, int64 [cohort_size], ascending, each in [0, population).

        The size varies from round to round, and an empty cohort is a round like any other.

        Args:
            stream: The run's random streams.
            round_num: From 1.
            fleet: Its numbers.
            more: How many canaries draw as users do, after all of them, where participation `draws_alone`. Those that
                come are in [population, population + more); which users come is the same to the last bit.
        """
        draw = stream("client_sampling", round_num)
        return np.flatnonzero(draw.random(fleet.population + more) < fleet.clients_per_round / fleet.population)

    def event(
        self, fleet: Fleet, noise: Noise, noise_multiplier: Any, adjacency: str, released: Any = None
    ) -> Event:
        """Returns what a run costs. All numbers may be arrays of one shape; then so are the event's.

        Args:
            fleet: Its numbers.
            noise: The noise that is added.
            noise_multiplier: Standard deviation of that noise, in clip norms.
            adjacency: How neighbouring data sets differ.
            released: After how many of the rounds; `None` for all.
        """
        rounds = fleet.rounds if released is None else released
        ratio = noise_multiplier / self.movement(adjacency)
        return Event(SampledGaussian(ratio, fleet.clients_per_round / fleet.population), rounds)

    def condition(self, fleet: Fleet) -> str:
        """Returns what a guarantee assumes of how cohorts are formed, as a clause after "if"."""
        return _(
            "each user joins a round independently with probability {clients_per_round:,} / {population:,}"
        ).format(**fleet._asdict())

    def assumption(self, fleet: Fleet) -> str:
        """Returns the same as a sentence, with who must keep what secret."""
        return _(
            "Poisson sampling: each user is sampled independently with probability {clients_per_round:,} / "
            "{population:,} in each round; nobody learns who took part."
        ).format(**fleet._asdict())

    def conduct(self, *, seeded: bool) -> str:
        """Returns how a run of this program formed its cohorts, as a sentence."""
        if seeded:
            return _(
                "As assumed: each user was sampled independently (Poisson sampling) by the seed, and a cohort could "
                "be empty."
            )
        return _(
            "As assumed: each user was sampled independently (Poisson sampling) from the operating system's entropy, "
            "and a cohort could be empty."
        )


@dataclass(frozen=True, kw_only=True)
class Full(Poisson):
    """All users take part in every round."""

    kind: str = field(default="full", init=False, repr=False)
    title: ClassVar[str] = N_("Full participation (no subsampling)")
    sampling: ClassVar[str] = "none"
    adjacencies: ClassVar[tuple[str, ...]] = ADJACENCIES

    def check(self, fleet: Fleet, adjacency: str, noise: Noise) -> None:
        if fleet.clients_per_round != fleet.population:
            raise InvalidValueError(
                "clients_per_round",
                _(
                    "Expected clients_per_round to be the population, {population:,}, found {clients_per_round:,}: with "
                    "full participation, all users take part in every round. Leave it out, or choose another way to form "
                    "cohorts."
                ).format(**fleet._asdict()),
            )
        noise.check(self.pattern(fleet), fleet.rounds)

    def event(
        self, fleet: Fleet, noise: Noise, noise_multiplier: Any, adjacency: str, released: Any = None
    ) -> Event:
        if not noise.is_correlated:
            return super().event(fleet, noise, noise_multiplier, adjacency, released)
        return _one_gaussian(self, fleet, noise, noise_multiplier / self.movement(adjacency), released)

    def condition(self, fleet: Fleet) -> str:
        return _("all users take part in every round")

    def assumption(self, fleet: Fleet) -> str:
        return _("Full participation: all users take part in every round.")

    def conduct(self, *, seeded: bool) -> str:
        return _("As assumed: all users took part in every round.")


@dataclass(frozen=True, kw_only=True)
class FixedSize(Poisson):
    """Cohorts of exactly so many users, drawn without replacement, anew in every round.

    A user more takes the place of a random member, so neighbouring data sets move a sum by up to twice the clip norm:
    Poisson sampling at half the noise multiplier bounds it, and is attained by constant updates of +C and -C. For
    replace-one: sampling without replacement at half the noise, by RDP (Wang et al. 2019,
    <https://arxiv.org/abs/1808.00087>, theorem 9).
    """

    kind: str = field(default="fixed", init=False, repr=False)
    by_coins_alone: ClassVar[bool] = False
    draws_alone: ClassVar[bool] = False
    title: ClassVar[str] = N_("Fixed-size cohorts")
    sampling: ClassVar[str] = "fixed"
    adjacencies: ClassVar[tuple[str, ...]] = ADJACENCIES

    def check(self, fleet: Fleet, adjacency: str, noise: Noise) -> None:
        super().check(fleet, ADD_OR_REMOVE, noise)

    def movement(self, adjacency: str) -> int:
        return 2

    def cohort(self, stream: Stream, round_num: int, fleet: Fleet, more: int = 0) -> NDArray[np.int64]:
        draw = stream("client_sampling", round_num)
        return np.sort(draw.choice(fleet.population, fleet.clients_per_round, replace=False))

    def event(
        self, fleet: Fleet, noise: Noise, noise_multiplier: Any, adjacency: str, released: Any = None
    ) -> Event:
        mechanism, count = super().event(fleet, noise, noise_multiplier, adjacency, released)
        return Event(mechanism._replace(replaces=adjacency == REPLACE), count)

    def condition(self, fleet: Fleet) -> str:
        return _(
            "each round's cohort is a random sample of exactly {clients_per_round:,} of {population:,} users"
        ).format(**fleet._asdict())

    def assumption(self, fleet: Fleet) -> str:
        return _(
            "Fixed-size cohorts: each round has a uniformly random sample of exactly {clients_per_round:,} of "
            "{population:,} users, anew in every round; nobody learns who took part. A user who is added, removed or "
            "replaced changes who else takes part, which moves the sum by up to twice the clip norm."
        ).format(**fleet._asdict())

    def conduct(self, *, seeded: bool) -> str:
        if seeded:
            return _("As assumed: the sampler drew each cohort without replacement, by the seed.")
        return _(
            "As assumed: the sampler drew each cohort without replacement, from the operating system's entropy."
        )


@dataclass(frozen=True, kw_only=True)
class Schedule(Poisson):
    """A known schedule: users are dealt into groups, and the groups take turns. Nothing about it is secret.

    Each user is dealt by an independent coin into one of `separation` groups, of `clients_per_round` users each on the
    average, or into none; so a user more moves nobody else. Group t mod `separation` is the cohort of round t. The whole
    run is one Gaussian (Dong et al. 2022, <https://arxiv.org/abs/1905.02383>, corollary 3.3).

    Attributes:
        max_participations: Rounds in which a user may take part; `None` for as many as the rounds need.
        min_separation: Rounds from one participation of a user to the next; `None` for as many as there are users for.
    """

    kind: str = field(default="schedule", init=False, repr=False)
    by_coins_alone: ClassVar[bool] = False
    title: ClassVar[str] = N_("Known schedule")
    sampling: ClassVar[str] = "schedule"
    absence: ClassVar[str] = N_(
        "In a deployment, a user who is away or drops out takes part less often, which is allowed; one who takes part in "
        "another round instead breaks what is assumed."
    )
    knobs: ClassVar[tuple[limits.Knob, ...]] = (limits.MAX_PARTICIPATIONS, limits.MIN_SEPARATION)
    redraws: ClassVar[bool] = False

    max_participations: int | None = None
    min_separation: int | None = None

    def __post_init__(self) -> None:
        for knob in self.knobs:
            if (given := getattr(self, knob.name)) is not None:
                object.__setattr__(self, knob.name, knob.check(given))

    def check(self, fleet: Fleet, adjacency: str, noise: Noise) -> None:
        if adjacency == REPLACE:
            raise InvalidValueError(
                "adjacency",
                _(
                    "Expected adjacency add-or-remove-one, found replace-one: a schedule by independent coins is "
                    "accounted for users who are added or removed. Keep add-or-remove-one."
                ),
            )
        self._check_groups(fleet)
        noise.check(self.pattern(fleet), fleet.rounds)

    def _check_groups(self, fleet: Fleet) -> None:
        separation = self._separation(fleet)
        if separation * fleet.clients_per_round > fleet.population:
            raise InvalidValueError(
                "min_separation",
                _(
                    "Expected min_separation x clients_per_round to be at most the population, {population:,}, found "
                    "{separation:,} x {clients_per_round:,}: there are not so many users. Lower one of the two."
                ).format(separation=separation, **fleet._asdict()),
            )
        needed = -(-fleet.rounds // separation)
        if self.max_participations is not None and self.max_participations < needed:
            raise InvalidValueError(
                "max_participations",
                _(
                    "Expected max_participations to be at least {needed:,}, found {found:,}: {rounds:,} rounds of groups "
                    "that take turns every {separation:,} rounds need as many. Raise it, train fewer rounds, or let "
                    "fewer clients take part in each."
                ).format(needed=needed, found=self.max_participations, separation=separation, **fleet._asdict()),
            )

    def _separation(self, fleet: Fleet) -> int:
        if self.min_separation is not None:
            return self.min_separation
        return max(1, int(fleet.population // fleet.clients_per_round))

    def pattern(self, fleet: Fleet) -> Pattern:
        separation = self._separation(fleet)
        return Pattern(int(-(-fleet.rounds // separation)), separation)

    def at_most(self, participations: int, fleet: Fleet) -> "Participation":
        return replace(self, max_participations=participations, min_separation=-(-fleet.rounds // participations))

    def _group(self, stream: Stream, fleet: Fleet, more: int) -> NDArray[np.int64]:
        """The group of each user, and of so many canaries: int64 [population + more]; beyond the last for no group."""
        shares = stream("groups", 0).random(fleet.population + more) * (fleet.population / fleet.clients_per_round)
        group: NDArray[np.int64] = shares.astype(np.int64)
        return group

    def cohort(self, stream: Stream, round_num: int, fleet: Fleet, more: int = 0) -> NDArray[np.int64]:
        return np.flatnonzero(self._group(stream, fleet, more) == (round_num - 1) % self._separation(fleet))

    def event(
        self, fleet: Fleet, noise: Noise, noise_multiplier: Any, adjacency: str, released: Any = None
    ) -> Event:
        return _one_gaussian(self, fleet, noise, noise_multiplier, released)

    def condition(self, fleet: Fleet) -> str:
        often, apart = self.pattern(fleet)
        return _(
            "each user takes part in at most {often:,} of the rounds, at least {apart:,} rounds apart, whoever knows in "
            "which"
        ).format(often=often, apart=apart)

    def assumption(self, fleet: Fleet) -> str:
        often, apart = self.pattern(fleet)
        return _(
            "Known schedule: each user takes part in at most {often:,} of the {rounds:,} rounds, at least {apart:,} "
            "rounds apart. In which is drawn for each user alone, and may be known to everybody: nothing about cohorts "
            "is secret."
        ).format(often=often, apart=apart, rounds=fleet.rounds)

    def conduct(self, *, seeded: bool) -> str:
        return _("As assumed: users were dealt into groups by independent coins, and the groups took turns.")


@dataclass(frozen=True, kw_only=True)
class CyclicPoisson(Schedule):
    """Groups that take turns, as in a schedule, of which each user joins by a secret coin in their group's turn.

    Source: Choquette-Choo et al. (2023) <https://arxiv.org/abs/2306.08153>, theorem 4: a sampled Gaussian for each turn
    of a group, also where the noise of as many rounds is correlated as there are groups.
    """

    kind: str = field(default="cyclic-poisson", init=False, repr=False)
    title: ClassVar[str] = N_("Cyclic Poisson sampling")
    sampling: ClassVar[str] = "cyclic-poisson"
    absence: ClassVar[str] = Poisson.absence  # a coin that a user's absence decides is not secret
    groups_are_bands: ClassVar[bool] = True

    at_most = Poisson.at_most  # more turns of smaller groups: neither costs always more

    def check(self, fleet: Fleet, adjacency: str, noise: Noise) -> None:
        super().check(fleet, adjacency, noise)
        if noise.is_correlated and not noise.is_banded:
            raise InvalidValueError(
                "noise",
                _(
                    "Expected independent or banded noise with {participation}, found {noise}: amplification by "
                    "sampling is proven for bands alone. Use banded noise, or a known schedule."
                ).format(participation=_(self.title), noise=noise.kind),
            )

    def cohort(self, stream: Stream, round_num: int, fleet: Fleet, more: int = 0) -> NDArray[np.int64]:
        groups, drawing = self._separation(fleet), fleet.population + more
        group = (stream("groups", 0).random(drawing) * groups).astype(np.int64)
        coins = stream("client_sampling", round_num).random(drawing)
        joins = coins < groups * fleet.clients_per_round / fleet.population
        return np.flatnonzero(joins & (group == (round_num - 1) % groups))

    def event(
        self, fleet: Fleet, noise: Noise, noise_multiplier: Any, adjacency: str, released: Any = None
    ) -> Event:
        rounds = fleet.rounds if released is None else released
        separation = _each(self._separation, fleet)
        sampling_prob = np.minimum(separation * fleet.clients_per_round / fleet.population, 1.0)
        count = -(-rounds // separation)
        noise_multiplier = noise_multiplier * _each(lambda one: float(self.fits(one, noise)), fleet)
        if np.ndim(sampling_prob) == 0:
            sampling_prob, count = float(sampling_prob), int(count)
        return Event(SampledGaussian(noise_multiplier, sampling_prob), count)

    def condition(self, fleet: Fleet) -> str:
        return _(
            "each user is in one of {groups:,} groups that take turns, and joins in its turn independently with "
            "probability {groups:,} x {clients_per_round:,} / {population:,}"
        ).format(groups=self._separation(fleet), **fleet._asdict())

    def assumption(self, fleet: Fleet) -> str:
        return _(
            "Cyclic Poisson sampling: each user is dealt into one of {groups:,} groups, which take turns and may be "
            "known; in its turn each user of a group is sampled independently with probability {groups:,} x "
            "{clients_per_round:,} / {population:,}, and nobody learns who took part."
        ).format(groups=self._separation(fleet), **fleet._asdict())

    def conduct(self, *, seeded: bool) -> str:
        if seeded:
            return _("As assumed: the sampler dealt users into groups, and drew each one's coin, by the seed.")
        return _(
            "As assumed: the sampler dealt users into groups, and drew each one's coin, from the operating system's "
            "entropy."
        )


def _each(function: Callable[[Fleet], Any], fleet: Fleet) -> Any:
    """A function of each fleet, where the numbers are arrays."""
    if max(map(np.ndim, fleet)) == 0:
        return function(fleet)
    population, clients, rounds = np.broadcast_arrays(*fleet)
    flat = zip(population.ravel().tolist(), clients.ravel().tolist(), rounds.ravel().tolist(), strict=True)
    return np.array([function(Fleet(*one)) for one in flat]).reshape(population.shape)


def _one_gaussian(
    participation: Poisson, fleet: Fleet, noise: Noise, noise_multiplier: Any, released: Any = None
) -> Event:
    """A whole run as one Gaussian: noise over the most that a user moves all that is released."""

    def moved(one: Fleet) -> float:
        if not participation.fits(one, noise):
            return math.inf
        known = one.rounds if released is None else released
        if not known:
            return 1.0
        return math.sqrt(noise.sensitivity_squared(one.rounds, known, *participation.pattern(one)))

    sensitivity = _each(moved, fleet)
    rounds = fleet.rounds if released is None else released
    return Event(
        SampledGaussian(noise_multiplier / sensitivity, 1.0),
        np.minimum(rounds, 1) if np.ndim(rounds) else min(rounds, 1),
    )


PARTICIPATIONS = (Poisson, Full, FixedSize, Schedule, CyclicPoisson)
Participation = Poisson  # every kind can do what it can
