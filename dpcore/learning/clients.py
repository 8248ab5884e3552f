"""The clients of the default engine: many train at once, in one TensorFlow graph with a leading client axis."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import local_sgd, model, sampling
from dpcore.learning.engine import Weights
from dpcore.learning.loading import tf
from dpcore.learning.shards import GROUP, Broadcast, Shard, ShardSum
from dpcore.mechanisms.clipping import BLOCK, LARGEST_NORM, MARGIN
from dpcore.plan import Plan


class Clients:
    """All users of a data set, as they train under a plan. May be shared between threads."""

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._plan = plan
        self._dataset = dataset
        self._labels = np.asarray(dataset.train.labels, np.int32)
        self.model = model.build(plan, dataset)
        shapes = [tf.TensorSpec(variable.shape) for variable in self.model.trainable_variables]
        features = tf.TensorSpec((GROUP, None, dataset.num_features), dataset.train.features.dtype)
        labels = tf.TensorSpec((GROUP, None), tf.int32)
        counts = tf.TensorSpec((GROUP,), tf.int32)
        self._group = tf.function(
            self._clipped_sum,
            input_signature=[shapes, tf.TensorSpec(()), tf.TensorSpec(()), features, labels, counts],
        )
        rows = [tf.TensorSpec((GROUP, math.prod(shape.shape))) for shape in shapes]
        self._factors = tf.function(self._scaled_factors, input_signature=[rows, tf.TensorSpec(())])

    def shard_sums(
        self, broadcast: Broadcast, shards: Sequence[Shard], each: Callable[..., Iterable] = map
    ) -> Iterable[ShardSum]:
        """Returns what comes of each shard, in their order; `each` is `map`, or that of a pool of threads."""
        weights = [tf.constant(part) for part in broadcast.weights]
        return each(lambda shard: self.shard_sum(broadcast, weights, shard), shards)

    def shard_sum(self, broadcast: Broadcast, weights: list[tf.Tensor], shard: Shard) -> ShardSum:
        """Returns the sum of a shard's clipped updates; `weights` are those of the broadcast, as tensors."""
        total = [np.zeros_like(part) for part in broadcast.weights]
        unclipped = below = 0
        for users in shard:
            orders = [
                sampling.shuffled_examples(self._plan, broadcast.round_num, int(user), count)
                for user, count in zip(users, self._counts(users), strict=True)
            ]
            parts, norms, largest = self._train(broadcast, weights, users, orders)
            for whole, part in zip(total, parts, strict=True):
                whole += part
            unclipped += int((norms <= np.float32(broadcast.clip_norm)).sum())
            below += int((largest <= np.float32(broadcast.estimate)).sum())
        return ShardSum(total=total, num_clients=sum(map(len, shard)), num_unclipped=unclipped, num_below=below)

    def clip_factors(self, rows: Weights, clip_norm: float) -> np.ndarray:
        """Returns what clipping multiplies a group of updates by, as it does those of users: float32 [group_size].

        Args:
            rows: The updates in clip norms, float32 [GROUP, num_entries] for each part of the weights.
            clip_norm: Their L2 bound.
        """
        return self._factors(list(map(tf.constant, rows)), tf.constant(clip_norm, tf.float32)).numpy()

    def bits_digest(self) -> str:
        """Returns a digest of the bits that this machine computes for some groups, the same on every call.

        The users with most examples, with fewest, and a group of three, from fixed weights: another processor, whose
        library multiplies in another order, is told from this one by what it computes, whatever it says of itself.
        """
        counts = np.diff(self._dataset.train.offsets)
        able = np.flatnonzero(counts)
        able = able[np.lexsort((able, -counts[able]))]
        weights = model.initial_weights(self.model, seed=0)
        told = Broadcast(weights=weights, clip_norm=0.1, ceiling=np.inf, estimate=1.0, round_num=0)
        tensors, digest = [tf.constant(part) for part in weights], hashlib.sha256()
        for users in (able[:GROUP], able[-GROUP:], able[:3]):
            parts, norms, _ = self._train(told, tensors, users, [np.arange(n) for n in self._counts(users)])
            for part in (*parts, norms):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()[:16]

    def _counts(self, users: np.ndarray) -> np.ndarray:
        offsets = self._dataset.train.offsets
        return offsets[users + 1] - offsets[users]

    def _train(
        self, broadcast: Broadcast, weights: list[tf.Tensor], users: np.ndarray, orders: list[np.ndarray]
    ) -> tuple[Weights, np.ndarray, np.ndarray]:
        """Returns the clipped sum of a group; and norms and largest entries, float32 [len(users)] each."""
        split = self._dataset.train
        counts = np.zeros(GROUP, np.int32)  # an incomplete group is filled with clients that have nothing
        counts[: len(users)] = self._counts(users)
        rows = np.zeros((GROUP, counts.max()), np.int64)
        for client, (user, order) in enumerate(zip(users, orders, strict=True)):
            rows[client, : len(order)] = split.offsets[user] + order
        parts, norms, largest = self._group(
            weights,
            tf.constant(broadcast.clip_norm, tf.float32),
            tf.constant(broadcast.ceiling, tf.float32),
            tf.constant(split.features[rows]),
            tf.constant(self._labels[rows]),
            tf.constant(counts),
        )
        present = slice(0, len(users))
        return [part.numpy() for part in parts], norms.numpy()[present], largest.numpy()[present]

    def _clipped_sum(self, weights, clip_norm, ceiling, features, labels, counts):
        shape = self._dataset.image_shape
        updates = local_sgd.group_updates(self._plan, weights, features, labels, counts, shape)
        flat = [tf.reshape(update, [GROUP, -1]) for update in updates]
        largest = tf.zeros(GROUP)
        if self._plan.privacy.zeroing:
            finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part), axis=1) for part in flat], axis=0)
            largest = tf.reduce_max([tf.reduce_max(tf.abs(part), axis=1) for part in flat], axis=0)
            largest = tf.where(finite, largest, 0.0)
            flat = [tf.where((largest <= ceiling)[:, None], part, 0.0) for part in flat]
        flat, norms = _usable(flat)
        factors = self._clipping_factors(norms, clip_norm)
        sums = [
            tf.reshape(tf.linalg.matvec(part, factors, transpose_a=True), weight.shape)
            for part, weight in zip(flat, weights, strict=True)
        ]
        return sums, norms, largest

    def _scaled_factors(self, rows, clip_norm):
        _flat, norms = _usable([row * clip_norm for row in rows])
        return self._clipping_factors(norms, clip_norm)

    def _clipping_factors(self, norms, clip_norm):
        """What scales updates of these norms to their bound, float32 [GROUP]; of users and canaries, by one code."""
        bound = clip_norm * (1 - MARGIN)  # why: see `dpcore.mechanisms.clipping`
        return tf.minimum(1.0, bound / tf.maximum(norms, np.finfo(np.float32).tiny))


def _usable(flat: list[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Returns updates and their norms, float32 [GROUP]: those become zero of which float32 has no norm."""
    norms = tf.cast(tf.sqrt(tf.add_n([_squares(part) for part in flat])), tf.float32)
    usable = norms <= LARGEST_NORM  # false for what is not a number
    if not tf.reduce_all(usable):  # rare, and a pass over everything: 0 * infinity would not be 0
        flat = [tf.where(usable[:, None], part, 0.0) for part in flat]
        norms = tf.where(usable, norms, 0.0)
    return flat, norms


def _squares(rows: tf.Tensor) -> tf.Tensor:
    """Returns the sum of the squares in each row of float32 [GROUP, size]: float64 [GROUP].

    Only sums of at most `BLOCK` squares are float32's: in float64 from the beginning, it takes twice as long.
    """
    size = rows.shape[1]
    width = max(width for width in range(1, BLOCK + 1) if size % width == 0)
    # One pass, and no copy of the squares.
    lengths = tf.math.reduce_euclidean_norm(tf.reshape(rows, [GROUP, width, size // width]), axis=1)
    return tf.reduce_sum(tf.square(tf.cast(lengths, tf.float64)), axis=1)
