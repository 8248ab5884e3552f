"""Which users take part in a round."""

import numpy as np

from dpcore import rng
from dpcore.plan import Plan


def cohort(plan: Plan, round_num: int, *, seeded: bool = True, identity: str | None = None) -> np.ndarray:
    """Returns the users of a round, int64 [cohort_size], drawn as the accountant assumes it.

    They are counted among those who train: user i is `FederatedDataset.trainers[i]`.

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
    return plan.privacy.participation.cohort(draw, **plan.privacy.fleet)


def shuffled_examples(plan: Plan, round_num: int, user: int, count: int) -> np.ndarray:
    """Returns the order in which a user goes through their examples in a round, int64 [count]."""
    return rng.stream(plan.training.seed, f"batch_order/{user}", round_num).permutation(count)
