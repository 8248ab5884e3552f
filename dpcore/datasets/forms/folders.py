"""Several files that are one table: shards, files of training and testing, and folders of them.

So come LEAF's data, TFF's HDF5, and Hugging Face's data sets, saved or as on the Hub.
"""

import dataclasses
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from dpcore.datasets.forms import ENDINGS, FORMS, PACKED, split_words
from dpcore.datasets.importing.tabular import Batch, Column, Table
from dpcore.errors import DatasetError
from dpcore.language import _

Parts = list[tuple[str | None, Path]]  # files, and what each is for: "train", "test", ..., if that is known

_DEPTH, _MOST = 3, 10_000  # folders in folders, and files that are looked at
_SAVED, _SPLITS = "state.json", "dataset_dict.json"  # by `save_to_disk` of Hugging Face's data sets
_STAGES = {
    "raw_data",
    "intermediate",
    "all_data",
    "sampled_data",
    "rem_user_data",
}  # of LEAF, before train and test
# About the data, and not of them.
_ABOUT = (_SAVED, _SPLITS, "dataset_info.json", "dataset_infos.json", "config.json", "metadata.json")


def parts_of(folder: Path) -> Parts:
    """Returns the files of a folder that are one table; a file as it is.

    Raises:
        DatasetError: If there are none, or if they do not go together.
    """
    if not _is_folder(folder):
        return [(None, folder)]  # who reads it will say if it is none
    if (folder / _SPLITS).is_file():
        splits = _json(folder / _SPLITS).get("splits")
        if not splits or not isinstance(splits, list) or not all(map(_plain, splits)):
            message = _("Expected {file} in {folder} to name files in that folder, found {names}.")
            raise DatasetError(message.format(file=_SPLITS, folder=folder.name, names=str(splits)[:80]))
        return _told_apart([(split, path) for split in splits for path in _saved(folder / split)])
    if (folder / _SAVED).is_file():
        return [(None, path) for path in _saved(folder)]
    try:
        files = sorted(path for path in islice(_inside(folder, _DEPTH), _MOST) if _form(path) is not None)
    except OSError as err:
        message = _("{file} cannot be read as {kind}: {reason}")
        raise DatasetError(message.format(file=_called(folder), kind=_("a folder"), reason=err.strerror)) from err
    if not files:
        message = _("Expected files in {folder} that end in {endings}, found none.")
        raise DatasetError(message.format(folder=_called(folder), endings=", ".join((*ENDINGS, *PACKED))))
    forms = {_form(path): path.relative_to(folder) for path in files}
    parts = [(split_words.split_of_path(path.relative_to(folder).parts), path) for path in files]
    if any(split for split, _path in parts):
        parts = [part for part in parts if not {*part[1].relative_to(folder).parts[:-1]} & _STAGES]
        forms = {_form(path): path.relative_to(folder) for _split, path in parts}
    unclear = [path.relative_to(folder) for split, path in parts if split is None]
    if len(forms) > 1 or 0 < len(unclear) < len(parts):
        message = _(
            "Expected files of one form in {folder}, all of them named as training or as testing or none, found {files}. "
            "Put those that go together into a folder."
        )
        some = [*map(str, forms.values())] if len(forms) > 1 else [str(path) for path in unclear[:5]]
        raise DatasetError(message.format(folder=_called(folder), files=", ".join(some)))
    return _told_apart(parts)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, or with a zero in it
        return False


def _called(folder: Path) -> str:
    return folder.absolute().name or str(folder)


def _told_apart(parts: Parts) -> Parts:
    """Returns the same files; if all are of one split, there is none."""
    return parts if len({split for split, _path in parts}) > 1 else [(None, path) for _split, path in parts]


def _plain(name) -> bool:
    """Whether a name that a file tells stays in its folder."""
    return isinstance(name, str) and Path(name).name == name


def _json(path: Path) -> dict:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as err:
        message = _("{file} cannot be read as {kind}: {reason}")
        raise DatasetError(message.format(file=path.name, kind="JSON", reason=err)) from err
    return found if isinstance(found, dict) else {}


def _saved(folder: Path) -> list[Path]:
    """Returns the shards that `save_to_disk` has written to a folder."""
    state = _json(folder / _SAVED)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        message = _("The rows of {folder} were chosen and not written anew. Save it again after flatten_indices().")
        raise DatasetError(message.format(folder=folder.name))
    files = state.get("_data_files")
    listed = files if isinstance(files, list) else []
    names: list[Any] = [file.get("filename") for file in listed if isinstance(file, dict)]
    if not names or not all(map(_plain, names)):
        message = _("Expected {file} in {folder} to name files in that folder, found {names}.")
        raise DatasetError(message.format(file=_SAVED, folder=folder.name, names=str(names)[:80]))
    return [folder / name for name in names]


def _inside(folder: Path, depth: int) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _ABOUT:
            continue
        if path.is_dir() and depth > 1:
            yield from _inside(path, depth - 1)
        elif path.is_file():
            yield path


def _form(path: Path) -> str | None:
    ending = path.suffix.lower()
    if ending in PACKED:
        ending = Path(path.stem).suffix.lower() if ending == ".gz" else ""
    return next((form for form, endings in FORMS.items() if ending in endings), None)


class PartedTable(Table):
    """Files that are one table, one after the other; a column `split` says what each is for, where that is known."""

    def __init__(self, parts: list[tuple[str | None, Table]]):
        first = parts[0][1]
        super().__init__(first.path)
        self._parts, names = parts, [column.name for column in first.columns]
        for _split, table in parts:
            lacking = [name for name in names if name not in [column.name for column in table.columns]]
            if lacking or table.roles.class_names != first.roles.class_names:
                message = _("Expected the columns and classes of {one} in {other}, found others: {names}.")
                others = ", ".join(lacking[:5] or first.roles.class_names)
                raise DatasetError(message.format(one=first.path.name, other=table.path.name, names=others))
        self._split = (
            None if parts[0][0] is None else next(n for n in ("split", "split_", "split__") if n not in names)
        )
        self.columns, self.roles = first.columns, first.roles
        self.notes = tuple(dict.fromkeys(note for _split, table in parts for note in table.notes))
        if self._split is not None:
            self.columns += (Column(name=self._split, dtype=_("text"), kind="text"),)
            self.roles = dataclasses.replace(first.roles, split=self._split)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        sizes, done = [max(table.path.stat().st_size, 1) for _split, table in self._parts], 0
        inner = [name for name in names if name != self._split]
        within = None if text is None else [name for name in text if name != self._split]
        for (split, table), size in zip(self._parts, sizes, strict=True):
            for batch, fraction in table.batches(inner, within):
                count = len(next(iter(batch.values())))
                said = {} if self._split not in names else {self._split: pa.array([split] * count, pa.string())}
                yield batch | said, (done + fraction * size) / sum(sizes)
            done += size
