"""What a data set's runs have spent, wherever that has to be known."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from dpcore import limits
from dpcore.language import _
from dpcore.plan import Plan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.statement import epsilon_text
from dpcore.runs import budget, supervisor
from dpcore.runs.budget import Balance
from dpcore.runs.settings import Policy
from dpcore.runs.store import Store
from dpcore.ui import columns, controls, states, visitors


def after(store: Store, plan: Plan, grid: float) -> bool:
    """Shows what one more run would leave of the budget; returns whether there is room for it."""
    balance = budget.balance(store, plan.training.dataset, also=plan, grid=grid)
    policy, total = balance.policy, balance.account.headline.value
    told = {
        "data": policy.name,
        "total": epsilon_text(total),
        "budget": policy.budget_epsilon,
        "delta": policy.budget_delta,
    }
    if policy.public:
        st.caption(_("{data} is marked as public: this run costs its users nothing.").format(data=policy.name))
    elif policy.budget_epsilon is None:
        st.caption(
            _(
                "With this run, all runs on {data} spend epsilon {total} together at delta {delta!r}. No budget is set "
                "(see the Ledger)."
            ).format(**told)
        )
    elif balance.exceeded:
        st.error(
            _(
                "No room in the budget: with this run, all runs on {data} would spend epsilon {total} of {budget:g} at "
                "delta {delta!r}. {why}"
            ).format(**told, why=ledger.uncovered(plan.privacy)),
            icon=":material/block:",
        )
        states.link("ledger", dataset=policy.name)
    else:
        st.caption(
            _(
                "With this run, all runs on {data} spend epsilon {total} of a budget of {budget:g} at delta {delta!r}; "
                "about {left:.3f} would be left."
            ).format(**told, left=policy.budget_epsilon - total)
        )
    return not balance.exceeded


def show(store: Store, dataset: str, grid: float) -> Balance:
    """Shows a data set's composed epsilon; returns what it is made of."""
    balance = budget.balance(store, dataset, grid=grid)
    policy, account = balance.policy, balance.account
    one, two, three = st.columns(3)
    one.metric(
        _("Epsilon of all runs, by {accountant}").format(accountant=account.headline.accountant.upper()),
        epsilon_text(account.headline.value),
        border=True,
        help=_("Composed for each user at delta {delta!r}, rounded up. {accountant}.").format(
            delta=policy.budget_delta, accountant=accounting.VERSION
        ),
    )
    two.metric(
        _("By RDP"),
        epsilon_text(account.rdp.value),
        border=True,
        help=account.pld_problem or _("The same by Rényi differential privacy, a looser upper bound."),
    )
    three.metric(
        _("Budget"),
        _("none") if policy.budget_epsilon is None else f"{policy.budget_epsilon:g}",
        border=True,
        help=_("The epsilon that all runs together may spend; a run that would spend more is refused."),
    )
    (st.error if balance.exceeded else st.info)(budget.sentence(balance), icon=":material/account_balance:")
    return balance


def runs(store: Store, balance: Balance) -> None:
    """Shows the runs behind a data set's epsilon."""
    if not balance.runs:
        st.write(_("Nothing was trained on it yet."))
        states.link("train")
        return
    now = {run.run_id: run.status for run in supervisor.runs(store, deleted=None)}
    table = pd.DataFrame(
        [
            {
                "run": run.run_id,
                "epsilon alone": epsilon_text(accounting.epsilon(run.charged, accounting.COARSE).value),
                "no guarantee because": ledger.uncovered(run.plan.privacy),
                "status": states.sign(now[run.run_id]),
                "rounds charged": run.charged.rounds,
                "noise": run.plan.privacy.noise_multiplier,
                "clients": run.plan.privacy.clients_per_round,
            }
            for run in balance.runs
        ]
    )
    if not table["no guarantee because"].any():
        table = table.drop(columns="no guarantee because")
    st.dataframe(table, hide_index=True, column_config=columns.shown(table))
    st.caption(
        _(
            "A run is charged with all the rounds of its plan as soon as it has released one, or still may: who stops it "
            "early has looked. Rounds that were drawn again come on top, and a run in the bin stays charged. All are "
            "composed as if their plans had been fixed beforehand."
        )
    )


def decide(store: Store, dataset: str) -> None:
    """Shows the controls of a data set's budget, and keeps what is decided."""
    policy, allowed = store.policy(dataset), limits.TARGET_EPSILON.maximum
    if visitors.hosted():
        st.write(_("Whoever runs this dashboard decides on budgets, and on what is public."))
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
        help=_("With one, a run that would spend more than is left is not begun."),
    )
    epsilon = st.number_input(
        _("Budget: epsilon"),
        value=policy.budget_epsilon or 8.0,
        step=0.5,
        format="%g",
        key=f"budget_epsilon_{dataset}",
        disabled=not bounded,
        help=_("The privacy loss of all runs together, above 0 and at most {most:,.0f}.").format(most=allowed),
    )
    delta = st.number_input(
        _("Budget: delta"),
        value=policy.budget_delta,
        step=1e-6,
        format="%e",
        key=f"budget_delta_{dataset}",
        help=_("The probability that the bound may fail, from 0 to below 1. Well below 1 / population."),
    )
    if st.button(_("Save"), type="primary", help=_("Keeps what is set here; runs that train go on.")):
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
