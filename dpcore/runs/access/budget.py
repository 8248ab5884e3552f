"""What the runs on one data set have spent together, and what its owner allows.

Every run that has released a round, or still may, is charged with all the rounds of its plan: one that is
stopped early was stopped by somebody who looked, and only the planned guarantee holds whatever made them stop. Rounds
that were drawn again come on top. Throwing a run away takes nothing back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dpcore import datasets, rounding
from dpcore.errors import BudgetExceededError
from dpcore.language import _, sentences
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.accounting import Account
from dpcore.privacy.precision import Precision
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.policies import Policy
from dpcore.runs.store.run_rows import Run


@dataclass(frozen=True, kw_only=True)
class Balance:
    """A data set's runs as one.

    Attributes:
        policy: What its owner decided.
        runs: The runs that are charged, the newest first.
        unreadable: The ids of runs whose plan cannot be read: with one of them, nothing is guaranteed.
        account: Their composed epsilon, at the budget's delta; that of nothing where the data set is public.
    """

    policy: Policy
    runs: list[Run]
    unreadable: list[str]
    account: Account

    @property
    def exceeded(self) -> bool:
        """Whether more is spent than allowed."""
        allowed = self.policy.budget_epsilon
        return allowed is not None and self.account.headline.value > allowed


def charged_runs(store: StoreAccess, dataset: str) -> list[Run]:
    """Returns the runs that a data set is charged with, the newest first; also those that were thrown away."""
    return [
        run for run in store.runs(deleted=None) if run.plan.training.dataset == dataset and run.may_have_released
    ]


def epsilons_alone(runs: Sequence[Run]) -> list[float]:
    """Returns what each run costs on its own, with all rounds of its plan and those that were drawn again.

    Of a run that has done them all it is what was recorded then, where that is by the accountants of this version; else
    what is known, or an upper bound that is found at once, at most some 1e-5 of it above.
    """
    found: dict[PrivacyPlan, float] = {}
    for run in runs:
        if not (run.complete and run.accounted) and run.charged not in found:
            found[run.charged] = accounting.known_epsilon(run.charged)
    return [run.epsilon if run.complete and run.accounted else found[run.charged] for run in runs]


def dataset_names(store: StoreAccess) -> tuple[str, ...]:
    """Returns all names that have a ledger: of data sets that are there, and of those that left runs behind."""
    there = datasets.names(store.home)
    trained = {run.plan.training.dataset for run in store.runs(deleted=None)}
    unreadable = {name for _run_id, name in store.unreadable() if name is not None}
    return (*there, *sorted((trained | unreadable) - set(there)))


def balance(
    store: StoreAccess,
    dataset: str,
    *,
    more: Sequence[Plan] = (),
    precision: Precision = Precision.REPORTED,
) -> Balance:
    """Returns what the runs on a data set have spent, with more plans, if they were run."""
    policy, runs = store.policy(dataset), charged_runs(store, dataset)
    plans = [run.charged for run in runs] + [plan.privacy for plan in more]
    unreadable = [run_id for run_id, where in store.unreadable() if where in (dataset, None)]
    if unreadable:  # what they have spent is not known, and so without bound
        plans.append(PrivacyPlan(noise_multiplier=0.0))
    spent = [] if policy.public else plans
    return Balance(
        policy=policy,
        runs=runs,
        unreadable=unreadable,
        account=ledger.compose(spent, policy.budget_delta, precision),
    )


def check(store: StoreAccess, *plans: Plan) -> None:
    """Says no to plans on one data set that together would take it past the budget.

    Raises:
        BudgetExceededError: If they would.
    """
    dataset = plans[0].training.dataset
    store.look_again()  # a dashboard is open for days, and all that is beside its file must count
    if store.policy(dataset).budget_epsilon is None:
        return
    after = balance(store, dataset, more=plans)
    policy, total = after.policy, after.account.headline.value
    if policy.budget_epsilon is None or not after.exceeded:
        return
    why = next(filter(None, (ledger.why_uncovered(plan.privacy) for plan in plans)), "")
    if not why and math.isinf(total):
        why = _("A run on it has left no guarantee (see the ledger).")
    message = (
        _(
            "Expected all runs on {dataset} together to spend at most epsilon {allowed} at delta {delta}; with this one "
            "they would spend {total}."
        )
        if len(plans) == 1
        else _(
            "Expected all runs on {dataset} together to spend at most epsilon {allowed} at delta {delta}; with these "
            "{count} they would spend {total}."
        )
    ).format(
        dataset=dataset,
        allowed=rounding.given(policy.budget_epsilon),
        delta=rounding.given(policy.budget_delta),
        total=rounding.epsilon(total),
        count=len(plans),
    )
    advice = why or _("Train fewer rounds, with more noise, or raise the budget.")
    raise BudgetExceededError(sentences(message, advice))


def sentence(balance: Balance) -> str:
    """Returns what has been spent, and of what, in words."""
    policy, account = balance.policy, balance.account
    if policy.public:
        return _("{dataset} is marked as public: runs on it cost its users nothing.").format(dataset=policy.name)
    spent = (
        _(
            "The runs on {dataset} ({count}) come to epsilon {epsilon} at delta {delta} (RDP: {rdp}). No budget is "
            "set."
        )
        if policy.budget_epsilon is None
        else _(
            "The runs on {dataset} ({count}) come to epsilon {epsilon} at delta {delta} (RDP: {rdp}), of a budget of "
            "{budget}."
        )
    )
    words = [
        spent.format(
            dataset=policy.name,
            count=len(balance.runs),
            epsilon=rounding.epsilon(account.headline.value),
            delta=rounding.given(policy.budget_delta),
            rdp=rounding.epsilon(account.rdp.value),
            budget=rounding.given(policy.budget_epsilon or 0),
        )
    ]
    if balance.unreadable:
        unreadable = _("Runs whose plan this version cannot read: {runs}.")
        words.append(unreadable.format(runs=", ".join(balance.unreadable)))
    if open_runs := sum(bool(ledger.why_uncovered(run.charged)) for run in balance.runs):
        words.append(_("Runs without a guarantee leave the whole without one: {count}.").format(count=open_runs))
    if balance.exceeded:
        words.append(_("New runs are refused: raise the budget, or train on other data."))
    return " ".join(words)
