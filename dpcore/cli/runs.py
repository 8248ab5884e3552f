"""Commands that train, and that look at what was trained."""

import functools
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer
from rich import progress
from rich.table import Column, Table

from dpcore import datasets, home, limits
from dpcore.cli import options
from dpcore.cli.data import fetch
from dpcore.cli.options import for_people, out, print_json, takes_plan, warn
from dpcore.learning import engines
from dpcore.plan import MODELS, Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.runs import budget, supervisor
from dpcore.runs.store import Round, Run, Store

app = typer.Typer(no_args_is_help=True, help="The runs that were trained here.")


@for_people
@takes_plan("population")
def train(
    make_plan: Callable[..., PrivacyPlan],
    dataset: Annotated[str, typer.Option(help="A data set's name; `data list` shows them.")] = datasets.NAMES[0],
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engines.NAMES)}.")] = engines.NAMES[0],
    eval_every: Annotated[int, options.option(limits.EVAL_EVERY)] = int(limits.EVAL_EVERY.default),
    seed: Annotated[int, options.option(limits.SEED)] = int(limits.SEED.default),
    unseeded: Annotated[
        bool,
        typer.Option(
            "--unseeded", help="Draw from the operating system's entropy: for a model that is to be released."
        ),
    ] = False,
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(MODELS)}.")] = MODELS[0],
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a plan in a process of its own. Ctrl-C stops it after the round it is in."""
    store = Store(home.folder(home_folder))
    plan = Plan(
        privacy=make_plan(population=datasets.num_users(dataset, store.home)),
        training=TrainingPlan(
            dataset=dataset,
            dataset_fingerprint=datasets.fingerprint(dataset, store.home),
            model=model,
            seed=None if unseeded else seed,
        ),
    )
    engines.check_name(engine)
    if datasets.must_be_fetched(dataset, store.home):
        fetch(dataset, store.home)  # here, where there is a network: TFF's worker has none
    run_id = supervisor.start(
        store,
        plan,
        engine=engine,
        eval_every=limits.EVAL_EVERY.check(eval_every),
    )
    warn(*plan.privacy.warnings, statement.rehearsal(plan.training.seed))
    show = _show_json if as_json else _show_progress
    # In a thread of its own: the interrupted one may be in the middle of a transaction.
    stop = functools.partial(threading.Thread, target=store.request_stop, args=(run_id,))
    signal.signal(signal.SIGINT, lambda *_: stop().start())
    show(store, run_id)
    run = store.run(run_id)
    if run.status == "failed":
        options.complain(run.message)
        raise typer.Exit(1)


def _show_json(store: Store, run_id: str) -> None:
    for _, rows in supervisor.follow(store, run_id):
        for row in rows:
            print_json(**vars(row))
    run = store.run(run_id)
    print_json(run_id=run_id, status=run.status, message=run.message)


def _show_progress(store: Store, run_id: str) -> None:
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    shown = run_id
    with progress.Progress(*columns, console=options.err) as bar:
        task = bar.add_task(run_id, total=store.run(run_id).plan.privacy.rounds)
        for run, rows in supervisor.follow(store, run_id):
            for row in rows:
                if row.accuracy is not None:
                    shown = f"accuracy {row.accuracy:.3f}, epsilon {statement.epsilon_text(row.epsilon)}"
                bar.update(task, completed=row.round)
            bar.update(task, description=run.message or shown)
    out.print(f"{run_id} {store.run(run_id).status}", highlight=False)
    out.print(_rounds_table(store.rounds(run_id)))


def _rounds_table(rounds: list[Round]) -> Table:
    table = Table("round", "accuracy", "loss", "clip norm", "cohort", "epsilon", "seconds")
    for row in rounds:
        if row.accuracy is not None:
            table.add_row(
                str(row.round),
                f"{row.accuracy:.4f}",
                f"{row.loss:.4f}",
                f"{row.clip_norm:.4f}",
                "" if row.cohort_size is None else str(row.cohort_size),
                statement.epsilon_text(row.epsilon),
                f"{row.seconds:.2f}",
            )
    return table


def _described(run: Run) -> dict:
    privacy = run.plan.privacy
    return {
        "run_id": run.run_id,
        "status": run.status,
        "created": datetime.fromtimestamp(run.created).astimezone().isoformat(timespec="seconds"),
        "dataset": run.plan.training.dataset,
        "dataset_fingerprint": run.dataset_fingerprint,
        "engine": run.engine,
        "seed": run.plan.training.seed,
        "model": run.plan.training.model,
        "plan_fingerprint": run.plan.fingerprint,
        "noise_multiplier": privacy.noise_multiplier,
        "clients_per_round": privacy.clients_per_round,
        "rounds": privacy.rounds,
        "population": privacy.population,
        "delta": privacy.delta,
        "zeroing": privacy.zeroing,
        "epsilon": accounting.epsilon(privacy).value,
        "message": run.message,
    }


@app.command("list")
@for_people
def list_runs(home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """All runs, the newest first."""
    store = Store(home.folder(home_folder))
    supervisor.notice_lost_workers(store)
    rows = [_described(run) for run in store.runs()]
    if as_json:
        for row in rows:
            print_json(**row)
        return
    out.print(_runs_table(rows))


def _runs_table(rows: list[dict]) -> Table:
    table = Table(
        Column("run", no_wrap=True),
        "status",
        "data",
        "engine",
        "noise",
        "clients",
        "rounds",
        "planned epsilon",
    )
    for row in rows:
        table.add_row(
            row["run_id"],
            row["status"],
            row["dataset"],
            row["engine"],
            f"{row['noise_multiplier']:g}",
            str(row["clients_per_round"]),
            str(row["rounds"]),
            statement.epsilon_text(row["epsilon"]),
        )
    return table


@app.command("show")
@for_people
def show_run(run_id: str, home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """One run and its rounds."""
    store = Store(home.folder(home_folder))
    supervisor.notice_lost_workers(store)
    run, rounds = store.run(run_id), store.rounds(run_id)
    if as_json:
        print_json(**_described(run))
        for row in rounds:
            print_json(**vars(row))
        return
    for key, value in _described(run).items():
        out.print(f"{key}: {value}", highlight=False, markup=False)
    out.print(_rounds_table(rounds))


@for_people
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
    store = Store(home.folder(home_folder))
    limits.check_choice("dataset", dataset, budget.dataset_names(store))
    supervisor.notice_lost_workers(store)
    policy = store.policy(dataset)
    if budget_epsilon is not None:
        bound = limits.TARGET_EPSILON.check(budget_epsilon) if budget_epsilon else None
        policy = replace(policy, budget_epsilon=bound)
    if budget_delta is not None:
        policy = replace(policy, budget_delta=limits.DELTA.check(budget_delta))
    if public is not None:
        policy = replace(policy, public=public)
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
            },
            rdp={"epsilon": now.account.rdp.value, "order": now.account.rdp.order},
            budget_epsilon=policy.budget_epsilon,
            exceeded=now.exceeded,
            public=policy.public,
            runs=[run.run_id for run in now.runs],
        )
        return
    out.print(budget.sentence(now), highlight=False)
    if now.runs:
        out.print(_runs_table([_described(run) for run in now.runs]))
