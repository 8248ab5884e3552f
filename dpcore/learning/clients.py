"""The clients of the default engine: many train at once, and each update is clipped before it is added to the others."""

import functools
import hashlib
from collections.abc import Callable, Iterator

import numpy as np

from dpcore.datasets.federated import FederatedDataset, scale
from dpcore.learning import model, sampling
from dpcore.learning.engine import Weights
from dpcore.learning.models import dense
from dpcore.learning.shards import GROUP, Broadcast, Shard, ShardSum
from dpcore.mechanisms.clipping import BLOCK, LARGEST_NORM, MARGIN
from dpcore.plan import Plan


class Clients:
    """All users of a data set, as they train under a plan. May be shared between threads.

    Attributes:
        shapes: Of the model's weights.
    """

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._plan = plan
        self._dataset = dataset
        self.shapes = model.shapes(plan, dataset)
        self._updates: Callable[..., Iterator[Weights]] = dense.updates
        if not model.is_dense(plan):
            from dpcore.learning.models import convolutional  # TensorFlow: seconds

            self._updates = functools.partial(convolutional.updates, image_shape=dataset.image_shape)

    @np.errstate(all="ignore")  # what is not finite becomes zero
    def shard_sum(self, broadcast: Broadcast, shard: Shard) -> ShardSum:
        """Returns the sum of a shard's clipped updates."""
        total = [np.zeros_like(part, order="F") for part in broadcast.weights]  # as updates are
        unclipped = below = 0
        for users in shard:
            orders = [
                sampling.shuffled_examples(self._plan, broadcast.round_num, int(user), count)
                for user, count in zip(users, self._counts(users), strict=True)
            ]
            for norm, largest in self._add(total, broadcast, users, orders):
                unclipped += bool(norm <= np.float32(broadcast.clip_norm))
                below += bool(largest <= np.float32(broadcast.estimate))
        return ShardSum(total=total, num_clients=sum(map(len, shard)), num_unclipped=unclipped, num_below=below)

    @np.errstate(all="ignore")
    def clip_factors(self, rows: Weights, clip_norm: float) -> np.ndarray:
        """Returns what clipping multiplies updates by, as it does those of users: float32 [updates].

        Args:
            rows: The updates in clip norms, float32 [updates, num_entries] for each part of the weights.
            clip_norm: Their L2 bound.
        """
        scaled = [row * np.float32(clip_norm) for row in rows]
        return np.array([self._clip(list(update), clip_norm)[0] for update in zip(*scaled, strict=True)])

    def bits_digest(self) -> str:
        """Returns a digest of the bits that this machine computes for some groups, the same on every call.

        The users with most examples, with fewest, and a group of three, from fixed weights: another processor, whose
        library multiplies in another order, is told from this one by what it computes, whatever it says of itself.
        """
        counts = np.diff(self._dataset.train.offsets)
        able = np.flatnonzero(counts)
        able = able[np.lexsort((able, -counts[able]))]
        weights = model.initial_weights(self.shapes, seed=0)
        told = Broadcast(weights=weights, clip_norm=0.1, ceiling=np.inf, estimate=1.0, round_num=0)
        digest = hashlib.sha256()
        for users in (able[:GROUP], able[-GROUP:], able[:3]):
            total = [np.zeros_like(part) for part in weights]
            orders = [np.tile(np.arange(count), self._plan.training.local_epochs) for count in self._counts(users)]
            norms = [norm for norm, _ in self._add(total, told, users, orders)]
            for part in (*total, np.array(norms)):
                digest.update(part.tobytes())
        return digest.hexdigest()[:16]

    def _counts(self, users: np.ndarray) -> np.ndarray:
        offsets = self._dataset.train.offsets
        return offsets[users + 1] - offsets[users]

    def _add(
        self, total: Weights, broadcast: Broadcast, users: np.ndarray, orders: list[np.ndarray]
    ) -> Iterator[tuple[np.float32, np.float32]]:
        """Adds the clipped updates of a group to `total`; yields each one's norm and largest entry."""
        for update in self._trained(broadcast.weights, users, orders):
            largest = np.float32(0)
            if self._plan.privacy.zeroing:
                largest = _largest(update)
                if largest > np.float32(broadcast.ceiling):
                    update = [np.zeros_like(part) for part in update]
            factor, norm = self._clip(update, broadcast.clip_norm)
            if factor:  # 0 times what is not finite is no number
                for whole, part in zip(total, update, strict=True):
                    part *= factor
                    whole += part
            yield norm, largest

    def _trained(self, weights: Weights, users: np.ndarray, orders: list[np.ndarray]) -> Iterator[Weights]:
        """Yields the update of each client of a group; a client's examples are used in its order.

        Each epoch begins where a batch does, the same for all: what the one before leaves of its last batch is padding.
        """
        split, training = self._dataset.train, self._plan.training
        counts = self._counts(users)
        longest, epochs = counts.max(initial=0), training.local_epochs
        apart = -(-longest // training.batch_size) * training.batch_size
        rows = np.zeros((len(users), (epochs - 1) * apart + longest), np.int64)
        for client, (user, order) in enumerate(zip(users, orders, strict=True)):
            for epoch, part in enumerate(order.reshape(epochs, -1)):
                rows[client, epoch * apart : epoch * apart + len(part)] = split.offsets[user] + part
        return self._updates(
            weights,
            scale(split.features[rows]),
            split.labels[rows],
            counts,
            learning_rate=training.client_learning_rate,
            batch_size=training.batch_size,
            epochs=epochs,
        )

    def _clip(self, update: Weights, clip_norm: float) -> tuple[np.float32, np.float32]:
        """Returns by what an update of a user or a canary is multiplied, and its norm; zeros where float32 has none."""
        norm = np.float32(np.sqrt(sum(map(_squares, update))))
        if norm <= LARGEST_NORM:  # false for what is not a number
            return self._clipping_factor(norm, np.float32(clip_norm)), norm
        return np.float32(0), np.float32(0)

    def _clipping_factor(self, norm: np.float32, clip_norm: np.float32) -> np.float32:
        """What scales an update of this norm to its bound."""
        bound = clip_norm * np.float32(1 - MARGIN)  # why: see `dpcore.mechanisms.clipping`
        return min(np.float32(1), bound / max(norm, np.finfo(np.float32).tiny))


def _largest(update: Weights) -> np.float32:
    """Returns the largest absolute entry; 0 where one is not finite."""
    found = max(np.abs(part).max() for part in update)  # a NaN need not be the largest
    return found if all(np.isfinite(part).all() for part in update) else np.float32(0)


def _squares(part: np.ndarray) -> np.float64:
    """Returns the sum of the squares of float32 [any shape].

    Only sums of at most `BLOCK` squares are float32's: in float64 from the beginning, it takes twice as long.
    """
    width = max(width for width in range(1, BLOCK + 1) if part.size % width == 0)
    rows = part.ravel(order="K").reshape(width, -1)
    return np.einsum("ij,ij->j", rows, rows).sum(dtype=np.float64)
