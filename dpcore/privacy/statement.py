"""A guarantee in words, rounded to the safe side."""

import math

from dpcore.plan import PrivacyPlan


def epsilon_text(value: float) -> str:
    """Returns an epsilon as people read it, never below what it is.

    >>> epsilon_text(1.98801), epsilon_text(69.4569), epsilon_text(math.inf)
    ('1.989', '69.5', '∞')
    """
    if not value < 1e15:  # more is no guarantee to anybody, and float has no digits left to round
        return "∞"
    digits = 3 if value < 10 else 1
    scaled = value * 10**digits
    # What only float noise lifts above a digit is that digit: 1.2 stays 1.200.
    whole = round(scaled) if abs(scaled - round(scaled)) < 1e-9 else math.ceil(scaled)
    return f"{whole / 10**digits:,.{digits}f}"


def sentence(plan: PrivacyPlan, epsilon: float) -> str:
    """Returns the guarantee of a plan whose epsilon is known, with its assumptions, in one sentence."""
    if math.isinf(epsilon):
        return "No privacy guarantee: without noise, the model may reveal any user's data."
    sampling = (
        "all users take part in every round"
        if plan.clients_per_round == plan.population
        else f"each user joins a round independently with probability "
        f"{plan.clients_per_round:,} / {plan.population:,}"
    )
    return (
        f"({epsilon_text(epsilon)}, {plan.delta!r})-differential privacy for each user, against adding or "
        f"removing all their data, if {sampling} and all {plan.rounds:,} rounds are seen."
        + (" Zeroing is outside this claim: its threshold follows the updates without noise." * plan.zeroing)
    )


def rehearsal(seed: int | None) -> str:
    """Returns what a seed means for the guarantee; empty without one."""
    if seed is None:
        return ""
    return (
        f"A rehearsal: whoever knows the seed {seed} can recompute cohorts and noise, and the guarantee assumes "
        "that nobody can. Train without a seed what is to be released."
    )
