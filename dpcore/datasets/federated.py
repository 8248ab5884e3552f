"""A federated data set: flat arrays sorted by user, memory-mapped, with offsets."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore.errors import DatasetError
from dpcore.locks import lock

_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Split:
    """Examples of all users, sorted by user.

    Attributes:
        features: uint8 [num_examples, num_features]; 255 stands for 1.0.
        labels: uint8 [num_examples].
        offsets: int64 [num_users + 1]; user i owns the rows offsets[i]:offsets[i + 1].
    """

    features: np.ndarray
    labels: np.ndarray
    offsets: np.ndarray

    def rows(self, user: int) -> slice:
        """The rows of one user."""
        return slice(int(self.offsets[user]), int(self.offsets[user + 1]))


@dataclass(frozen=True, kw_only=True)
class FederatedDataset:
    """Users with their own training and test examples.

    Attributes:
        name: Its name in `dpcore.datasets`.
        fingerprint: 16 hexadecimal digits of the SHA-256 of its content.
        num_classes: Labels are 0 to num_classes - 1.
        train: What users train on.
        test: What models are evaluated on.
    """

    name: str
    fingerprint: str
    num_classes: int
    train: Split
    test: Split

    @property
    def num_users(self) -> int:
        return len(self.train.offsets) - 1

    @property
    def num_features(self) -> int:
        return self.train.features.shape[1]


def scale(features: np.ndarray) -> np.ndarray:
    """Pixels as models see them: float32 in [0, 1]."""
    return features * np.float32(1 / 255)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(folder: Path, arrays: dict[str, np.ndarray], *, name: str, num_classes: int) -> None:
    """Writes a data set so that `folder` either holds all of it or is not there.

    Args:
        folder: Where it goes; must not exist.
        arrays: "train_features", "train_labels", "train_offsets", and the same of "test".
        name: Its name.
        num_classes: How many labels there are.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for key, array in arrays.items():
        np.save(partial / f"{key}.npy", array)
    digests = {key: _digest(partial / f"{key}.npy") for key in sorted(arrays)}
    manifest = {"name": name, "num_classes": num_classes, "sha256": digests}
    (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    partial.rename(folder)


def open_folder(folder: Path) -> FederatedDataset:
    """Maps a data set that `save` wrote, after checking every byte of it.

    Raises:
        DatasetError: If it is not there, incomplete or changed.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        for key, digest in manifest["sha256"].items():
            if _digest(folder / f"{key}.npy") != digest:
                raise DatasetError(f"{folder / key}.npy is not what was written there.")
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="r") for key in manifest["sha256"]}
        splits = [
            Split(
                features=arrays[f"{split}_features"],
                labels=arrays[f"{split}_labels"],
                offsets=np.asarray(arrays[f"{split}_offsets"]),
            )
            for split in ("train", "test")
        ]
        name, num_classes = manifest["name"], manifest["num_classes"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise DatasetError(f"The data set in {folder} cannot be read: {err}") from err
    content = hashlib.sha256(json.dumps(manifest["sha256"], sort_keys=True).encode()).hexdigest()
    return FederatedDataset(
        name=name,
        fingerprint=content[:16],
        num_classes=num_classes,
        train=splits[0],
        test=splits[1],
    )


def open_or_make(folder: Path, make: Callable[[], None]) -> FederatedDataset:
    """Maps the data set in `folder`, calling `make` to write it if it is missing or damaged.

    Only one process makes it at a time; the others wait and then find it.
    """
    with lock(folder.with_name(folder.name + ".lock"), wait=True):
        try:
            return open_folder(folder)
        except DatasetError:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            make()
        except OSError as err:
            raise DatasetError(
                f"The data set could not be written to {folder}: {err}. Free some room, or choose another "
                "folder with EPSILON_LAB_HOME or --home."
            ) from err
        return open_folder(folder)
