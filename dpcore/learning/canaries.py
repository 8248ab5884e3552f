"""Canaries: updates that are sent by nobody, each along a direction of its own, by which an audit sees what a run does.

A canary of the run has one fair coin for the whole run; where that is in, it takes part as users do, by the same draws. A
canary of the rounds has a fresh fair coin in every round. What they send is added to the users' sum and nothing else of
them counts: they are in no divisor, no count and no statistic. Directions that nobody sends along, the bystanders, show
what noise alone does there.

No TensorFlow here: whoever reads an audit has no use for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore import limits
from dpcore.datasets.federated import Manifest
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning import directions, engines, model
from dpcore.learning.engine import Weights
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy.auditing.trace import Trace
from dpcore.rng import Streams

# In clip norms: at exactly one, the last bit of a float32 would decide whether an update is clipped.
LENGTH = 3.0
ROWS = 8  # written out in full each round, for the clipping of users to take their norms
_MOST_ROUNDS = 5_000
_PER_CANARY = 4  # directions: one of the run, one of the rounds, and as many bystanders


def check(plan: Plan, canaries: Any, engine: str) -> int:
    """Returns the number of canaries as a plain `int`, or says why a run of this plan cannot be audited with them.

    Raises:
        InvalidValueError: If it cannot.
    """
    count = int(limits.CANARIES.check(canaries))
    privacy = plan.privacy
    check_claim(privacy)
    for refused, reason in (
        (
            not engines.replays_exactly(engine),
            _("Expected the engine vectorized for an audit, found {engine}: canaries go through our own clipping."),
        ),
        (
            privacy.rounds > _MOST_ROUNDS,
            _(
                "Expected at most {most:,} rounds for an audit, found {rounds:,}: what it keeps of each takes 33 KB. "
                "Train fewer rounds, or without an audit."
            ),
        ),
    ):
        if refused:
            raise InvalidValueError("audit", reason.format(engine=engine, most=_MOST_ROUNDS, rounds=privacy.rounds))
    return count


def check_claim(privacy: PrivacyPlan) -> None:
    """Refuses a plan that canaries cannot be held against, whoever trains it.

    Raises:
        InvalidValueError: If they cannot.
    """
    for refused, reason in (
        (
            not privacy.cohorts.draws_alone,
            _(
                "Expected cohorts that each user joins independently for an audit, found {participation}: a "
                "canary would take a user's place there. Use Poisson sampling."
            ),
        ),
        (
            privacy.zeroing,
            _(
                "Expected no zeroing for an audit: its threshold follows the updates without noise, so there is no claim "
                "to hold a measurement against. Leave zeroing out."
            ),
        ),
        (
            privacy.noise_multiplier == 0 or privacy.delta == 0,
            _(
                "Expected a plan with a finite epsilon for an audit, found none: there is no claim to hold a measurement "
                "against. Add noise, and raise delta above 0."
            ),
        ),
    ):
        if refused:
            raise InvalidValueError("audit", reason.format(participation=privacy.cohorts.kind))


def check_model(canaries: int, coordinates: int) -> None:
    """Refuses a model with too few coordinates for so many canaries.

    Raises:
        InvalidValueError: If there are not enough directions.
    """
    usable = directions.usable(coordinates)
    if usable < _PER_CANARY * canaries:
        raise InvalidValueError(
            "canaries",
            _(
                "Expected a model with at least {needed:,} coordinates for {canaries:,} canaries, found {coordinates:,}, "
                "of which a power of two is used, {usable:,}. Use at most {most:,} canaries, or a larger model."
            ).format(
                needed=1 << (_PER_CANARY * canaries - 1).bit_length(),
                canaries=canaries,
                coordinates=coordinates,
                usable=usable,
                most=usable // _PER_CANARY,
            ),
        )


def model_size(plan: Plan, manifest: Manifest) -> int:
    """Returns how many numbers a plan's model has on the data set that a manifest is of, without TensorFlow."""
    shape = manifest.description.image_shape
    shapes = model.shapes_of(plan.training.model, manifest.num_features, manifest.num_classes, shape)
    return sum(map(math.prod, shapes))


def run_coins(streams: Streams, count: int) -> NDArray[np.bool_]:
    """Returns which canaries of a run are in, bool [count]."""
    return streams("canary_coins", 0).random(count) < 0.5


@dataclass(frozen=True, kw_only=True)
class RoundTrace:
    """What an audit keeps of a round: a function of what the round released and of the canaries' coins, and no more.

    Attributes:
        projections: The released sum, in clip norms, projected on each direction: float32 [directions].
        joined: Which canaries have sent an update: bool [canaries of the run, then of the rounds].
        clip_norm: Of the round.
        layer_scale: Of each layer's kernel and bias in turn, float64 [layers]: the root mean square of the differences
            of neighbours, over the square root of 2, in the released sum less what canaries send by the plan, in clip
            norms.
    """

    projections: NDArray[np.float32]
    joined: NDArray[np.bool_]
    clip_norm: float
    layer_scale: NDArray[np.float64]


class Canaries:
    """The canaries of a run; all about them follows from the run's streams, so that nothing of it is in a checkpoint.

    Args:
        count: How many there are of the run, and as many of the rounds.
        shapes: Those of the model's weights.
        streams: The run's random numbers.

    Attributes:
        run_coins: Which canaries of the run are in, bool [count].
        rows: What the first of them send, in clip norms: float32 [ROWS, part size] for each part of the weights.
        layer_sizes: Of how many differences each layer's scale is made.
    """

    def __init__(self, count: int, shapes: list[tuple[int, ...]], streams: Streams):
        self._ends = np.cumsum([math.prod(shape) for shape in shapes]).tolist()
        check_model(count, self._ends[-1])
        self._count, self._streams = count, streams
        self.directions = directions.of_run(streams, self._ends[-1])
        self.run_coins = run_coins(streams, count)
        units = np.eye(ROWS, self.directions.count, dtype=np.float32) * np.float32(LENGTH)
        whole = np.array([self.directions.sum(unit) for unit in units])
        self.rows = [np.ascontiguousarray(part) for part in np.split(whole, self._ends[:-1], axis=1)]
        self.layer_sizes = [math.prod(shape) // 2 for shape in shapes]

    def sending(self, drawn: NDArray[np.int64], round_num: int) -> NDArray[np.int64]:
        """Returns how often each canary sends its update in a round: int64 [2 count], those of the run first.

        Args:
            drawn: The canaries of the run that the participation drew, from 0: as often as it drew them.
            round_num: From 1.
        """
        times = np.bincount(drawn, minlength=self._count) * self.run_coins
        return np.concatenate([times, self._streams("canary_coins", round_num).random(self._count) < 0.5])

    def add(
        self, total: Weights, sending: NDArray[np.int64], clip_norm: float, factors: NDArray[np.float32]
    ) -> None:
        """Adds to a sum what canaries send, clipped.

        Args:
            total: The sum of the users' clipped updates, in the shapes of the weights.
            sending: How often each canary sends, int64 [2 count].
            clip_norm: Of the round: what is sent is `LENGTH` times as long.
            factors: What clipping has made of the first of them, float32 [ROWS]: all are alike.
        """
        amounts = np.zeros(self.directions.count, np.float32)
        amounts[: len(sending)] = sending * np.resize(factors, len(sending)) * np.float32(LENGTH * clip_norm)
        flat = self.directions.sum(amounts)
        for part, of_canaries in zip(total, np.split(flat, self._ends[:-1]), strict=True):
            part += of_canaries.reshape(part.shape)

    def trace(
        self, average: Weights, clients_per_round: int, clip_norm: float, sending: NDArray[np.int64]
    ) -> RoundTrace:
        """Returns what is kept of a round that has released an average, float32 in the shapes of the weights."""
        released = np.concatenate([part.ravel() for part in average])
        released *= np.float32(clients_per_round / clip_norm)
        joined = sending > 0
        projections = self.directions.projections(released)
        planned = np.zeros(self.directions.count, np.float32)
        planned[: len(joined)] = joined
        released -= self.directions.sum(planned)  # else hundreds of canaries would pass for noise
        return RoundTrace(
            projections=projections,
            joined=joined,
            clip_norm=clip_norm,
            layer_scale=np.array([_scale(part) for part in np.split(released, self._ends[:-1])]),
        )


def _scale(values: NDArray[np.float32]) -> float:
    """Returns the root mean square of (x[2i] - x[2i + 1]) / 2^0.5, of float32 [size]; 0 where there is no pair."""
    pairs = len(values) // 2
    differences = values[0 : 2 * pairs : 2] - values[1 : 2 * pairs : 2]
    return math.sqrt(float(np.square(differences, dtype=np.float64).sum()) / (2 * max(pairs, 1)))


def trace_of(
    plan: PrivacyPlan, run_coins: NDArray[np.bool_], layer_sizes: Sequence[int], rounds: Sequence[RoundTrace]
) -> Trace:
    """Returns the record of an audited run, of its first rounds or of all of them.

    Args:
        plan: The run's.
        run_coins: Which canaries of the run are in, bool [canaries].
        layer_sizes: Of how many differences each layer's scale is made.
        rounds: What was kept of each, from the first on.

    Raises:
        InvalidValueError: If there is no round yet.
    """
    if not rounds:
        raise InvalidValueError("audit", _("Expected at least one round to look at, found none yet."))
    innovations = plan.noise.innovations(plan.rounds)
    return Trace(
        run_canaries=len(run_coins),
        round_canaries=len(run_coins),
        projections=np.array([one.projections for one in rounds]),
        run_coins=np.asarray(run_coins),
        joined=np.array([one.joined for one in rounds]),
        clip_norms=np.array([one.clip_norm for one in rounds]),
        layer_scale=np.array([one.layer_scale for one in rounds]),
        layer_size=np.array(layer_sizes),
        noise=plan.value_noise_multiplier,
        # Lower triangular: of the first rounds, it is the first part.
        innovations=None if innovations is None else innovations[: len(rounds), : len(rounds)],
    )
