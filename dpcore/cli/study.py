"""Commands for the method itself: sweep the noise, find the clients, train the final model."""

import functools
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import progress
from rich.table import Column, Table

from dpcore import datasets, files, limits, rounding
from dpcore.cli import cluster, options
from dpcore.cli.data import fetch
from dpcore.cli.options import err, out, print_json, takes_plan, warn
from dpcore.cli.runs import ask_once_more, open_store
from dpcore.errors import InvalidValueError
from dpcore.learning import engines
from dpcore.plan import MODELS, Clipping, Plan
from dpcore.reports import shipped
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import duration, findings, mechanisms, outlook, ready_made, schedule
from dpcore.runs.studies.progress import rounds_done
from dpcore.runs.studies.study import BASELINES, NONE, OWN, WRITERS, Study

ReadyMadeName = StrEnum("ReadyMadeName", list(ready_made.STUDIES))  # type: ignore[misc]  # not written out
Baseline = StrEnum("Baseline", BASELINES)  # type: ignore[misc]  # not written out

app = typer.Typer(
    no_args_is_help=True, help="Studies: a sweep over noise multipliers, its result, and the final run."
)


Noises = Annotated[
    list[str],
    typer.Option(
        help="A noise multiplier of the sweep, or how noise is added: independent, tree, banded or square-root. Either "
        "may be repeated.",
        show_default="0.0, 0.5, 0.75, 1.0, independent",
    ),
]
Participations = Annotated[
    list[options.Participation],
    typer.Option(
        "--participation",
        help="How cohorts are formed, as for train; may be repeated. Each is trained with each kind of noise that goes "
        "with it.",
        show_default="poisson",
    ),
]
ReadyMade = Annotated[
    ReadyMadeName | None,
    typer.Option(
        help="A study that needs no option. secrecy: what is secrecy worth? Three guarantees of epsilon 2."
    ),
]
_USUAL_MULTIPLIERS = (0.0, 0.5, 0.75, 1.0)
BaselineChoice = Annotated[
    Baseline,
    typer.Option(
        help="Data of the non-private baseline, whose users it leaves no guarantee. own: the data set. writers: the "
        "Writers, where images are like theirs. none: no baseline; the other runs are compared with the least noise."
    ),
]
FinalAccountant = Annotated[
    options.AccountantName,
    typer.Option(help="The accountant that sets the clients per round of the final run."),
]
Specification = Annotated[
    Path | None, typer.Option(help="Take all of it from this file, as the page writes it, and no option.")
]


def _several(knob: limits.Knob):
    """An option for a knob that a grid may have several values of."""
    return typer.Option(
        f"--{knob.name.replace('_', '-')}",
        help=f"{knob.help} May be repeated.",
        show_default=rounding.given(knob.default),
    )


def _method(
    learning_rate: Annotated[
        list[float],
        typer.Option("--learning-rate", "--client-learning-rate", help="Client learning rate; may be repeated."),
    ] = [limits.CLIENT_LEARNING_RATE.default],  # noqa: B006
    server_learning_rate: Annotated[list[float], _several(limits.SERVER_LEARNING_RATE)] = [],  # noqa: B006
    server_momentum: Annotated[list[float], _several(limits.SERVER_MOMENTUM)] = [],  # noqa: B006
    local_epochs: Annotated[list[int], _several(limits.LOCAL_EPOCHS)] = [],  # noqa: B006
    batch_size: Annotated[int, options.option(limits.BATCH_SIZE)] = int(limits.BATCH_SIZE.default),
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Seeds per setting, from 0.")] = 1,
    clipping: options.ClippingChoice = options.Clipping("adaptive"),  # noqa: B008  # a member
    clip_norm: Annotated[list[float], _several(limits.CLIP_NORM)] = [],  # noqa: B006
    initial_clip_norm: Annotated[list[float], _several(limits.INITIAL_CLIP_NORM)] = [],  # noqa: B006
    target_unclipped_quantile: options.TargetUnclippedQuantile = None,
    clip_learning_rate: options.ClipLearningRate = None,
) -> dict[str, Any]:
    """Returns how models are trained and updates are clipped, as axes of a study's grid, and the batch size."""
    fixed = clip_norm if clipping.value == "fixed" else []
    initials: list[float | None] = [*dict.fromkeys(initial_clip_norm)] or [None]
    clippings = [
        options.chosen_clipping(
            clipping,
            clip_norm=norm,
            initial_clip_norm=initial,
            target_unclipped_quantile=target_unclipped_quantile,
            clip_learning_rate=clip_learning_rate,
        )
        for norm in dict.fromkeys(fixed or [limits.CLIP_NORM.default])
        for initial in initials
    ]
    return {
        "client_learning_rates": tuple(learning_rate),
        "server_learning_rates": tuple(server_learning_rate),
        "server_momenta": tuple(server_momentum),
        "local_epochs": tuple(local_epochs),
        "clippings": tuple(clippings),
        "seeds": tuple(range(seeds)),
        "batch_size": batch_size,
    }


@app.command("run")
@options.takes(_method, "make_method")
@takes_plan(
    *("population", "noise_multiplier", "clients_per_round", "rounds", "sampling", "adjacency"),
    *("participation", "max_participations", "min_separation", "noise", "bands", "clipping", "clip_norm"),
    *("initial_clip_norm", "target_unclipped_quantile", "clip_learning_rate"),
)
def run_study(
    make_plan,
    make_method,
    noise: Noises = [],  # noqa: B006
    participation: Participations = [],  # noqa: B006
    max_participations: Annotated[int | None, options.option(limits.MAX_PARTICIPATIONS)] = None,
    min_separation: Annotated[int | None, options.option(limits.MIN_SEPARATION)] = None,
    bands: options.Bands = None,
    clients: Annotated[list[int], typer.Option(help="Clients per round of the sweep; may be repeated.")] = [50],  # noqa: B006
    rounds: Annotated[list[int], typer.Option(help="Rounds; may be repeated.")] = [100],  # noqa: B006
    tolerance: Annotated[float, options.option(limits.TOLERANCE)] = limits.TOLERANCE.default,
    target_epsilon: Annotated[float, options.option(limits.TARGET_EPSILON)] = limits.TARGET_EPSILON.default,
    grid_only: Annotated[bool, typer.Option("--grid-only", help="No final run: only the grid.")] = False,
    baseline: BaselineChoice = Baseline(OWN),  # noqa: B008  # a member
    accountant: FinalAccountant = options.AccountantName("rdp"),  # noqa: B008  # a member
    dataset: Annotated[str, typer.Option(help="A data set's name; `data list` shows them.")] = datasets.NAMES[0],
    model: Annotated[str, typer.Option(help=f"One of: {', '.join(MODELS)}.")] = MODELS[0],
    engine: Annotated[str, typer.Option(help=f"One of: {', '.join(engines.NAMES)}.")] = engines.NAMES[0],
    eval_every: Annotated[int, options.option(limits.EVAL_EVERY)] = int(limits.EVAL_EVERY.default),
    ready: ReadyMade = None,
    spec: Specification = None,
    audit: options.Audit = False,
    canaries: options.Canaries = None,
    cluster_address: cluster.Address = "",
    workers: cluster.Workers = 0,
    tls: cluster.Tls = None,
    insecure: cluster.Insecure = False,
    yes: options.Yes = False,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the tutorial's method, or any grid. Ctrl-C leaves the study: its runs go on, and so does the same command."""
    store = open_store(home_folder)
    if (study := _set_study(store.home, spec, ready)) is None:
        method = make_method()
        first = functools.partial(make_plan, noise_multiplier=0.0, clients_per_round=clients[0], rounds=rounds[0])
        study = _study_of(
            datasets.plan_on(dataset, store.home, first, model=model, batch_size=method.pop("batch_size")),
            *(noise, participation),
            {"max_participations": max_participations, "min_separation": min_separation, "bands": bands},
            clients_per_round=tuple(clients),
            rounds=tuple(rounds),
            **method,
            tolerance=tolerance,
            target_epsilon=None if grid_only else target_epsilon,
            accountant=accountant.value,
            engine=engine,
            eval_every=limits.EVAL_EVERY.check(eval_every),
            baseline=baseline.value,
        )
    study = replace(study, audit=options.chosen_audit(audit, canaries) or study.audit)
    place = cluster.chosen_cluster(cluster_address, workers, tls, insecure, study.engine)
    _agree(store, study, yes=yes, how='"baseline": "{}"' if spec else "--baseline {}")
    if place is not None:
        store.set_cluster(place, store.create_study(study.to_json()))  # the same one again, at the start
    study_id = schedule.start(store, study)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
    _follow(store, study_id)
    _show(store, study_id, as_json)


def _agree(store: StoreAccess, study: Study, *, yes: bool, how: str) -> None:
    """Says what a study will do before any of it is queued, asks where that is needed, and fetches its data."""
    schedule.check_baseline(store, study)
    _warn_ahead(store, study)
    _ask(store, study, yes=yes, how=how)
    if datasets.must_be_fetched(study.plan.training.dataset, store.home):
        fetch(study.plan.training.dataset, store.home)


def _set_study(home: Path, spec: Path | None, ready: ReadyMadeName | None) -> Study | None:
    """Returns the study of a file, or the ready-made one; `None` where options say what it asks.

    Raises:
        InvalidValueError: If both are given, or it cannot be trained on the data that are here.
    """
    if spec is not None and ready is not None:
        raise InvalidValueError("spec", "Expected spec or ready, found both. Leave one of them out.")
    if ready is not None:
        return ready_made.STUDIES[ready.value]()
    if spec is None:
        return None
    study = Study.from_values(options.read_json(spec))
    options.check_data(study.plan, home)
    return study


def _study_of(
    plan: Plan,
    noise: list[str],
    participation: Sequence[str],
    numbers: dict[str, int | None],
    *,
    clippings: tuple[Clipping, ...],
    baseline: str,
    **asked: Any,
) -> Study:
    """Returns the study that options ask for.

    Args:
        plan: That of its first setting, by Poisson sampling and without noise.
        noise: As `_noises` reads it.
        participation: Kinds of it; none for Poisson sampling.
        numbers: Those that some kinds of participation and of noise have, by their name.
        clippings: Ways to clip.
        baseline: Whose users the noise-free run is trained on.
        asked: All else that a study has.
    """
    kinds, multipliers = _noises(noise)
    plan = replace(plan, privacy=replace(plan.privacy, clipping=clippings[0]))
    compared, refused = mechanisms.combined(participation or ["poisson"], kinds, plan.privacy.fleet, **numbers)
    warn(*(f"Left out: {one}" for one in refused))
    privacy, varied = mechanisms.placed(plan.privacy, compared)
    return Study(
        plan=replace(plan, privacy=privacy),
        noise_multipliers=tuple(one for one in multipliers if one or baseline != NONE),
        clippings=clippings,
        mechanisms=varied,
        baseline=baseline,
        **asked,
    )


def _noises(given: list[str]) -> tuple[list[str], tuple[float, ...]]:
    """Returns how noise is added, and the noise multipliers of a sweep: `--noise` takes both.

    Raises:
        InvalidValueError: If something is neither.
    """
    kinds = [one for one in given if one in set(options.Noise)]
    try:
        numbers = tuple(float(one) for one in given if one not in kinds)
    except ValueError:
        raise InvalidValueError(
            "noise",
            f"Expected noise to be noise multipliers, or one of {', '.join(options.Noise)}, found {', '.join(given)}.",
        ) from None
    return kinds or ["independent"], numbers or _USUAL_MULTIPLIERS


def _warn_ahead(store: StoreAccess, study: Study) -> None:
    """Says what a study's plan is warned of, and what it will train."""
    # Without noise, the first says that it is not private: of that run, more is said otherwise.
    warn(*replace(study.plan.privacy, noise_multiplier=0.0).warnings[1:])
    warn(_ahead(study, *duration.expected_seconds(store, study.grid(), study.engine)))


def _ask(store: StoreAccess, study: Study, *, yes: bool, how: str) -> None:
    """Says what a study will leave in the ledger, and asks about one that leaves no guarantee.

    Raises:
        BudgetExceededError: If a budget has no room for its sweep, before any of it is run.
    """
    found = outlook.study_outlooks(store, study)
    plans = [plan for one in found for plan in one.plans]
    for one in found:
        if one.plans:
            budget.check(store, *one.plans)
        if not outlook.losing_guarantee(store, one.plans):
            err.print(outlook.sentence(one), soft_wrap=True)
    more = ""
    if study.baseline == OWN and datasets.like_writers(study.plan.training.dataset, store.home):
        more = f"; train the non-private baseline on the Writers ({how.format(WRITERS)})"
    if study.baseline != NONE:
        more += f"; leave it out ({how.format(NONE)})"
    ask_once_more(store, plans, yes=yes, more=more)


def _ahead(study: Study, seconds: float, measured: bool) -> str:
    """Returns what a study will train, in a sentence."""
    about = "measured on this machine" if measured else "estimated from the benchmarks"
    words = f"{len(study.grid())} runs, about {seconds / 60:.1f} minutes, {about}"
    if study.target_epsilon is None:
        return f"{words}."
    finals = len(study.seeds)
    return f"{words}, and {'the final one' if finals == 1 else f'{finals} final ones'}."


def _follow(store: StoreAccess, study_id: str) -> None:
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=options.err) as bar:
        task = bar.add_task(study_id, total=None)
        while True:
            now = schedule.current(store, study_id)
            done, total = rounds_done(now)
            words = f"{now.finished} of {len(now.runs)} runs"
            bar.update(task, description=words, completed=done, total=total)
            if not now.open:
                return
            time.sleep(0.5)


def _show(store: StoreAccess, study_id: str, as_json: bool) -> None:
    now = schedule.current(store, study_id)
    rows, conditions, sentences = findings.table(now), findings.conditions(now), findings.sentences(now)
    if as_json:
        told = {"settings": rows, "conditions": conditions, "reading": sentences}
        print_json(study_id=study_id, status=now.status, message=now.message, **told)
    else:
        shown = [
            {name: value for name, value in row.items() if name not in ("learning rate", "clipping", "delta")}
            for row in rows
        ]
        if len({(row["learning rate"], row["clipping"]) for row in rows}) > 1:
            shown = rows
        table = Table("part", *(Column(name, justify="right") for name in list(shown[0] if shown else {})[1:]))
        for row in shown:
            table.add_row(*(_text(name, value) for name, value in row.items()))
        out.print(table)
        for sentence in [*conditions, *sentences]:
            out.print(sentence)
        out.print(f"{study_id}: {now.status}. {now.message}")
    if now.status == "stuck":
        raise typer.Exit(1)


def _text(name: str, value) -> str:
    if value is None:
        return ""
    if name == "epsilon":
        return rounding.epsilon(value)
    if name == "noise":
        return rounding.noise(value)
    if name == "difference":
        return f"{value:+.1%}"
    return f"{value:.1%}" if name in ("accuracy", "band") else str(value)


@app.command("list")
def list_studies(home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """All studies, the newest first."""
    store = open_store(home_folder)
    for row in store.studies():
        try:
            now = schedule.current(store, row.study_id)
        except InvalidValueError as err:  # one that an older version kept must not hide all others
            warn(f"{row.study_id}: {err}")
            continue
        if as_json:
            print_json(study_id=row.study_id, status=now.status, finished=now.finished, runs=len(now.runs))
        else:
            out.print(f"{row.study_id}  {now.status}  {now.finished} of {len(now.runs)} runs")


@app.command("show")
def show_study(study_id: str, home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """Results of a study so far."""
    _show(open_store(home_folder), study_id, as_json)


@app.command("export")
def export_study(
    file: Path,
    study_id: Annotated[str, typer.Option(help="Which; else the newest.")] = "",
    home_folder: options.HomeFolder = None,
) -> None:
    """Write a finished study with all its evaluated rounds into one gzipped JSON file, as the lesson ships one."""
    store = open_store(home_folder)
    known = [row.study_id for row in store.studies()]
    content = shipped.export(store, study_id or next(iter(known), "(none)"))
    files.write(file, content)
    out.print(f"{file}: {len(content):,} bytes")
