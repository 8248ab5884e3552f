"""A guarantee in words, rounded to the safe side."""

import math

from dpcore.plan import REPLACE, FixedClipping, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.privacy.accounting import Account
from dpcore.privacy.risk import Risk

_ADJACENCY = {True: "replacing all data of one user by another's", False: "adding or removing all data of one user"}


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
        reason = "without noise" if plan.noise_multiplier == 0 else "at delta 0"
        return f"No privacy guarantee: {reason}, the model may reveal any user's data."
    return (
        f"({epsilon_text(epsilon)}, {plan.delta!r})-differential privacy for each user, against "
        f"{_ADJACENCY[plan.adjacency == REPLACE]}, if {_sampling(plan)} and all {plan.rounds:,} rounds are seen."
        + (" Zeroing is outside this claim: its threshold follows the updates without noise." * plan.zeroing)
    )


def _sampling(plan: PrivacyPlan) -> str:
    if not plan.is_sampled:
        return "all users take part in every round"
    return (
        f"each user joins a round independently with probability {plan.clients_per_round:,} / {plan.population:,}"
    )


def rehearsal(seed: int | None) -> str:
    """Returns what a seed means for the guarantee; empty without one."""
    if seed is None:
        return ""
    return (
        f"A rehearsal: whoever knows the seed {seed} can recompute cohorts and noise, and the guarantee assumes "
        "that nobody can. Train without a seed what is to be released."
    )


def attack(plan: PrivacyPlan, risk: Risk, false_positive_rate: float) -> str:
    """Returns what the best attack achieves, in words for a lecture."""
    found = float(risk.true_positive_rate(false_positive_rate))
    return (
        f"Even somebody who knows all other users' data and sees every round finds at most {percent(found)} of the "
        f"users that took part, when {percent(false_positive_rate)} of those that did not are accused by mistake."
    )


def percent(fraction: float) -> str:
    """Returns a fraction as people read it, in three digits, never below what it is.

    >>> percent(0.026225), percent(0.5), percent(1.0)
    ('2.63%', '50%', '100%')
    """
    if fraction <= 0:
        return "0%"
    scale = 10.0 ** (2 - math.floor(math.log10(fraction * 100)))
    return f"{min(math.ceil(fraction * 100 * scale - 1e-9) / scale, 100):.{12}g}%"


def table(
    plan: PrivacyPlan,
    account: Account,
    risk: Risk,
    *,
    false_positive_rate: float,
    training: TrainingPlan | None = None,
    ledger: str = "",
    data: str = "",
) -> list[tuple[str, str]]:
    """Returns what has to be reported with a guarantee, as rows of a name and a text.

    Source: Ponomareva et al. (2023) <https://arxiv.org/abs/2303.00654>, section 5.3.3.

    Args:
        plan: What is guaranteed.
        account: Its epsilon by both accountants.
        risk: What attacks achieve on it.
        false_positive_rate: Where on the trade-off the attack is reported.
        training: The rest of a run's plan, where there is a run.
        ledger: What all runs on the data set have spent, in words, where that is known.
        data: Which data they are and what was looked at to prepare them, where that is known.
    """
    pld, rdp = account.pld, account.rdp
    rows = [
        (
            "Setting",
            "Central: the server sees each sampled user's update in the clear, and is trusted to clip and add up, to "
            "add the noise, and to keep neither updates nor cohorts.",
        ),
        (
            "Covers",
            "This training run. Not covered: choosing its settings by looking at other runs on the same users, the "
            "accuracy and loss that were looked at, and anything else done with the data. "
            + (ledger or "The ledger composes all runs on a data set."),
        ),
        (
            "Released",
            "The model after every round"
            + (", and the clip norm after every round." if _adaptive(plan) else ". The clip norm is fixed."),
        ),
        *([("Data", data.strip())] if data else []),
        ("Unit of privacy", "A user, with all of their examples."),
        ("Adjacency", f"Data sets that differ by {_ADJACENCY[plan.adjacency == REPLACE]}."),
        ("Mechanism", _mechanism(plan)),
        (
            "Sampling assumed",
            f"{_sampling(plan).capitalize()}, anew in every round"
            + ("; nobody learns who took part." if plan.is_sampled else "."),
        ),
        (
            "Sampling done",
            "As assumed: the sampler draws each user's coin from this plan, and a cohort may be empty. "
            "In a deployment, users that are away or drop out break it.",
        ),
        (
            "If cohorts are known",
            f"Without amplification by sampling, epsilon is "
            f"{epsilon_text(accounting.without_amplification(plan))}.",
        ),
        (
            "Accountants",
            (
                f"PLD: {epsilon_text(pld.value)}" + (f" (losses rounded up to {pld.grid:.3g})" if pld.grid else "")
                if pld
                else account.pld_problem
            )
            + f"; RDP: {epsilon_text(rdp.value)}"
            + (f" (order {rdp.order:g} of the TensorFlow Federated tutorial's)" if rdp.order else "")
            + f". By {accounting.VERSION}; each is an upper bound.",
        ),
        ("Delta", f"{plan.delta!r}, which is {plan.delta * plan.population:.3g} / population."),
        (
            "Attack",
            attack(plan, risk, false_positive_rate)
            + f" True-positive exceeds false-positive rate by at most {percent(risk.advantage)}.",
        ),
        (
            "Noise",
            "Gaussian, from a pseudo-random generator, in floating point: attacks on the rounding of the noise "
            "(Mironov 2012) are not covered.",
        ),
        (
            "Seed",
            (rehearsal(training.seed) or "None: sampling and noise come from the operating system's entropy.")
            if training
            else "To be released, a model is to be trained without a seed.",
        ),
    ]
    return rows + [("Attention", warning) for warning in plan.warnings]


def _adaptive(plan: PrivacyPlan) -> bool:
    return not isinstance(plan.clipping, FixedClipping)


def _mechanism(plan: PrivacyPlan) -> str:
    clipping = plan.clipping
    words = (
        f"DP-FedAvg: each update is clipped, the sum gets Gaussian noise and is divided by {plan.clients_per_round:,}, "
        f"the expected number; {plan.rounds:,} rounds. Noise multiplier {plan.noise_multiplier:g}"
    )
    if not _adaptive(plan):
        return f"{words}, all of it on the sum; fixed clip norm {clipping.clip_norm:g} (McMahan et al. 2018)."
    return (
        f"{words} in all: {plan.value_noise_multiplier:.6g} on the sum, and a standard deviation of "
        f"{plan.clipped_count_stddev:g} on the count of unclipped updates, by which the clip norm adapts from "
        f"{clipping.initial_clip_norm:g} towards the quantile {clipping.target_unclipped_quantile:g} "
        "(Andrew et al. 2021)."
    )


def markdown(plan: PrivacyPlan, account: Account, rows: list[tuple[str, str]]) -> str:
    """Returns the guarantee as a paragraph and a table in Markdown; `rows` as `table` gives them."""
    lines = [sentence(plan, account.headline.value), "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| **{name}** | {text.replace('|', '&#124;')} |" for name, text in rows]) + "\n"
