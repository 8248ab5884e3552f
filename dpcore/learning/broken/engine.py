"""The default engine broken on purpose, each in one way, to see what an audit notices: for that alone, and no run.

The engine itself has no switch for any of this: each break is a class of its own that overrides one step.
"""

from collections.abc import Callable

import numpy as np

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import broken, engines, training
from dpcore.learning import canaries as canaries_of
from dpcore.learning.canaries import LENGTH
from dpcore.learning.clients import Clients
from dpcore.learning.shards import ShardSum
from dpcore.learning.vectorized import VectorizedEngine
from dpcore.plan import Plan
from dpcore.privacy.auditing.trace import Trace


class _Unclipped(Clients):
    def _clipping_factor(self, norm, clip_norm):
        return np.float32(1)


class _ClippedToTwice(Clients):
    def _clipping_factor(self, norm, clip_norm):
        return super()._clipping_factor(norm, 2 * clip_norm)


class _ClipOff(VectorizedEngine):
    _make_clients = _Unclipped


class _ClipTwice(VectorizedEngine):
    _make_clients = _ClippedToTwice


class _NoiseHalf(VectorizedEngine):
    @property
    def _noise_multiplier(self) -> float:
        return super()._noise_multiplier / 2


class _NoiseReused(VectorizedEngine):
    def _release(self, summed: ShardSum, clip_norm: float, round_num: int) -> None:
        super()._release(summed, clip_norm, 1)


class _ValueNoiseNotSplit(VectorizedEngine):
    @property
    def _noise_multiplier(self) -> float:
        return self._plan.privacy.noise_multiplier


class _UserTwice(VectorizedEngine):
    def next(self, state, cohort, round_num):
        return super().next(state, np.repeat(cohort, 2), round_num)


class _WithReplacement(VectorizedEngine):
    def next(self, state, cohort, round_num):
        privacy = self._plan.privacy
        canaries = len(self._counts) + np.arange(len(self.canaries.run_coins))
        everybody = np.concatenate([np.flatnonzero(self._counts), canaries])
        size = privacy.clients_per_round * len(everybody) // privacy.population
        drawn = self._streams("client_sampling", round_num).choice(everybody, size)
        return super().next(state, drawn, round_num)


class _DividedByWhoCame(VectorizedEngine):
    def _release(self, summed: ShardSum, clip_norm: float, round_num: int) -> None:
        ratio = np.float32(self._plan.privacy.clients_per_round / max(summed.num_clients, 1))
        for part in summed.total:
            part *= ratio
        super()._release(summed, clip_norm, round_num)


class _NoNoiseOnBiases(VectorizedEngine):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        drawn = self._noise
        self._noise = lambda round_num: [part * np.float32(part.ndim > 1) for part in drawn(round_num)]


class _NoNoiseOnCount(VectorizedEngine):
    def _count_noise(self, round_num: int) -> float:
        return 0.0


class _UsersUnclipped(_Unclipped):
    def clip_factors(self, rows, clip_norm):
        return np.full(len(rows[0]), 1 / LENGTH, np.float32)  # what clipping makes of what canaries send


class _ClipOffForUsers(VectorizedEngine):
    _make_clients = _UsersUnclipped


_ENGINES: dict[str, type[VectorizedEngine]] = {
    broken.NONE: VectorizedEngine,
    "clip-off": _ClipOff,
    "clip-twice": _ClipTwice,
    "noise-half": _NoiseHalf,
    "noise-reused": _NoiseReused,
    "value-noise-not-split": _ValueNoiseNotSplit,
    "user-twice": _UserTwice,
    "with-replacement": _WithReplacement,
    "divided-by-who-came": _DividedByWhoCame,
    "no-noise-on-biases": _NoNoiseOnBiases,
    "no-noise-on-count": _NoNoiseOnCount,
    "clip-off-for-users": _ClipOffForUsers,
}


def trace(
    name: str,
    plan: Plan,
    dataset: FederatedDataset,
    *,
    canaries: int,
    tell: Callable[[int], None] = lambda number: None,
) -> Trace:
    """Returns the record of an audited run on a broken engine; nothing else of it is kept, released or charged.

    Args:
        name: One of `broken.CHOICES`.
        plan: What is trained.
        dataset: On which data: such as are nobody's.
        canaries: How many of each kind.
        tell: Told of each round when it is done.

    Raises:
        InvalidValueError: If there is no such break, or the plan cannot be audited.
    """
    canaries_of.check(plan, canaries, engines.NAMES[0])
    engine = _ENGINES[broken.check(name)](plan, dataset, canaries=canaries)
    assert engine.canaries is not None
    # Nobody looks at its model.
    reports = training.run(
        plan, dataset, engine, lambda weights: (0.0, 0.0), eval_every=plan.privacy.rounds, canaries=canaries
    )
    rounds = []
    for report in reports:
        tell(report.round)
        rounds += [] if report.trace is None else [report.trace]
    return canaries_of.trace_of(plan.privacy, engine.canaries.run_coins, engine.canaries.layer_sizes, rounds)
