"""Commands about data sets: which there are, what they are like, and importing one's own."""

import csv
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich import progress
from rich.table import Column, Table

from dpcore import datasets, home, limits, rounding
from dpcore.cli import options
from dpcore.cli.options import err, out, print_json, warn
from dpcore.datasets import forms, population, summary
from dpcore.datasets.federated import FederatedDataset, Manifest
from dpcore.datasets.importing import images
from dpcore.errors import InvalidValueError
from dpcore.privacy import calibration

app = typer.Typer(no_args_is_help=True, help="Data sets: built in, downloaded, or your own table.")

Scaling = StrEnum("Scaling", ["standardise", "bounds", "none"])
Missing = StrEnum("Missing", ["refuse", "drop", "keep"])
Joined = StrEnum("Joined", ["user", "label"])
Ratio = Annotated[float, options.option(limits.NOISE_TO_CLIENTS_RATIO)]


def _with_progress(work) -> FederatedDataset:
    """Calls `work` with a function to be told what is being done, and shows that on standard error."""
    with progress.Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        return work(lambda what, fraction: bar.update(task, description=what, completed=fraction))


def fetch(name: str, home_folder: Path) -> FederatedDataset:
    """Returns a data set, made or downloaded first where it has to be."""
    return _with_progress(lambda tell: datasets.load(name, home_folder, tell))


@app.command("list")
def list_data(home_folder: options.HomeFolder = None, as_json: options.AsJson = False) -> None:
    """All data sets, where their files are, and how large."""
    where = home.folder(home_folder)
    table = Table(
        Column("name", no_wrap=True), "users", "examples", "classes", "MB", Column("where", overflow="fold")
    )
    for entry in [*(datasets.entry(name, where) for name in datasets.names(where)), *datasets.unfinished(where)]:
        known = entry.manifest
        users = datasets.num_users(entry.name, where) if known or entry.built_in else None
        if as_json:
            print_json(
                name=entry.name,
                built_in=entry.built_in,
                folder=str(entry.folder),
                size_bytes=entry.size_bytes,
                problem=entry.problem,
                num_users=users,
                users_without_train=known.users_without_train if known else None,
                num_examples=known.num_examples if known else None,
                num_classes=known.num_classes if known else None,
                fingerprint=known.fingerprint if known else None,
            )
            continue
        table.add_row(
            entry.name,
            "?" if users is None else _users(known, users),
            f"{known.num_examples['train']:,} + {known.num_examples['test']:,}" if known else "",
            str(known.num_classes) if known else "",
            f"{entry.size_bytes / 1e6:.0f}",
            entry.problem or (str(entry.folder) if known else "made or downloaded on first use"),
        )
    if not as_json:
        out.print(table)


def _users(known: Manifest | None, count: int) -> str:
    """The population, and of how many users it is where some only test."""
    others = known.users_without_train if known else 0
    return f"{count:,} of {count + others:,}" if others else f"{count:,}"


@app.command("show")
def show_data(
    name: str,
    noise_to_clients_ratio: Ratio = limits.NOISE_TO_CLIENTS_RATIO.default,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Summary of one data set, and the lowest achievable epsilon on it."""
    dataset = fetch(name, home.folder(home_folder))
    found = summary.summarise(dataset)
    reach = calibration.lowest_epsilons(found.num_users, found.suggested_delta, noise_to_clients_ratio)
    warn(*dataset.description.warnings)
    values = {
        "name": name,
        "fingerprint": dataset.fingerprint,
        "source": dataset.description.source,
        "scaling": dataset.description.scaling,
        "access_note": dataset.description.access_note,
        **asdict(found),
        "histogram_edges": found.histogram_edges.tolist(),
        "histogram_users": found.histogram_users.tolist(),
        "label_balance": dict(zip(dataset.class_names, found.label_balance.tolist(), strict=True)),
        "noise_to_clients_ratio": noise_to_clients_ratio,
        "lowest_epsilon": {str(rounds): epsilon for rounds, epsilon in reach.items()},
        "warnings": list(dataset.description.warnings),
    }
    if as_json:
        print_json(**values)
        return
    fewest, median, most = found.examples_per_user
    users = population.label(num_users=found.num_users, users_without_train=found.users_without_train)
    for line in (
        f"{name} ({dataset.fingerprint}): {dataset.description.source}",
        f"{users}; {found.num_train:,} examples to train on, {found.num_test:,} to test on",
        f"{fewest} to {most} examples per user who trains, median {median:g}"
        if found.users_without_train
        else f"{fewest} to {most} examples per user, median {median:g}",
        f"{found.num_classes} classes, {found.num_features} features; label skew {found.label_skew:.3f}",
        dataset.description.scaling,
        dataset.description.access_note,
        f"Suggested delta: {rounding.given(found.suggested_delta)} or smaller",
        f"Lowest achievable at a noise-to-clients ratio of {rounding.given(noise_to_clients_ratio)}: "
        + ", ".join(f"epsilon {rounding.epsilon(epsilon)} in {rounds} rounds" for rounds, epsilon in reach.items()),
    ):
        if line:
            out.print(line)
    table = Table("class", "share of the training examples")
    for label, share in values["label_balance"].items():
        table.add_row(label, f"{share:.1%}")
    out.print(table)


Features = Annotated[
    list[str] | None,
    typer.Option(
        help="Columns of numbers, with commas between (a name with a comma in double quotes), or one of arrays or "
        "images; else all others."
    ),
]
TestFile = Annotated[
    Path | None, typer.Option(help="A second file, of test examples; FILE then has those to train on.")
]
TestUsers = Annotated[
    float | None, typer.Option(help="Fraction of test users, who only test; all others only train.")
]
TestFraction = Annotated[float, typer.Option(help="Fraction of each user's examples that are for testing.")]
ImageShape = Annotated[
    str | None, typer.Option(help="Height x width of an image, as 28x28, or height x width x channels.")
]
ScalingChoice = Annotated[Scaling | None, typer.Option(help="bounds: clips to --bounds, which uses nobody's data.")]
MissingUser = Annotated[
    Missing,
    typer.Option(help="Rows without a user: drop them, or keep what stands for none (NA, -) as a name."),
]
Join = Annotated[
    list[Joined] | None,
    typer.Option(help="Merge spellings that differ in case, in width, or as 1 and 1.0 do; may be repeated."),
]
AllClasses = Annotated[bool, typer.Option("--all-classes", help="SQLite: all 62 classes, not the digits.")]


@app.command("import")
def import_data(
    file: Annotated[Path, typer.Argument(help=f"{forms.ALL}; packed as .gz or .zip; or a folder of such files.")],
    user: Annotated[str | None, typer.Option(help="User ID column: the unit of privacy.")] = None,
    label: Annotated[str | None, typer.Option(help="Label column: the class.")] = None,
    features: Features = None,
    name: Annotated[str | None, typer.Option(help="Name of the data set; otherwise the file's name.")] = None,
    split: Annotated[str | None, typer.Option(help="Split column: train and test, or yes and no.")] = None,
    test_file: TestFile = None,
    test_users: TestUsers = None,
    test_fraction: TestFraction = 0.1,
    seed: Annotated[int, options.option(limits.SEED)] = int(limits.SEED.default),
    max_examples_per_user: Annotated[int | None, typer.Option(help="Maximum examples per user.")] = None,
    image_shape: ImageShape = None,
    scaling: ScalingChoice = None,
    bounds: Annotated[str | None, typer.Option(help="Fixed bounds of all features, as -3,3.")] = None,
    missing_user: MissingUser = Missing.refuse,
    missing_label: Annotated[Missing, typer.Option(help="The same for rows without a label.")] = Missing.refuse,
    join: Join = None,
    all_classes: AllClasses = False,
    home_folder: options.HomeFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Import your own table: one row per example, a user ID column and a label column."""
    where = home.folder(home_folder)
    warn(*datasets.clear_leftovers(where))
    from dpcore.datasets.importing.table import Mapping  # pyarrow: a third of a second that no other command needs

    mapping = Mapping(
        user=user,
        label=label,
        features=tuple(column for given in features or () for column in next(csv.reader([given]), [])),
        image_shape=images.parsed_shape(image_shape),
        split=split,
        test_fraction=test_fraction,
        test_users=test_users,
        seed=seed,
        max_examples_per_user=max_examples_per_user,
        scaling=scaling.value if scaling else None,
        bounds=_bounds(bounds),
        missing_user=missing_user.value,
        missing_label=missing_label.value,
        join=tuple(column.value for column in join or ()),
        all_classes=all_classes,
    )
    dataset = _with_progress(
        lambda tell: datasets.import_table(file, mapping, where, name=name, test_path=test_file, progress=tell)
    )
    warn(*dataset.description.warnings)
    _show_imported(dataset, as_json)


def _show_imported(dataset: FederatedDataset, as_json: bool) -> None:
    if as_json:
        print_json(
            name=dataset.name,
            fingerprint=dataset.fingerprint,
            num_users=dataset.num_users,
            users_without_train=dataset.users_without_train,
            num_train=len(dataset.train.labels),
            num_test=len(dataset.test.labels),
            num_classes=dataset.num_classes,
            num_features=dataset.num_features,
            warnings=list(dataset.description.warnings),
        )
        return
    users = population.label(num_users=dataset.num_users, users_without_train=dataset.users_without_train)
    out.print(
        f"{dataset.name}: {users}, {len(dataset.train.labels):,} examples to train on and "
        f"{len(dataset.test.labels):,} to test on, {dataset.num_features} features, {dataset.num_classes} classes. "
        f"Train on it with --dataset {dataset.name}",
    )


def _bounds(text: str | None) -> tuple[float, float] | None:
    if not text:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError as error:
        message = f"Expected bounds to be two numbers with a comma between them, as -3,3, found {text!r}."
        raise InvalidValueError("bounds", message) from error
    return low, high


@app.command("remove")
def remove_data(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home_folder: options.HomeFolder = None,
) -> None:
    """Remove a data set's files. Its runs stay, and stay in the ledger."""
    where = home.folder(home_folder)
    left = [entry for entry in datasets.unfinished(where) if entry.name == name]
    entry = left[0] if left and name not in datasets.names(where) else datasets.entry(name, where)
    if not yes:
        typer.confirm(f"Remove {entry.folder} ({entry.size_bytes / 1e6:.0f} MB)?", abort=True, err=True)
    datasets.remove(name, where)
    out.print(f"{name} is removed.")
