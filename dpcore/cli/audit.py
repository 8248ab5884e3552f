"""The command that shows what an audited run measured of its own guarantee; and what an audit sees of a broken one."""

from pathlib import Path
from typing import Annotated

import typer
import typer.core
from rich import progress
from rich.table import Column, Table

from dpcore import home, limits, rounding
from dpcore.cli import audit_alone, options
from dpcore.cli.options import err, out, print_json
from dpcore.cli.runs import open_store
from dpcore.errors import InvalidValueError
from dpcore.learning import broken
from dpcore.privacy.auditing import result
from dpcore.privacy.auditing.result import Result
from dpcore.reports import audit as report
from dpcore.runs.audit import compared, demo, recorded
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store

_DEMO, _COMPARE, _SHOW = "demo", "compare", "run"


class _RunOrCommand(typer.core.TyperGroup):
    """A group whose first word is one of its commands, or else belongs to the command that shows a run."""

    def parse_args(self, ctx, args):
        return super().parse_args(ctx, args if args and args[0] in self.commands else [_SHOW, *args])


app = typer.Typer(cls=_RunOrCommand, add_completion=False)
app.command("manifest")(audit_alone.write_manifest)
app.command("model")(audit_alone.audit_model)
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help=f"A run's id; or {_DEMO}, with --break; or {_COMPARE}, with two runs' ids."),
]
Others = Annotated[list[str] | None, typer.Argument(metavar="RUN", help=f"The two runs, with {_COMPARE}.")]
Break = Annotated[
    str | None,
    typer.Option(
        "--break",
        help="What is broken on purpose, with demo. "
        + "".join(f"\n\n{name}: {words}" for name, words in broken.CHOICES.items()),
    ),
]


@app.command(_SHOW)
def audit(
    run_id: Run,
    others: Others = None,
    break_name: Break = None,
    canaries: options.Canaries = None,
    rounds: Annotated[int | None, options.option(limits.ROUNDS)] = None,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what the canaries of a run measured: step, noise, sampling, and what attacks find.

    With demo, train on the Writers with one thing broken, or with none: nothing of it is kept, released or charged.

    With compare, say whether the noise of two audited runs is the same, which neither shows alone.

    A model that was trained elsewhere: see audit manifest --help, and audit model --help.
    """
    _check_others(run_id, others or [])
    if run_id == _DEMO:
        _demo(break_name, canaries, rounds, home.folder(home_folder), as_json)
        return
    for name, value in {"break": break_name, "canaries": canaries, "rounds": rounds}.items():
        if value is not None:
            raise InvalidValueError(name, f"Expected {name} with {_DEMO} alone, found {value} with {run_id}.")
    store = open_store(home_folder)
    if run_id == _COMPARE:
        _compare(store, others or [], as_json)
        return
    run = supervisor.current(store, run_id)
    found = recorded.analysis(store, run)
    if as_json:
        print_json(**report.of_run(run, found))
        return
    _print(found, seeded=run.plan.training.seed is not None)
    out.print(result.place_sentence(run.audit or 0), soft_wrap=True)


def _check_others(run_id: str, others: list[str]) -> None:
    wanted = 2 if run_id == _COMPARE else 0
    if len(others) != wanted:
        found = " ".join(others) or "none"
        raise InvalidValueError(
            "run",
            f"Expected two runs with {_COMPARE}, as in: audit {_COMPARE} RUN RUN. Found {found}."
            if wanted
            else f"Expected nothing after {run_id}, found {found}. To compare two runs: audit {_COMPARE} RUN RUN.",
        )


def _compare(store: Store, run_ids: list[str], as_json: bool) -> None:
    first, second = (supervisor.current(store, run_id) for run_id in run_ids)
    found = compared.compare(store, first, second)
    if as_json:
        print_json(**report.of_two(found))
        return
    out.print(found.sentence, soft_wrap=True)


def _demo(name: str | None, canaries: int | None, rounds: int | None, folder: Path, as_json: bool) -> None:
    if name is None:
        raise InvalidValueError(
            "break",
            f"Expected break to be one of {', '.join(broken.CHOICES)}, found nothing. Give it with --break.",
        )
    broken.check(name)
    plan = demo.plan(folder, int(limits.ROUNDS.default) if rounds is None else rounds)
    count = int(limits.CANARIES.check(limits.CANARIES.default if canaries is None else canaries))
    is_broken, words = name in broken.BREAKS, broken.CHOICES[name]
    what = f"BROKEN ON PURPOSE: {words}" if is_broken else words
    err.print(f"{what} Nothing of this is kept, released or charged.", style="red" if is_broken else "")
    with progress.Progress(console=err) as bar:
        task = bar.add_task("Starting (some seconds)", total=plan.privacy.rounds)
        found = demo.measure(
            folder,
            name,
            plan,
            canaries=count,
            tell=lambda number: bar.update(task, completed=number, description=f"Round {number}"),
        )
    if as_json:
        print_json(broken=name, canaries=count, **report.values(found, seeded=True))
        return
    _print(found, seeded=True)
    if not found.alarms:
        no_alarm = f"The run was broken all the same: {words}" if is_broken else "Nothing was broken."
        out.print(f"No alarm rang. {no_alarm}", soft_wrap=True)


def _print(found: Result, *, seeded: bool) -> None:
    measured = Table(
        "ingredient", *(Column(name, justify="right") for name in ("planned", "measured", "95%", "p", ""))
    )
    for row in found.ingredients:
        measured.add_row(
            result.INGREDIENTS[row.name],
            *(f"{number}" for number in rounding.short([row.planned, row.measured], 4)),
            f"{rounding.down(row.low, 4)} to {rounding.up(row.high, 4)}",
            rounding.p_value(row.p),
            "ALARM" if row.alarms else "",
        )
    out.print(measured)
    columns = ("of the", "at least", "confidence", "claimed")
    shown = Table("attack: epsilon ...", *(Column(name, justify="right") for name in columns))
    for bound in found.bounds:
        shown.add_row(
            result.METHODS[bound.method],
            bound.scope,
            rounding.down(bound.epsilon),
            "none" if bound.confidence is None else rounding.down_percent(bound.confidence),
            rounding.epsilon(found.claimed(bound)),
        )
    out.print(shown)
    out.print(f"Estimate by the final model's cosines, no bound (Andrew et al. 2023): {rounding.up(found.cosine)}")
    out.print(result.sentence(found), soft_wrap=True)
    out.print(result.limits_sentence(seeded=seeded), soft_wrap=True)
