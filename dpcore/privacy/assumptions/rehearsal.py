"""A plan for many users, tried out on few: the same noise on the average update, at a cohort that is cheap."""

from dataclasses import replace

from dpcore import limits
from dpcore.mechanisms.participation import Full, Poisson
from dpcore.plan import PrivacyPlan

MOST_CLIENTS = 100  # a round of them takes a moment on two cores


def of(plan: PrivacyPlan, population: int) -> PrivacyPlan:
    """Returns the plan that has another's effective noise, rounds and clipping on a data set with other users.

    What costs accuracy is the noise on the average update, noise multiplier / clients, in clip norms (McMahan et al.
    2018, <https://arxiv.org/abs/1710.06963>, section 3). Its epsilon is another one, and larger where users are fewer.

    Args:
        plan: What is rehearsed.
        population: Users of the data set that is here.

    Raises:
        InvalidValueError: If there is no such plan: no cohorts can be formed so, or so little noise is none.

    >>> few = of(PrivacyPlan(population=2_000_000, clients_per_round=4000, noise_multiplier=8.0), 3383)
    >>> few.clients_per_round, few.noise_multiplier
    (100, 0.2)
    """
    clients = min(plan.clients_per_round, MOST_CLIENTS, population)
    noise = plan.noise_multiplier * clients / plan.clients_per_round
    return replace(
        plan,
        population=population,
        clients_per_round=clients,
        noise_multiplier=limits.NOISE_MULTIPLIER.check(float(f"{noise:.12g}")),
        participation=Poisson() if plan.cohorts == Full() else plan.participation,
    )
