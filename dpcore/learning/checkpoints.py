"""What a run needs to go on after its process is gone: one file, whole or not there."""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dpcore import files
from dpcore.errors import CheckpointError, DamagedCheckpointError
from dpcore.rounds import Round

_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a run after a round.

    Random numbers need no position of their own: each stream is named by the seed, its use and the round
    (`dpcore.rng`).

    Attributes:
        owner: What the state belongs to: fingerprints of plan and data, and the engine.
        row: What the round showed.
        arrays: The engine's state, from `Engine.to_arrays`.
    """

    owner: dict[str, str]
    row: Round
    arrays: list[np.ndarray]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint so that a crash at any moment leaves this one or the one before."""
    told = {"version": _VERSION, "owner": checkpoint.owner, "row": asdict(checkpoint.row)}
    content = to_npz([np.frombuffer(json.dumps(told).encode(), np.uint8), *checkpoint.arrays])
    files.write_sealed(path, content)


def to_npz(arrays: list[np.ndarray]) -> bytes:
    """Returns arrays, each [any shape], as the bytes of an NPZ file: the first is `arr_0`."""
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def load(path: Path, owner: dict[str, str]) -> Checkpoint | None:
    """Reads a checkpoint; `None` where there is none.

    Raises:
        CheckpointError: If it belongs to something else.
        DamagedCheckpointError: If it is not what was written.
    """
    try:
        content = files.read_sealed(path)
    except FileNotFoundError:
        return None
    if content is None:
        raise DamagedCheckpointError(f"Expected {path} to be a checkpoint, found a damaged file.")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        told, *arrays = (file[name] for name in file.files)
    found = json.loads(told.tobytes())
    if found["version"] != _VERSION:
        raise CheckpointError(f"Expected {path} to be of version {_VERSION}, found {found['version']}.")
    checkpoint = Checkpoint(owner=found["owner"], row=Round(**found["row"]), arrays=arrays)
    there = checkpoint.owner
    if there != owner:
        words = "; ".join(
            f"{name} {owner[name]}, found {there.get(name)}" for name in owner if there.get(name) != owner[name]
        )
        raise CheckpointError(
            f"Expected {path} to be the checkpoint of {words}. It belongs to another run: its state would not be "
            "what this plan is accounted for. Start the plan as a new run."
        )
    return checkpoint
