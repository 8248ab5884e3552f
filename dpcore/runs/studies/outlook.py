"""What runs that are to begin will leave in the ledgers of their data: said beforehand, as nothing takes it back."""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from dpcore import rounding
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.plan import Plan
from dpcore.privacy import ledger
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.budget import Balance
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import mechanisms, schedule
from dpcore.runs.studies.outcome import Setting, sweep_outcome
from dpcore.runs.studies.study import Study

_MOST_FINALS = 8  # that a study may lead to and that are looked for beforehand: each is calibrated
_MOST_KINDS = 24  # of runs to come that are added up while somebody waits


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A data set's ledger before and after runs that are to begin.

    Attributes:
        now: Before them.
        after: When all have run; of the final runs that a study may lead to, those that cost most.
        plans: What they are charged with, but for final runs.
        charges: Whether they are charged with anything.
        target: The epsilon of a final run that `after` leaves out, as there are too many that it may be; else `None`.
    """

    now: Balance
    after: Balance
    plans: list[Plan]
    charges: bool
    target: float | None = None

    @property
    def dataset(self) -> str:
        return self.now.policy.name


def losing_guarantee(store: StoreAccess, plans: Iterable[Plan]) -> list[str]:
    """Returns the data sets whose runs have a guarantee together now, and never again once these plans are run.

    Not those with a budget: it refuses such a plan.
    """
    without = sorted({plan.training.dataset for plan in plans if ledger.why_uncovered(plan.privacy)})
    policies = [store.policy(name) for name in without]
    open_ended = [one.name for one in policies if not one.public and one.budget_epsilon is None]
    return [name for name in open_ended if not is_lost(store, name)]


def is_lost(store: StoreAccess, dataset: str) -> bool:
    """Whether the runs on a data set have no guarantee together, whatever comes."""
    unreadable = any(where in (dataset, None) for _run, where in store.unreadable())
    return unreadable or any(ledger.why_uncovered(run.charged) for run in budget.charged_runs(store, dataset))


def study_outlooks(store: StoreAccess, study: Study, precision: Precision = Precision.PREVIEW) -> list[Outlook]:
    """Returns what a study, with its final runs, leaves of each data set that it trains on: its own first."""
    there, own = schedule.existing_runs(store, study), study.plan.training.dataset
    sweep = _charges(study.grid(), there)
    found = []
    for name in dict.fromkeys([own, *(plan.training.dataset for plan in sweep)]):
        plans = [plan for plan in sweep if plan.training.dataset == name]
        finals: list[list[Plan]] | None = [[]]
        has_bound = not (store.policy(name).public or is_lost(store, name) or losing_guarantee(store, plans))
        if name == own and has_bound:
            finals = _finals(study, there)
        after = [
            budget.balance(store, name, more=_fewer_kinds([*plans, *more]), precision=precision)
            for more in ([[]] if finals is None else finals)
        ]
        found.append(
            Outlook(
                now=budget.balance(store, name, precision=precision),
                after=max(after, key=lambda balance: balance.account.headline.value),
                plans=plans,
                charges=bool(plans) or finals is None or any(finals),
                target=study.target_epsilon if finals is None else None,
            )
        )
    return found


def sentence(outlook: Outlook) -> str:
    """Returns what a data set's runs come to, before and after those that are to begin."""
    policy, now = outlook.now.policy, outlook.now.account.headline.value
    after = outlook.after.account.headline.value
    if policy.public:
        return budget.sentence(outlook.now)
    if math.isinf(now):
        return nothing_left(policy.name)
    if math.isinf(after):
        words = _("With this, all runs on {data} together have no guarantee any more; now they have epsilon {now}.")
    elif not outlook.charges:
        words = _("Nothing new is charged to {data}: all runs on them together stay at epsilon {now}.")
    else:
        words = _(
            "With this, all runs on {data} together come to at most epsilon {after} at delta {delta}; now it is {now}."
        )
    if outlook.after.exceeded:
        words += " " + _("That is more than the budget of {budget}: runs that would exceed it are refused.")
    if outlook.target is not None:
        words += " " + _("The final run is charged in addition, with an epsilon of at most {target} of its own.")
    return words.format(
        data=policy.name,
        now=rounding.epsilon(now),
        after=rounding.epsilon(after),
        delta=rounding.given(policy.budget_delta),
        budget=rounding.given(policy.budget_epsilon or 0),
        target=rounding.given(outlook.target or 0),
    )


def nothing_left(dataset: str) -> str:
    """Says of a data set that there is nothing left to lose."""
    words = _(
        "All runs on {data} together have no guarantee any more, whatever else is run on it (see the Ledger)."
    )
    return words.format(data=dataset)


def warning(store: StoreAccess, dataset: str, plans: Iterable[Plan]) -> str:
    """Returns what plans take from a data set that they leave without a guarantee."""
    why = next(
        filter(None, (ledger.why_uncovered(plan.privacy) for plan in plans if plan.training.dataset == dataset)), ""
    )
    now = budget.balance(store, dataset, precision=Precision.PREVIEW).account.headline.value
    return _(
        "{why} So it leaves no guarantee to the users of {data}: with it, the epsilon of all runs on them, now {now}, is "
        "infinite for good. Neither the bin nor any later run takes that back."
    ).format(why=why, data=dataset, now=rounding.epsilon(now))


def _finals(study: Study, there: dict[Plan, Run]) -> list[list[Plan]] | None:
    """Returns what final runs may be charged with: lists of plans, one of which it will be.

    Once the sweep is there, that is the one that it leads to; before, there is one for each noise that may prove
    tolerable, and `None` where these are too many to look for while somebody waits.
    """
    if study.target_epsilon is None:
        return [[]]
    grid = study.grid()
    outcome = sweep_outcome(study, [there[plan] for plan in grid if plan in there])
    tolerable = [outcome.tolerable] if outcome.tolerable else []
    if not outcome.complete:
        noisy = [plan for plan in grid if plan.privacy.noise_multiplier and plan.training.seed == study.seeds[0]]
        if len(noisy) > _MOST_FINALS:
            return None
        tolerable = [Setting(plan=plan, charged=plan.privacy) for plan in noisy]
    finals = []
    for setting in tolerable:
        with suppress(EpsilonLabError):  # no number of clients reaches the target: there is none to train
            finals.append(_charges(schedule.final_runs(study, setting), there))
    return finals or [[]]


def pending_charges(store: StoreAccess, study: Study) -> list[Plan]:
    """Returns what the sweep of a study is still charged with when it begins, or goes on."""
    return _charges(study.grid(), schedule.existing_runs(store, study))


def _charges(plans: Iterable[Plan], there: dict[Plan, Run]) -> list[Plan]:
    """Returns what plans add to their ledgers: nothing where a run is there, and of one that is resumed what it owes."""
    charges = []
    for plan in plans:
        run = there.get(plan)
        if run is None:
            charges.append(plan)
        elif not run.active and run.status != "finished":
            charges += filter(None, [supervisor.charge_of_resuming(run)])
    return charges


def _fewer_kinds(plans: list[Plan]) -> list[Plan]:
    """Returns plans of few kinds that together cost no less than these of one data set.

    Those of like noise are counted with the least noise and the most clients among them: less noise reveals no less, nor
    does a larger sample, as a smaller one is a sample of it. Where cohorts are no Poisson samples, or noise is
    correlated, that is not so of every plan, and some of them could not be: these are counted as they are.
    """
    usual = [plan for plan in plans if mechanisms.is_usual(plan.privacy)]
    kinds = sorted({(plan.privacy.noise_multiplier, plan.privacy.clients_per_round) for plan in usual})
    worst = {}
    for group in np.array_split(np.arange(len(kinds)), min(_MOST_KINDS, len(kinds)) or 1):
        members = [kinds[index] for index in group]
        for kind in members:
            worst[kind] = {
                "noise_multiplier": members[0][0],
                "clients_per_round": max(count for _z, count in members),
            }
    return [
        *(plan for plan in plans if not mechanisms.is_usual(plan.privacy)),
        *(
            replace(
                plan,
                privacy=replace(
                    plan.privacy, **worst[plan.privacy.noise_multiplier, plan.privacy.clients_per_round]
                ),
            )
            for plan in usual
        ),
    ]
