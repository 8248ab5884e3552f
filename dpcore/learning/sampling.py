"""Which users take part in a round."""

import numpy as np

from dpcore import rng
from dpcore.plan import Plan


def poisson_cohort(plan: Plan, round_num: int, *, seeded: bool = True, identity: str | None = None) -> np.ndarray:
    """Returns the users of a round, int64 [cohort_size], each one in it independently with `sampling_prob`.

    They are counted among those who train: user i is `FederatedDataset.trainers[i]`.

    This is the sampling that the accountant assumes: the size varies from round to round, and an empty
    cohort is a round like any other.

    Args:
        plan: Whose users, and whose seed.
        round_num: From 1.
        seeded: `False` draws from the operating system's entropy: where the noise is not seeded either, a round
            that is drawn again must be independent of the first, or the two would cost more than two rounds.
        identity: The name of its random streams; `None` for the plan's fingerprint.
    """
    # A stream of the plan's own: runs that shared cohorts or noise would tell more together than the ledger composes.
    seed = plan.training.seed if seeded else None
    draw = rng.stream(seed, f"client_sampling/{identity or plan.fingerprint}", round_num)
    return np.flatnonzero(draw.random(plan.privacy.population) < plan.privacy.sampling_prob)


def shuffled_examples(plan: Plan, round_num: int, user: int, count: int) -> np.ndarray:
    """Returns the order in which a user goes through their examples in a round, int64 [count]."""
    return rng.stream(plan.training.seed, f"batch_order/{user}", round_num).permutation(count)
