"""The search for a plan that reaches a target epsilon."""

import math
from dataclasses import replace

import dp_accounting
from dp_accounting.rdp import RdpAccountant

from dpcore import limits
from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.statement import epsilon_text


def clients_per_round(plan: PrivacyPlan, *, target_epsilon: float, noise_to_clients_ratio: float) -> PrivacyPlan:
    """Returns the plan with the fewest clients per round that reaches the target.

    The noise multiplier grows with the clients, so that the noise on the average stays what it is: a
    model that bears it at a small cohort bears it at this one. This is the search of the tutorial
    "Differential Privacy in TFF", by `dp_accounting.calibrate_dp_mechanism`.

    Args:
        plan: Gives population, rounds and delta.
        target_epsilon: The epsilon that may be reached.
        noise_to_clients_ratio: Noise multiplier over clients per round.

    Raises:
        InvalidValueError: If an argument is out of range.
        UnattainableTargetError: If not even the whole population in each round reaches the target.

    >>> found = clients_per_round(PrivacyPlan(), target_epsilon=2.0, noise_to_clients_ratio=0.01)
    >>> found.clients_per_round, found.noise_multiplier
    (120, 1.2)
    """
    target = limits.TARGET_EPSILON.check(target_epsilon)
    ratio = limits.NOISE_TO_CLIENTS_RATIO.check(noise_to_clients_ratio)
    most = 2 * plan.clipping.clipped_count_stddev_per_client
    if ratio >= most * (1 - 1e-9):
        raise InvalidValueError(
            "noise_to_clients_ratio",
            f"Expected noise_to_clients_ratio to be below {most:g}, found {ratio:g}: adaptive clipping "
            "spends part of the noise on its own count. Lower the ratio.",
        )

    def at(clients: int) -> PrivacyPlan:
        # The product is rounded so that 120 clients at 0.01 are 1.2 and not 1.2000000000000002.
        return replace(plan, clients_per_round=clients, noise_multiplier=round(clients * ratio, 12))

    def event(clients: int) -> dp_accounting.DpEvent:
        one = accounting.round_event(
            noise_multiplier=at(clients).noise_multiplier, clients_per_round=clients, population=plan.population
        )
        return dp_accounting.SelfComposedDpEvent(one, plan.rounds)

    def reached(clients: int) -> float:
        return accounting.epsilon(at(clients)).value

    fewest = math.ceil(limits.LEAST_NOISE / ratio)
    if fewest > plan.population:
        raise InvalidValueError(
            "noise_to_clients_ratio",
            f"Expected noise_to_clients_ratio of at least {limits.LEAST_NOISE / plan.population:.3g} for "
            f"{plan.population:,} users, found {ratio:g}: less noise protects nobody. Raise the ratio.",
        )
    floor = reached(plan.population)
    if floor > target:
        raise UnattainableTargetError(
            "target_epsilon",
            f"Expected target_epsilon of at least {epsilon_text(floor)}, found {target:g}: even with all "
            f"{plan.population:,} users in each of {plan.rounds} rounds, a noise-to-clients ratio of "
            f"{ratio:g} gives {epsilon_text(floor)}. Raise the target or the ratio, or train fewer rounds.",
        )
    if reached(fewest) <= target:
        return at(fewest)
    found = dp_accounting.calibrate_dp_mechanism(
        lambda: RdpAccountant(accounting.RDP_ORDERS),
        event,
        target,
        plan.delta,
        dp_accounting.ExplicitBracketInterval(fewest, plan.population),
        discrete=True,
    )
    # The search stops within half a client of the crossing: settle on the side that is safe and smallest.
    while found > fewest and reached(found - 1) <= target:
        found -= 1
    while reached(found) > target:
        found += 1
    return at(found)
