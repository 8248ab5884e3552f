"""Guarantees as they are published, some of them wrong: what is claimed, and what can be said instead."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dpcore.mechanisms import zeroing
from dpcore.mechanisms.participation import FixedSize, Schedule
from dpcore.plan import REPLACE, PrivacyPlan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.precision import Precision

# What may be wrong with a claim.
HOLDS, SAMPLING, SENSITIVITY, TOGETHER, DELTA, NOISELESS = REASONS = (
    "holds",
    "sampling",
    "sensitivity",
    "together",
    "delta",
    "noiseless",
)
_PRECISION = Precision.PREVIEW  # in time for a click


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A guarantee as a team might publish it.

    Attributes:
        name: What it is called here.
        reason: What is wrong with it, one of `REASONS`.
        also: Another of them that says the same in other words.
        plan: What the team's accountant was told.
        accountant: Which of `accounting.ACCOUNTANTS` it was.
        truth: Gives the epsilon that can be said instead; infinite where none can.
    """

    name: str
    reason: str
    also: str | None = None
    plan: PrivacyPlan
    accountant: str = "pld"
    truth: Callable[[PrivacyPlan], float]

    def accepts(self, reason: str) -> bool:
        """Whether that is what is wrong with it."""
        return reason in (self.reason, self.also)

    @property
    def claimed(self) -> float:
        """The epsilon that the team publishes."""
        return accounting.account(self.plan, _PRECISION).answer_of(self.accountant).value

    @property
    def actual(self) -> float:
        """The epsilon that can be said instead; infinite where none can."""
        return self.truth(self.plan)


def headline(plan: PrivacyPlan) -> float:
    """Returns the epsilon of a plan that is accounted for as it is carried out."""
    return accounting.epsilon(plan, _PRECISION).value


def fixed_size(plan: PrivacyPlan) -> PrivacyPlan:
    """Returns a plan where each round draws exactly `clients_per_round` users: who comes takes another's place."""
    return replace(plan, participation=FixedSize())


def replaced_epsilon(plan: PrivacyPlan) -> float:
    """Returns the epsilon of `fixed_size` where a user is replaced by another.

    >>> round(replaced_epsilon(PrivacyPlan()), 2)
    14.09
    """
    return headline(replace(fixed_size(plan), adjacency=REPLACE))


def scheduled(plan: PrivacyPlan) -> PrivacyPlan:
    """Returns a plan whose users take turns on a known schedule."""
    return replace(plan, participation=Schedule())


def sweep(plan: PrivacyPlan) -> list[PrivacyPlan]:
    """Returns the noisy trainings of the tutorial's sweep, and the final one."""
    return [*(replace(plan, noise_multiplier=noise, clients_per_round=50) for noise in (0.5, 0.75, 1.0)), plan]


def composed_epsilon(plan: PrivacyPlan) -> float:
    """Returns the epsilon of the sweep and the final training together."""
    return ledger.compose(sweep(plan), plan.delta, _PRECISION).headline.value


def average_sensitivity(cohort_sizes: np.ndarray) -> np.ndarray:
    """Returns how far one user moves an average over those that came, at most, in clip norms.

    All others agree, and this user is opposed: (n (-1) + 1) / (n + 1) - (-1) = 2 / (n + 1), with n others. An empty
    cohort's average is 0, which the first user moves by 1.

    Args:
        cohort_sizes: With the user, from 1.
    """
    return np.where(cohort_sizes > 1, 2 / cohort_sizes, 1.0)


def epsilon_of_actual_divisor(plan: PrivacyPlan) -> float:
    """Returns the epsilon where a user moves the average twice as far as the noise is made for.

    So far does it move where as many came as are expected. Smaller cohorts are moved further, so it is no bound.
    """
    return headline(replace(plan, noise_multiplier=plan.noise_multiplier / 2))


def threshold_sensitivity(cohort_size: int) -> float:
    """Returns by what fraction one user above it moves the zeroing threshold's quantile, which has no noise."""
    others = cohort_size - 1
    without = zeroing.next_estimate(1.0, num_below=others, num_clients=others)
    return zeroing.next_estimate(1.0, num_below=others, num_clients=cohort_size) / without - 1


def clip_norm_sensitivity(plan: PrivacyPlan) -> tuple[float, float]:
    """Returns by what fraction one user moves the clip norm of a plan with adaptive clipping, and the noise on that."""
    clipping, clients = plan.clipping, plan.clients_per_round
    moved = math.expm1(clipping.log_step(0.5, clients))  # each user moves the centred count by 1/2
    return moved, clipping.log_step(plan.clipped_count_stddev, clients)


CLAIMS = (
    Claim(
        name="fixed_size",
        reason=SAMPLING,
        also=SENSITIVITY,
        plan=PrivacyPlan(),
        truth=lambda plan: headline(fixed_size(plan)),
    ),
    Claim(name="tutorial", reason=HOLDS, plan=PrivacyPlan(), accountant="rdp", truth=headline),
    Claim(name="sweep", reason=TOGETHER, plan=PrivacyPlan(), truth=composed_epsilon),
    Claim(
        name="schedule",
        reason=SAMPLING,
        plan=PrivacyPlan(),
        truth=lambda plan: headline(scheduled(plan)),
    ),
    Claim(
        name="delta",
        reason=DELTA,
        plan=PrivacyPlan(delta=1e-3),
        truth=lambda plan: headline(replace(plan, delta=PrivacyPlan.delta)),
    ),
    Claim(
        name="everybody",
        reason=HOLDS,
        plan=PrivacyPlan(clients_per_round=PrivacyPlan.population, noise_multiplier=30.0),
        truth=headline,
    ),
    Claim(name="came", reason=SENSITIVITY, plan=PrivacyPlan(), truth=epsilon_of_actual_divisor),
    Claim(name="zeroing", reason=NOISELESS, plan=PrivacyPlan(zeroing=True), truth=lambda plan: math.inf),
)
