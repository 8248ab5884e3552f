"""The default engine: many clients train at once.

Clients are sorted by their number of examples and cut into shards (`dpcore.learning.shards`), which are computed
by whoever there is: a thread a core, or the workers of a cluster. Every shard's clipped sum is added to one running
sum, in order: memory does not grow with the cohort, and the result does not depend on how they are scheduled.
"""

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import model, sampling, shards
from dpcore.learning.canaries import Canaries, RoundTrace
from dpcore.learning.clients import Clients
from dpcore.learning.engine import RoundMetrics, Weights, l2_norm
from dpcore.learning.shards import Broadcast, Shard, ShardComputer, ShardSum
from dpcore.mechanisms import zeroing
from dpcore.mechanisms.clipping import held
from dpcore.plan import Plan
from dpcore.rng import Streams


class Threads:
    """Computes shards in this process, a thread a core."""

    def __init__(self, clients: Clients):
        self._clients = clients
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def __call__(self, broadcast: Broadcast, shards: Sequence[Shard]) -> Iterable[ShardSum]:
        return self._pool.map(functools.partial(self._clients.shard_sum, broadcast), shards)


@dataclass(frozen=True, kw_only=True)
class State:
    """All that a run must remember between two rounds, as plain arrays.

    Attributes:
        weights: The model, float32.
        momentum: The server optimiser's velocity, in the shapes of the weights, float32.
        clip_norm: The L2 bound of the next round.
        zeroing_quantile: The estimate that zeroing goes by; `None` where the plan does not zero.
    """

    weights: Weights
    momentum: Weights
    clip_norm: float
    zeroing_quantile: float | None


class VectorizedEngine:
    """`dpcore.learning.engine.Engine`: the same state, cohort and round always give the same next state.

    Cohorts are int64 [cohort_size], weights float32 [inputs, outputs] and [outputs] of each layer in turn. Noise is drawn
    here, once, and not where shards are computed; and what canaries send is added here. In a cohort, their numbers follow
    on those of the data set's users.

    Args:
        plan: What is trained.
        dataset: On which data.
        make_computer: Given the clients, returns who computes shards. Changes the speed, and nothing else.
        streams: The run's random numbers; `None` for the plan's own.
        canaries: How many the run is audited with, if it is.
    """

    _make_clients = Clients

    def __init__(
        self,
        plan: Plan,
        dataset: FederatedDataset,
        make_computer: Callable[[Clients], ShardComputer] = Threads,
        streams: Streams | None = None,
        canaries: int | None = None,
    ):
        self._plan = plan
        self._streams = streams or sampling.streams_of(plan, canaries)
        self._counts = np.diff(dataset.train.offsets)
        self._clients = self._make_clients(plan, dataset)
        self._computer = make_computer(self._clients)
        shapes = self._clients.shapes
        self._noise = plan.privacy.noise.source(
            functools.partial(self._streams, "update_noise"), plan.privacy.rounds, shapes
        )
        self.canaries = None if canaries is None else Canaries(canaries, shapes, self._streams)

    def initialize(self) -> State:
        weights = model.initial_weights(self._clients.shapes, self._streams.seed)
        return State(
            weights=weights,
            momentum=[np.zeros_like(part) for part in weights],
            clip_norm=self._plan.privacy.clipping.initial_clip_norm,
            zeroing_quantile=zeroing.INITIAL_ESTIMATE if self._plan.privacy.zeroing else None,
        )

    def model_weights(self, state: State) -> Weights:
        return state.weights

    def to_arrays(self, state: State) -> list[np.ndarray]:
        rest = [state.clip_norm] if state.zeroing_quantile is None else [state.clip_norm, state.zeroing_quantile]
        return [*state.weights, *state.momentum, np.array(rest)]

    def from_arrays(self, arrays: list[np.ndarray]) -> State:
        *parts, rest = arrays
        middle = len(parts) // 2
        return State(
            weights=parts[:middle],
            momentum=parts[middle:],
            clip_norm=held(float(rest[0])),  # an older version held it to nothing
            zeroing_quantile=float(rest[1]) if len(rest) > 1 else None,
        )

    def next(self, state: State, cohort: np.ndarray, round_num: int) -> tuple[State, RoundMetrics]:
        training = self._plan.training
        users = cohort[cohort < len(self._counts)]
        summed = self._sum_of_clipped_updates(state, users, round_num)
        sending = self._add_canaries(summed.total, state.clip_norm, cohort, round_num)
        self._release(summed, state.clip_norm, round_num)
        total = summed.total
        trace = self._trace(total, state.clip_norm, sending)
        update_norm = l2_norm(total)
        momentum, weights = [], []
        for old, velocity, part in zip(state.weights, state.momentum, total, strict=True):
            part += np.float32(training.server_momentum) * velocity
            momentum.append(part)
            weights.append(old + np.float32(training.server_learning_rate) * part)

        clip_norm = self._next_clip_norm(state.clip_norm, summed, round_num)
        quantile = state.zeroing_quantile
        if quantile is not None:
            quantile = zeroing.next_estimate(quantile, summed.num_below, summed.num_clients)
        after = State(weights=weights, momentum=momentum, clip_norm=clip_norm, zeroing_quantile=quantile)
        return after, RoundMetrics(clip_norm=clip_norm, update_norm=update_norm, trace=trace)

    def _release(self, summed: ShardSum, clip_norm: float, round_num: int) -> None:
        """Makes of a sum what a round releases, in place: with noise, and divided by the expected number of clients."""
        expected = self._plan.privacy.clients_per_round  # a public constant, never the number that came
        stddev = np.float32(self._noise_multiplier * clip_norm)
        for part, drawn in zip(summed.total, self._noise(round_num), strict=True):
            part += stddev * drawn
            part /= np.float32(expected)

    @property
    def _noise_multiplier(self) -> float:
        return self._plan.privacy.value_noise_multiplier

    def _add_canaries(
        self, total: Weights, clip_norm: float, cohort: np.ndarray, round_num: int
    ) -> np.ndarray | None:
        """Adds to a sum what canaries send; returns how often each did, `None` where there are none."""
        if self.canaries is None:
            return None
        sending = self.canaries.sending(cohort[cohort >= len(self._counts)] - len(self._counts), round_num)
        factors = self._clients.clip_factors(self.canaries.rows, clip_norm)
        self.canaries.add(total, sending, clip_norm, factors)
        return sending

    def _trace(self, average: Weights, clip_norm: float, sending: np.ndarray | None) -> RoundTrace | None:
        if self.canaries is None or sending is None:
            return None
        return self.canaries.trace(average, self._plan.privacy.clients_per_round, clip_norm, sending)

    def _next_clip_norm(self, clip_norm: float, summed: ShardSum, round_num: int) -> float:
        """Returns the clip norm of the next round, given how many of this round's updates were not clipped."""
        privacy = self._plan.privacy
        return privacy.clipping.next_clip_norm(
            clip_norm,
            num_clients=summed.num_clients,
            num_unclipped=summed.num_unclipped,
            clients_per_round=privacy.clients_per_round,
            count_noise=self._count_noise(round_num),
        )

    def _count_noise(self, round_num: int) -> float:
        drawn = self._streams("clip_count_noise", round_num).standard_normal()
        return float(self._plan.privacy.clipped_count_stddev * drawn)

    def _sum_of_clipped_updates(self, state: State, cohort: np.ndarray, round_num: int) -> ShardSum:
        """Returns the sum over the cohort, and the counts that clipping and zeroing go by."""
        quantile = state.zeroing_quantile
        broadcast = Broadcast(
            weights=state.weights,
            clip_norm=state.clip_norm,
            ceiling=np.inf if quantile is None else zeroing.threshold(quantile),
            estimate=np.inf if quantile is None else quantile,
            round_num=round_num,
        )
        parts = shards.cut(cohort, self._counts[cohort])
        return shards.sum_of_shards(self._computer(broadcast, parts), state.weights)
