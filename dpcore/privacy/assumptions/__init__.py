"""The same plan under each assumption that it could be run with: what secrecy is worth."""

import functools
import math
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.events import Event, SampledGaussian
from dpcore.mechanisms.noise import Independent
from dpcore.mechanisms.participation import (
    ADD_OR_REMOVE,
    ADJACENCIES,
    CyclicPoisson,
    FixedSize,
    Full,
    Participation,
    Poisson,
    Schedule,
)
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting

_GROUPS = 4  # of cyclic Poisson sampling, where no bands say how many


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A way to form cohorts.

    Attributes:
        plan: The plan with it.
        epsilon: What it then guarantees, at the plan's noise and delta.
    """

    plan: PrivacyPlan
    epsilon: float

    @property
    def asks(self) -> str:
        """What it asks of a deployment, in a sentence."""
        return self.plan.cohorts.assumption(self.plan.fleet)


def of(plan: PrivacyPlan) -> list[Assumption]:
    """Returns the plan under each assumption that its numbers allow, as `plans` has them.

    The plan's own epsilon is the reported one.
    """
    found = plans(plan)
    return [
        Assumption(plan=one, epsilon=accounting.epsilon(plan).value if one == plan else epsilon)
        for one, epsilon in zip(found, bounds(found), strict=True)
    ]


def plans(plan: PrivacyPlan) -> list[PrivacyPlan]:
    """Returns the plan under each assumption that its numbers allow, the plan's own among them.

    Where a way to form cohorts does not go with the plan's noise, that is independent there. In full participation all
    users take part in every round, however many the plan's clients are.
    """
    apart = max(1, plan.population // plan.clients_per_round)
    groups = min(getattr(plan.noise, "bands", _GROUPS), apart)
    ways = {
        "poisson": [_with(plan, Poisson(), ADD_OR_REMOVE)],
        "cyclic-poisson": [_with(plan, CyclicPoisson(min_separation=groups), ADD_OR_REMOVE)],
        "fixed": [_with(plan, FixedSize(), adjacency) for adjacency in ADJACENCIES],
        "schedule": [_with(plan, Schedule(), ADD_OR_REMOVE)],
        "full": [_with(plan, Full(), adjacency, clients_per_round=plan.population) for adjacency in ADJACENCIES],
    }
    ways[plan.cohorts.kind] = [one for one in ways[plan.cohorts.kind] if one and one.adjacency != plan.adjacency]
    ways[plan.cohorts.kind].insert(0, plan)
    return [one for way in ways.values() for one in way if one]


def bounds(plans: list[PrivacyPlan]) -> list[float]:
    """Returns upper bounds of the epsilons of plans of one delta in milliseconds, some 1e-5 above the reported ones."""
    from dpcore.privacy import curves  # SciPy, which a page that only accounts does not wait for

    delta, events = plans[0].delta, [one.event for one in plans]
    noise, rounds = np.array([(one.mechanism.noise_multiplier, one.rounds) for one in events]).T
    if_all_took_part = curves.pld_epsilons(noise_multiplier=noise, sampling_prob=1, rounds=rounds, delta=delta)
    sampled = [bound(one.mechanism, one.rounds, delta) if one.is_sampled else math.inf for one in events]
    return [float(one) for one in np.fmin(if_all_took_part, sampled)]


@functools.lru_cache(maxsize=4096)
def bound(mechanism: SampledGaussian, rounds: int, delta: float) -> float:
    """Returns such a bound of one mechanism in so many rounds, by PLD, and by RDP where that has none."""
    from dpcore.privacy import curves

    given = {**Event(mechanism, rounds).arguments(), "delta": delta}
    if not mechanism.replaces:
        by_pld = float(curves.pld_epsilons(**given, step=curves.NUMBER))
        if not math.isnan(by_pld):
            return by_pld
    return float(np.fmin(curves.rdp_epsilons(**given), math.inf))


def _with(
    plan: PrivacyPlan, participation: Participation, adjacency: str, *, clients_per_round: int | None = None
) -> PrivacyPlan | None:
    """The plan with other cohorts; `None` where they cannot be formed."""
    clients = clients_per_round or plan.clients_per_round
    for noise in (plan.noise, Independent()):
        with suppress(InvalidValueError):
            return replace(
                plan, participation=participation, adjacency=adjacency, noise=noise, clients_per_round=clients
            )
    return None
