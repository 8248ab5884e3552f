"""Who comes to which round, and what it is worth that nobody knows."""

from dataclasses import replace

import numpy as np
import pandas as pd

from dpcore import rng
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, curves
from dpcore.privacy.precision import Precision


def plan(clients_per_round: int) -> PrivacyPlan:
    """Returns the tutorial's plan with so many clients; epsilon is the same for either clipping.

    Raises:
        InvalidValueError: If there are more clients than users, or none.
    """
    return PrivacyPlan(clients_per_round=clients_per_round, clipping=FixedClipping())


def cohorts(plan: PrivacyPlan, draw: int = 0) -> list[np.ndarray]:
    """Returns the Poisson sample of each round, users as int64 [cohort_size], in the draw of that number.

    More clients add to the same ones.
    """
    return [
        plan.cohorts.cohort(
            lambda _use, round_num: rng.stream(draw, "lesson/sampling", round_num), number, plan.fleet
        )
        for number in range(1, plan.rounds + 1)
    ]


def epsilon_by_round(plan: PrivacyPlan) -> pd.DataFrame:
    """Returns upper bounds on epsilon: columns `round`, `sampled`, and `known`, if it is known who came to which."""
    rounds = np.arange(1, plan.rounds + 1)
    table = {"round": rounds}
    for name, one in (("sampled", plan), ("known", replace(plan, population=plan.clients_per_round))):
        # A curve is a little above the accountant; and no round has spent more than all of them.
        most = accounting.epsilon(one, Precision.PREVIEW).value
        table[name] = np.minimum(curves.epsilons(**curves.plan_arguments(one, rounds=rounds)), most)
    return pd.DataFrame(table)
