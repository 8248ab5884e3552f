"""Which users take part in a round, and the random numbers of a run."""

import secrets

import numpy as np
from numpy.typing import NDArray

from dpcore import rng
from dpcore.plan import Plan, identity
from dpcore.rng import Streams


def streams_of(plan: Plan, canaries: int | None = None) -> Streams:
    """Returns the random numbers of a plan's own run: of a plan without a seed, others on every call.

    Args:
        plan: What is run.
        canaries: How many it is audited with, if it is.
    """
    seed = plan.training.seed
    name = identity.of_run(plan.fingerprint, canaries)
    return Streams(secrets.randbits(128) if seed is None else seed, name)


def cohort(
    plan: Plan,
    round_num: int,
    streams: Streams | None = None,
    *,
    fresh_coins: bool = False,
    canaries: int = 0,
) -> NDArray[np.int64]:
    """Returns the users of a round, int64 [cohort_size], drawn as the accountant assumes it.

    They are counted among those who train: user i is `FederatedDataset.trainers[i]`.

    Args:
        plan: How cohorts are formed, and of whom.
        round_num: From 1.
        streams: The run's random numbers; `None` for the plan's own.
        fresh_coins: Draws the round from the operating system's entropy: where the noise cannot be drawn again, a round
            that is drawn again must be independent of the first, or the two would cost more than two rounds. What holds
            for the whole run still follows the streams.
        canaries: How many draw as users do, after all of them: their numbers follow on the population's.
    """
    of_run = streams or streams_of(plan)

    def draw(name: str, number: int) -> np.random.Generator:
        return rng.stream(None, name, number) if fresh_coins and number else of_run(name, number)

    return plan.privacy.cohorts.cohort(draw, round_num, plan.privacy.fleet, canaries)


def shuffled_examples(plan: Plan, round_num: int, user: int, count: int) -> NDArray[np.int64]:
    """Returns the order in which a user goes through their examples in a round, int64 [local_epochs * count].

    An epoch after the other, each shuffled anew. It protects nobody, so without a seed it follows from what everybody
    knows.
    """
    draw = rng.stream(plan.training.seed or 0, f"batch_order/{user}", round_num)
    return np.concatenate([draw.permutation(count) for _epoch in range(plan.training.local_epochs)])
