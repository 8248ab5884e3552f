"""The same plan under each assumption that it could be run with: what secrecy is worth."""

from contextlib import suppress
from dataclasses import dataclass, replace

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.noise import Independent
from dpcore.mechanisms.participation import (
    ADD_OR_REMOVE,
    REPLACE,
    CyclicPoisson,
    FixedSize,
    Full,
    Poisson,
    Schedule,
)
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision


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


def of(plan: PrivacyPlan, precision: Precision = Precision.REPORTED) -> list[Assumption]:
    """Returns the plan under each assumption that its numbers allow, the plan's own among them.

    Where a way to form cohorts does not go with the plan's noise, that is independent there.
    """
    ways = [
        (Poisson(), ADD_OR_REMOVE),
        (CyclicPoisson(min_separation=getattr(plan.noise, "bands", None) or 4), ADD_OR_REMOVE),
        (FixedSize(), ADD_OR_REMOVE),
        (FixedSize(), REPLACE),
        (Schedule(), ADD_OR_REMOVE),
        (Full(), ADD_OR_REMOVE),
        (Full(), REPLACE),
        (plan.participation, plan.adjacency),
    ]
    plans: dict[PrivacyPlan, None] = {}
    for participation, adjacency in ways:
        with suppress(InvalidValueError):
            plans[_with(plan, participation, adjacency)] = None
    return [Assumption(plan=one, epsilon=accounting.epsilon(one, precision).value) for one in plans]


def _with(plan: PrivacyPlan, participation: Poisson, adjacency: str) -> PrivacyPlan:
    try:
        return replace(plan, participation=participation, adjacency=adjacency)
    except InvalidValueError:
        return replace(plan, participation=participation, adjacency=adjacency, noise=Independent())
