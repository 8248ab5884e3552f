"""Directions of canaries: rows of a Hadamard matrix with random signs on random coordinates.

So all projections, and the sum of any number of canaries, are one transform.
"""

import math

import numpy as np
from numpy.typing import NDArray

from dpcore.rng import Streams

MOST = 8192  # as many float32 are kept of every round
_MOST_COORDINATES = 1 << 20


def usable(size: int) -> int:
    """Returns how many coordinates directions are on, of a model that has so many: a power of two.

    >>> usable(7850)
    4096
    """
    return min(1 << size.bit_length() - 1, _MOST_COORDINATES)


class Directions:
    """Orthonormal directions in a model's space: the first rows of a Hadamard matrix, on some of its coordinates.

    Row i of the matrix H of order n has entries 1 and -1 with H H^T = n: (-1) to the number of ones that i and the column
    share in binary. Its first `count` rows repeat after `count` columns, and are the Kronecker product of two small
    matrices; so all projections are a sum over the repetitions and two small products.

    Args:
        places: The coordinates of the columns, in their order, int64 [used]: a power of two of them, none twice.
        signs: Of the columns, 1 or -1, float32 [used].
        size: How many coordinates the model has.

    Attributes:
        places: As given.
        signs: As given.
        count: How many directions there are, a power of two.
    """

    def __init__(self, places: NDArray[np.int64], signs: NDArray[np.float32], size: int):
        from scipy import linalg  # not needed by who only refuses

        self.places, self.signs, self._size = places, signs, size
        self.count = min(len(places), MOST)
        self._scaled = signs / np.float32(math.sqrt(len(places)))
        wide = 1 << (self.count.bit_length() - 1) // 2
        self._left = linalg.hadamard(self.count // wide).astype(np.float32)
        self._right = linalg.hadamard(wide).astype(np.float32)

    def projections(self, flat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns a vector's projection on each direction, float32 [count]; the vector is float32 [size]."""
        folded = (flat[self.places] * self._scaled).reshape(-1, self.count).sum(axis=0)
        return self._transformed(folded)

    def sum(self, amounts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the sum of all directions, each times its amount: float32 [size], of amounts float32 [count]."""
        flat = np.zeros(self._size, np.float32)
        # The matrices are symmetric: the way back is the same.
        repeated = np.broadcast_to(self._transformed(amounts), (len(self.places) // self.count, self.count))
        flat[self.places] = repeated.ravel() * self._scaled
        return flat

    def _transformed(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        grid = values.reshape(len(self._left), len(self._right))
        found: NDArray[np.float32] = (self._left @ grid @ self._right).ravel()
        return found


def drawn(draw: np.random.Generator, size: int) -> Directions:
    """Returns directions at random, of a model with so many coordinates."""
    used = usable(size)
    # In random order: neighbours in a layer are alike, and would be told from others by the rows' own pattern.
    places = draw.choice(size, used, replace=False)
    return Directions(places, draw.integers(0, 2, used).astype(np.float32) * 2 - 1, size)


def of_run(streams: Streams, size: int) -> Directions:
    """Returns a run's directions; of a model with so many coordinates."""
    return drawn(streams("canary_directions", 0), size)
