"""The round log: what a run did that some other framework trained, as one JSON form.

What the record does not say is `None`. Nothing here decides what that means; `account` does, in the safe direction.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from dpcore import strict_json
from dpcore.elsewhere import takes
from dpcore.elsewhere.takes import Choice, Number, Seed, Several, Switch, Text, holds, says
from dpcore.errors import InvalidValueError
from dpcore.language import _

VERSION = 1
ADJACENCIES = ("zero-out", "add-or-remove-one", "replace-one")
SAMPLINGS = ("poisson", "fixed-size", "round-robin", "with-replacement", "all", "unknown")
WEIGHTS = ("equal", "examples")
UNITS = ("user", "client", "example")
MOST_ROUNDS = 100_000  # entries of a log; each may stand for several rounds
MOST_IN_ALL = 10_000_000
_COUNT = Number(0, 1_000_000_000, whole=True)
_USERS = Number(1, 1_000_000_000, whole=True)
_AMOUNT = Number(0.0, 1e12)
_EPSILON = Number(0.0, 1e15)
_DELTA = Number(0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """Who trained."""

    name: str | None = says(Text(), "Such as flower, pfl, nvflare, opacus, tff or jax-privacy.")
    version: str | None = says(Text(), "The version that trained.")


@dataclass(frozen=True, kw_only=True)
class Population:
    """How many users cohorts were drawn from."""

    size: int | None = says(_USERS, "How many there were.")
    varies: bool | None = says(Switch(), "Whether there were more and fewer from round to round.")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How cohorts were really formed."""

    kind: str | None = says(Choice(SAMPLINGS), "How a round's cohort was drawn.")
    cohort: int | None = says(_USERS, "How many a round draws, or is expected to; a round can say its own.")
    probability: float | None = says(
        Number(1e-12, 1.0), "Of a user, of being in a round: where cohorts are drawn by coins."
    )


@dataclass(frozen=True, kw_only=True)
class Clipping:
    """What bounds a user's part."""

    kind: str | None = says(Choice(("fixed", "adaptive", "none")), "Whether the clip norm stays the same.")
    norm: float | None = says(_AMOUNT, "The clip norm, in L2; a round can say its own.")
    covers: str | None = says(
        Choice(("update", "part", "example")),
        "What is clipped: all that a user sends, a part of it, or each example.",
    )
    where: str | None = says(Choice(("server", "client")), "Who clips.")
    count_noise: float | None = says(
        _AMOUNT,
        "Adaptive: noise on the count of clipped updates, over the most that one user moves that count; 0 is none.",
    )


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What is added."""

    kind: str | None = says(
        Choice(("gaussian", "pure", "correlated", "none")),
        "gaussian: anew in each round. pure: a mechanism that states its epsilon at delta 0. correlated: from round to "
        "round.",
    )
    multiplier: float | None = says(_AMOUNT, "As configured: standard deviation on the sum over the clip norm.")
    of: str | None = says(Choice(("sum", "average")), "What the standard deviations of rounds are of.")
    where: str | None = says(Choice(("server", "client")), "Who adds it; a client: to what it sends.")
    optimizer_inside: str | None = says(
        Text(), "The server optimiser that works before the noise is added; none where it works after."
    )
    seed: int | str | None = says(Seed(), "A fixed seed of the noise, or none.")


@dataclass(frozen=True, kw_only=True)
class Average:
    """What becomes of the sum."""

    kind: str | None = says(Choice(("mean", "median", "trimmed-mean", "other")), "How updates are put together.")
    weights: str | None = says(Choice(WEIGHTS), "Whether all updates weigh the same.")
    divisor: str | None = says(
        Choice(("fixed", "replies")),
        "Whether the sum is divided by a number from before, or by the replies that came.",
    )
    configured: int | None = says(_USERS, "The cohort that noise on an average was scaled by.")


@dataclass(frozen=True, kw_only=True)
class Round:
    """A round, or several that are alike."""

    repeat: int | None = says(Number(1, MOST_IN_ALL, whole=True), "How many rounds this stands for; otherwise 1.")
    sampled: int | None = says(_COUNT, "Users that were drawn.")
    online: int | None = says(_COUNT, "Users that they were drawn from.")
    replied: int | None = says(_COUNT, "Updates that were put together.")
    failed: int | None = says(_COUNT, "Users that were drawn and failed.")
    released: bool | None = says(Switch(), "Whether anything of the round left the server.")
    clip: float | None = says(_AMOUNT, "The clip norm of the round.")
    noise: float | None = says(_AMOUNT, "Standard deviation of the noise that was added.")
    multiplier: float | None = says(_AMOUNT, "That noise on the sum, over the clip norm.")
    epsilon: float | None = says(_EPSILON, "What the round cost, where the mechanism states that (pure).")

    @property
    def count(self) -> int:
        """How many rounds it stands for."""
        return self.repeat or 1


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A guarantee as somebody states it."""

    adjacency: str | None = says(Choice(ADJACENCIES), "How neighbouring data sets differ.")
    epsilon: float | None = says(_EPSILON, "The bound of the privacy loss.")
    delta: float | None = says(_DELTA, "Its slack.")
    accountant: str | None = says(Text(), "Who computed it.")
    sampling: str | None = says(Text(), "What it assumes of cohorts.")


@dataclass(frozen=True, kw_only=True)
class RoundLog:
    """All of it."""

    framework: Framework = field(default_factory=Framework, metadata=holds(Framework, "Who trained."))
    unit: str | None = says(Choice(UNITS), "What clipping and noise protect as one.")
    adjacency: str | None = says(Choice(ADJACENCIES), "How neighbouring data sets differ, where that was decided.")
    delta: float | None = says(_DELTA, "The delta to account at.")
    population: Population = field(
        default_factory=Population, metadata=holds(Population, "Who cohorts are drawn from.")
    )
    sampling: Sampling = field(
        default_factory=Sampling, metadata=holds(Sampling, "How cohorts were really formed.")
    )
    clipping: Clipping = field(default_factory=Clipping, metadata=holds(Clipping, "What bounds a user's part."))
    noise: Noise = field(default_factory=Noise, metadata=holds(Noise, "What is added."))
    average: Average = field(default_factory=Average, metadata=holds(Average, "What becomes of the sum."))
    also_released: tuple[str, ...] | None = says(
        Several(Text(200), 50),
        "What else left the server, in words; norms, clip-bits, updates and scalars mean those, exact.",
    )
    rounds: tuple[Round, ...] | None = says(Several(Round, MOST_ROUNDS), "The rounds, in their order.")
    claimed: tuple[Claim, ...] | None = says(Several(Claim, 10), "What the framework said that it was worth.")

    def __post_init__(self) -> None:
        total = sum(one.count for one in self.rounds or ())
        Number(0, MOST_IN_ALL, whole=True).check("rounds", total)

    def costs(self, one: Round) -> bool:
        """Whether a round costs a user anything: a client's own noise is paid for when it sends, whatever is released."""
        return one.released is not False or self.noise.where == "client"

    @property
    def costly(self) -> tuple[Round, ...]:
        """The rounds that do."""
        return tuple(filter(self.costs, self.rounds or ()))

    def to_values(self) -> dict[str, Any]:
        """Returns it as JSON has it: what is said, and nothing else."""
        return {"version": VERSION, **_said(asdict(self))}


def from_values(values: Any) -> RoundLog:
    """Returns the round log that JSON says.

    Raises:
        InvalidValueError: If it is none: an unknown key is named, and so is what is out of range.
    """
    _version, rest = strict_json.versioned(values, "round log", VERSION)
    if "rounds" not in rest:
        missing = _("Expected {name} to have {field}, found none.")
        raise InvalidValueError("rounds", missing.format(name="round log", field="rounds"))
    log: RoundLog = takes.read(RoundLog, rest, "round log")
    return log


def schema() -> dict[str, Any]:
    """Returns the JSON schema of a round log."""
    described = takes.schema(RoundLog)
    version = {"description": "The version of this form.", "type": "integer", "minimum": 1, "maximum": VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Round log",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "rounds"],
        "properties": {"version": version, **described["properties"]},
    }


def _said(value: Any) -> Any:
    if isinstance(value, dict):
        parts = {name: _said(one) for name, one in value.items()}
        return {name: one for name, one in parts.items() if one is not None and one != {}}
    return [_said(one) for one in value] if isinstance(value, tuple | list) else value
