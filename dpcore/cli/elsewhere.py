"""The command that says what a run of another framework guarantees."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dpcore import rounding
from dpcore.cli import options
from dpcore.cli.options import out, print_json, warn
from dpcore.elsewhere import account, reading, report, statement
from dpcore.elsewhere.answers import Answers, answered, open_questions
from dpcore.elsewhere.log import SAMPLINGS, UNITS, WEIGHTS
from dpcore.errors import InvalidValueError

Form = StrEnum("Form", {one.replace("-", "_"): one for one in reading.FORMS})  # type: ignore[misc]  # not written out
Sampling = StrEnum("Sampling", {one.replace("-", "_"): one for one in SAMPLINGS})  # type: ignore[misc]  # not written out
Weights = StrEnum("Weights", {one.replace("-", "_"): one for one in WEIGHTS})  # type: ignore[misc]  # not written out
Unit = StrEnum("Unit", {one.replace("-", "_"): one for one in UNITS})  # type: ignore[misc]  # not written out
Divisor = StrEnum("Divisor", {one.replace("-", "_"): one for one in ("fixed", "replies")})  # type: ignore[misc]  # not written out
NoiseOf = StrEnum("NoiseOf", {one.replace("-", "_"): one for one in ("sum", "average")})  # type: ignore[misc]  # not written out


def elsewhere(
    file: Annotated[Path, typer.Argument(help="The record: a round log, or what the framework has left.")],
    form: Annotated[Form | None, typer.Option("--as", help="What the record is; otherwise found out.")] = None,
    run: Annotated[str | None, typer.Option(help="Of several runs in one file, the name of the one meant.")] = None,
    population: Annotated[int | None, typer.Option(help="Users that cohorts were drawn from.")] = None,
    clients_per_round: Annotated[int | None, typer.Option(help="Users in a cohort.")] = None,
    rounds: Annotated[int | None, typer.Option(help="How many rounds were released.")] = None,
    sampling: Annotated[Sampling | None, typer.Option(help="How cohorts were really formed.")] = None,
    weights: Annotated[Weights | None, typer.Option(help="Whether all updates weigh the same.")] = None,
    divisor: Annotated[Divisor | None, typer.Option(help="What the sum was divided by.")] = None,
    clip_norm: Annotated[float | None, typer.Option(help="The clip norm, in L2.")] = None,
    optimizer_inside: Annotated[
        str | None, typer.Option(help="The server optimiser that works before the noise is added, or none.")
    ] = None,
    noise_of: Annotated[NoiseOf | None, typer.Option(help="What standard deviations are of.")] = None,
    unit: Annotated[Unit | None, typer.Option(help="What was clipped as one.")] = None,
    delta: Annotated[float | None, typer.Option(help="The delta to account at.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """What a run that was trained elsewhere guarantees, by its record: "stated, not run here"."""
    log = reading.read(_content(file), form and form.value, run=run, rounds=rounds)
    answers = Answers(
        population=population,
        clients_per_round=clients_per_round,
        sampling=sampling and sampling.value,
        weights=weights and weights.value,
        divisor=divisor and divisor.value,
        clip_norm=clip_norm,
        optimizer_inside=optimizer_inside,
        noise_of=noise_of and noise_of.value,
        unit=unit and unit.value,
        rounds=rounds,
        delta=delta,
    )
    found = account.verdict(answered(log, answers))
    if as_json:
        print_json(**report.as_values(found))
        return
    _show(found)


def _content(file: Path) -> bytes:
    """The bytes of a file, no more of them than a record has."""
    if not file.is_file():
        raise InvalidValueError("file", f"Expected a file at {file}, found none.")
    with file.open("rb") as opened:
        return opened.read(reading.MOST_BYTES + 1)


def _show(found: account.Verdict) -> None:
    out.print(statement.sentence(found), soft_wrap=True)
    for reason in found.because:
        out.print(reason, soft_wrap=True)
    if claim := statement.claim_sentence(found):
        out.print(claim, soft_wrap=True)
    for one in found.holds:
        out.print(
            f"Holds: epsilon {rounding.epsilon(one.epsilon or 0.0)} at delta {rounding.given(one.delta or 0.0)}, "
            f"{one.adjacency}, by {(one.accountant or '').upper()} ({one.sampling})",
            soft_wrap=True,
        )
    if found.guarantee:
        for condition in statement.conditions(found.log):
            out.print(f"Rests on: {condition}", soft_wrap=True)
    for remedy in statement.remedies(found):
        out.print(f"To change: {remedy}", soft_wrap=True)
    if asked := open_questions(found.log):
        out.print(f"Open, answer by: {', '.join(f'--{name}' for name in asked)}", soft_wrap=True)
    warn(*statement.warnings(found.log))
