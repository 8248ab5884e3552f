"""A guarantee in words, rounded to the safe side."""

import math

from dpcore.language import N_, _
from dpcore.plan import REPLACE, FixedClipping, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.privacy.accounting import Account
from dpcore.privacy.risk import Risk

_ADJACENCY = {
    True: N_("replacing all data of one user by another's"),
    False: N_("adding or removing all data of one user"),
}


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
    if not plan.bounds_updates:
        return _("No privacy guarantee: the clip norm was so low that it bounded nothing.")
    if math.isinf(epsilon):
        if plan.noise_multiplier == 0:
            return _("No privacy guarantee: without noise, the model may reveal any user's data.")
        return _("No privacy guarantee: at delta 0, the model may reveal any user's data.")
    claim = _(
        "({epsilon}, {delta!r})-differential privacy for each user, against {adjacency}, "
        "if {sampling} and all {rounds:,} rounds are seen."
    ).format(
        epsilon=epsilon_text(epsilon),
        delta=plan.delta,
        adjacency=_adjacency(plan),
        sampling=_sampling(plan),
        rounds=plan.rounds,
    )
    if not plan.zeroing:
        return claim
    exception = _("Zeroing is outside this claim: its threshold follows the updates without noise.")
    return f"{claim} {exception}"


def assumptions(plan: PrivacyPlan) -> str:
    """Returns what epsilons hold for that stand in one table, of plans that may differ in noise, clients and rounds."""
    return _(
        "Each epsilon is that of one run alone, at delta {delta!r}, against {adjacency}, if each user joins a round "
        "independently with probability clients / {population:,} and all rounds are seen."
    ).format(delta=plan.delta, adjacency=_adjacency(plan), population=plan.population)


def _adjacency(plan: PrivacyPlan) -> str:
    return _(_ADJACENCY[plan.adjacency == REPLACE])


def _sampling(plan: PrivacyPlan) -> str:
    if not plan.is_sampled:
        return _("all users take part in every round")
    return _(
        "each user joins a round independently with probability {clients_per_round:,} / {population:,}"
    ).format(clients_per_round=plan.clients_per_round, population=plan.population)


def rehearsal(seed: int | None) -> str:
    """Returns what a seed means for the guarantee; empty without one."""
    if seed is None:
        return ""
    return _(
        "A rehearsal: whoever knows the seed {seed} can recompute cohorts and noise, and the guarantee assumes "
        "that nobody can. Train without a seed what is to be released."
    ).format(seed=seed)


def attack(risk: Risk, false_positive_rate: float) -> str:
    """Returns what the best attack achieves, in words for a lecture."""
    found = float(risk.true_positive_rate(false_positive_rate))
    return _(
        "Even somebody who knows all other users' data and sees every round finds at most {found} of the "
        "users that took part, when {accused} of those that did not are accused by mistake."
    ).format(found=percent(found), accused=percent(false_positive_rate))


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
    rows = [
        (
            _("Setting"),
            _(
                "Central: the server sees each sampled user's update in the clear, and is trusted to clip and add up, "
                "to add the noise, and to keep neither updates nor cohorts."
            ),
        ),
        (
            _("Covers"),
            _(
                "This training run. Not covered: choosing its settings by looking at other runs on the same users, the "
                "accuracy and loss that were looked at, and anything else done with the data."
            )
            + " "
            + (ledger or _("The ledger composes all runs on a data set.")),
        ),
        (
            _("Released"),
            _("The model after every round. The clip norm is fixed.")
            if isinstance(plan.clipping, FixedClipping)
            else _("The model after every round, and the clip norm after every round."),
        ),
        *([(_("Data"), data.strip())] if data else []),
        (_("Unit of privacy"), _("A user, with all of their examples.")),
        (_("Adjacency"), _("Data sets that differ by {adjacency}.").format(adjacency=_adjacency(plan))),
        (_("Mechanism"), _mechanism(plan)),
        (_("Sampling assumed"), _sampling_assumed(plan)),
        (
            _("Sampling done"),
            _(
                "As assumed: the sampler draws each user's coin from this plan, and a cohort may be empty. "
                "In a deployment, users that are away or drop out break it."
            ),
        ),
        (
            _("If cohorts are known"),
            _("Without amplification by sampling, epsilon is {epsilon}.").format(
                epsilon=epsilon_text(accounting.without_amplification(plan))
            ),
        ),
        (_("Accountants"), _accountants(account)),
        (
            _("Delta"),
            _("{delta!r}, which is {multiple:.3g} / population.").format(
                delta=plan.delta, multiple=plan.delta * plan.population
            ),
        ),
        (
            _("Attack"),
            attack(risk, false_positive_rate)
            + " "
            + _("True-positive exceeds false-positive rate by at most {advantage}.").format(
                advantage=percent(risk.advantage)
            ),
        ),
        (
            _("Noise"),
            _(
                "Gaussian, from a pseudo-random generator, in floating point: attacks on the rounding of the noise "
                "(Mironov 2012) are not covered."
            ),
        ),
        (_("Seed"), _seed(training)),
    ]
    return rows + [(_("Attention"), warning) for warning in plan.warnings]


def _sampling_assumed(plan: PrivacyPlan) -> str:
    if not plan.is_sampled:
        return _("All users take part in every round, anew in every round.")
    return _(
        "Each user joins a round independently with probability {clients_per_round:,} / {population:,}, anew in every "
        "round; nobody learns who took part."
    ).format(clients_per_round=plan.clients_per_round, population=plan.population)


def _accountants(account: Account) -> str:
    pld, rdp = account.pld, account.rdp
    by_pld = account.pld_problem
    if pld:
        by_pld = (
            _("PLD: {epsilon} (losses rounded up to {grid:.3g})") if pld.grid else _("PLD: {epsilon}")
        ).format(epsilon=epsilon_text(pld.value), grid=pld.grid)
    by_rdp = (
        _("RDP: {epsilon} (order {order:g} of the TensorFlow Federated tutorial's)")
        if rdp.order
        else _("RDP: {epsilon}")
    ).format(epsilon=epsilon_text(rdp.value), order=rdp.order)
    return _("{by_pld}; {by_rdp}. By {version}; each is an upper bound.").format(
        by_pld=by_pld, by_rdp=by_rdp, version=accounting.VERSION
    )


def _seed(training: TrainingPlan | None) -> str:
    if training is None:
        return _("To be released, a model is to be trained without a seed.")
    return rehearsal(training.seed) or _("None: sampling and noise come from the operating system's entropy.")


def _mechanism(plan: PrivacyPlan) -> str:
    clipping = plan.clipping
    shared = {
        "clients_per_round": plan.clients_per_round,
        "rounds": plan.rounds,
        "noise_multiplier": plan.noise_multiplier,
    }
    if isinstance(clipping, FixedClipping):
        return _(
            "DP-FedAvg: each update is clipped, the sum gets Gaussian noise and is divided by {clients_per_round:,}, "
            "the expected number; {rounds:,} rounds. Noise multiplier {noise_multiplier:.12g}, all of it on the sum; "
            "fixed clip norm {clip_norm:g} (McMahan et al. 2018)."
        ).format(**shared, clip_norm=clipping.clip_norm)
    return _(
        "DP-FedAvg: each update is clipped, the sum gets Gaussian noise and is divided by {clients_per_round:,}, "
        "the expected number; {rounds:,} rounds. Noise multiplier {noise_multiplier:.12g} in all: {on_the_sum:.12g} on "
        "the sum, and a standard deviation of {on_the_count:.12g} on the count of unclipped updates, by which the clip "
        "norm adapts from {initial_clip_norm:g} towards the quantile {quantile:g} (Andrew et al. 2021)."
    ).format(
        **shared,
        on_the_sum=plan.value_noise_multiplier,
        on_the_count=plan.clipped_count_stddev,
        initial_clip_norm=clipping.initial_clip_norm,
        quantile=clipping.target_unclipped_quantile,
    )


def markdown(plan: PrivacyPlan, account: Account, rows: list[tuple[str, str]]) -> str:
    """Returns the guarantee as a paragraph and a table in Markdown; `rows` as `table` gives them."""
    lines = [sentence(plan, account.headline.value), "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| **{name}** | {text.replace('|', '&#124;')} |" for name, text in rows]) + "\n"
