"""Which of a user's examples are kept, and which are for testing.

What happens to a user's examples depends on the seed and on that user alone. If it depended on others,
adding one user would change what everybody else trains on, and no guarantee about one user would hold.
"""

import hashlib
from collections.abc import Iterable

import numpy as np


def ranks(user_ids: Iterable[str], offsets: np.ndarray, seed: int) -> np.ndarray:
    """Returns each example's place in a random order of its user's examples, int64 [num_examples], from 0.

    The order is that of SplitMix64, begun from a BLAKE2b digest of the seed and the user.

    Args:
        user_ids: The id of each user, in the order of `offsets`.
        offsets: int64 [num_users + 1]; examples are sorted by user.
        seed: Another seed gives another order.
    """
    digests = b"".join(hashlib.blake2b(f"{seed}/{user}".encode(), digest_size=8).digest() for user in user_ids)
    counts = np.diff(offsets)
    user = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(offsets[-1]) - offsets[user]
    keys = _mixed(np.frombuffer(digests, np.uint64)[user] + index.astype(np.uint64))
    found = np.empty(len(keys), np.int64)
    found[np.lexsort((keys, user))] = index  # sorted by user, the examples of each fill the same places
    return found


def _mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64 of each number, uint64: Steele et al. (2014) <https://doi.org/10.1145/2660193.2660195>."""
    x = x * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def num_test_examples(counts: np.ndarray, test_fraction: float) -> np.ndarray:
    """Returns how many of their examples users test on, int64 [num_users]: one at least of two or more, and never all.

    Args:
        counts: How many examples each user has, int64 [num_users], 0 or more.
        test_fraction: Of a user's examples, in [0, 1].
    """
    return np.minimum(np.maximum(np.rint(counts * test_fraction).astype(np.int64), 1), np.maximum(counts - 1, 0))


def held_out(user_ids: Iterable[str], share: float, seed: int) -> np.ndarray:
    """Returns which users only test, bool [num_users]: each with a probability of `share`, by who they are and the seed.

    So the share is met on average, and who else is there changes nothing.

    Args:
        user_ids: The id of each user.
        share: In [0, 1).
        seed: Another seed draws others.
    """
    keys = (hashlib.blake2b(f"{seed}/held out/{user}".encode(), digest_size=8).digest() for user in user_ids)
    return np.frombuffer(b"".join(keys), np.uint64) < np.uint64(share * 2**64)
