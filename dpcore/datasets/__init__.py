"""Federated data sets, by name: built in, or imported from a user's own file. Nothing here imports TensorFlow.

All live under `home / "datasets"`, which only its user can read; imported ones in its folder `imported`.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dpcore.datasets import federated, federated_emnist, leftovers, population, writers
from dpcore.datasets.federated import FederatedDataset, Manifest
from dpcore.datasets.importing import images
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import _
from dpcore.limits import check_choice
from dpcore.locks import lock
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan

if TYPE_CHECKING:
    from dpcore.datasets.importing.table import Mapping

Progress = Callable[[str, float], None]  # what is being done, and the fraction that is done

_EMNIST = federated_emnist.VARIANTS
NAMES = ("writers", *_EMNIST)  # those that are built in
_NUM_USERS = {"writers": writers.NUM_WRITERS} | {name: variant.num_users for name, variant in _EMNIST.items()}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A data set as a list of them shows it.

    Attributes:
        name: Its name.
        built_in: Whether it can be made again by `load`.
        folder: Where it is, or will be.
        size_bytes: What it takes on disk; 0 if it is not there yet.
        manifest: What is known of it; `None` if it is not there, or if there is a problem.
        problem: Why it cannot be read, or empty.
        live: Whether it is being made right now.
    """

    name: str
    built_in: bool
    folder: Path
    size_bytes: int = 0
    manifest: Manifest | None = None
    problem: str = ""
    live: bool = False


def names(home: Path) -> tuple[str, ...]:
    """Returns the names of all data sets under a home, the built-in ones first."""
    imported = _root(home) / "imported"
    there = (path.name for path in imported.glob("*") if path.is_dir() and _NAME.fullmatch(path.name))
    return (*NAMES, *sorted(there))


def check_name(name: str, home: Path | None = None) -> str:
    """Returns `name` if there is such a data set; without a home, if it is built in.

    Raises:
        InvalidValueError: If there is not.
    """
    return check_choice("dataset", name, NAMES if home is None else names(home))


def num_users(name: str, home: Path | None = None) -> int:
    """Returns the population of a data set, without loading it: how many users have examples to train on.

    Raises:
        InvalidValueError: If there is no data set of this name.
        DatasetError: If it is there and cannot be read.
    """
    if check_name(name, home) in NAMES:
        return _NUM_USERS[name]
    assert home is not None  # whoever names data of their own says where
    return federated.read_manifest(_folder(name, home)).num_users


def check_model(name: str, home: Path, model: str) -> None:
    """Refuses a model that needs images where a data set holds none, as far as that is known before it is loaded.

    Raises:
        InvalidValueError: If it does.
    """
    if name in names(home) and (manifest := entry(name, home).manifest) is not None:
        images.check_model(model, manifest.description.image_shape, name)


def check_population(name: str, home: Path, planned: int) -> None:
    """Refuses a plan for other users than those who train, as far as that is known before anything is loaded.

    Raises:
        InvalidValueError: If `planned` is not their number.
    """
    if name in names(home) and (manifest := entry(name, home).manifest) is not None:
        population.check(name, manifest, planned)


def entry(name: str, home: Path) -> Entry:
    """Returns what is known of a data set without loading it.

    Raises:
        InvalidValueError: If there is no data set of this name.
    """
    folder, built_in = _folder(check_name(name, home), home), name in NAMES
    if not folder.exists():
        return Entry(name=name, built_in=built_in, folder=folder)
    size = leftovers.size_of(folder)
    try:
        manifest, problem = federated.read_manifest(folder), ""
    except DatasetError as err:
        manifest, problem = None, str(err)
    return Entry(name=name, built_in=built_in, folder=folder, size_bytes=size, manifest=manifest, problem=problem)


def unfinished(home: Path) -> list[Entry]:
    """Returns what there is of data sets that are being made, or that a process was making when it was killed."""
    return [
        Entry(
            name=left.name,
            built_in=False,
            folder=left.path,
            size_bytes=left.size_bytes,
            problem=_("It is being made right now.")
            if left.live
            else _("An import that was cut off has left this. Remove it: data remove {name}").format(
                name=left.name
            ),
            live=left.live,
        )
        for left in leftovers.parts(_root(home))
    ]


def clear_leftovers(home: Path) -> list[str]:
    """Removes what imports that were cut off have left, and says so, a sentence each.

    What is being made right now stays. Where nothing can be removed, nothing is.
    """
    try:
        removed = leftovers.clear(_root(home))
    except OSError:
        return []
    message = _("Removed what an import that was cut off had left: {name}, {size:,.0f} MB.")
    return [message.format(name=left.name, size=left.size_bytes / 1e6) for left in removed]


def fingerprint(name: str, home: Path) -> str | None:
    """Returns the content of an imported data set, as plans name it; `None` of a built-in one, whose name says it.

    Raises:
        InvalidValueError: If there is no data set of this name.
        DatasetError: If it is there and cannot be read.
    """
    return None if check_name(name, home) in NAMES else federated.read_manifest(_folder(name, home)).fingerprint


def like_writers(name: str, home: Path) -> bool:
    """Whether another data set is of such images and as many classes as the Writers, so that one model fits both."""
    if name in _EMNIST:
        return len(_EMNIST[name].class_names) == writers.NUM_CLASSES
    known, side = entry(name, home).manifest, (writers.SIDE, writers.SIDE)
    if name == "writers" or known is None:
        return False
    shape = known.description.image_shape or ()
    return known.num_classes == writers.NUM_CLASSES and shape in (side, (*side, 1))


def must_be_fetched(name: str, home: Path) -> bool:
    """Whether a data set comes over the network, or from a file found elsewhere, before it can be used."""
    return name in _EMNIST and entry(name, home).manifest is None


def load(name: str, home: Path, progress: Progress = lambda what, fraction: None) -> FederatedDataset:
    """Returns a data set, a built-in one made first if `home` does not hold it.

    It cannot be removed for as long as what is returned lives.

    Raises:
        InvalidValueError: If there is no data set of this name.
        DatasetError: If it cannot be made, or what is there is damaged.
    """
    folder = _folder(check_name(name, home), home)
    with federated.disk_errors(folder):
        root = _private(home)
    if name in _EMNIST:
        return federated_emnist.load(_EMNIST[name], root, progress)
    if name == "writers":
        return writers.load(root, progress)
    try:
        return federated.open_in_use(folder)
    except DatasetError as err:
        if isinstance(err.__cause__, PermissionError):  # to import it again would not help
            raise
        raise DatasetError(
            _("{problem} Remove {name} and import it again.").format(problem=err, name=name)
        ) from err


def name_for(path: Path) -> str:
    """Returns the name that the data set of a file gets where no other is given."""
    return re.sub(r"[^a-z0-9_-]+", "-", path.absolute().name.split(".")[0].lower()).strip("-_")[:63] or "table"


def import_table(
    path: Path,
    mapping: "Mapping",
    home: Path,
    *,
    name: str | None = None,
    test_path: Path | None = None,
    progress: Progress = lambda what, fraction: None,
) -> FederatedDataset:
    """Imports a user's own table in any of the forms of `dpcore.datasets.forms`, one row per example.

    Its warnings are in the `description` of what is returned.

    Args:
        path: The file, or a folder of files that are one table.
        mapping: What its columns stand for.
        home: Where it goes.
        name: What to call it; `None` takes the file's name.
        test_path: A second file, of test examples; that in `path` is then of training examples.
        progress: Told what is being done, and the fraction that is done.

    Raises:
        InvalidValueError: If the name is taken or none, or the mapping does not fit the table.
        DatasetError: If the file cannot be read, is no such table, or there is no room.
    """
    from dpcore.datasets.importing import table  # pyarrow takes a third of a second, and nothing else here needs it

    def convert(name: str, folder: Path) -> None:
        table.convert(path, mapping, folder, progress, name=name, test_path=test_path)

    return _import(path, name, home, convert)


def import_sqlite(
    path: Path,
    home: Path,
    *,
    name: str | None = None,
    only_digits: bool = True,
    progress: Progress = lambda what, fraction: None,
) -> FederatedDataset:
    """Imports images from a file as `tff.simulation.datasets.SqlClientData` reads it, by the names that TFF gives.

    Args:
        path: The file.
        home: Where it goes.
        name: What to call it; `None` takes the file's name.
        only_digits: Whether to take the digits of a file that holds both variants of Federated EMNIST.
        progress: Told what is being done, and the fraction that is done.

    Raises:
        InvalidValueError: If the name is taken or none.
        DatasetError: If the file cannot be read, has other splits, or there is no room.
    """
    from dpcore.datasets.importing.table import Mapping

    return import_table(path, Mapping(all_classes=not only_digits), home, name=name, progress=progress)


@contextmanager
def uploaded(files: dict[str, memoryview], home: Path) -> Iterator[Path]:
    """Yields a file that somebody has sent, or a folder of several, for as long as the block takes.

    Raises:
        DatasetError: If there is no room for it.
    """
    with federated.disk_errors(_root(home)):
        root = _private(home)
    with leftovers.uploaded(root, {Path(name).name: content for name, content in files.items()}) as path:
        yield path


def remove(name: str, home: Path) -> None:
    """Removes a data set from the disk, or what is left of one. A built-in one stays in the list and can be made again.

    Raises:
        InvalidValueError: If there is no data set of this name.
        DatasetError: If a run is using it, if it is being made, or if the disk does not allow it.
    """
    with federated.disk_errors(_root(home)):
        left = [entry for entry in unfinished(home) if entry.name == name]
        if any(entry.live for entry in left):
            raise DatasetError(_("{name} is being made right now. Stop that first.").format(name=name))
        if leftovers.clear(_root(home), name) and name not in names(home):
            return
        _remove(name, home)


def _remove(name: str, home: Path) -> None:
    folder = _folder(check_name(name, home), home)
    with lock(federated.lock_of(folder), wait=False) as free:
        if not free:
            raise DatasetError(
                _("{name} is in use. Stop the run that trains on it, then remove it.").format(name=name)
            )
        if folder.exists():
            condemned = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(condemned, ignore_errors=True)
            shutil.rmtree(folder.rename(condemned))  # out of the list at once
    if name in _EMNIST and not any(_folder(other, home).exists() for other in _EMNIST):
        federated_emnist.download_of(_root(home)).unlink(missing_ok=True)


def _root(home: Path) -> Path:
    return home / "datasets"


def _private(home: Path) -> Path:
    """The same, made if it is missing, and closed to all others."""
    root = _root(home)
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    return root


def _folder(name: str, home: Path) -> Path:
    if name in NAMES:
        return _root(home) / (writers.FOLDER if name == "writers" else name)
    return _root(home) / "imported" / name


def _import(path: Path, name: str | None, home: Path, convert: Callable[[str, Path], None]) -> FederatedDataset:
    name = name_for(path) if name is None else name
    if not _NAME.fullmatch(name) or name in NAMES:
        message = _(
            "Expected a name of at most 63 small letters, digits, - and _ that begins with a letter or a digit and "
            "is none of {names}, found {name!r}."
        )
        raise InvalidValueError("name", message.format(names=", ".join(NAMES), name=name))
    folder = _folder(name, home)
    with federated.disk_errors(folder):
        _private(home)
    with federated.disk_errors(folder), lock(federated.lock_of(folder), wait=False) as free:
        if folder.exists():
            message = _("There is a data set {name} already. Remove it, or choose another name.")
            raise InvalidValueError("name", message.format(name=name))
        if not free:
            message = _("{name} is being made right now. Wait for that, or choose another name.")
            raise InvalidValueError("name", message.format(name=name))
        convert(name, folder)
    return federated.open_in_use(folder)


def plan_on(name: str, home: Path, privacy: Callable[..., PrivacyPlan] = PrivacyPlan, **training: Any) -> Plan:
    """Returns a plan for a data set as it is here: its users are the population, its content is what is trained on.

    Args:
        name: That of the data set.
        home: Where data sets live.
        privacy: Makes the private part of the plan, given `population`.
        training: Other fields of `TrainingPlan`.

    Raises:
        DatasetError: If there is no such data set.
        InvalidValueError: If such a plan is refused.
    """
    return Plan(
        privacy=privacy(population=num_users(name, home)),
        training=TrainingPlan(dataset=name, dataset_fingerprint=fingerprint(name, home), **training),
    )
