"""The default engine: many clients train at once, in TensorFlow.

Clients are sorted by their number of examples and cut into groups of fixed size. A group trains in one
TensorFlow graph whose tensors have a leading client axis; groups run side by side, one thread each, and
every group's clipped sum is added to one running sum, in order: memory does not grow with the cohort, and
the result does not depend on how threads are scheduled.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from dpcore import rng
from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import local_sgd, model, sampling, zeroing
from dpcore.learning.engine import LARGEST_NORM, RoundMetrics, Weights, norm
from dpcore.plan import FixedClipping, Plan

_GROUP = 8  # clients in a group; changes the last bits of a sum, and nothing else


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

    A plan without a seed draws its noise from the operating system's entropy, anew on every call.
    """

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._plan = plan
        self._dataset = dataset
        self._labels = np.asarray(dataset.train.labels, np.int32)
        self._model = model.build(plan, dataset)
        shapes = [tf.TensorSpec(variable.shape) for variable in self._model.trainable_variables]
        features = tf.TensorSpec((_GROUP, None, dataset.num_features), dataset.train.features.dtype)
        labels = tf.TensorSpec((_GROUP, None), tf.int32)
        counts = tf.TensorSpec((_GROUP,), tf.int32)
        self._group = tf.function(
            self._clipped_sum,
            input_signature=[shapes, tf.TensorSpec(()), tf.TensorSpec(()), features, labels, counts],
        )
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def initialize(self) -> State:
        weights = model.initial_weights(self._model, self._plan.training.seed)
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
            clip_norm=float(rest[0]),
            zeroing_quantile=float(rest[1]) if len(rest) > 1 else None,
        )

    def next(self, state: State, cohort: np.ndarray, round_num: int) -> tuple[State, RoundMetrics]:
        privacy, training = self._plan.privacy, self._plan.training
        expected = privacy.clients_per_round  # a public constant, never the number that came
        total, norms, largest = self._sum_of_clipped_updates(state, cohort, round_num)

        noise = rng.stream(training.seed, f"update_noise/{self._plan.fingerprint}", round_num)
        stddev = np.float32(privacy.value_noise_multiplier * state.clip_norm)
        for part in total:
            part += stddev * noise.standard_normal(part.shape, np.float32)
            part /= np.float32(expected)
        update_norm = norm(total)
        momentum, weights = [], []
        for old, velocity, part in zip(state.weights, state.momentum, total, strict=True):
            part += np.float32(training.server_momentum) * velocity
            momentum.append(part)
            weights.append(old + np.float32(training.server_learning_rate) * part)

        clip_norm = self._next_clip_norm(state.clip_norm, norms, round_num)
        if not all(np.isfinite(part).all() for part in weights):
            # As TFF: an aggregate that is not finite moves nothing. Every update here is clipped and
            # finite, so only a server step that overflows can bring it about.
            weights, momentum = state.weights, state.momentum
        quantile = state.zeroing_quantile
        if quantile is not None:
            quantile = zeroing.next_estimate(quantile, largest)
        after = State(weights=weights, momentum=momentum, clip_norm=clip_norm, zeroing_quantile=quantile)
        return after, RoundMetrics(clip_norm=clip_norm, update_norm=update_norm)

    def _next_clip_norm(self, clip_norm: float, norms: np.ndarray, round_num: int) -> float:
        """Returns the clip norm of the next round, given the norms of this round's updates."""
        privacy, clipping = self._plan.privacy, self._plan.privacy.clipping
        if isinstance(clipping, FixedClipping):
            return clip_norm
        # Centred on the users that came, divided by the number expected (Andrew et al. 2021, section 3.1).
        count = float((norms <= np.float32(clip_norm)).sum()) - len(norms) / 2
        count += (
            privacy.clipped_count_stddev
            * rng.stream(
                self._plan.training.seed, f"clip_count_noise/{self._plan.fingerprint}", round_num
            ).standard_normal()
        )
        fraction = min(max(count / privacy.clients_per_round + 0.5, 0.0), 1.0)
        return clip_norm * float(np.exp(-clipping.learning_rate * (fraction - clipping.target_unclipped_quantile)))

    def _sum_of_clipped_updates(
        self, state: State, cohort: np.ndarray, round_num: int
    ) -> tuple[Weights, np.ndarray, np.ndarray]:
        """Returns the sum over the cohort, and of each update its L2 norm and its largest entry's size."""
        total = [np.zeros_like(part) for part in state.weights]
        norms, largest = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
        server_weights = [tf.constant(part) for part in state.weights]
        for parts, group_norms, group_largest in self._pool.map(
            lambda users: self._train_group(server_weights, state, users, round_num), self._groups(cohort)
        ):
            for whole, part in zip(total, parts, strict=True):
                whole += part
            norms.append(group_norms)
            largest.append(group_largest)
        return total, np.concatenate(norms), np.concatenate(largest)

    def _groups(self, cohort: np.ndarray) -> Iterator[np.ndarray]:
        """The cohort in groups of like size, the largest users first, so that little is padded."""
        counts = np.diff(self._dataset.train.offsets)[cohort]
        ordered = cohort[np.lexsort((cohort, -counts))]
        return (ordered[start : start + _GROUP] for start in range(0, len(ordered), _GROUP))

    def _train_group(self, server_weights, state: State, users: np.ndarray, round_num: int):
        """Returns the clipped sum of a group; and norms and largest entries, float32 [len(users)] each."""
        split = self._dataset.train
        counts = np.zeros(_GROUP, np.int32)  # an incomplete group is filled with clients that have nothing
        counts[: len(users)] = np.diff(split.offsets)[users]
        rows = np.zeros((_GROUP, counts.max()), np.int64)
        for client, user in enumerate(users):
            count = counts[client]
            order = sampling.shuffled_examples(self._plan, round_num, int(user), count)
            rows[client, :count] = split.offsets[user] + order
        quantile = state.zeroing_quantile
        ceiling = np.inf if quantile is None else zeroing.threshold(quantile)
        parts, norms, largest = self._group(
            server_weights,
            tf.constant(state.clip_norm, tf.float32),
            tf.constant(ceiling, tf.float32),
            tf.constant(split.features[rows]),
            tf.constant(self._labels[rows]),
            tf.constant(counts),
        )
        present = slice(0, len(users))
        return [part.numpy() for part in parts], norms.numpy()[present], largest.numpy()[present]

    def _clipped_sum(self, weights, clip_norm, ceiling, features, labels, counts):
        shape = self._dataset.image_shape
        updates = local_sgd.updates(self._plan, weights, features, labels, counts, shape)
        flat = [tf.reshape(update, [_GROUP, -1]) for update in updates]
        largest = tf.zeros(_GROUP)
        if self._plan.privacy.zeroing:
            finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part), axis=1) for part in flat], axis=0)
            largest = tf.reduce_max([tf.reduce_max(tf.abs(part), axis=1) for part in flat], axis=0)
            largest = tf.where(finite, largest, 0.0)
            flat = [tf.where((largest <= ceiling)[:, None], part, 0.0) for part in flat]
        # As products of a row with itself: one pass, and no copy of the squares.
        norms = tf.sqrt(tf.add_n([tf.matmul(p[:, None], p[:, None], transpose_b=True)[:, 0, 0] for p in flat]))
        usable = norms <= LARGEST_NORM  # false for what is not a number
        if not tf.reduce_all(usable):  # rare, and a pass over everything: 0 * infinity would not be 0
            flat = [tf.where(usable[:, None], part, 0.0) for part in flat]
            norms = tf.where(usable, norms, 0.0)
        factors = tf.minimum(1.0, clip_norm / tf.maximum(norms, np.finfo(np.float32).tiny))
        sums = [
            tf.reshape(tf.linalg.matvec(part, factors, transpose_a=True), weight.shape)
            for part, weight in zip(flat, weights, strict=True)
        ]
        return sums, norms, largest
