"""The plan: one frozen value that sampler, aggregator, accountant, pages and command line all read.

What changes only the speed, or only what is looked at (engine, how often to evaluate), is not in it.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from dpcore import identity, limits, rounding, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

PLAN_VERSION = 2  # 1 had neither `adjacency` nor fixed clipping, and reads as their defaults
ADD_OR_REMOVE, REPLACE = "add-or-remove-one", "replace-one"
ADJACENCIES = (ADD_OR_REMOVE, REPLACE)
MODELS = ("mlp", "linear", "cnn")
# Of older versions, which had no lowest clip norm: below it they took for 0 the norms of updates that were longer.
LEAST_BOUND = 1e-12
REPLACE_REFUSED = N_(
    "Expected adjacency add-or-remove-one, found replace-one: dp-accounting 0.4.3 cannot analyse Poisson sampling "
    "for it. Keep add-or-remove-one, or use full participation (clients per round = population)."
)


def _set(plan, **values) -> None:
    """Writes checked values into a frozen dataclass while it is being made."""
    for name, value in values.items():
        object.__setattr__(plan, name, value)


@dataclass(frozen=True, kw_only=True)
class AdaptiveClipping:
    """How the clip norm finds its quantile, as TFF's `dp_aggregator` does it.

    Source: Andrew et al. (2021), "Differentially Private Learning with Adaptive Clipping",
    <https://arxiv.org/abs/1905.03871>, algorithm 1 and section 3.1.

    Attributes:
        initial_clip_norm: The L2 bound on a user's update in round 1.
        target_unclipped_quantile: The fraction of updates that should stay unclipped.
        learning_rate: The size of a geometric step of the clip norm.
        clipped_count_stddev_per_client: Noise on the count of unclipped updates, as a fraction of
            clients_per_round.
    """

    kind: ClassVar[str] = "adaptive"

    initial_clip_norm: float = limits.INITIAL_CLIP_NORM.default
    target_unclipped_quantile: float = limits.TARGET_UNCLIPPED_QUANTILE.default
    learning_rate: float = limits.CLIP_LEARNING_RATE.default
    clipped_count_stddev_per_client: float = limits.CLIPPED_COUNT_STDDEV.default

    def __post_init__(self):
        _set(
            self,
            initial_clip_norm=limits.INITIAL_CLIP_NORM.check(self.initial_clip_norm),
            target_unclipped_quantile=limits.TARGET_UNCLIPPED_QUANTILE.check(self.target_unclipped_quantile),
            learning_rate=limits.CLIP_LEARNING_RATE.check(self.learning_rate),
            clipped_count_stddev_per_client=limits.CLIPPED_COUNT_STDDEV.check(self.clipped_count_stddev_per_client),
        )

    def count_stddev(self, clients_per_round: int) -> float:
        """Standard deviation of the noise on the centred count of unclipped updates."""
        return self.clipped_count_stddev_per_client * clients_per_round


@dataclass(frozen=True, kw_only=True)
class FixedClipping:
    """One clip norm for the whole run: no count of unclipped updates is released, so none costs noise.

    Source: McMahan et al. (2018), <https://arxiv.org/abs/1710.06963>, algorithm 1 (flat clipping).

    Attributes:
        clip_norm: The L2 bound on a user's update.
    """

    kind: ClassVar[str] = "fixed"

    clip_norm: float = limits.CLIP_NORM.default

    def __post_init__(self):
        _set(self, clip_norm=limits.CLIP_NORM.check(self.clip_norm))

    @property
    def initial_clip_norm(self) -> float:
        """The clip norm of round 1, which here is that of all rounds."""
        return self.clip_norm


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
    clipping: AdaptiveClipping | FixedClipping = field(default_factory=AdaptiveClipping)
    zeroing: bool = False
    adjacency: str = ADD_OR_REMOVE

    def __post_init__(self):
        limits.check_choice("adjacency", self.adjacency, ADJACENCIES)
        if not isinstance(self.clipping, AdaptiveClipping | FixedClipping):
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
        if self.adjacency == REPLACE and clients < population:
            raise InvalidValueError("adjacency", _(REPLACE_REFUSED))
        most = self.most_noise
        if noise >= most * (1 - 1e-9):  # not decided by the last bit of a float
            raise InvalidValueError(
                "noise_multiplier",
                _(
                    "Expected noise_multiplier to be below {most} ({per_client} x {clients} clients per round), "
                    "found {noise}: adaptive clipping spends part of the noise on its own count. Lower the noise, "
                    "raise the clients per round, or use fixed clipping, which has no count."
                ).format(
                    most=rounding.down(most, 12),
                    per_client=rounding.given(2 * self.clipping.clipped_count_stddev_per_client),
                    clients=clients,
                    noise=rounding.given(noise),
                ),
            )

    @property
    def most_noise(self) -> float:
        """The noise multiplier that the plan must stay below: the clip count's noise alone would cost as much."""
        if isinstance(self.clipping, FixedClipping):
            return math.inf
        return 2 * self.clipping.count_stddev(self.clients_per_round)

    @property
    def is_sampled(self) -> bool:
        """Whether a user can be absent from a round."""
        return self.clients_per_round < self.population

    @property
    def sampling_prob(self) -> float:
        """The probability that a given user is in a given round's cohort."""
        return self.clients_per_round / self.population

    @property
    def clipped_count_stddev(self) -> float:
        """Standard deviation of the noise on the centred count of unclipped updates; 0 where none is released."""
        if self.noise_multiplier == 0 or isinstance(self.clipping, FixedClipping):
            return 0.0
        return self.clipping.count_stddev(self.clients_per_round)

    @property
    def value_noise_multiplier(self) -> float:
        """The noise multiplier of the sum of updates, so that sum and count together cost the total.

        Source: Andrew et al. (2021), theorem 1; each user moves the centred count by 1/2.
        """
        if self.noise_multiplier == 0 or isinstance(self.clipping, FixedClipping):
            return self.noise_multiplier
        return (self.noise_multiplier**-2 - (2 * self.clipped_count_stddev) ** -2) ** -0.5

    @property
    def accounted_noise_multiplier(self) -> float:
        """Noise over the most that neighbouring data sets can move a round's sum and count.

        Replacing a user moves both twice as far as adding or removing one. Where nothing bounds that, it is 0.
        """
        if not self.bounds_updates:
            return 0.0
        return self.noise_multiplier / (2 if self.adjacency == REPLACE else 1)

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

    def __post_init__(self):
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


def read_clipping(values: Any) -> AdaptiveClipping | FixedClipping:
    """Returns the way to clip whose fields these are, as JSON has them.

    Raises:
        InvalidValueError: If they are those of none.
    """
    kind = FixedClipping if isinstance(values, dict) and "clip_norm" in values else AdaptiveClipping
    return kind(**strict_json.fields_of(kind, values, "clipping"))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole run, before it is run.

    >>> plan = Plan(privacy=PrivacyPlan(rounds=20))
    >>> Plan.from_json(plan.to_json()) == plan
    True
    """

    privacy: PrivacyPlan = field(default_factory=PrivacyPlan)
    training: TrainingPlan = field(default_factory=TrainingPlan)

    def __post_init__(self):
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
