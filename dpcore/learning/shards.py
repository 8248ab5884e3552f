"""How a cohort is cut into shards, and what comes of each: the same wherever a shard is computed.

Shards depend on the cohort alone, never on how many threads, processes or machines there are, and their sums are
added in their order. So the result is the same to the last bit, whoever computes what, and however often.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dpcore.learning.engine import Weights

GROUP = 8  # clients that train together in one graph; changes the last bits of a sum, and nothing else
_SLACK = 1e-3  # of what is summed in float32
_MOST = 64  # a sum of each travels once a round: this bounds the bytes, and how many workers are of use

Shard = list[np.ndarray]  # groups of users, int64 [up to GROUP] each


@dataclass(frozen=True, kw_only=True)
class Broadcast:
    """The state of a round that every shard is computed from.

    Attributes:
        weights: The server's model.
        clip_norm: The L2 bound of each update.
        ceiling: An update with a larger entry becomes zero; infinite where the plan does not zero.
        estimate: What the largest entries are counted against, for the next ceiling.
        round_num: From 1.
    """

    weights: Weights
    clip_norm: float
    ceiling: float
    estimate: float
    round_num: int


@dataclass(frozen=True, kw_only=True)
class ShardSum:
    """The sum of a shard's clipped updates and its counts, without noise, which is added once, to the sum of all shards.

    Up to 512 clients a shard is one group, and the last group of a cohort may be one user: then it is that user's
    clipped update. So who computes shards, and who passes them on, must be trusted like the server.

    Attributes:
        total: The sum of its clipped updates, in the shapes of the weights.
        num_clients: How many users it has.
        num_unclipped: How many of their updates have a norm of at most the clip norm.
        num_below: How many have their largest entry at or below the estimate.
    """

    total: Weights
    num_clients: int
    num_unclipped: int
    num_below: int


class ShardComputer(Protocol):
    """Computes the sum of each shard of a round: in this process, or on a cluster."""

    def __call__(self, broadcast: Broadcast, shards: Sequence[Shard]) -> Iterable[ShardSum]:
        """Yields what comes of each shard, in their order."""
        ...


def cut(cohort: np.ndarray, counts: np.ndarray) -> list[Shard]:
    """Returns the shards of a cohort; one group each up to 512 users, and never more than 64.

    Args:
        cohort: Users, int64 [cohort_size].
        counts: Their numbers of examples, [cohort_size]: groups are of like size, so that little is padded.

    >>> [[group.tolist() for group in shard] for shard in cut(np.arange(10), np.full(10, 20))]
    [[[0, 1, 2, 3, 4, 5, 6, 7]], [[8, 9]]]
    """
    ordered = cohort[np.lexsort((cohort, -counts))]
    groups = [ordered[start : start + GROUP] for start in range(0, len(ordered), GROUP)]
    # Dealt out like cards: each shard has large users and small ones, and takes about as long as the others.
    return [groups[first::_MOST] for first in range(min(_MOST, len(groups)))]


def sum_of_shards(sums: Iterable[ShardSum], weights: Weights) -> ShardSum:
    """Returns the sum over all shards, added in their order; each array float32 [of the shape of its weights]."""
    total, came, unclipped, below = [np.zeros_like(part, order="F") for part in weights], 0, 0, 0
    for one in sums:
        for whole, part in zip(total, one.total, strict=True):
            whole += part
        came, unclipped, below = came + one.num_clients, unclipped + one.num_unclipped, below + one.num_below
    total = [np.ascontiguousarray(part) for part in total]
    return ShardSum(total=total, num_clients=came, num_unclipped=unclipped, num_below=below)


def problem_with(one: ShardSum, shard: Shard, broadcast: Broadcast) -> str:
    """Returns why a result cannot be that of this shard, whoever computed it; empty if it can.

    A bound on what a faulty machine does, and no guarantee: within it, a shard's whole sum may still be one user's.
    """
    came = sum(map(len, shard))
    counts = range(came + 1)
    if one.num_clients != came or one.num_unclipped not in counts or one.num_below not in counts:
        return f"counts that {came} clients cannot have"
    if [(part.shape, part.dtype) for part in one.total] != [(part.shape, part.dtype) for part in broadcast.weights]:
        return "a sum of other shapes than the model's"
    norm = np.sqrt(sum(float(np.vdot(part, part)) for part in one.total))  # 20 times as fast as in float64
    if not norm <= came * broadcast.clip_norm * (1 + _SLACK):  # false for what is not a number
        return "a sum that is not finite, or longer than clipped updates can be"
    return ""
