"""The same plan under each assumption that it could be run with: what secrecy is worth."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from dpcore.errors import InvalidValueError
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
    return [
        Assumption(plan=one, epsilon=accounting.epsilon(plan).value if one == plan else _epsilon(one))
        for one in plans(plan)
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


def _epsilon(plan: PrivacyPlan) -> float:
    """An upper bound in milliseconds, some 1e-5 above the reported one."""
    from dpcore.privacy import curves  # SciPy, which a page that only accounts does not wait for

    given = curves.plan_arguments(plan)
    known = curves.rdp_epsilons(**given), curves.pld_epsilons(**given, step=curves.NUMBER)
    unsampled = curves.pld_epsilons(**given | {"sampling_prob": 1.0, "replaces": False})
    return float(np.fmin.reduce([*known, unsampled]))


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
