"""What a data set's runs have spent, wherever that has to be known."""

import streamlit as st

from dpcore import limits
from dpcore.plan import Plan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.statement import epsilon_text
from dpcore.runs import budget
from dpcore.runs.store import Policy, Store
from dpcore.ui import controls


def after(store: Store, plan: Plan, grid: float) -> bool:
    """Shows what one more run would leave of the budget; returns whether there is room for it."""
    balance = budget.balance(store, plan.training.dataset, also=plan, grid=grid)
    policy, total = balance.policy, balance.account.headline.value
    if policy.public:
        st.caption(f"{policy.name} is marked as public: this run costs its users nothing.")
    elif policy.budget_epsilon is None:
        st.caption(
            f"With this run, all runs on {policy.name} spend epsilon {epsilon_text(total)} together at delta "
            f"{policy.budget_delta!r}. No budget is set (see the Ledger)."
        )
    elif balance.exceeded:
        why = ledger.uncovered(plan.privacy)
        st.error(
            f"No room in the budget: with this run, all runs on {policy.name} would spend epsilon "
            f"{epsilon_text(total)} of {policy.budget_epsilon:g} at delta {policy.budget_delta!r}. {why}",
            icon=":material/block:",
        )
    else:
        st.caption(
            f"With this run, all runs on {policy.name} spend epsilon {epsilon_text(total)} of a budget of "
            f"{policy.budget_epsilon:g} at delta {policy.budget_delta!r}; about "
            f"{policy.budget_epsilon - total:.3f} would be left."
        )
    return not balance.exceeded


def show(store: Store, dataset: str) -> None:
    """Shows a data set's composed epsilon and the runs behind it."""
    balance = budget.balance(store, dataset)
    policy, account = balance.policy, balance.account
    one, two, three = st.columns(3)
    one.metric(
        f"Epsilon of all runs, by {account.headline.accountant.upper()}",
        epsilon_text(account.headline.value),
        border=True,
        help=f"Composed for each user at delta {policy.budget_delta!r}, rounded up. {accounting.VERSION}.",
    )
    two.metric("By RDP", epsilon_text(account.rdp.value), border=True, help=account.pld_problem or None)
    three.metric("Budget", "none" if policy.budget_epsilon is None else f"{policy.budget_epsilon:g}", border=True)
    (st.error if balance.exceeded else st.info)(budget.sentence(balance), icon=":material/account_balance:")
    if not balance.runs:
        st.write("Nothing was trained on it yet.")
        return
    st.dataframe(
        [
            {
                "run": run.run_id,
                "status": run.status,
                "noise": run.plan.privacy.noise_multiplier,
                "clients": run.plan.privacy.clients_per_round,
                "rounds charged": run.charged.rounds,
                "epsilon alone": epsilon_text(accounting.epsilon(run.charged, accounting.COARSE).value),
                "no guarantee because": ledger.uncovered(run.plan.privacy),
            }
            for run in balance.runs
        ],
        hide_index=True,
    )
    st.caption(
        "A run is charged with all the rounds of its plan as soon as it has released one, or still may: who stops it "
        "early has looked. Rounds that were drawn again come on top, and a run in the bin stays charged."
    )


def decide(store: Store, dataset: str) -> None:
    """Shows the controls of a data set's budget, and keeps what is decided."""
    policy = store.policy(dataset)
    public = st.toggle(
        "Public data: its users need no protection, and runs on it cost nothing",
        value=policy.public,
        key=f"public_{dataset}",
    )
    bounded = st.toggle(
        "A budget for all runs together", value=policy.budget_epsilon is not None, key=f"bounded_{dataset}"
    )
    epsilon = st.number_input(
        "Budget: epsilon",
        value=policy.budget_epsilon or 8.0,
        step=0.5,
        key=f"budget_epsilon_{dataset}",
        disabled=not bounded,
    )
    delta = st.number_input(
        "Budget: delta", value=policy.budget_delta, step=1e-6, format="%.3e", key=f"budget_delta_{dataset}"
    )
    if st.button("Save", type="primary"):
        with controls.explain():
            store.set_policy(
                Policy(
                    name=dataset,
                    budget_epsilon=limits.TARGET_EPSILON.check(epsilon) if bounded else None,
                    budget_delta=limits.DELTA.check(delta),
                    public=public,
                )
            )
        st.rerun()
