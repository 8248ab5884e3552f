"""Noise by a binary tree: what a user moves in its nodes, and how nodes add up to a prefix.

Every node of a binary tree over the rounds has a noise of its own; the sum of the first t rounds gets that of the nodes
which cover them. Source: Kairouz et al. (2021) <https://arxiv.org/abs/2103.00039>, section 3 and appendix D.2.
"""

import functools

import numpy as np
from numpy.typing import NDArray

_NONE = -(1 << 24)  # far below any sum of squares, and no overflow when some are added


def node_variance(level: int) -> float:
    """Returns the variance of the best estimate of a whole node from its own noise and that of all nodes below it.

    Source: Honaker (2015), "Efficient use of differentially private binary trees", estimate from below.

    >>> node_variance(0), round(node_variance(1), 4)
    (1.0, 0.6667)
    """
    return 1 / (2 - 2.0**-level)


def prefix_errors(rounds: int) -> NDArray[np.float64]:
    """Returns the variance of the noise in the sum of the first t rounds, for t from 1: float64 [rounds]."""
    steps = np.arange(1, rounds + 1)
    levels = np.arange(int(rounds).bit_length())
    found: NDArray[np.float64] = ((steps[:, None] >> levels) & 1) @ np.array(
        list(map(node_variance, levels.tolist()))
    )
    return found


def step_errors(rounds: int) -> NDArray[np.float64]:
    """Returns the variance of the noise that each round adds to the prefix sum before it: float64 [rounds].

    A round that completes a node takes the nodes below away. As that node's estimate is the best one, its covariance with
    any other of the same sum is its own variance.
    """
    levels = [(number & -number).bit_length() - 1 for number in range(1, rounds + 1)]
    own = [node_variance(level) for level in range(max(levels, default=0) + 1)]
    weight = np.cumprod([1.0, *(1 - one for one in own[1:])])  # of its last leaf in a node
    by_level = np.cumsum([0.0, *own[:-1]]) - own + 2 * weight
    found: NDArray[np.float64] = by_level[levels]
    return found


def innovations(rounds: int) -> NDArray[np.float64]:
    """Returns the lower triangular C that makes the noises of the rounds independent, of variance 1: [rounds, rounds].

    A round's noise is what it adds to the prefix sum before it, a sum of the noises of nodes; with L L^T their covariance
    over the rounds, C is L^-1.
    """
    from scipy import linalg

    fresh = iter(np.eye(2 * rounds))
    whole: list[tuple[int, NDArray[np.float64]]] = []  # as `noise._TreeSteps` keeps them
    sums = np.zeros((rounds + 1, 2 * rounds))
    for number in range(1, rounds + 1):
        level, node = 0, next(fresh)
        while whole and whole[-1][0] == level:
            level += 1
            own = node_variance(level)
            node = (1 - own) * (node + whole.pop()[1]) + own * next(fresh)
        whole.append((level, node))
        sums[number] = np.sum([node for _level, node in whole], axis=0)
    steps = np.diff(sums, axis=0)
    found: NDArray[np.float64] = linalg.solve_triangular(
        np.linalg.cholesky(steps @ steps.T), np.eye(rounds), lower=True
    )
    return found


@functools.lru_cache(maxsize=4096)
def sensitivity_squared(rounds: int, participations: int, separation: int) -> int:
    """Returns the most by which a user moves all nodes of so many rounds together, squared, in clip norms.

    Exact, over all ways to take part at most `participations` times, two of them i < j with j - i >= `separation`. Nodes
    that are not full by the last round release nothing.

    Source: Kairouz et al. (2021), appendix D.2.

    >>> [sensitivity_squared(rounds, 4, 28) for rounds in (84, 85, 96, 127, 128)]
    [29, 30, 35, 35, 52]
    """
    if separation == 1 and participations >= rounds:  # everything in every node
        return sum((rounds >> level) << 2 * level for level in range(rounds.bit_length()))
    count = min(participations, -(-rounds // separation))
    return int(_prefix(rounds, count, separation)[:, 0, 0].max())


@functools.lru_cache(maxsize=256)
def _prefix(rounds: int, count: int, gap: int) -> NDArray[np.int32]:
    """As `_whole`, of the whole trees that the rounds are, side by side, the largest first."""
    last = rounds & -rounds
    level = last.bit_length() - 1
    if rounds == last:
        return _whole(level, count, gap, only_first=True)
    before = rounds - last
    return _joined(_prefix(before, count, gap), before, _whole(level, count, gap), last, gap)


@functools.lru_cache(maxsize=256)
def _whole(level: int, count: int, gap: int, only_first: bool = False) -> NDArray[np.int32]:
    """The most that participations move a whole tree, squared: int32 [count + 1, gap, gap]; `only_first`: [:, :1].

    At [m, a, c] for m participations, none of them in the first a leaves, nor in the last c; far below 0 where they have
    no room.
    """
    if level == 0:
        sums = np.full((count + 1, gap, gap), _NONE, np.int32)
        sums[0] = 0
        sums[1:2, 0, 0] = 1
        return sums[:, :1] if only_first else sums
    right, size = _whole(level - 1, count, gap), 1 << level - 1
    left = _whole(level - 1, count, gap, only_first=True) if only_first else right
    return _joined(left, size, right, size, gap) + np.arange(count + 1, dtype=np.int32)[:, None, None] ** 2


def _joined(
    left: NDArray[np.int32], left_size: int, right: NDArray[np.int32], right_size: int, gap: int
) -> NDArray[np.int32]:
    """The most in two trees side by side."""
    count, skipped = len(left) - 1, np.arange(gap)
    # All in one of them: then what is left free at an end may reach over the other.
    in_right_only = right[:, np.maximum(skipped - left_size, 0)[: left.shape[1]]]
    sums = np.maximum(left[:, :, np.maximum(skipped - right_size, 0)], in_right_only)
    most_left, most_right = (int((tree[:, 0, 0] >= 0).sum()) - 1 for tree in (left, right))
    for in_left in range(1, min(count, most_left + 1)):
        for in_right in range(1, min(count - in_left, most_right) + 1):
            best = sums[in_left + in_right]
            for free in range(
                gap
            ):  # after the last one in the left half; the right half then has to leave the rest
                if free < gap - 1 and (left[in_left, :, free] == left[in_left, :, free + 1]).all():
                    continue  # as much is reached with more left free
                np.maximum(best, left[in_left, :, free, None] + right[in_right, gap - 1 - free], out=best)
    return np.maximum(sums, _NONE)
