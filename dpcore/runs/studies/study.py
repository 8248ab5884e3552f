"""What a study asks: the grid of its sweep, and what the final run must keep to."""

import itertools
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from dpcore import limits, rounding, strict_json
from dpcore.datasets.writers import NUM_WRITERS
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _
from dpcore.learning import canaries, engines
from dpcore.mechanisms.noise import Independent
from dpcore.plan import AdaptiveClipping, Clipping, Plan, codec
from dpcore.privacy import accounting
from dpcore.runs.studies.mechanisms import Mechanism

SWEEP, FINAL = N_("sweep"), N_("final")  # the parts of a study
OWN, WRITERS, NONE = BASELINES = ("own", "writers", "none")
# 1 had no `mechanisms`: those of its plan; 2 no `audit`; 3 none of `_OPTIONAL_AXES`: those of its plan.
_VERSION = 4
# What a grid may vary of training, by the field of a plan that each sets.
_OPTIONAL_AXES = {
    "server_learning_rates": "server_learning_rate",
    "server_momenta": "server_momentum",
    "local_epochs": "local_epochs",
}
_AXES = (
    "seeds",
    "clients_per_round",
    "rounds",
    "client_learning_rates",
    *_OPTIONAL_AXES,
    "clippings",
    "mechanisms",
    "noise_multipliers",
)


@dataclass(frozen=True, kw_only=True)
class Study:
    """What a study asks. All of `plan` is held but for what the grid sets.

    Attributes:
        plan: What all its runs share, and the delta of the target.
        noise_multipliers: The sweep; with 0, the noise-free run that others are held against.
        clients_per_round: Cohort sizes.
        rounds: Numbers of rounds.
        client_learning_rates: Steps of a user's own SGD.
        server_learning_rates: Steps of the server's SGD; none for that of `plan`.
        server_momenta: Momenta of the server's SGD; none for that of `plan`.
        local_epochs: How often users go through their examples in a round; none for that of `plan`.
        clippings: Ways to clip.
        mechanisms: Ways to form cohorts, each with a kind of noise; none for those of `plan`.
        seeds: Each setting is trained once with each.
        tolerance: How far below the noise-free accuracy a setting may lie, as a fraction of all test examples.
        target_epsilon: What the final run must keep to; `None` for a grid without one.
        accountant: Which accountant's number of clients the final run takes.
        engine: What trains.
        eval_every: Rounds between two evaluations.
        baseline: Whose users the noise-free run is trained on, which leaves them without a guarantee: those of the
            data set itself, or the Writers, where their images are alike; or nobody's, and the least noise is what
            others are held against.
        audit: How many canaries of each kind its runs are audited with, but for those without noise; `None` for none.

    Raises:
        InvalidValueError: If a plan of the grid is refused, or there is nothing to compare a final run with.
    """

    plan: Plan
    noise_multipliers: tuple[float, ...] = (0.0, 0.5, 0.75, 1.0)
    clients_per_round: tuple[int, ...] = (50,)
    rounds: tuple[int, ...] = (100,)
    client_learning_rates: tuple[float, ...] = (0.01,)
    server_learning_rates: tuple[float, ...] = ()
    server_momenta: tuple[float, ...] = ()
    local_epochs: tuple[int, ...] = ()
    clippings: tuple[Clipping, ...] = (AdaptiveClipping(),)
    mechanisms: tuple[Mechanism, ...] = ()
    seeds: tuple[int, ...] = (0,)
    tolerance: float = limits.TOLERANCE.default
    target_epsilon: float | None = limits.TARGET_EPSILON.default
    accountant: str = "rdp"
    engine: str = engines.NAMES[0]
    eval_every: int = int(limits.EVAL_EVERY.default)
    baseline: str = OWN
    audit: int | None = None

    def __post_init__(self) -> None:
        self._hold_single_values()
        limits.TOLERANCE.check(self.tolerance)
        limits.EVAL_EVERY.check(self.eval_every)
        if self.audit is not None:
            limits.CANARIES.check(self.audit)
        limits.check_choice("accountant", self.accountant, accounting.ACCOUNTANTS)
        limits.check_choice("baseline", self.baseline, BASELINES)
        engines.check_name(self.engine)
        runs = math.prod(map(len, self._axes)) * len(self._added)  # before any plan is made
        if runs > limits.MOST_PLANS:
            message = _("Expected a study of at most {most:,} runs, found {runs:,}. Ask for fewer values or seeds.")
            raise InvalidValueError("noise_multipliers", message.format(most=limits.MOST_PLANS, runs=runs))
        plans = self.grid()
        if not plans:
            raise InvalidValueError("noise_multipliers", _("Expected at least one run in the study, found none."))
        for plan in {plan.privacy: plan for plan in plans}.values():
            engines.check(self.engine, plan)
            if self.audit_of(plan) is not None:
                canaries.check(plan, self.audit, self.engine)
        noises = {noise for _mechanism, noise in self._added}
        if self.baseline == NONE and 0.0 in noises:
            self._refuse(_("Expected no noise 0 where the non-private baseline is left out, found {found}."))
        if self.baseline == WRITERS and self.plan.training.dataset == "writers":
            message = _(
                "Expected another data set than the Writers to train the non-private baseline on the Writers."
            )
            raise InvalidValueError("baseline", message)
        if self.target_epsilon is None:
            return
        limits.TARGET_EPSILON.check(self.target_epsilon)
        if (0.0 in noises) == (self.baseline == NONE) or len(noises) < 2:
            self._refuse(
                _("Expected at least two noises to compare with each other, found {found}.")
                if self.baseline == NONE
                else _("Expected the noise 0 and at least one more to compare with it, found {found}.")
            )
        if self.varies_more_than_noise:
            raise InvalidValueError(
                "clients_per_round",
                _(
                    "Expected one number of clients, of rounds and of local epochs, one of each learning rate and "
                    "momentum, one way to clip and one to form cohorts where a final run is wanted, found several: which "
                    "of them should it take? Leave the target out, or choose one of each."
                ),
            )

    def _hold_single_values(self) -> None:
        """Moves what does not vary into the plan: the same question is the same study, however it is asked."""
        for name, field in _OPTIONAL_AXES.items():
            values = getattr(self, name)
            if len(values) == 1:
                training = replace(self.plan.training, **{field: values[0]})
                object.__setattr__(self, "plan", replace(self.plan, training=training))
                object.__setattr__(self, name, ())

    def _refuse(self, message: str) -> NoReturn:
        found = ", ".join(rounding.noise(noise) for _mechanism, noise in self._added)
        raise InvalidValueError("noise_multipliers", message.format(found=found))

    def grid(self) -> list[Plan]:
        """Returns the plans of the sweep, each once, in the order in which they are trained."""
        plans = [
            replace(
                self.plan,
                privacy=mechanism.of(
                    self.plan.privacy,
                    noise_multiplier=noise,
                    clients_per_round=clients,
                    rounds=rounds,
                    clipping=clipping,
                ),
                training=replace(
                    self.plan.training,
                    client_learning_rate=rate,
                    server_learning_rate=server_rate,
                    server_momentum=momentum,
                    local_epochs=epochs,
                    seed=seed,
                ),
            )
            for (
                *(seed, clients, rounds, rate, server_rate, momentum, epochs, clipping),
                (mechanism, noise),
            ) in itertools.product(*self._axes, self._added)
        ]
        return list(dict.fromkeys(map(self._on_its_users, plans)))

    @property
    def varies_more_than_noise(self) -> bool:
        """Whether its settings differ in more than the noise multiplier."""
        return self.varies_mechanism or self._varies_more

    @property
    def varies_mechanism(self) -> bool:
        """Whether it compares ways to form cohorts, or kinds of noise."""
        return len(set(self.mechanisms)) > 1

    @property
    def varies_mechanism_alone(self) -> bool:
        """Whether it compares these, and has one of all else but noise multipliers."""
        return self.varies_mechanism and not self._varies_more

    @property
    def _varies_more(self) -> bool:
        return any(len(set(values)) > 1 for values in self._axes[1:])  # but the seeds

    @property
    def _added(self) -> list[tuple[Mechanism, float]]:
        """Each mechanism with each noise multiplier that it is trained with."""
        held = Mechanism(participation=self.plan.privacy.participation, noise=self.plan.privacy.noise)
        return [
            (mechanism, noise)
            for mechanism in self.mechanisms or (held,)
            for noise in mechanism.noise_multipliers or self.noise_multipliers
        ]

    def audit_of(self, plan: Plan) -> int | None:
        """Returns how many canaries a plan's run is audited with; without noise there is nothing to audit."""
        return self.audit if plan.privacy.noise_multiplier else None

    def noise_free(self, plan: Plan) -> Plan:
        """Returns the plan that one of the grid is held against, where that is one without noise."""
        free = replace(plan.privacy, noise_multiplier=0.0, noise=Independent())
        return self._on_its_users(replace(plan, privacy=free))

    def _on_its_users(self, plan: Plan) -> Plan:
        if self.baseline != WRITERS or plan.privacy.noise_multiplier:
            return plan
        return replace(
            plan,
            privacy=replace(plan.privacy, population=NUM_WRITERS),
            training=replace(plan.training, dataset="writers", dataset_fingerprint=None),
        )

    @property
    def _axes(self) -> tuple[tuple[Any, ...], ...]:
        """What the grid varies but for the mechanisms and their noise."""
        held = {name: (getattr(self.plan.training, field),) for name, field in _OPTIONAL_AXES.items()}
        return tuple(getattr(self, name) or held.get(name, ()) for name in _AXES[:-2])

    def to_json(self) -> str:
        """The study as one line of JSON: equal studies give equal text."""
        # As before there was a choice, where none was made: the same study stays the same text.
        given = [name for name in _OPTIONAL_AXES if getattr(self, name)]
        version = 4 if given else 3 if self.audit is not None else 2 if self.mechanisms else 1
        values = asdict(self) | {"plan": json.loads(self.plan.to_json()), "version": version}
        values["mechanisms"] = [one.to_values() for one in self.mechanisms]
        for name in {"mechanisms", *_OPTIONAL_AXES} - set(given) - ({"mechanisms"} if self.mechanisms else set()):
            del values[name]
        if self.audit is None:
            del values["audit"]
        if self.baseline == OWN:
            del values["baseline"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Study":
        """Reads what `to_json` wrote, checking every value again.

        Raises:
            InvalidValueError: If it is not such a text, or comes from a newer version.
        """
        try:
            return cls.from_values(strict_json.loads(text))
        except ValueError as err:
            raise InvalidValueError(
                "study", _("Expected the JSON of a study: {reason}").format(reason=err)
            ) from err

    @classmethod
    def from_values(cls, values: Any) -> "Study":
        """Reads what `to_json` wrote, as `strict_json.loads` gives it."""
        _version, values = strict_json.versioned(values, "study", _VERSION)
        empty: dict[str, Any] = {name: [] for name in ("mechanisms", *_OPTIONAL_AXES)}
        values = empty | strict_json.fields_of(cls, values, "study", may_lack=("baseline", "audit", *empty))
        for name in _AXES:
            if not isinstance(values[name], list):
                raise limits.refusal(name, _("Expected {name} to be a list, found {value}."), values[name])
            values[name] = tuple(values[name])
        values["plan"] = Plan.from_values(values["plan"])
        values["mechanisms"] = tuple(map(Mechanism.from_values, values["mechanisms"]))
        values["clippings"] = tuple(map(codec.read_clipping, values["clippings"]))
        return cls(**values)
