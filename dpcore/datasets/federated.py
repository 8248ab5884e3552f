"""A federated data set: flat arrays sorted by user, memory-mapped, with offsets."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dpcore import messages
from dpcore.errors import DatasetError
from dpcore.language import Message, _
from dpcore.locks import lock, share
from dpcore.messages import older

MAX_CLASSES = 1000  # more are an amount or a name taken for a class

_MANIFEST = "manifest.json"
_FORMAT = 2  # raise it when an older folder can no longer be read; a generated data set is then made anew
_SPLITS = ("train", "test")
_KINDS = ("features", "labels", "offsets")


@dataclass(frozen=True, kw_only=True)
class Split:
    """Examples of all users, sorted by user. A user may have none in a split.

    Attributes:
        features: uint8 (255 stands for 1.0) or float32 (as models see it) [num_examples, num_features].
        labels: uint8 or uint16 [num_examples].
        offsets: int64 [num_users + 1]; user i owns the rows offsets[i]:offsets[i + 1].
    """

    features: np.ndarray
    labels: np.ndarray
    offsets: np.ndarray

    def rows(self, user: int) -> slice:
        """Returns the rows of one user, 0 to num_users - 1."""
        return slice(int(self.offsets[user]), int(self.offsets[user + 1]))


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the numbers of a data set stand for.

    Attributes:
        source: Where it comes from, in a few words.
        scaling: How its features came to be the numbers that models see.
        access_note: What was looked at in the users' data to prepare them, outside any guarantee: a sentence
            for the privacy statement, or empty.
        class_names: The name of each class; empty where they have none but their numbers.
        feature_names: The name of each feature; empty where they have none.
        image_shape: (height, width) or (height, width, channels) of a row of features, or `None`.
        warnings: What a reader should know of the data, a sentence each.
    """

    source: str = ""
    scaling: str = ""
    access_note: str = ""
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What is known of a data set without reading its examples.

    Attributes:
        name: Its name in `dpcore.datasets`.
        num_users: The population: users with examples to train on.
        users_without_train: The others, who only test: no cohort is drawn from them.
        num_classes: Labels are 0 to num_classes - 1.
        num_features: The width of an example.
        num_examples: Examples of "train" and of "test".
        description: What its numbers stand for.
        sha256: By file.
    """

    name: str
    num_users: int
    users_without_train: int
    num_classes: int
    num_features: int
    num_examples: dict[str, int]
    description: Description
    sha256: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of its content."""
        return hashlib.sha256(json.dumps(self.sha256, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class FederatedDataset:
    """Users with their own examples, to train on and to evaluate on.

    Some may have none to train on. They are no part of the population: to draw cohorts from them would hide nobody, and
    their empty updates would pull the clip norm down.

    Attributes:
        name: Its name in `dpcore.datasets`.
        fingerprint: 16 hexadecimal digits of the SHA-256 of its content.
        num_classes: Labels are 0 to num_classes - 1.
    """

    name: str
    fingerprint: str
    num_classes: int
    train: Split
    test: Split
    description: Description = field(default_factory=Description)

    @functools.cached_property
    def trainers(self) -> np.ndarray:
        """The users that cohorts are drawn from, those with examples to train on: int64 [num_users], ascending."""
        return np.flatnonzero(np.diff(self.train.offsets))

    @property
    def num_users(self) -> int:
        """The population: how many have examples to train on."""
        return len(self.trainers)

    @property
    def users_without_train(self) -> int:
        """How many only test."""
        return len(self.train.offsets) - 1 - self.num_users

    @property
    def num_features(self) -> int:
        return self.train.features.shape[1]

    @property
    def image_shape(self) -> tuple[int, ...] | None:
        return self.description.image_shape

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.description.class_names or tuple(map(str, range(self.num_classes)))


def scale(features: np.ndarray) -> np.ndarray:
    """Returns features as models see them, float32 of the shape of `features` [num_examples, num_features].

    Args:
        features: uint8, whose 0 to 255 become 0 to 1; or float32, which stays as it is.
    """
    return features * np.float32(1 / 255) if features.dtype == np.uint8 else features


def label_dtype(num_classes: int) -> type:
    """Returns the smallest type that holds the labels 0 to `num_classes` - 1: uint8 or uint16."""
    return np.uint8 if num_classes <= 256 else np.uint16


_SETTLED_SECONDS = 2.0  # the clock of a file system may stand still for some milliseconds; a network's may be off
_digests: dict[tuple[int, ...], str] = {}


def _digest(path: Path) -> str:
    """Returns the SHA-256 of a file; of one that has not changed since this process last read it, without reading."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        # Nothing writes to a file and leaves all of these; but what was written just now may be written to once more in
        # the same instant.
        state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if state not in _digests or time.time_ns() - found.st_ctime_ns < 1e9 * _SETTLED_SECONDS:
            _digests[state] = hashlib.file_digest(file, "sha256").hexdigest()
        return _digests[state]


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yields a folder to write to; it becomes `folder` when the block ends well, and nothing is left otherwise.

    Only its user can read it. The block writes six arrays (see `new_array`) and calls `write_manifest`.
    """
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    try:
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def new_array(partial: Path, key: str, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """Returns an array [*shape] to fill in, mapped to its file in the folder `partial`.

    Args:
        partial: As `new_folder` yields it.
        key: "train_features", "test_offsets", ...; type and shape are those of `Split`.
        dtype: Of its numbers.
        shape: Of the array.

    Raises:
        OSError: If there is no room for all of it. Without asking now, a full disk would kill the process later.
    """
    array = np.lib.format.open_memmap(partial / f"{key}.npy", mode="w+", dtype=dtype, shape=shape)
    with (partial / f"{key}.npy").open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, array.offset + array.nbytes)
    return array


def write_manifest(partial: Path, *, name: str, num_classes: int, description: Description) -> None:
    """Completes a folder whose six arrays are written."""
    keys = sorted(f"{split}_{kind}" for split in _SPLITS for kind in _KINDS)
    shapes = {key: np.load(partial / f"{key}.npy", mmap_mode="r").shape for key in keys}
    values = {
        "format": _FORMAT,
        "name": name,
        "num_users": shapes["train_offsets"][0] - 1,  # all; `read_manifest` tells who trains
        "num_classes": num_classes,
        "num_features": shapes["train_features"][1],
        "num_examples": {split: shapes[f"{split}_labels"][0] for split in _SPLITS},
        "description": {name: _content(value) for name, value in vars(description).items()},
        "sha256": {key: _digest(partial / f"{key}.npy") for key in keys},
    }
    (partial / _MANIFEST).write_text(json.dumps(values, indent=1))


def save(
    folder: Path,
    arrays: dict[str, np.ndarray],
    *,
    name: str,
    num_classes: int,
    description: Description | None = None,
) -> None:
    """Writes a data set so that `folder` either holds all of it or is not there.

    Args:
        folder: Where it goes; must not exist.
        arrays: "train_features" [num_train, num_features], "train_labels" [num_train] and "train_offsets"
            [num_users + 1], of the types of `Split`; and the same of "test".
        name, num_classes, description: As in `Manifest`; nothing is described by default.

    Raises:
        OSError: If the folder is there, or the disk has no room or forbids it; `disk_errors` says what to do then.
    """
    with new_folder(folder) as partial:
        for key, array in arrays.items():
            np.save(partial / f"{key}.npy", array)
        write_manifest(partial, name=name, num_classes=num_classes, description=description or Description())


def read_manifest(folder: Path) -> Manifest:
    """Returns what a folder says of its data set, without reading the examples.

    Raises:
        DatasetError: If there is none, or one that this version cannot read.
    """
    try:
        values = json.loads((folder / _MANIFEST).read_text())
        if values.pop("format", None) != _FORMAT:
            message = _("The data set in {folder} was written by another version. Make or import it again.")
            raise DatasetError(message.format(folder=folder))
        description = _description(values.pop("description"))
        # Counted and not written down, so that it also holds for what was imported before anybody counted.
        trains = np.count_nonzero(np.diff(np.load(folder / "train_offsets.npy", mmap_mode="r")))
        num_users = {"num_users": int(trains), "users_without_train": values.pop("num_users") - int(trains)}
        return Manifest(**values, **num_users, description=description)
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise _unreadable(folder, err) from err


def _content(value: Any) -> Any:
    """Returns what stands in a description, as a value of JSON."""
    return list(map(_content, value)) if isinstance(value, tuple) else messages.content(value)


def _description(said: dict[str, Any]) -> Description:
    """Returns the description that was written; in one of an older version, messages are plain English."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(read, value))
        return messages.from_content(value) if isinstance(value, dict) else value

    def message(text: str) -> str:
        return text if isinstance(text, Message) else older.read(text)

    found = Description(**{name: read(value) for name, value in said.items()})
    return replace(found, source=message(found.source), warnings=tuple(map(message, found.warnings)))


def _unreadable(folder: Path, err: Exception) -> DatasetError:
    return DatasetError(_("The data set in {folder} cannot be read: {reason}").format(folder=folder, reason=err))


def open_folder(folder: Path) -> FederatedDataset:
    """Maps a data set that `save` wrote, after checking every byte of it.

    Raises:
        DatasetError: If it is not there, incomplete or changed.
    """
    manifest = read_manifest(folder)
    try:
        for key, digest in manifest.sha256.items():
            if _digest(folder / f"{key}.npy") != digest:
                raise DatasetError(_("{file} is not what was written there.").format(file=f"{folder / key}.npy"))
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="r") for key in manifest.sha256}
        train, test = (
            Split(
                features=arrays[f"{split}_features"],
                labels=arrays[f"{split}_labels"],
                offsets=np.asarray(arrays[f"{split}_offsets"]),
            )
            for split in _SPLITS
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise _unreadable(folder, err) from err
    return FederatedDataset(
        name=manifest.name,
        fingerprint=manifest.fingerprint,
        num_classes=manifest.num_classes,
        train=train,
        test=test,
        description=manifest.description,
    )


def lock_of(folder: Path) -> Path:
    """The file whose lock is held alone to make or remove a data set, and shared to use it."""
    return folder.with_name(folder.name + ".lock")


def open_in_use(folder: Path) -> FederatedDataset:
    """`open_folder`, and nobody can remove it for as long as what is returned lives.

    Raises:
        DatasetError: As `open_folder`.
    """
    try:
        descriptor = share(lock_of(folder))
    except OSError as err:
        raise DatasetError(
            _("The data set in {folder} cannot be opened: {reason}").format(folder=folder, reason=err)
        ) from err
    try:
        dataset = open_folder(folder)
    except BaseException:
        os.close(descriptor)
        raise
    weakref.finalize(dataset, os.close, descriptor)
    return dataset


def open_or_make(folder: Path, make: Callable[[], None]) -> FederatedDataset:
    """Maps the data set in `folder`, calling `make` to write it if it is missing or damaged.

    Only one process makes it at a time; the others wait and then find it.
    """
    with contextlib.suppress(DatasetError):
        return open_in_use(folder)
    with lock(lock_of(folder), wait=True):
        try:
            open_folder(folder)  # another process may have made it while this one waited
        except DatasetError:
            shutil.rmtree(folder, ignore_errors=True)
            with disk_errors(folder):
                make()
    return open_in_use(folder)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Says of a full or forbidden disk what to do."""
    try:
        yield
    except OSError as err:
        message = _(
            "The data set could not be written to {folder}: {reason}. Free some room, or choose another "
            "folder with EPSILON_LAB_HOME or --home."
        )
        raise DatasetError(message.format(folder=folder, reason=err)) from err
