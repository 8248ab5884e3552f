"""The same jobs without a browser: `python -m dpcore`.

With --json, standard output is JSON and nothing else; an infinite number is the string "inf".
"""

import functools
import json
import math
import os
import signal
import sys
import threading
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import progress
from rich.console import Console
from rich.table import Column, Table

from dpcore import datasets, home, isolated, limits
from dpcore.errors import EpsilonLabError
from dpcore.learning import engines
from dpcore.plan import MODELS, Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, calibration, statement
from dpcore.runs import supervisor
from dpcore.runs.store import Round, Run, Store

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="User-level differential privacy in federated learning.",
    pretty_exceptions_enable=False,
)
runs_app = typer.Typer(no_args_is_help=True, help="The runs that were trained here.")
app.add_typer(runs_app, name="runs")
_out, _err = Console(), Console(stderr=True)


class Accountant(StrEnum):
    """The accountants that there are."""

    rdp = "rdp"


def _option(knob: limits.Knob):
    """A command's option for a knob. Its range is checked by the plan, so that all say the same."""
    return typer.Option(f"--{knob.name.replace('_', '-')}", help=knob.help)


Noise = Annotated[float, _option(limits.NOISE_MULTIPLIER)]
Clients = Annotated[int, _option(limits.CLIENTS_PER_ROUND)]
Rounds = Annotated[int, _option(limits.ROUNDS)]
Population = Annotated[int, _option(limits.POPULATION)]
Delta = Annotated[float, _option(limits.DELTA)]
AccountantName = Annotated[Accountant, typer.Option("--accountant", help="rdp: the tutorial's Renyi orders.")]
AsJson = Annotated[bool, typer.Option("--json", help='Print JSON only, at full precision ("inf" is infinite).')]
HomeFolder = Annotated[Path | None, typer.Option("--home", help="Where runs and data live (EPSILON_LAB_HOME).")]

_NOISE, _CLIENTS = limits.NOISE_MULTIPLIER.default, int(limits.CLIENTS_PER_ROUND.default)
_ROUNDS, _POPULATION = int(limits.ROUNDS.default), int(limits.POPULATION.default)


@contextmanager
def _errors_for_people():
    """Prints what went wrong in a sentence and exits with 2."""
    try:
        yield
    except EpsilonLabError as err:
        _err.print(f"Error: {err}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from err


def _print_json(**values) -> None:
    plain = {
        key: "inf" if isinstance(value, float) and math.isinf(value) else value for key, value in values.items()
    }
    print(json.dumps(plain, allow_nan=False), flush=True)


def _warn(*warnings: str) -> None:
    for warning in filter(None, warnings):
        _err.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _accounted(plan: PrivacyPlan, accountant: Accountant) -> dict:
    return {
        "epsilon": accounting.epsilon(plan).value,
        "delta": plan.delta,
        "accountant": accountant.value,
        "noise_multiplier": plan.noise_multiplier,
        "clients_per_round": plan.clients_per_round,
        "rounds": plan.rounds,
        "population": plan.population,
    }


@app.command()
def account(
    noise_multiplier: Noise = _NOISE,
    clients_per_round: Clients = _CLIENTS,
    rounds: Rounds = _ROUNDS,
    population: Population = _POPULATION,
    delta: Delta = limits.DELTA.default,
    accountant: AccountantName = Accountant.rdp,
    as_json: AsJson = False,
) -> None:
    """The epsilon of one plan."""
    with _errors_for_people():
        plan = PrivacyPlan(
            noise_multiplier=noise_multiplier,
            clients_per_round=clients_per_round,
            rounds=rounds,
            population=population,
            delta=delta,
        )
        values = _accounted(plan, accountant)
    _warn(*plan.warnings)
    if as_json:
        _print_json(**values)
    else:
        _out.print(statement.sentence(plan, values["epsilon"]), highlight=False)


@app.command()
def calibrate(
    target_epsilon: Annotated[float, _option(limits.TARGET_EPSILON)] = limits.TARGET_EPSILON.default,
    noise_to_clients_ratio: Annotated[
        float, _option(limits.NOISE_TO_CLIENTS_RATIO)
    ] = limits.NOISE_TO_CLIENTS_RATIO.default,
    rounds: Rounds = _ROUNDS,
    population: Population = _POPULATION,
    delta: Delta = limits.DELTA.default,
    accountant: AccountantName = Accountant.rdp,
    as_json: AsJson = False,
) -> None:
    """The fewest clients per round that reach a target epsilon, noise growing with them."""
    with _errors_for_people():
        given = PrivacyPlan(
            population=population, clients_per_round=1, noise_multiplier=0, rounds=rounds, delta=delta
        )
        plan = calibration.clients_per_round(
            given, target_epsilon=target_epsilon, noise_to_clients_ratio=noise_to_clients_ratio
        )
        values = _accounted(plan, accountant)
    _warn(*plan.warnings)
    if as_json:
        _print_json(**values, target_epsilon=target_epsilon, noise_to_clients_ratio=noise_to_clients_ratio)
    else:
        _out.print(
            f"{plan.clients_per_round} clients per round with noise multiplier {plan.noise_multiplier:.12g}:\n"
            + statement.sentence(plan, values["epsilon"]),
            highlight=False,
        )


@app.command()
def train(
    noise_multiplier: Noise = _NOISE,
    clients_per_round: Clients = _CLIENTS,
    rounds: Rounds = _ROUNDS,
    delta: Delta = limits.DELTA.default,
    dataset: Annotated[str, typer.Option(help=f"One of: {', '.join(datasets.NAMES)}.")] = datasets.NAMES[0],
    zeroing: Annotated[
        bool, typer.Option(help="Zero outlying updates as the TFF tutorial does; outside the guarantee.")
    ] = False,
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engines.NAMES)}.")] = engines.NAMES[0],
    eval_every: Annotated[int, _option(limits.EVAL_EVERY)] = int(limits.EVAL_EVERY.default),
    seed: Annotated[int, _option(limits.SEED)] = int(limits.SEED.default),
    unseeded: Annotated[
        bool,
        typer.Option(
            "--unseeded", help="Draw from the operating system's entropy: for a model that is to be released."
        ),
    ] = False,
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(MODELS)}.")] = MODELS[0],
    home_folder: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Train a plan in a process of its own. Ctrl-C stops it after the round it is in."""
    with _errors_for_people():
        plan = Plan(
            privacy=PrivacyPlan(
                noise_multiplier=noise_multiplier,
                clients_per_round=clients_per_round,
                rounds=rounds,
                population=datasets.num_users(dataset),
                delta=delta,
                zeroing=zeroing,
            ),
            training=TrainingPlan(dataset=dataset, model=model, seed=None if unseeded else seed),
        )
        store = Store(home.folder(home_folder))
        run_id = supervisor.start(
            store,
            plan,
            engine=engines.check_name(engine),
            eval_every=int(limits.EVAL_EVERY.check(eval_every)),
        )
    _warn(*plan.privacy.warnings, statement.rehearsal(plan.training.seed))
    show = _show_json if as_json else _show_progress
    # In a thread of its own: the interrupted one may be in the middle of a transaction.
    stop = functools.partial(threading.Thread, target=store.request_stop, args=(run_id,))
    signal.signal(signal.SIGINT, lambda *_: stop().start())
    show(store, run_id)
    run = store.run(run_id)
    if run.status == "failed":
        _err.print(f"Error: {run.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1)


def _show_json(store: Store, run_id: str) -> None:
    for _, rows in supervisor.follow(store, run_id):
        for row in rows:
            _print_json(**vars(row))
    run = store.run(run_id)
    _print_json(run_id=run_id, status=run.status, message=run.message)


def _show_progress(store: Store, run_id: str) -> None:
    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    shown = run_id
    with progress.Progress(*columns, console=_err) as bar:
        task = bar.add_task(run_id, total=store.run(run_id).plan.privacy.rounds)
        for run, rows in supervisor.follow(store, run_id):
            for row in rows:
                if row.accuracy is not None:
                    shown = f"accuracy {row.accuracy:.3f}, epsilon {statement.epsilon_text(row.epsilon)}"
                bar.update(task, completed=row.round)
            bar.update(task, description=run.message or shown)
    _out.print(f"{run_id} {store.run(run_id).status}", highlight=False)
    _out.print(_rounds_table(store.rounds(run_id)))


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


@runs_app.command("list")
def list_runs(home_folder: HomeFolder = None, as_json: AsJson = False) -> None:
    """All runs, the newest first."""
    with _errors_for_people():
        store = Store(home.folder(home_folder))
        supervisor.notice_lost_workers(store)
        rows = [_described(run) for run in store.runs()]
    if as_json:
        for row in rows:
            _print_json(**row)
        return
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
    _out.print(table)


@runs_app.command("show")
def show_run(run_id: str, home_folder: HomeFolder = None, as_json: AsJson = False) -> None:
    """One run and its rounds."""
    with _errors_for_people():
        store = Store(home.folder(home_folder))
        supervisor.notice_lost_workers(store)
        run, rounds = store.run(run_id), store.rounds(run_id)
    if as_json:
        _print_json(**_described(run))
        for row in rounds:
            _print_json(**vars(row))
        return
    for key, value in _described(run).items():
        _out.print(f"{key}: {value}", highlight=False, markup=False)
    _out.print(_rounds_table(rounds))


@app.command()
def verify(as_json: AsJson = False) -> None:
    """Prove on this machine that the default engine is TFF's algorithm (some minutes). Exit code 1 if not."""
    if "dpcore.isolated" not in sys.orig_argv:  # once more from the start, in a network of its own
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        again = sys.orig_argv[sys.orig_argv.index("-m") + 1 :]
        os.execv(sys.executable, [sys.executable, "-m", "dpcore.isolated", *again])
    from dpcore.learning import verification  # TensorFlow: seconds, and no other command here needs it

    _warn(isolated.problem())
    table = Table("check", "measured", "at most", "")
    failures = 0
    for check in verification.checks():
        failures += not check.passed
        verdict = "passed" if check.passed else "FAILED"
        if as_json:
            _print_json(**vars(check), passed=check.passed)
        else:
            _err.print(f"{verdict} {check.name}", highlight=False)
        table.add_row(check.name, f"{check.measured:.2g}", f"{check.limit:.2g}", verdict)
    if not as_json:
        _out.print(table)
    raise typer.Exit(int(failures > 0))


@app.command()
def serve(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the dashboard listens, on this machine only.")
    ] = 8501,
    home_folder: HomeFolder = None,
) -> None:
    """Start the dashboard."""
    from dpcore.ui import serve as server  # Streamlit: not needed by any other command

    server.run(port, home.folder(home_folder))


def main() -> None:
    app(prog_name="python -m dpcore")
