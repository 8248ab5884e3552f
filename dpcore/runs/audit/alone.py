"""A final model audited alone: what whoever trains elsewhere is given, what a run keeps for it, and what comes of it."""

import secrets
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dpcore import files, limits
from dpcore.errors import InvalidValueError, StoreError
from dpcore.language import _
from dpcore.learning import canaries, checkpoints, directions
from dpcore.plan import PrivacyPlan
from dpcore.privacy.auditing import final_model
from dpcore.privacy.auditing.final_model import FinalModel
from dpcore.rng import Streams
from dpcore.runs.audit import weights_file
from dpcore.runs.audit.manifest import MOST_BYTES, Manifest, check_layers
from dpcore.runs.store.run_rows import Run

MANIFEST, INITIAL, FINAL = "canaries.json", "initial_weights.npz", "final_weights.npz"
ARRAYS, PROGRAM = "canaries.npz", "canaries.py"


def drawn(layers: dict[str, tuple[int, ...]], plan: PrivacyPlan, *, count: int) -> Manifest:
    """Returns a manifest of new canaries, whose coins nobody can know beforehand.

    Args:
        layers: The shape of each array of the model's weights by its name.
        plan: What is claimed of the training, in which each canary is a user.
        count: How many canaries.

    Raises:
        InvalidValueError: If there is no audit of such a plan, or the model is too small for so many.
    """
    count = int(limits.CANARIES.check(count))
    canaries.check_claim(plan)
    check_layers(layers)
    size = sum(int(np.prod(shape)) for shape in layers.values())
    canaries.check_model(count, size)
    streams = Streams(secrets.randbits(128), "canaries of a training elsewhere")
    ways = directions.of_run(streams, size)
    return Manifest(
        layers=layers,
        places=ways.places,
        signs=ways.signs,
        coins=canaries.run_coins(streams, count),
        senders=count,
        length=canaries.LENGTH,
        plan=plan,
    )


def hand_out(manifest: Manifest, folder: Path) -> None:
    """Writes a manifest, for the auditor alone, and beside it the canaries that take part, for whoever trains.

    Raises:
        StoreError: If there is a manifest already, whose coins would be lost; or nothing can be written there.
    """
    program = Path(__file__).with_name("canaries.py.in").read_text()
    program = program.replace("@LAYERS@", repr(manifest.layers)).replace("@LENGTH@", repr(manifest.length))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / MANIFEST).exists():
            message = _(
                "Expected no manifest in {folder}, found one: its coins would be lost. Choose another folder."
            )
            raise StoreError(message.format(folder=folder))
        with (folder / ARRAYS).open("wb") as file:
            np.savez(
                file,
                places=manifest.places.astype(np.int32),
                signs=manifest.signs.astype(np.int8),
                rows=np.flatnonzero(manifest.coins).astype(np.int32),
            )
        (folder / PROGRAM).write_text(program)
        files.write_private(folder / MANIFEST, manifest.to_json().encode())
    except OSError as err:
        message = _("Expected to write to {folder}: {reason}. Choose another folder.")
        raise StoreError(message.format(folder=folder, reason=err)) from err


def keep(engine: Any, plan: PrivacyPlan, folder: Path) -> None:
    """Writes into a run's folder what its final model is audited with, for its owner alone; once.

    Args:
        engine: What trains it, with canaries.
        plan: The run's.
        folder: Where to. Whoever deletes the run deletes it.
    """
    if (folder / MANIFEST).exists():
        return
    weights, of_run = engine.model_weights(engine.initialize()), engine.canaries
    count = len(of_run.run_coins)
    manifest = Manifest(
        layers={
            f"arr_{number}": part.shape for number, part in enumerate(weights)
        },  # as `checkpoints.to_npz` has it
        places=of_run.directions.places,
        signs=of_run.directions.signs,
        coins=of_run.run_coins,
        senders=2 * count,  # those of the rounds send as well
        length=canaries.LENGTH,
        plan=plan,
    )
    files.write_private(folder / INITIAL, checkpoints.to_npz(weights))
    files.write_private(folder / MANIFEST, manifest.to_json().encode())


def export(run: Run, kept: Path, folder: Path) -> bool:
    """Writes beside an exported model what it is audited with alone; returns whether there is that.

    A run that has not finished may go on: until then, its coins are nobody's to know.

    Args:
        run: The run.
        kept: Its folder.
        folder: Where to.
    """
    if run.status != "finished" or not (kept / MANIFEST).exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for name, copied in ((MANIFEST, MANIFEST), (INITIAL, INITIAL), ("weights.npz", FINAL)):
        files.write_private(folder / copied, (kept / name).read_bytes())
    return True


def read_manifest(file: BinaryIO) -> Manifest:
    """Reads a manifest that somebody hands in.

    Raises:
        InvalidValueError: If it is none.
    """
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        message = _("Expected a canaries' manifest of at most {most} MB, found a larger file.")
        raise InvalidValueError("manifest", message.format(most=MOST_BYTES >> 20))
    return Manifest.from_json(content)


def analysis(manifest: Manifest, initial: BinaryIO, final: BinaryIO) -> FinalModel:
    """Returns what a final model alone shows: seconds.

    Args:
        manifest: Its canaries'.
        initial: The weights before the first round, as an NPZ file of arrays by the layers' names.
        final: Those after the last.

    Raises:
        InvalidValueError: If the files are not of this manifest, or the model has not moved.
    """
    moved = weights_file.read(final, "final", manifest.layers)
    moved = moved - weights_file.read(initial, "initial", manifest.layers)
    largest = float(np.abs(moved).max())
    if not 0 < largest < np.inf:
        message = _("Expected final weights that differ from the initial ones, found {value}.")
        told = _("the same") if not largest else _("a difference that float32 has no number for")
        raise InvalidValueError("final", message.format(value=told))
    # On any scale guesses are the same: as long as squares neither vanish nor overflow.
    along = manifest.directions.projections(moved / np.float32(largest)).astype(float)
    return final_model.of(manifest.coins, along[: len(manifest.coins)], along[manifest.senders :], manifest.plan)
