"""The command that keeps the books."""

from dataclasses import replace
from typing import Annotated

import typer

from dpcore import datasets, limits
from dpcore.cli import options
from dpcore.cli.options import out, print_json
from dpcore.cli.runs import open_store, runs_table, runs_values
from dpcore.runs.access import budget


def ledger(
    dataset: Annotated[str, typer.Option(help="A data set's name; `data list` shows them.")] = datasets.NAMES[0],
    budget_epsilon: Annotated[
        float | None,
        typer.Option(help="From now on, all runs together may spend this much. 0 takes the bound away."),
    ] = None,
    budget_delta: Annotated[
        float | None, typer.Option(help="The delta of the budget and of what is spent.")
    ] = None,
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Public: its users need no protection.")
    ] = None,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """What all runs on a data set spend together, and its budget."""
    store = open_store(home_folder)
    limits.check_choice("dataset", dataset, budget.dataset_names(store))
    policy = before = store.policy(dataset)
    if budget_epsilon is not None:
        bound = limits.TARGET_EPSILON.check(budget_epsilon) if budget_epsilon else None
        policy = replace(policy, budget_epsilon=bound)
    if budget_delta is not None:
        policy = replace(policy, budget_delta=limits.DELTA.check(budget_delta))
    if public is not None:
        policy = replace(policy, public=public)
    if policy != before:
        store.set_policy(policy)
    now = budget.balance(store, dataset)
    if as_json:
        print_json(
            dataset=dataset,
            epsilon=now.account.headline.value,
            delta=policy.budget_delta,
            accountant=now.account.headline.accountant,
            pld={
                "epsilon": now.account.pld.value if now.account.pld else None,
                "problem": now.account.pld_problem,
                "note": now.account.pld.note if now.account.pld else "",
            },
            rdp={"epsilon": now.account.rdp.value, "order": now.account.rdp.order},
            budget_epsilon=policy.budget_epsilon,
            exceeded=now.exceeded,
            public=policy.public,
            runs=[run.run_id for run in now.runs],
        )
        return
    out.print(budget.sentence(now))
    if now.runs:
        out.print(runs_table(runs_values(now.runs)))
