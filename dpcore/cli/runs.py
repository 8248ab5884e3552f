"""Commands that look at what was trained, and that work the queue."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich import box
from rich.table import Column, Table

from dpcore import datasets, home, limits, rounding
from dpcore.cli import options
from dpcore.cli.options import err, out, print_json, warn
from dpcore.errors import DatasetError, EpsilonLabError, InvalidValueError, StoreError
from dpcore.plan import Plan
from dpcore.privacy import accounting
from dpcore.rounds import Round
from dpcore.runs import fairness, reporting
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import alone
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store, folders
from dpcore.runs.store.run_rows import ACTIVE, ENDED, Run
from dpcore.runs.studies import outlook

app = typer.Typer(no_args_is_help=True, help="The runs that were trained here.")

_HEADS = ("run", "status", "noise", "clients", "rounds", "epsilon", "accuracy")
_MOST_RICH = 50
_ZEROING = "* Adaptive zeroing is not covered by the guarantee: its threshold follows the updates without noise."


def rounds_table(rounds: list[Round]) -> Table:
    """Returns the evaluated rounds as a table."""
    table = Table("round", "accuracy", "loss", "clip norm", "cohort", "epsilon", "seconds")
    for row in rounds:
        if row.accuracy is not None:
            table.add_row(
                str(row.round),
                f"{row.accuracy:.2%}",
                f"{row.loss:.4f}",
                rounding.up(row.clip_norm, 4),
                "" if row.cohort_size is None else str(row.cohort_size),
                rounding.epsilon(row.epsilon),
                f"{row.seconds:.2f}",
            )
    return table


def runs_values(runs: list[Run]) -> list[dict]:
    """Returns `run_values` of many runs, with the epsilons that are known or found at once."""
    return [run_values(run, epsilon) for run, epsilon in zip(runs, budget.epsilons_alone(runs), strict=True)]


def run_values(run: Run, epsilon: float | None = None) -> dict:
    """Returns what there is to know about a run, as JSON has it; its epsilon is the one to keep, or the one given."""
    privacy = run.plan.privacy
    return {
        "run_id": run.run_id,
        "name": run.name,
        "tags": run.tags,
        "note": run.note,
        "status": run.status,
        "created": datetime.fromtimestamp(run.created).astimezone().isoformat(timespec="seconds"),
        "dataset": run.plan.training.dataset,
        "dataset_fingerprint": run.dataset_fingerprint,
        "engine": run.engine,
        "seed": run.plan.training.seed,
        "model": run.plan.training.model,
        "plan_fingerprint": run.plan_fingerprint,
        "noise_multiplier": privacy.noise_multiplier,
        "clients_per_round": privacy.clients_per_round,
        "rounds": privacy.rounds,
        "population": privacy.population,
        "delta": privacy.delta,
        "adjacency": privacy.adjacency,
        "clipping": asdict(privacy.clipping),
        "zeroing": privacy.zeroing,
        "redrawn": run.redrawn,
        "audit": run.audit,
        "epsilon": accounting.epsilon(run.charged).value if epsilon is None else epsilon,
        "warnings": reporting.warnings(run),
        "last_round": run.last_round,
        "accuracy": run.accuracy,
        "seconds": run.seconds,
        "message": run.message,
    }


@app.command("list")
def list_runs(
    status: Annotated[list[str] | None, typer.Option(help="Only runs of this status; may be repeated.")] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="What is in the bin instead.")] = False,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """All runs, the newest first."""
    store = open_store(home_folder)
    for state in status or ():
        limits.check_choice("status", state, (*ACTIVE, *ENDED))
    found = [run for run in supervisor.runs(store, deleted=deleted) if not status or run.status in status]
    rows = runs_values(found)
    if as_json:
        for row in rows:
            print_json(**row)
        return
    print_runs(rows)


def print_runs(rows: list[dict]) -> None:
    """Prints runs, as `run_values` gives them, as a table; a long one plainly: `rich` takes milliseconds a row."""
    cells = [_cells(row) for row in rows]
    note = _ZEROING if any(row["zeroing"] for row in rows) else ""
    if len(rows) <= _MOST_RICH:
        out.print(_table(cells, note))
        return
    lines = [line for first, *others in cells for line in _two_lines(first, others)]
    widths = [max(len(line[column]) for line in [_HEADS, *lines]) for column in range(len(_HEADS))]
    for line in [_HEADS, *lines]:
        print(" ".join(_justified(cell, widths[at], right=at > 1) for at, cell in enumerate(line)).rstrip())
    if note:
        print(note)


def _two_lines(first: str, others: list[str]) -> list[tuple[str, ...]]:
    one, two = first.split("\n")
    return [(one, *others), (two, *("" for _cell in others))]


def _justified(cell: str, width: int, *, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _table(cells: list[tuple[str, ...]], note: str) -> Table:
    """Runs as a table that fits a narrow terminal."""
    table = Table(
        Column(_HEADS[0], no_wrap=True),
        _HEADS[1],
        *(Column(name, justify="right") for name in _HEADS[2:]),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for row in cells:
        table.add_row(*row)
    table.caption = note or None
    return table


def _cells(row: dict) -> tuple[str, ...]:
    words = [row["name"], row["dataset"], row["engine"]]
    return (
        f"{row['run_id']}\n{', '.join(filter(None, words))}",
        row["status"],
        rounding.noise(row["noise_multiplier"]),
        str(row["clients_per_round"]),
        str(row["rounds"]),
        rounding.epsilon(row["epsilon"]) + ("*" if row["zeroing"] else ""),
        "" if row["accuracy"] is None else f"{row['accuracy']:.1%}",
    )


@app.command("show")
def show_run(run_id: str, home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """One run and its rounds."""
    store = open_store(home_folder)
    run, rounds = supervisor.current(store, run_id), store.rounds(run_id)
    if as_json:
        print_json(**run_values(run))
        for row in rounds:
            print_json(**vars(row))
        return
    for key, value in run_values(run).items():
        out.print(f"{key}: {value}")
    out.print(rounds_table(rounds))


RunIds = Annotated[list[str], typer.Argument(help="Runs, by the ids that `runs list` shows.")]


@app.command("stop")
def stop_runs(
    run_ids: RunIds,
    now: Annotated[bool, typer.Option("--now", help="In the middle of a round; it may be resumed.")] = False,
    home_folder: options.HomeFolder = None,
) -> None:
    """End runs after the round they are in; take those that wait out of the queue."""
    store = open_store(home_folder)
    for run_id in run_ids:
        store.run(run_id)
        supervisor.stop(store, run_id, now=now)


@app.command("resume")
def resume_runs(
    run_ids: Annotated[list[str] | None, typer.Argument(help="Runs; none: all that were interrupted.")] = None,
    yes: options.Yes = False,
    home_folder: options.HomeFolder = None,
) -> None:
    """Go on with runs that were interrupted, stopped or failed, from their last checkpoint."""
    store = open_store(home_folder)
    owed = [supervisor.charge_of_resuming(supervisor.current(store, run_id)) for run_id in run_ids or ()]
    ask_once_more(store, [plan for plan in owed if plan], yes=yes)
    for run_id in run_ids or ():
        supervisor.resume(store, run_id)
    for run_id in run_ids or supervisor.resume_interrupted(store):
        out.print(f"{run_id} queued")


@app.command("retry")
def retry_run(run_id: str, yes: options.Yes = False, home_folder: options.HomeFolder = None) -> None:
    """Queue a run's plan once more, as a new run: the ledger charges it anew."""
    store = open_store(home_folder)
    ask_once_more(store, [store.run(run_id).plan], yes=yes)
    out.print(supervisor.retry(store, run_id))


@app.command("delete")
def delete_runs(run_ids: RunIds, home_folder: options.HomeFolder = None) -> None:
    """Put runs into the bin. What they have spent stays in the ledger."""
    store = open_store(home_folder)
    for run_id in run_ids:
        supervisor.delete(store, run_id)
    out.print("Bring them back with `runs restore`; free their space for good with `runs prune`.")


@app.command("restore")
def restore_runs(run_ids: RunIds, home_folder: options.HomeFolder = None) -> None:
    """Take runs out of the bin."""
    store = open_store(home_folder)
    for run_id in run_ids:
        store.run(run_id)
        store.restore(run_id)


@app.command("prune")
def prune_runs(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home_folder: options.HomeFolder = None,
) -> None:
    """Empty the bin for good: weights, logs and rounds of what is in it. The ledger keeps its charges."""
    store = open_store(home_folder)
    doomed = store.runs(deleted=True)
    size = sum(folders.size(store.folder(run.run_id)) for run in doomed)
    question = f"Remove {len(doomed)} runs ({size / 1e6:.1f} MB) for good?"
    if doomed and (yes or typer.confirm(question, err=True)):
        out.print(f"{store.empty_bin() / 1e6:.1f} MB freed.")


@app.command("describe")
def describe_run(
    run_id: str,
    name: Annotated[str | None, typer.Option(help="What to call it.")] = None,
    tags: Annotated[str | None, typer.Option(help="Words to find it by, with blanks between.")] = None,
    note: Annotated[str | None, typer.Option(help="Whatever should be remembered.")] = None,
    home_folder: options.HomeFolder = None,
) -> None:
    """Name, tag or note a run."""
    store = open_store(home_folder)
    store.run(run_id)
    store.describe(run_id, name=name, tags=tags, note=note)


@app.command("queue")
def show_queue(
    parallel_runs: Annotated[int | None, options.option(limits.PARALLEL_RUNS)] = None,
    move: Annotated[str | None, typer.Option(help="A queued run to put elsewhere ...")] = None,
    before: Annotated[str | None, typer.Option(help="... before this one; without it, behind all.")] = None,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """What waits, in its order; and how many runs train in parallel."""
    store = open_store(home_folder)
    if parallel_runs is not None:
        store.set_parallel_runs(parallel_runs)
    if move is not None:
        supervisor.move(store, move, before=before)
    supervisor.wake(store)
    rows = runs_values(store.queue())
    if as_json:
        print_json(parallel_runs=store.parallel_runs(), queue=[row["run_id"] for row in rows])
        return
    out.print(f"Parallel runs: {store.parallel_runs()}")
    print_runs(rows)


@app.command("log")
def show_log(run_id: str, home_folder: options.HomeFolder = None) -> None:
    """The end of what a run's worker printed."""
    store = open_store(home_folder)
    store.run(run_id)
    out.print(supervisor.log_tail(store, run_id))


@app.command("export")
def export_run(
    run_id: str,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; made if it is missing. None with figures alone.")
    ] = None,
    figures_folder: options.FiguresFolder = None,
    width: options.FiguresWidthChoice = options.FiguresWidth("page"),  # noqa: B008  # a member
    home_folder: options.HomeFolder = None,
) -> None:
    """Write a run's model (Keras SavedModel) with its statement, plan, numbers, report and script on TFF beside it.

    With figures, write what a paper shows of it into a folder, also while it trains.
    """
    if folder is None and figures_folder is None:
        raise InvalidValueError("folder", "Expected a folder to write to, or --figures FOLDER, found neither.")
    store = open_store(home_folder)
    run = supervisor.current(store, run_id)
    if figures_folder is not None:
        _write_figures(store, run, figures_folder, width)
    if folder is not None:
        _write_model(store, run, folder)


def _write_figures(store: StoreAccess, run: Run, folder: Path, width: str) -> None:
    from dpcore.cli import figures  # pandas, plotly and Streamlit: a second
    from dpcore.reports import figures as figures_of
    from dpcore.reports import notebook as notebooks

    notebook = ""
    try:
        notebook = notebooks.of_run(store, run, with_paths=True)
    except EpsilonLabError as error:  # there is no script of it, or its data are gone
        warn(error.message)
    figures.write(figures_of.of_run(store, run), notebook, folder, width=width)


def _write_model(store: StoreAccess, run: Run, folder: Path) -> None:
    from dpcore.reports import run as report  # pandas and plotly: a second
    from dpcore.reports.study import rounds_table as rounds_table_of

    run_id = run.run_id
    weights = store.folder(run_id) / "weights.npz"
    if not weights.exists():
        raise StoreError(
            f"Expected a run that has ended with a model, found {run_id} {run.status}, and no {weights}."
        )
    rounds = rounds_table_of(store, [run])
    texts = {
        "run.json": report.as_json(store, run),
        "report.html": report.html(store, run),
        "statement.md": reporting.markdown(store, run, false_positive_rate=limits.FALSE_POSITIVE_RATE.default),
        "rounds.csv": rounds.to_csv(index=False),
    }
    refusal = report.script_refusal(run.plan)
    if not refusal:
        texts["run_on_tff.py"] = report.script_for(store, run.plan)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)
        rounds.to_parquet(folder / "rounds.parquet", index=False)
        audited = alone.export(run, store.folder(run_id), folder / "audit")
    except OSError as error:
        raise StoreError(f"Expected to write to {folder}: {error}. Choose another folder.") from error
    from dpcore.learning.models import graphs  # TensorFlow: seconds

    dataset = datasets.load(run.plan.training.dataset, store.home)
    with np.load(weights) as kept:
        graphs.save(run.plan, dataset, [kept[name] for name in kept.files], folder / "model")
    data = datasets.entry(run.plan.training.dataset, store.home).folder
    warn(refusal)
    out.print(f"Written to {folder}." + ("" if refusal else f" run_on_tff.py takes the data from {data}"))
    if audited:
        files = " ".join(
            f"{option}{folder / 'audit' / name}"
            for option, name in (("", alone.MANIFEST), ("--initial ", alone.INITIAL), ("--final ", alone.FINAL))
        )
        out.print(f"The final model alone is audited by: audit model {files}", soft_wrap=True)


@app.command("fairness")
def show_fairness(
    run_id: str,
    again: Annotated[bool, typer.Option("--again", help="Measure it anew.")] = False,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """How accurate a run's last model is for whom: by user and by class. A diagnostic that no guarantee covers."""
    store = open_store(home_folder)
    run = supervisor.current(store, run_id)
    found = None if again else fairness.read(store, run)
    if found is None:
        found = _measured_fairness(store, run)
    told = {"mean_of_users": found.mean_of_users, "worst_decile": found.worst_decile}
    tables = {"by_user": found.histogram(), "by_examples": found.by_examples(), "by_class": found.by_class()}
    if as_json:
        rows = {name: table.to_dict("records") for name, table in tables.items()}
        print_json(run_id=run_id, covered_by_guarantee=False, users=len(found.user_examples), **told, **rows)
        return
    for name, table in tables.items():
        shown = Table(*(Column(str(column), justify="right") for column in table), title=name.replace("_", " "))
        for row in table.itertuples(index=False):
            shown.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row))
        out.print(shown)
    out.print(
        f"Users' mean accuracy {found.mean_of_users:.1%}, that of the tenth of users with the lowest "
        f"{found.worst_decile:.1%}. A diagnostic that the guarantee does not cover.",
        soft_wrap=True,
    )


def _measured_fairness(store: Store, run: Run) -> fairness.Fairness:
    """Returns how accurate a run's kept model is for whom, and keeps that.

    Raises:
        StoreError: If it has not ended with a model.
        DatasetError: If its data are not those that it was trained on.
    """
    weights = store.folder(run.run_id) / "weights.npz"
    if run.active or not weights.exists():
        raise StoreError(f"Expected a run that has ended with a model, found {run.run_id} {run.status}, with none.")
    from dpcore.learning import evaluation

    dataset = datasets.load(run.plan.training.dataset, store.home)
    if run.dataset_fingerprint not in (None, dataset.fingerprint):
        raise DatasetError(
            f"Expected {dataset.name} with the content {run.dataset_fingerprint}, on which {run.run_id} was trained, "
            f"found {dataset.fingerprint}: it was imported anew since."
        )
    with np.load(weights) as kept:
        right = evaluation.Evaluation(run.plan, dataset).right([kept[name] for name in kept.files])
    found = fairness.of(dataset, right)
    fairness.keep(store.folder(run.run_id), found)
    return found


def ask_once_more(store: StoreAccess, plans: Sequence[Plan], *, yes: bool, more: str = "") -> None:
    """Warns of runs that leave their data without a guarantee, with the ways out; asks a person who sits there.

    Nobody is asked where standard input is no terminal, so that scripts go on: what is said is in their logs.
    """
    names = outlook.losing_guarantee(store, plans)
    for name in names:
        warn(outlook.warning(store, name, plans))
        public = f"mark the data as public, if anybody may see them (ledger --dataset {name} --public)"
        err.print(f"Ways out: {public}{more}.", soft_wrap=True)
    if names and not yes and sys.stdin.isatty():
        typer.confirm("Go on all the same?", abort=True, err=True)


def open_store(home_folder: Path | None) -> Store:
    """Opens the store, and says once what was lost and read back."""
    store = Store(home.folder(home_folder))
    if recovered := store.recovered():
        warn(recovered)
        with suppress(StoreError):  # on a full disk it is said again
            store.forget_recovered()
    return store
