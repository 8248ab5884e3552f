"""The commands that audit a final model alone, whoever trained it: canaries to hand out, and what became of them."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table

from dpcore import datasets, home, limits, rounding
from dpcore.cli import options
from dpcore.cli.options import out, print_json
from dpcore.errors import InvalidValueError
from dpcore.learning import model
from dpcore.plan import MODELS
from dpcore.privacy.auditing import final_model
from dpcore.reports import audit as report
from dpcore.runs.audit import alone, weights_file


@options.takes_plan()
def write_manifest(
    make_plan,
    out_folder: Annotated[Path, typer.Option("--out", help="Where to; made if it is missing.")],
    layers: Annotated[
        Path | None,
        typer.Option(help="An NPZ file with the model's weights, an array a layer: for names and shapes."),
    ] = None,
    model_name: Annotated[
        str | None, typer.Option("--model", help=f"Instead of layers, one of: {', '.join(MODELS)}.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="With model, the data set that says its shape; `data list` shows them.")
    ] = datasets.NAMES[0],
    canaries: options.Canaries = None,
    home_folder: options.HomeFolder = None,
) -> None:
    """Draw canaries for a training elsewhere, whose final model alone is then audited.

    The options say what is claimed of it: how users are sampled, the noise, the rounds and delta. Canaries are users of
    its population.
    """
    plan = make_plan()
    if (layers is None) == (model_name is None):
        found = "neither" if layers is None else "both"
        raise InvalidValueError("layers", f"Expected either layers or model, found {found}.")
    if layers is not None:
        with _open(layers) as file:
            shapes = weights_file.layers(file, "layers")
    else:
        shapes = _shapes_of(str(model_name), dataset, home.folder(home_folder))
    count = int(limits.CANARIES.default) if canaries is None else canaries
    manifest = alone.drawn(shapes, plan, count=count)
    alone.hand_out(manifest, out_folder)
    out.print(
        f"Written to {out_folder}. Whoever trains gets {alone.ARRAYS} and {alone.PROGRAM}, with the "
        f"{int(manifest.coins.sum()):,} of {count:,} canaries that take part. Keep {alone.MANIFEST} to yourself until it "
        f"is over, then: audit model {out_folder / alone.MANIFEST} --initial FILE --final FILE",
        soft_wrap=True,
    )


def _shapes_of(name: str, dataset: str, folder: Path) -> dict[str, tuple[int, ...]]:
    """Returns the layers of a model that is built in, named as its weights are kept."""
    limits.check_choice("model", name, MODELS)
    datasets.check_model(dataset, folder, name)
    if datasets.must_be_fetched(dataset, folder):
        message = f"Expected {dataset} to be on this machine: its shape is the model's. See: data list"
        raise InvalidValueError("dataset", message)
    data = datasets.load(dataset, folder)  # the Writers are made first
    parts = model.shapes_of(name, data.num_features, data.num_classes, data.image_shape)
    return {f"arr_{number}": part for number, part in enumerate(parts)}


def audit_model(
    manifest: Annotated[Path, typer.Argument(help="The canaries' manifest, of audit manifest or of runs export.")],
    initial: Annotated[Path, typer.Option(help="The weights before the first round: NPZ, an array a layer.")],
    final: Annotated[Path, typer.Option(help="The weights after the last round, likewise.")],
    as_json: options.AsJson = False,
) -> None:
    """Show what a final model alone tells of the canaries that took part in its training."""
    with ExitStack() as stack:
        content, *weights = (stack.enter_context(_open(path)) for path in (manifest, initial, final))
        shown = alone.analysis(alone.read_manifest(content), *weights)
    if as_json:
        print_json(**report.final_values(shown))
        return
    columns = ("at least", "confidence", "claimed")
    table = Table("attack: epsilon ...", *(Column(name, justify="right") for name in columns))
    for bound in shown.bounds:
        table.add_row(
            final_model.METHODS[bound.method],
            rounding.down(bound.epsilon),
            "" if bound.confidence is None else rounding.down_percent(bound.confidence),
            rounding.epsilon(shown.claim),
        )
    out.print(table)
    out.print(f"Estimate by the final model's cosines, no bound (Andrew et al. 2023): {rounding.up(shown.cosine)}")
    out.print(final_model.sentence(shown), soft_wrap=True)
    out.print(final_model.limits_sentence(), soft_wrap=True)


def _open(path: Path):
    try:
        return path.open("rb")
    except OSError as err:
        raise InvalidValueError("file", f"Expected a file at {path}, found none that can be read: {err}.") from err
