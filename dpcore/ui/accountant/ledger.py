"""What a data set's runs have spent, wherever that has to be known."""

from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dpcore import limits, rounding
from dpcore.language import _
from dpcore.plan import Plan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.budget import Balance
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.policies import Policy
from dpcore.runs.studies import outlook
from dpcore.ui.core import columns, controls, plans, states
from dpcore.ui.server import visitors

_BEGUN = "_begun"


def metric(balance: Balance, label: str, place: DeltaGenerator | None = None) -> None:
    """Shows in large what all runs on a data set come to; its name has a place in `label`."""
    policy = balance.policy
    (place or st).metric(
        label.format(data=policy.name),
        _("public") if policy.public else rounding.epsilon(balance.account.headline.value),
        border=True,
        help=_how_composed(policy),
    )


def _how_composed(policy: Policy) -> str:
    """Returns what the epsilon of all runs on a data set is one of, and by which program."""
    return _("Composed for each user at delta {delta}, rounded up. {accountant}.").format(
        delta=rounding.given(policy.budget_delta), accountant=accounting.VERSION
    )


def after(store: StoreAccess, plan: Plan, precision: Precision) -> bool:
    """Shows what one more run would leave of the budget; returns whether there is room for it.

    Of a plan that was begun just now it shows what that has left: not what another one like it would.
    """
    dataset, charged = plan.training.dataset, _is_begun(store, plan)
    balance = budget.balance(store, dataset, more=[plan], precision=precision)
    shown = budget.balance(store, dataset, precision=precision) if charged else balance
    policy, total = shown.policy, shown.account.headline.value
    told = {
        "data": policy.name,
        "total": rounding.epsilon(total),
        "budget": rounding.given(policy.budget_epsilon or 0),
        "delta": rounding.given(policy.budget_delta),
        "left": rounding.epsilon_left(policy.budget_epsilon or 0, total),
    }
    with_it = _("Epsilon of all runs on {data}, including this one")
    metric(shown, _("Epsilon of all runs on {data}, this one already charged") if charged else with_it)
    if policy.public:
        st.caption(_("{data} is marked as public: this run costs its users nothing.").format(**told))
    elif shown.exceeded:
        st.error(
            _(
                "No room in the budget: with this run, all runs on {data} would spend epsilon {total} of {budget} at "
                "delta {delta}. {why}"
            ).format(**told, why=ledger.why_uncovered(plan.privacy)),
            icon=":material/block:",
        )
        states.link("ledger", dataset=policy.name)
    elif outlook.is_lost(store, dataset):
        st.caption(outlook.nothing_left(dataset))
    else:
        st.caption(_spent(bounded=policy.budget_epsilon is not None, charged=charged).format(**told))
        if balance.exceeded:
            st.caption(_("There is no room in the budget for another one like it."))
    return not balance.exceeded


def _spent(*, bounded: bool, charged: bool) -> str:
    """How it is said what all runs spend, with a budget or without, before a run is begun or after."""
    if charged:
        return (
            _(
                "That run is charged: with it, all runs on {data} spend epsilon {total} of a budget of {budget} at "
                "delta {delta}; at least {left} is left. Pressing Train again starts another run."
            )
            if bounded
            else _(
                "That run is charged: with it, all runs on {data} spend epsilon {total} together at delta {delta}. "
                "No budget is set (see the Ledger). Pressing Train again starts another run."
            )
        )
    return (
        _(
            "With this run, all runs on {data} spend epsilon {total} of a budget of {budget} at delta {delta}; "
            "at least {left} would be left."
        )
        if bounded
        else _(
            "With this run, all runs on {data} spend epsilon {total} together at delta {delta}. No budget is set "
            "(see the Ledger)."
        )
    )


def begun(plan: Plan, run_id: str) -> None:
    """Notes that a run was begun with this plan."""
    st.session_state[_BEGUN] = plan, run_id


def _is_begun(store: StoreAccess, plan: Plan) -> bool:
    """Whether the last run that was begun in this tab has this plan, and is charged."""
    of, run_id = st.session_state.get(_BEGUN, (None, ""))
    return of == plan and run_id in {run.run_id for run in budget.charged_runs(store, plan.training.dataset)}


def show(store: StoreAccess, dataset: str, precision: Precision) -> Balance:
    """Shows a data set's composed epsilon; returns what it is made of."""
    balance = budget.balance(store, dataset, precision=precision)
    policy, account = balance.policy, balance.account
    one, two, three = st.columns(3)
    one.metric(
        _("Epsilon of all runs by {accountant}").format(accountant=account.headline.accountant.upper()),
        rounding.epsilon(account.headline.value),
        border=True,
        help=f"{_how_composed(policy)} {account.headline.note}",
    )
    two.metric(
        _("Epsilon by RDP"),
        rounding.epsilon(account.rdp.value),
        border=True,
        help=account.pld_problem or _("By Rényi differential privacy, a looser upper bound."),
    )
    three.metric(
        _("Budget"),
        _("none") if policy.budget_epsilon is None else rounding.given(policy.budget_epsilon),
        border=True,
        help=_("The epsilon that all runs together may spend; a run that would spend more is refused."),
    )
    (st.error if balance.exceeded else st.info)(budget.sentence(balance), icon=":material/account_balance:")
    return balance


def runs(store: StoreAccess, balance: Balance) -> None:
    """Shows the runs behind a data set's epsilon."""
    if not balance.runs:
        st.write(_("Nothing has been trained on it yet."))
        states.link("train")
        return
    now = {run.run_id: run.status for run in supervisor.runs(store, deleted=None)}
    costs = budget.epsilons_alone(balance.runs)
    table = pd.DataFrame(
        [
            {
                "run": run.run_id,
                "epsilon alone": rounding.epsilon(cost),
                "no guarantee because": ledger.why_uncovered(run.charged),
                "status": states.sign(now[run.run_id]),
                "rounds charged": run.charged.rounds,
                "noise": run.plan.privacy.noise_multiplier,
                "clients": run.plan.privacy.clients_per_round,
                "mechanism": plans.mechanism(run.plan.privacy),
            }
            for run, cost in zip(balance.runs, costs, strict=True)
        ]
    )
    if not table["no guarantee because"].any():
        table = table.drop(columns="no guarantee because")
    if not any(plans.unusual_mechanism(run.plan.privacy) for run in balance.runs):
        table = table.drop(columns="mechanism")
    st.dataframe(columns.rounded(table), hide_index=True, column_config=columns.shown(table))
    st.caption(
        _(
            "A run is charged for all rounds of its plan as soon as it has released one, or may still do so: a "
            "decision to stop early depends on what was released. Rounds that were drawn again are charged in "
            "addition, and a run in the bin stays charged. All are composed as if their plans had been fixed "
            "beforehand."
        )
    )


def decide(store: StoreAccess, dataset: str) -> None:
    """Shows the controls of a data set's budget, and keeps what is decided."""
    policy, allowed = store.policy(dataset), limits.TARGET_EPSILON.maximum
    if visitors.hosted():
        st.write(_("The administrator sets budgets, and decides which data are public."))
        return
    public = st.toggle(
        _("Public data: its users need no protection, and runs on it cost nothing"),
        value=policy.public,
        key=f"public_{dataset}",
        help=_("For data that anybody may see anyway. The runs stay in the list."),
    )
    bounded = st.toggle(
        _("A budget for all runs together"),
        value=policy.budget_epsilon is not None,
        key=f"bounded_{dataset}",
        help=_("With one, a run that would spend more than is left is not started."),
    )
    epsilon = st.number_input(
        _("Budget: epsilon"),
        value=policy.budget_epsilon or 8.0,
        step=0.5,
        format="%g",
        key=f"budget_epsilon_{dataset}",
        disabled=not bounded,
        help=_("The privacy loss of all runs together, above 0 and at most {most:,}.").format(most=int(allowed)),
    )
    delta = st.number_input(
        _("Budget: delta"),
        value=policy.budget_delta,
        step=1e-6,
        format="%e",  # all digits
        key=f"budget_delta_{dataset}",
        help=limits.DELTA.described,
    )
    tip = _("Saves these values. Runs in progress continue.")
    if st.button(_("Save"), type="primary", key="save_budget", help=tip):
        with controls.refusals():
            budget_epsilon = replace(limits.TARGET_EPSILON, name=_("Budget: epsilon"))
            store.set_policy(
                Policy(
                    name=dataset,
                    budget_epsilon=budget_epsilon.check(epsilon) if bounded else None,
                    budget_delta=limits.DELTA.check(delta),
                    public=public,
                )
            )
            st.rerun()
