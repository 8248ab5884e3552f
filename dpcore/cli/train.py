"""The command that trains."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich import progress

from dpcore import datasets, limits, rounding
from dpcore.cli import cluster, options
from dpcore.cli.data import fetch
from dpcore.cli.options import out, print_json, takes_plan, warn
from dpcore.cli.runs import ask_once_more, open_store, rounds_table
from dpcore.learning import engines
from dpcore.plan import MODELS, Plan, PrivacyPlan
from dpcore.privacy import statement
from dpcore.runs import reporting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor

Unseeded = Annotated[
    bool,
    typer.Option(
        "--unseeded", help="Draw from the operating system's entropy: for a model that is to be released."
    ),
]
StopWhenDiverging = Annotated[
    bool,
    typer.Option(
        "--stop-when-diverging", help="Stop when the loss explodes. The guarantee stays that of all rounds."
    ),
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", help="Take the plan from this file, as `runs export` writes it, and no option of it."),
]


@takes_plan("population")
@options.takes(options.training, "make_training")
def train(
    make_plan: Callable[..., PrivacyPlan],
    make_training: Callable[[], dict[str, float]],
    dataset: Annotated[str, typer.Option(help="A data set's name; `data list` shows them.")] = datasets.NAMES[0],
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engines.NAMES)}.")] = engines.NAMES[0],
    eval_every: Annotated[int, options.option(limits.EVAL_EVERY)] = int(limits.EVAL_EVERY.default),
    seed: Annotated[int, options.option(limits.SEED)] = int(limits.SEED.default),
    unseeded: Unseeded = False,
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(MODELS)}.")] = MODELS[0],
    stop_when_diverging: StopWhenDiverging = False,
    plan_file: PlanFile = None,
    audit: options.Audit = False,
    canaries: options.Canaries = None,
    queue: Annotated[bool, typer.Option("--queue", help="Queue the run and come back at once.")] = False,
    yes: options.Yes = False,
    cluster_address: cluster.Address = "",
    workers: cluster.Workers = 0,
    tls: cluster.Tls = None,
    insecure: cluster.Insecure = False,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Train a plan in a process of its own, when its turn has come. Ctrl-C stops it after the round it is in."""
    store = open_store(home_folder)
    if plan_file is not None:
        plan = _plan_in(plan_file, store.home)
        dataset = plan.training.dataset
    else:
        plan = datasets.plan_on(
            dataset,
            store.home,
            make_plan,
            model=model,
            seed=None if unseeded else seed,
            **make_training(),
        )
    engines.check_name(engine)
    audited = options.chosen_audit(audit, canaries)
    if audited is not None:
        supervisor.check_audit(store, plan, audited, engine)  # before anybody is asked anything
    place = cluster.chosen_cluster(cluster_address, workers, tls, insecure, engine)
    ask_once_more(store, [plan], yes=yes, more="; or give it noise, and no zeroing")
    if datasets.must_be_fetched(dataset, store.home):
        fetch(dataset, store.home)  # here, where there is a network: TFF's worker has none
    run_id = supervisor.start(
        store,
        plan,
        engine=engine,
        eval_every=limits.EVAL_EVERY.check(eval_every),
        stop_when_diverging=stop_when_diverging,
        cluster=place,
        audit=audited,
    )
    warn(*plan.privacy.warnings, statement.seed_warning(plan.training.seed))
    if queue:
        print_json(run_id=run_id) if as_json else out.print(run_id)
        return
    _show_until_end(store, run_id, _show_json if as_json else _show_progress)


def _plan_in(file: Path, home: Path) -> Plan:
    """Returns the plan of a file, alone or as `runs export` writes it; refuses one for other data than are here."""
    values = options.read_json(file)
    plan = Plan.from_values(values.get("plan", values) if isinstance(values, dict) else values)
    options.check_data(plan, home)
    return plan


def _show_until_end(store: StoreAccess, run_id: str, show: Callable[[StoreAccess, str], None]) -> None:
    """Shows a run until it has ended. Ctrl-C asks it to stop.

    Raises:
        typer.Exit: If it failed, or its process was lost.
    """
    # In a thread of its own: the interrupted one may be in the middle of a transaction.
    signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=store.request_stop, args=(run_id,)).start())
    show(store, run_id)
    run = supervisor.current(store, run_id)
    if run.status in ("failed", "interrupted"):
        options.print_error(run.message)
        raise typer.Exit(1)
    warn(run.message)


def _show_json(store: StoreAccess, run_id: str) -> None:
    for _, rows in supervisor.follow(store, run_id):
        for row in rows:
            print_json(**vars(row))
    run = supervisor.current(store, run_id)
    print_json(run_id=run_id, status=run.status, message=run.message, warnings=reporting.warnings(run))


def _show_progress(store: StoreAccess, run_id: str) -> None:
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
                    shown = f"accuracy {row.accuracy:.1%}, epsilon {rounding.epsilon(row.epsilon)}"
                bar.update(task, completed=row.round)
            bar.update(task, description=run.message or shown)
    out.print(f"{run_id} {supervisor.current(store, run_id).status}")
    out.print(rounds_table(store.rounds(run_id)))
