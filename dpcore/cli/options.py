"""Options, errors and output that several commands share."""

import functools
import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from dpcore import limits, rounding, strict_json
from dpcore.errors import InvalidValueError
from dpcore.mechanisms import choices
from dpcore.mechanisms import clipping as clippings
from dpcore.mechanisms.participation import Fleet
from dpcore.plan import ADD_OR_REMOVE, ADJACENCIES, Plan, PrivacyPlan
from dpcore.privacy import accounting

# Names and paths are shown as they stand: in brackets they would be styles.
out = Console(markup=False, highlight=False)
err = Console(stderr=True, markup=False, highlight=False)


def option(knob: limits.Knob, *, default: bool = False):
    """A command's option for a knob. Its range is checked by the plan, so that all say the same.

    Args:
        knob: Gives name and help.
        default: Whether to say what it is where it is not given, although its value is then `None`.
    """
    usual = rounding.given(knob.default) if default else True
    return typer.Option(f"--{knob.name.replace('_', '-')}", help=knob.help, show_default=usual)


AccountantName = StrEnum("AccountantName", accounting.ACCOUNTANTS)  # type: ignore[misc]  # not written out
Adjacency = StrEnum("Adjacency", {name.replace("-", "_"): name for name in ADJACENCIES})  # type: ignore[misc]  # not written out
Clipping = StrEnum("Clipping", list(clippings.BY_KIND))  # type: ignore[misc]  # not written out
Sampling = StrEnum("Sampling", ["poisson", "none"])
_PARTICIPATIONS = (*choices.PARTICIPATION_BY_KIND, *choices.REFUSED)  # the last to be refused with their reason
Participation = StrEnum("Participation", {name.replace("-", "_"): name for name in _PARTICIPATIONS})  # type: ignore[misc]  # not written out
Noise = StrEnum("Noise", {name.replace("-", "_"): name for name in choices.NOISE_BY_KIND})  # type: ignore[misc]  # not written out

AsJson = Annotated[bool, typer.Option("--json", help='Print JSON only, at full precision ("inf" is infinite).')]
HomeFolder = Annotated[Path | None, typer.Option("--home", help="Where runs and data live (EPSILON_LAB_HOME).")]
Accountant = Annotated[
    AccountantName | None,
    typer.Option(
        "--accountant", help="pld (tight) or rdp (as in the tutorial). Otherwise the smaller of the two bounds."
    ),
]
Audit = Annotated[
    bool,
    typer.Option(
        "--audit", help="Measure the mechanism while it trains, by canaries: updates that are sent by nobody."
    ),
]
Canaries = Annotated[int | None, option(limits.CANARIES)]
FiguresFolder = Annotated[
    Path | None,
    typer.Option(
        "--figures",
        help="Write figures (PDF, by Chromium), their tables (LaTeX, Markdown, CSV, Parquet) and a notebook into this "
        "folder.",
    ),
]
FiguresWidth = StrEnum("FiguresWidth", ["page", "column"])
FiguresWidthChoice = Annotated[
    FiguresWidth, typer.Option("--width", help="Of figures: page (7 inches) or column (3.3 inches).")
]
FalsePositiveRate = Annotated[float, option(limits.FALSE_POSITIVE_RATE)]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask before a run that leaves its data without a guarantee.")
]
SamplingChoice = Annotated[
    Sampling | None,
    typer.Option("--sampling", help="The older name of two: poisson, and none for --participation full."),
]


ParticipationChoice = Annotated[
    Participation | None,
    typer.Option(
        "--participation",
        help="How cohorts are formed. poisson: by secret coins (the default). full: everybody. fixed: exactly so many. "
        "schedule: known groups take turns. cyclic-poisson: groups take turns, with secret coins.",
    ),
]
NoiseChoice = Annotated[
    Noise, typer.Option("--noise", help="independent, or correlated from round to round, for a schedule.")
]


Bands = Annotated[int | None, option(limits.BANDS)]
ClippingChoice = Annotated[
    Clipping,
    typer.Option(
        help="adaptive: the clip norm follows a differentially private quantile estimate. fixed: it stays constant."
    ),
]
# `None` where they are not given: with fixed clipping, they are then not refused.
InitialClipNorm = Annotated[float | None, option(limits.INITIAL_CLIP_NORM, default=True)]
TargetUnclippedQuantile = Annotated[float | None, option(limits.TARGET_UNCLIPPED_QUANTILE, default=True)]
ClipLearningRate = Annotated[float | None, option(limits.CLIP_LEARNING_RATE, default=True)]


def forming_cohorts(participation: Participation | None, sampling: Sampling | None) -> str:
    """Returns how cohorts are formed, by either of its options.

    Raises:
        InvalidValueError: If they say different things.
    """
    older = None if sampling is None else {"poisson": "poisson", "none": "full"}[sampling.value]
    if participation and older and participation.value != older:
        raise InvalidValueError(
            "sampling",
            f"Expected participation or sampling, found {participation} and {sampling}: they say different things. Leave "
            "sampling out.",
        )
    return participation.value if participation else older or "poisson"


def chosen_audit(audit: bool, canaries: int | None) -> int | None:
    """Returns how many canaries a run is audited with, by its two options; `None` for no audit.

    Raises:
        InvalidValueError: If there are canaries without an audit.
    """
    if canaries is not None and not audit:
        raise InvalidValueError(
            "canaries", f"Expected audit with canaries, found {canaries} and no audit: give --audit as well."
        )
    if not audit:
        return None
    return int(limits.CANARIES.check(limits.CANARIES.default if canaries is None else canaries))


def chosen_clipping(kind: Clipping, *, clip_norm: float, **adaptive: float | None) -> clippings.Clipping:
    """Returns how updates are clipped, by the options of both ways.

    Raises:
        InvalidValueError: If a number of adaptive clipping is given with another way, or is out of range.
    """
    given = {name: number for name, number in adaptive.items() if number is not None}
    known = {knob.name for knob in clippings.BY_KIND[kind.value].knobs}
    for name, number in given.items():
        if name not in known:
            raise InvalidValueError(
                name,
                f"Expected adaptive clipping with {name}, found {kind.value} and {rounding.given(number)}. Leave {name} "
                "out, or give --clipping adaptive.",
            )
    return clippings.chosen(kind.value, clip_norm=clip_norm, **given)


def _plan(
    noise_multiplier: Annotated[float, option(limits.NOISE_MULTIPLIER)] = limits.NOISE_MULTIPLIER.default,
    clients_per_round: Annotated[int | None, option(limits.CLIENTS_PER_ROUND)] = None,
    rounds: Annotated[int, option(limits.ROUNDS)] = int(limits.ROUNDS.default),
    population: Annotated[int, option(limits.POPULATION)] = int(limits.POPULATION.default),
    delta: Annotated[float, option(limits.DELTA)] = limits.DELTA.default,
    participation: ParticipationChoice = None,
    max_participations: Annotated[int | None, option(limits.MAX_PARTICIPATIONS)] = None,
    min_separation: Annotated[int | None, option(limits.MIN_SEPARATION)] = None,
    noise: NoiseChoice = Noise("independent"),  # noqa: B008  # a member
    bands: Bands = None,
    sampling: SamplingChoice = None,
    adjacency: Annotated[
        Adjacency,
        typer.Option(
            help="Neighbouring data sets: add or remove one user, or replace one (with full or fixed participation)."
        ),
    ] = Adjacency(ADD_OR_REMOVE),  # noqa: B008  # a member
    clipping: ClippingChoice = Clipping("adaptive"),  # noqa: B008  # a member
    clip_norm: Annotated[float, option(limits.CLIP_NORM)] = limits.CLIP_NORM.default,
    initial_clip_norm: InitialClipNorm = None,
    target_unclipped_quantile: TargetUnclippedQuantile = None,
    clip_learning_rate: ClipLearningRate = None,
    zeroing: Annotated[
        bool,
        typer.Option(
            "--zeroing", help="Adaptive zeroing of outlying updates (TFF's default); not covered by the guarantee."
        ),
    ] = False,
) -> PrivacyPlan:
    forming = forming_cohorts(participation, sampling)
    usual = population if forming == "full" else int(limits.CLIENTS_PER_ROUND.default)
    clients = usual if clients_per_round is None else clients_per_round
    cohorts, added = choices.chosen(
        forming,
        noise.value,
        Fleet(population, max(clients, 1), rounds),
        max_participations=max_participations,
        min_separation=min_separation,
        bands=bands,
    )
    return PrivacyPlan(
        noise_multiplier=noise_multiplier,
        clients_per_round=clients,
        rounds=rounds,
        population=population,
        delta=delta,
        adjacency=adjacency.value,
        clipping=chosen_clipping(
            clipping,
            clip_norm=clip_norm,
            initial_clip_norm=initial_clip_norm,
            target_unclipped_quantile=target_unclipped_quantile,
            clip_learning_rate=clip_learning_rate,
        ),
        zeroing=zeroing,
        participation=cohorts,
        noise=added,
    )


def training(
    client_learning_rate: Annotated[
        float, option(limits.CLIENT_LEARNING_RATE)
    ] = limits.CLIENT_LEARNING_RATE.default,
    server_learning_rate: Annotated[
        float, option(limits.SERVER_LEARNING_RATE)
    ] = limits.SERVER_LEARNING_RATE.default,
    server_momentum: Annotated[float, option(limits.SERVER_MOMENTUM)] = limits.SERVER_MOMENTUM.default,
    batch_size: Annotated[int, option(limits.BATCH_SIZE)] = int(limits.BATCH_SIZE.default),
    local_epochs: Annotated[int, option(limits.LOCAL_EPOCHS)] = int(limits.LOCAL_EPOCHS.default),
) -> dict[str, float]:
    """Returns how a model is trained, as fields of a plan."""
    return {
        "client_learning_rate": client_learning_rate,
        "server_learning_rate": server_learning_rate,
        "server_momentum": server_momentum,
        "batch_size": batch_size,
        "local_epochs": local_epochs,
    }


def takes_plan(*fixed: str) -> Callable[[Callable], Callable]:
    """Gives a command the options of a privacy plan, but for those that are `fixed`.

    Its argument `make_plan` then builds the plan, checked; it is called with what is fixed.
    """
    return takes(_plan, "make_plan", *fixed)


def takes(make: Callable, argument: str, *fixed: str) -> Callable[[Callable], Callable]:
    """Gives a command the options that are arguments of `make`, but for those that are `fixed`.

    Its own argument of this name then calls `make`, with what is fixed.
    """
    theirs = {name: given for name, given in inspect.signature(make).parameters.items() if name not in fixed}

    def decorate(command: Callable) -> Callable:
        own = {name: given for name, given in inspect.signature(command).parameters.items() if name != argument}
        merged = [given.replace(kind=inspect.Parameter.KEYWORD_ONLY) for given in {**theirs, **own}.values()]

        @functools.wraps(command)
        def run(**values: Any) -> None:
            given = {name: values.pop(name) for name in theirs}
            command(**{argument: lambda **others: make(**{**given, **others})}, **values)

        run.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]  # as `inspect` reads it
        run.__annotations__ = {given.name: given.annotation for given in merged}
        return run

    return decorate


def check_data(plan: Plan, home_folder: Path) -> None:
    """Refuses a plan from a file that is for other data than are here, before its run waits for its turn.

    Raises:
        InvalidValueError: If there is no such data set, or it has other users or another content.
    """
    from dpcore import datasets  # not for those who only account

    name, population = plan.training.dataset, plan.privacy.population
    users = datasets.num_users(name, home_folder)
    if population != users:
        raise InvalidValueError(
            "population",
            f"Expected the plan's population to be the {users:,} users of {name}, found {population:,}.",
        )
    content = datasets.fingerprint(name, home_folder)
    if plan.training.dataset_fingerprint not in (None, content):
        raise InvalidValueError(
            "dataset_fingerprint",
            f"Expected the plan to be for {name} with the content {content}, found "
            f"{limits.excerpt(plan.training.dataset_fingerprint)}: it was imported anew since.",
        )


def print_error(message: str) -> None:
    """Prints an error."""
    err.print(f"Error: {message}", style="red", soft_wrap=True)


def warn(*warnings: str) -> None:
    """Prints the warnings that are not empty."""
    for warning in filter(None, warnings):
        err.print(f"Warning: {warning}", style="yellow", soft_wrap=True)


def print_json(**values: Any) -> None:
    """Prints one line of JSON."""
    print(strict_json.dumps(values), flush=True)


def read_json(path: Path) -> Any:
    """Reads a file of JSON, such as `runs export` and the pages write.

    Raises:
        InvalidValueError: If it is none.
    """
    try:
        return strict_json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidValueError("file", f"Expected {path} to be a file of JSON: {error}.") from error
