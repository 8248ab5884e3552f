"""A guarantee in words."""

import math

from dpcore import rounding
from dpcore.language import N_, _
from dpcore.plan import REPLACE, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, conduct
from dpcore.privacy.accounting import Account
from dpcore.privacy.conduct import Conduct
from dpcore.privacy.risk import Risk, why_unbounded
from dpcore.rounding import epsilon as epsilon_text
from dpcore.rounding import percent

_ADJACENCY = {
    True: N_("replacing all data of one user by another's"),
    False: N_("adding or removing all data of one user"),
}


def sentence(plan: PrivacyPlan, epsilon: float) -> str:
    """Returns the guarantee of a plan whose epsilon is known, with its assumptions, in one sentence."""
    if not plan.bounds_updates:
        return _("No privacy guarantee: the clip norm was so low that it bounded nothing.")
    if math.isinf(epsilon):
        if plan.noise_multiplier == 0:
            return _("No privacy guarantee: without noise, the model may reveal any user's data.")
        return _("No privacy guarantee: at delta 0, the model may reveal any user's data.")
    claim = _(
        "({epsilon}, {delta})-differential privacy for each user, against {adjacency}, "
        "if {sampling} and all {rounds:,} rounds are seen."
    ).format(
        epsilon=epsilon_text(epsilon),
        delta=rounding.given(plan.delta),
        adjacency=_adjacency(plan),
        sampling=plan.cohorts.condition(plan.fleet),
        rounds=plan.rounds,
    )
    return f"{claim} {uncovered_part(plan)}".rstrip()


def uncovered_part(plan: PrivacyPlan) -> str:
    """Returns what the epsilon of a plan does not cover of a run of it, in a sentence; empty where it covers all."""
    if not (plan.zeroing and plan.rounds):
        return ""
    return _("Zeroing is outside this claim: its threshold follows the updates without noise.")


def assumptions(plan: PrivacyPlan) -> str:
    """Returns what epsilons hold for that stand in one table, of plans that may differ in noise, clients and rounds."""
    return _(
        "Each epsilon is that of one run alone, at delta {delta}, against {adjacency}, if each user joins a round "
        "independently with probability clients / {population:,} and all rounds are seen."
    ).format(delta=rounding.given(plan.delta), adjacency=_adjacency(plan), population=plan.population)


def assumptions_of_each(plan: PrivacyPlan) -> str:
    """Returns what `assumptions` does, of plans that also form their cohorts in several ways."""
    return _(
        "Each epsilon is that of one run alone, at delta {delta}, against {adjacency}, if all rounds are seen and "
        "cohorts are formed as its mechanism says."
    ).format(delta=rounding.given(plan.delta), adjacency=_adjacency(plan))


def _adjacency(plan: PrivacyPlan) -> str:
    return _(_ADJACENCY[plan.adjacency == REPLACE])


def seed_warning(seed: int | None) -> str:
    """Returns what a seed means for the guarantee; empty without one."""
    if seed is None:
        return ""
    return _(
        "Seeded run: not for release. Whoever knows the seed {seed} can recompute cohorts and noise, and the "
        "guarantee assumes that nobody can. Train a model for release without a seed."
    ).format(seed=seed)


def attack_sentence(plan: PrivacyPlan, risk: Risk, false_positive_rate: float) -> str:
    """Returns what the best attack achieves, in words for a lecture; or that nothing bounds it."""
    return why_unbounded(plan) or _(
        "An attacker who knows all other users' data and sees every round has a true-positive rate (TPR) of at most "
        "{found} at a false-positive rate (FPR) of {accused}."
    ).format(
        found=percent(float(risk.true_positive_rate(false_positive_rate))),
        accused=rounding.given_percent(false_positive_rate),
    )


def table(
    plan: PrivacyPlan,
    account: Account,
    risk: Risk,
    *,
    false_positive_rate: float,
    training: TrainingPlan | None = None,
    done: Conduct | None = None,
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
        done: What was really done, where there is a run.
        ledger: What all runs on the data set have spent, in words, where that is known.
        data: Which data they are and what was looked at to prepare them, where that is known.
    """
    rows = [
        (
            _("Trust model"),
            _(
                "Central: the server sees each sampled user's update in the clear, and is trusted to clip and sum "
                "correctly, to add the noise, and to keep neither updates nor cohorts."
            ),
        ),
        (_("Covers"), _covers(done, ledger)),
        (_("Released"), conduct.released_outputs(done, clip_norm=plan.clipping.releases_clip_norm)),
        *([(_("Data"), data.strip())] if data else []),
        (_("Unit of privacy"), _("A user, with all of their examples.")),
        (_("Adjacency"), _("Data sets that differ by {adjacency}.").format(adjacency=_adjacency(plan))),
        (_("Mechanism"), _mechanism(plan)),
        (_("Sampling assumed"), plan.cohorts.assumption(plan.fleet)),
        (_("Sampling done"), conduct.sampling_sentence(done, plan.cohorts)),
        (_("Without amplification by sampling"), _if_cohorts_are_known(plan)),
        (_("Accountants"), f"{_accountants(account)} {uncovered_part(plan)}".rstrip()),
        (
            _("Delta"),
            _("{delta}, which is {multiple} / population.").format(
                delta=rounding.given(plan.delta), multiple=rounding.delta_multiple(plan.delta, plan.population)
            ),
        ),
        (_("Attack"), _attack(plan, risk, false_positive_rate)),
        (
            _("Noise"),
            _(
                "Gaussian, from a pseudo-random generator, in floating point: attacks on the rounding of the noise "
                "(Mironov 2012) are not covered."
            ),
        ),
        (_("Seed"), _seed(training, done)),
    ]
    return rows + [(_("Attention"), warning) for warning in plan.warnings]


def _covers(done: Conduct | None, ledger: str) -> str:
    others = _(
        "Not covered: choosing its settings by looking at other runs on the same users, the accuracy and loss that "
        "were observed, and anything else done with the data."
    )
    return " ".join(
        [conduct.covered_training(done), others, ledger or _("The ledger composes all runs on a data set.")]
    )


def _if_cohorts_are_known(plan: PrivacyPlan) -> str:
    if why := uncovered_part(plan):
        return _("Not stated.") + " " + why
    return _("Epsilon is {epsilon}, against an attacker who knows the cohorts.").format(
        epsilon=epsilon_text(accounting.without_amplification(plan))
    )


def _attack(plan: PrivacyPlan, risk: Risk, false_positive_rate: float) -> str:
    words = attack_sentence(plan, risk, false_positive_rate)
    if why_unbounded(plan):
        return words
    most = _("Membership advantage, max (TPR - FPR): at most {advantage}.")
    return f"{words} {most.format(advantage=percent(risk.advantage))}"


def _accountants(account: Account) -> str:
    pld, rdp = account.pld, account.rdp
    by_pld = account.pld_problem
    if pld:
        by_pld = (_("PLD: {epsilon} (losses rounded up to {grid})") if pld.grid else _("PLD: {epsilon}")).format(
            epsilon=epsilon_text(pld.value), grid=rounding.up(pld.grid or 0)
        )
    by_rdp = (
        _("RDP: {epsilon} (order {order} of the TensorFlow Federated tutorial's)")
        if rdp.order
        else _("RDP: {epsilon}")
    ).format(epsilon=epsilon_text(rdp.value), order=rounding.given(rdp.order or 0))
    told = f"{by_pld}; {by_rdp}" if pld else f"{by_pld} {by_rdp}"  # why there is none is a sentence
    bounds = _("{bounds}. By {version}; each is an upper bound.").format(bounds=told, version=accounting.VERSION)
    return f"{bounds} {pld.note}" if pld and pld.note else bounds


def _seed(training: TrainingPlan | None, done: Conduct | None) -> str:
    if training is None:
        return conduct.why_nothing_is_stated(done) + " " + _("A model for release must be trained without a seed.")
    if training.seed is not None and done is not None and not done.seeded:
        return _(
            "On the engine {engine}, neither cohorts nor noise follow the seed {seed}. The run counts as a seeded "
            "run all the same, not for release: train a model for release without a seed."
        ).format(engine=done.engine, seed=training.seed)
    return seed_warning(training.seed) or _("None: sampling and noise come from the operating system's entropy.")


def _mechanism(plan: PrivacyPlan) -> str:
    mechanism = _(
        "DP-FedAvg: each update is clipped, the sum gets Gaussian noise and is divided by {clients_per_round:,}, "
        "the expected number; {rounds:,} rounds. Noise multiplier {noise_multiplier}."
    ).format(
        clients_per_round=plan.clients_per_round,
        rounds=plan.rounds,
        noise_multiplier=rounding.noise(plan.noise_multiplier),
    )
    clipping = plan.clipping.sentence(
        value_noise_multiplier=plan.value_noise_multiplier, count_stddev=plan.clipped_count_stddev
    )
    return " ".join([mechanism, clipping, *([plan.noise.sentence] if plan.noise.is_correlated else [])])


def markdown(plan: PrivacyPlan, account: Account, rows: list[tuple[str, str]]) -> str:
    """Returns the guarantee as a paragraph and a table in Markdown; `rows` as `table` gives them."""
    lines = [sentence(plan, account.headline.value), "", "| | |", "|---|---|"]
    return "\n".join(lines + [f"| **{name}** | {text.replace('|', '&#124;')} |" for name, text in rows]) + "\n"
