"""The plan: one frozen value that sampler, aggregator, accountant, pages and command line all read.

What changes only the speed, or only what is looked at (engine, how often to evaluate), is not in it.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from dpcore import limits, rounding, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.mechanisms.clipping import CLIPPINGS, AdaptiveClipping, Clipping, FixedClipping, Query
from dpcore.mechanisms.events import Event
from dpcore.mechanisms.noise import NOISES, Independent, Noise
from dpcore.mechanisms.participation import (
    ADD_OR_REMOVE,
    ADJACENCIES,
    PARTICIPATIONS,
    REPLACE,
    Fleet,
    Full,
    Participation,
    Poisson,
)
from dpcore.plan import codec, identity

__all__ = ["ADD_OR_REMOVE", "ADJACENCIES", "REPLACE", "AdaptiveClipping", "Clipping", "FixedClipping"]

# 1 had neither `adjacency` nor fixed clipping, 2 no other participation and noise, 3 no local epochs: their defaults
PLAN_VERSION = 4
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

    The unit of privacy is a user.

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
        participation: How cohorts are formed. Poisson sampling of as many clients as users is full participation.
        noise: Whether the noise of the rounds is independent, or correlated.

    Raises:
        InvalidValueError: If a value is out of range, there are more clients than users, the noise is too
            large for the adaptive clip to share, or no accountant analyses how cohorts are formed with this adjacency
            and noise.

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
    participation: Participation = field(default_factory=Poisson)
    noise: Noise = field(default_factory=Independent)

    def __post_init__(self) -> None:
        limits.check_choice("adjacency", self.adjacency, ADJACENCIES)
        for name, kinds in (("clipping", CLIPPINGS), ("participation", PARTICIPATIONS), ("noise", NOISES)):
            if not isinstance(value := getattr(self, name), kinds):
                message = _("Expected {name} to be one of {kinds}, found {value}.")
                raise limits.refusal(name, message, value, kinds=", ".join(kind.kind for kind in kinds))
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
        self.clipping.check_noise(noise, clients)
        self.cohorts.check(self.fleet, self.adjacency, self.noise)
        if self.participation == Full():
            _set(self, participation=Poisson())  # of everybody: one plan, and one text for it
        if self.noise.is_correlated and self.clipping.releases_clip_norm:
            raise InvalidValueError(
                "noise",
                _(
                    "Expected independent noise with adaptive clipping, found {noise}: what a user moves correlated "
                    "noise by is known for one clip norm. Use fixed clipping."
                ).format(noise=self.noise.kind),
            )

    @property
    def fleet(self) -> Fleet:
        """The numbers that its way to form cohorts depends on."""
        return Fleet(self.population, self.clients_per_round, self.rounds)

    @property
    def cohorts(self) -> Participation:
        """How cohorts are formed: its participation, or full where Poisson sampling takes everybody."""
        everybody = self.clients_per_round == self.population and self.participation == Poisson()
        return Full() if everybody else self.participation

    @property
    def redraws(self) -> bool:
        """Whether a round that is drawn twice costs what one more round does, and spoils nothing else."""
        return self.cohorts.redraws and not self.noise.is_correlated

    @property
    def participations(self) -> int:
        """In how many rounds a user can take part."""
        return self.cohorts.pattern(self.fleet).participations

    @property
    def sensitivity(self) -> float:
        """The most by which a user moves all that the run releases, in clip norms."""
        often, apart = self.cohorts.pattern(self.fleet)
        moved = self.noise.sensitivity_squared(self.rounds, self.rounds, often, apart) if self.rounds else 0.0
        return math.sqrt(moved) * self.cohorts.movement(self.adjacency)

    @property
    def path_noise(self) -> float:
        """The multiplier of the independent noise that is as large on the model's path, which adds up all rounds so far.

        In the root mean square over the rounds.
        """
        return self.path_noise_after(self.rounds)

    def path_noise_after(self, round_num: int) -> float:
        """Returns `path_noise` over the first rounds, of a run that is planned to go on."""
        if not self.noise.is_correlated or not round_num:
            return self.noise_multiplier
        independent, own = (
            one.prefix_errors(self.rounds)[:round_num].mean() for one in (Independent(), self.noise)
        )
        return self.noise_multiplier * math.sqrt(own / independent)

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
        bounded = self.clipping.query(
            value_noise_multiplier=self.value_noise_multiplier,
            count_stddev=self.clipped_count_stddev,
            clients_per_round=self.clients_per_round,
        )
        return self.noise.query(bounded, self.rounds)

    @property
    def event(self) -> Event:
        """What all rounds cost: the question that accountants are asked."""
        return self.event_with()

    def event_after(self, round_num: int) -> Event:
        """Returns what the first rounds cost, of a run that is planned to go on."""
        return self.cohorts.event(
            self.fleet, self.noise, self.noise_multiplier * self.bounds_updates, self.adjacency, round_num
        )

    def event_with(self, **numbers: Any) -> Event:
        """Returns what a run would cost of which some numbers are others.

        Args:
            numbers: Those of `noise_multiplier`, `population`, `clients_per_round` and `rounds` that differ; arrays of
                one shape, where many runs are asked for at once.

        >>> PrivacyPlan(clients_per_round=120, population=1200).event_with(rounds=7).rounds
        7
        """
        noise_multiplier = numbers.pop("noise_multiplier", self.noise_multiplier)
        # Where nothing bounds the updates, whatever noise there is is none.
        return self.cohorts.event(
            self.fleet._replace(**numbers), self.noise, noise_multiplier * self.bounds_updates, self.adjacency
        )

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
    """All that the model depends on and the guarantee does not. Defaults: the tutorial's.

    Attributes:
        dataset: The name of a data set in `dpcore.datasets`.
        dataset_fingerprint: Its content, where the name alone does not say it: of an imported one.
        model: The name of an architecture in `dpcore.learning.model`.
        client_learning_rate: Step of a user's own SGD.
        server_learning_rate: Step of the server's SGD on the noisy average.
        server_momentum: Momentum of the server's SGD.
        batch_size: Examples in a user's batch; the last of an epoch may be short.
        local_epochs: How often a user goes through their examples in a round, in an order of its own each time.
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
    local_epochs: int = int(limits.LOCAL_EPOCHS.default)
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
            local_epochs=limits.LOCAL_EPOCHS.check(self.local_epochs),
            seed=None if self.seed is None else limits.SEED.check(self.seed),
        )


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
        privacy, training, version = asdict(self.privacy), asdict(self.training), 2
        # As before there was a choice, where the usual is chosen: the same plan stays the same text.
        for name, usual in codec.USUAL.items():
            if (value := getattr(self.privacy, name)) == usual:
                del privacy[name]
            else:
                privacy[name], version = codec.tagged(value), 3
        if self.training.local_epochs == limits.LOCAL_EPOCHS.default:
            del training["local_epochs"]
        else:
            version = 4
        return json.dumps({"version": version, "privacy": privacy, "training": training}, sort_keys=True)

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
        privacy = strict_json.fields_of(PrivacyPlan, parts["privacy"], "privacy", may_lack=(*codec.USUAL, *older))
        training = strict_json.fields_of(
            TrainingPlan, parts["training"], "training", may_lack=("dataset_fingerprint", "local_epochs")
        )
        return cls(privacy=PrivacyPlan(**privacy | codec.parts(privacy)), training=TrainingPlan(**training))

    @property
    def fingerprint(self) -> str:
        """A short name of all that the plan says: of what it means, not of how that is written."""
        values = asdict(self)
        for name in ("clipping", "participation", "noise"):
            values["privacy"][name] = codec.tagged(getattr(self.privacy, name))
        return identity.fingerprint(identity.canonical(values))
