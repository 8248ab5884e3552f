"""The plan: one frozen value that sampler, aggregator, accountant, pages and command line all read.

What changes only the speed, or only what is looked at (engine, how often to evaluate), is not in it.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dpcore import limits, rounding, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.mechanisms.clipping import CLIPPINGS, AdaptiveClipping, Clipping, FixedClipping, Query
from dpcore.mechanisms.events import Event
from dpcore.mechanisms.noise import Independent, Noise
from dpcore.mechanisms.participation import (
    ADD_OR_REMOVE,
    ADJACENCIES,
    REPLACE,
    Full,
    Participation,
    Poisson,
    movement,
)
from dpcore.plan import identity

__all__ = ["ADD_OR_REMOVE", "ADJACENCIES", "REPLACE", "AdaptiveClipping", "Clipping", "FixedClipping"]

PLAN_VERSION = 2  # 1 had neither `adjacency` nor fixed clipping, and reads as their defaults
MODELS = ("mlp", "linear", "cnn")
# Of older versions, which had no lowest clip norm: below it they took for 0 the norms of updates that were longer.
LEAST_BOUND = 1e-12


def _set(plan: Any, **values: Any) -> None:
    """Writes checked values into a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(plan, name, value)


@dataclass(frozen=True, kw_only=True)
class PrivacyPlan:
    """All that the (epsilon, delta) guarantee depends on.

    The unit of privacy is a user. Each round's cohort is a Poisson sample; with as many clients per round as
    users, that is everybody, and nothing is sampled.

    Attributes:
        population: Users that the cohorts are drawn from.
        clients_per_round: The expected size of a cohort.
        rounds: Rounds of training.
        noise_multiplier: The effective total: noise on the update and on the clip count together cost
            exactly as much as one Gaussian of this multiplier.
        delta: By how much a probability may exceed what epsilon allows (Dwork & Roth 2014, definition 2.4).
        clipping: How the clip norm adapts, or the one that stays.
        zeroing: Whether updates above a quantile estimate *without noise* become zero, as in the TFF
            tutorial. That estimate is outside the guarantee.
        adjacency: Neighbouring data sets differ by adding or removing all data of one user, or by replacing
            them by another user's.

    Raises:
        InvalidValueError: If a value is out of range, there are more clients than users, the noise is too
            large for the adaptive clip to share, or no accountant analyses the sampling for the adjacency.

    >>> plan = PrivacyPlan(noise_multiplier=1.2, clients_per_round=120)
    >>> round(plan.sampling_prob, 4), round(plan.value_noise_multiplier, 4)
    (0.0355, 1.206)
    """

    population: int = int(limits.POPULATION.default)
    clients_per_round: int = int(limits.CLIENTS_PER_ROUND.default)
    rounds: int = int(limits.ROUNDS.default)
    noise_multiplier: float = limits.NOISE_MULTIPLIER.default
    delta: float = limits.DELTA.default
    clipping: Clipping = field(default_factory=AdaptiveClipping)
    zeroing: bool = False
    adjacency: str = ADD_OR_REMOVE

    def __post_init__(self) -> None:
        limits.check_choice("adjacency", self.adjacency, ADJACENCIES)
        if not isinstance(self.clipping, CLIPPINGS):
            raise limits.refusal(
                "clipping", _("Expected {name} to be adaptive or fixed clipping, found {value}."), self.clipping
            )
        if not isinstance(self.zeroing, bool):
            raise limits.refusal("zeroing", _("Expected {name} to be true or false, found {value}."), self.zeroing)
        population = limits.POPULATION.check(self.population)
        clients = limits.CLIENTS_PER_ROUND.check(
            self.clients_per_round,
            maximum=population,
            advice=_(
                "The population has {population:,} users: lower clients per round, or raise the population."
            ).format(population=population),
        )
        noise = limits.NOISE_MULTIPLIER.check(self.noise_multiplier)
        _set(
            self,
            population=population,
            clients_per_round=clients,
            noise_multiplier=noise,
            rounds=limits.ROUNDS.check(self.rounds),
            delta=limits.DELTA.check(self.delta),
        )
        if 0 < noise < limits.LEAST_NOISE:
            raise InvalidValueError(
                "noise_multiplier",
                _(
                    "Expected noise_multiplier to be 0 or at least {least}, found {noise}. So little noise protects "
                    "nobody: raise it, or use 0, which is reported as no privacy."
                ).format(least=rounding.given(limits.LEAST_NOISE), noise=rounding.given(noise)),
            )
        if refusal := self.participation.refusal(self.adjacency):
            raise InvalidValueError("adjacency", refusal)
        self.clipping.check_noise(noise, clients)

    @property
    def participation(self) -> Participation:
        """Who takes part in a round."""
        return Poisson() if self.clients_per_round < self.population else Full()

    @property
    def fleet(self) -> dict[str, int]:
        """The numbers that participation asks for."""
        return {"population": self.population, "clients_per_round": self.clients_per_round}

    @property
    def noise(self) -> Noise:
        """What noise is added to the sums."""
        return Independent()

    @property
    def most_noise(self) -> float:
        """The noise multiplier that the plan must stay below: the clip count's noise alone would cost as much."""
        return self.clipping.most_noise(self.clients_per_round)

    @property
    def sampling_prob(self) -> float:
        """The probability that a given user is in a given round's cohort."""
        return self.clients_per_round / self.population

    @property
    def clipped_count_stddev(self) -> float:
        """Standard deviation of the noise on the centred count of unclipped updates; 0 where none is released."""
        return self.clipping.count_stddev(self.clients_per_round) if self.noise_multiplier else 0.0

    @property
    def value_noise_multiplier(self) -> float:
        """The noise multiplier of the sum of updates, so that sum and count together cost the total."""
        return self.clipping.value_noise_multiplier(self.noise_multiplier, self.clients_per_round)

    @property
    def query(self) -> Query:
        """What clips, sums and adds noise on TFF, as plain data."""
        return self.clipping.query(
            value_noise_multiplier=self.value_noise_multiplier,
            count_stddev=self.clipped_count_stddev,
            clients_per_round=self.clients_per_round,
        )

    @property
    def event(self) -> Event:
        """What all rounds cost: the question that accountants are asked."""
        return self.event_with()

    def event_with(self, **numbers: Any) -> Event:
        """Returns what a run would cost of which some numbers are others.

        Args:
            numbers: Those of `noise_multiplier`, `population`, `clients_per_round` and `rounds` that differ; arrays of
                one shape, where many runs are asked for at once.

        >>> PrivacyPlan(clients_per_round=120, population=1200).event_with(rounds=7)
        Event(mechanism=SampledGaussian(noise_multiplier=1.2, sampling_prob=0.1), count=7)
        """
        given = {**self.fleet, "noise_multiplier": self.noise_multiplier, "rounds": self.rounds} | numbers
        # Where nothing bounds the updates, whatever noise there is is none.
        given["noise_multiplier"] = given["noise_multiplier"] * self.bounds_updates / movement(self.adjacency)
        return self.participation.event(**given)

    @property
    def bounds_updates(self) -> bool:
        """Whether its clip norm bounds every update. Only older versions took one that does not."""
        return self.clipping.initial_clip_norm >= LEAST_BOUND

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the guarantee must know, a sentence each."""
        found = []
        if self.noise_multiplier == 0 and self.rounds:
            found.append(_("Noise multiplier 0 gives no privacy: epsilon is infinite."))
        if self.delta == 0 and self.rounds:
            found.append(_("Gaussian noise has no guarantee at delta 0: epsilon is infinite."))
        if self.delta >= 1 / self.population:
            found.append(
                _(
                    "delta {delta} is at or above 1/population ({inverse}): releasing "
                    "one user's data outright would satisfy such a guarantee. Choose a smaller delta."
                ).format(delta=rounding.given(self.delta), inverse=rounding.down(1 / self.population))
            )
        if self.zeroing and self.rounds:
            found.append(
                _("Zeroing uses a quantile estimate without noise: the (epsilon, delta) claim does not cover it.")
            )
        if not self.bounds_updates:
            found.append(_("No privacy guarantee: the clip norm was so low that it bounded nothing."))
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """All that the model depends on and the guarantee does not. Defaults: the tutorial's, one local epoch.

    Attributes:
        dataset: The name of a data set in `dpcore.datasets`.
        dataset_fingerprint: Its content, where the name alone does not say it: of an imported one.
        model: The name of an architecture in `dpcore.learning.model`.
        client_learning_rate: Step of a user's own SGD.
        server_learning_rate: Step of the server's SGD on the noisy average.
        server_momentum: Momentum of the server's SGD.
        batch_size: Examples in a user's batch; the last may be short.
        seed: Fixes every random draw, so that a run can be repeated; what repeats can be predicted, so a
            model that is to be released is trained with `None`: the operating system's entropy.
    """

    dataset: str = "writers"
    dataset_fingerprint: str | None = None
    model: str = "mlp"
    client_learning_rate: float = limits.CLIENT_LEARNING_RATE.default
    server_learning_rate: float = limits.SERVER_LEARNING_RATE.default
    server_momentum: float = limits.SERVER_MOMENTUM.default
    batch_size: int = int(limits.BATCH_SIZE.default)
    seed: int | None = int(limits.SEED.default)

    def __post_init__(self) -> None:
        limits.check_choice("model", self.model, MODELS)
        if not isinstance(self.dataset, str) or not self.dataset:
            raise limits.refusal(
                "dataset", _("Expected {name} to be the name of a data set, found {value}."), self.dataset
            )
        if not isinstance(self.dataset_fingerprint, str | None):
            message = _("Expected {name} to be the content of a data set, or null, found {value}.")
            raise limits.refusal("dataset_fingerprint", message, self.dataset_fingerprint)
        _set(
            self,
            client_learning_rate=limits.CLIENT_LEARNING_RATE.check(self.client_learning_rate),
            server_learning_rate=limits.SERVER_LEARNING_RATE.check(self.server_learning_rate),
            server_momentum=limits.SERVER_MOMENTUM.check(self.server_momentum),
            batch_size=limits.BATCH_SIZE.check(self.batch_size),
            seed=None if self.seed is None else limits.SEED.check(self.seed),
        )


def read_clipping(values: Any) -> Clipping:
    """Returns the way to clip whose fields these are, as JSON has them.

    Raises:
        InvalidValueError: If they are those of none.
    """
    kind = clipping_kind(values)
    return kind(**strict_json.fields_of(kind, values, "clipping"))


def clipping_kind(values: Any) -> type[Clipping]:
    """Returns the class whose fields these are; the first of `CLIPPINGS` where they are those of none."""
    names = set(values) if isinstance(values, dict) else set()
    return next((kind for kind in CLIPPINGS if names & {field.name for field in fields(kind)}), CLIPPINGS[0])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run, before it is run.

    >>> plan = Plan(privacy=PrivacyPlan(rounds=20))
    >>> Plan.from_json(plan.to_json()) == plan
    True
    """

    privacy: PrivacyPlan = field(default_factory=PrivacyPlan)
    training: TrainingPlan = field(default_factory=TrainingPlan)

    def __post_init__(self) -> None:
        if self.privacy.rounds < 1:
            raise InvalidValueError("rounds", _("Expected at least 1 round to train, found 0."))

    def to_json(self) -> str:
        """The plan as one line of JSON with sorted keys: equal plans give equal text."""
        return json.dumps({"version": PLAN_VERSION, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Reads what `to_json` wrote, checking every value again.

        Raises:
            InvalidValueError: If it is not such a text, comes from a newer version, or says what cannot be trained.
        """
        try:
            return cls.from_values(strict_json.loads(text))
        except ValueError as err:
            raise InvalidValueError("plan", _("Expected the JSON of a plan: {reason}").format(reason=err)) from err

    @classmethod
    def from_values(cls, values: Any) -> "Plan":
        """Reads what `to_json` wrote, as `strict_json.loads` gives it."""
        version, values = strict_json.versioned(values, "plan", PLAN_VERSION)
        parts = strict_json.fields_of(cls, values, "plan")
        older = ("adjacency",) if version == 1 else ()
        privacy = strict_json.fields_of(PrivacyPlan, parts["privacy"], "privacy", may_lack=older)
        training = strict_json.fields_of(
            TrainingPlan, parts["training"], "training", may_lack=("dataset_fingerprint",)
        )
        clipping = read_clipping(privacy["clipping"])
        return cls(privacy=PrivacyPlan(**privacy | {"clipping": clipping}), training=TrainingPlan(**training))

    @property
    def fingerprint(self) -> str:
        """A short name of all that the plan says: of what it means, not of how that is written."""
        values = asdict(self)
        values["privacy"]["clipping"]["kind"] = self.privacy.clipping.kind
        return identity.fingerprint(identity.canonical(values))
