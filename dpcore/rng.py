"""Named streams of random numbers, so that no two uses ever share one."""

import hashlib
from dataclasses import dataclass

import numpy as np


def stream(seed: int | None, name: str, round_num: int = 0) -> np.random.Generator:
    """Returns the generator of one named use in one round; the same arguments give the same numbers.

    Streams of different names or rounds are independent (`numpy.random.SeedSequence` spawn keys), so a
    run can be cut at any round and continued without knowing what was drawn before.

    Args:
        seed: The plan's seed. `None` draws from the operating system's entropy, anew on every call, and
            keeps it nowhere.
        name: What the numbers are for: "client_sampling", "batch_order", ...
        round_num: The round that they are drawn in, from 1; 0 is before the first.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(key, round_num))))


@dataclass(frozen=True)
class Streams:
    """The random numbers of one run.

    Attributes:
        seed: What they all follow from: a plan's seed, or a key that was drawn for the run alone.
        identity: The run's. Runs that shared cohorts or noise would tell more together than the ledger composes.
    """

    seed: int
    identity: str

    def __call__(self, name: str, round_num: int) -> np.random.Generator:
        """Returns the generator of one use in one round, anew on every call."""
        return stream(self.seed, f"{name}/{self.identity}", round_num)
