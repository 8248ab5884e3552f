"""A user's own table as a federated data set: Parquet, CSV or NPZ, one row an example."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dpcore.datasets import columns, federated, findings, scaling, splitting, table_files
from dpcore.datasets.reading import reading
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import N_, _
from dpcore.limits import check_choice

Progress = Callable[[str, float], None]

JOINED = ("user", "label")  # the columns whose spellings can be joined

_INDEX = re.compile(r"(Unnamed: \d+)?|__index_level_\d+__")  # numbers of rows, as pandas writes them unasked


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What the columns of a table stand for, and what becomes of them.

    Attributes:
        user: The column that says whose example a row is.
        label: The column that says its class: text, or numbers.
        features: The columns of numbers, or one column of arrays or images; empty takes all others
            but numbers of rows.
        image_shape: (height, width) or (height, width, channels) of the features, where they are an image and
            the file does not tell.
        split: A column of "train" and "test"; `None` splits each user's examples by the seed.
        test_fraction: How many of a user's examples are for testing, where no column says; one of two at least.
        seed: Fixes which.
        max_examples_per_user: How many examples a user may have, chosen by the seed; `None` is all.
        scaling: "standardise" to mean 0 and standard deviation 1; "bounds" clips to fixed bounds and maps them
            to 0 and 1; "none" takes the numbers as they are. `None` divides bytes by 255 and standardises
            what is no bytes.
        bounds: (low, high) for all features, or by the name of a column; only with scaling "bounds".
        missing_user: One of `columns.MISSING`: what becomes of rows without a user.
        missing_label: The same of rows without a label.
        join: Of which columns, "user" and "label", names that differ only in case, in width, or in how a number is
            written are one.

    Raises:
        InvalidValueError: If a value is out of range or two of them contradict each other.
    """

    user: str
    label: str
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    split: str | None = None
    test_fraction: float = 0.1
    seed: int = 0
    max_examples_per_user: int | None = None
    scaling: str | None = None
    bounds: tuple[float, float] | dict[str, tuple[float, float]] | None = None
    missing_user: str = columns.MISSING[0]
    missing_label: str = columns.MISSING[0]
    join: tuple[str, ...] = ()

    def __post_init__(self):
        if not 0 < self.test_fraction < 1:
            message = _("Expected test_fraction in (0, 1), found {value}.")
            raise InvalidValueError("test_fraction", message.format(value=self.test_fraction))
        if self.max_examples_per_user is not None and self.max_examples_per_user < 1:
            message = _("Expected max_examples_per_user to be at least 1, found {value}.")
            raise InvalidValueError("max_examples_per_user", message.format(value=self.max_examples_per_user))
        if self.scaling is not None:
            check_choice("scaling", self.scaling, scaling.NAMES)
        check_choice("missing_user", self.missing_user, columns.MISSING)
        check_choice("missing_label", self.missing_label, columns.MISSING)
        for column in self.join:
            check_choice("join", column, JOINED)
        if (self.scaling == "bounds") != (self.bounds is not None):
            raise InvalidValueError("bounds", _("Expected bounds with scaling 'bounds', and only with it."))
        pairs = self.bounds.values() if isinstance(self.bounds, dict) else [self.bounds] if self.bounds else []
        for low, high in pairs:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                message = _("Expected bounds low < high, found {low} and {high}.")
                raise InvalidValueError("bounds", message.format(low=low, high=high))
        chosen = [name for name in (self.user, self.label, self.split, *self.features) if name is not None]
        for name in chosen:
            if chosen.count(name) > 1:
                message = _(
                    "Expected each column to be used once, found {name!r} twice among user, label, split and features."
                )
                raise InvalidValueError("features", message.format(name=name))


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """A table as numbers, in the order of the file.

    Attributes:
        users: Who there is, sorted.
        classes: The names of the classes, in order.
        user: Of each row, int32.
        label: Of each row, int32.
        in_test: Of each row, or `None` where the table does not say.
        features: [num_rows, num_features], uint8, float32 or float64, mapped to a file.
        names: The columns that the features come from.
        shape: The shape of a row's array or image, if there is one.
        warnings: What was noticed of users and classes, a sentence each.
    """

    users: list[str]
    classes: list[str]
    user: np.ndarray
    label: np.ndarray
    in_test: np.ndarray | None
    features: np.ndarray
    names: list[str]
    shape: tuple[int, ...] | None
    warnings: tuple[str, ...]


def convert(path: Path, mapping: Mapping, folder: Path, progress: Progress, *, name: str) -> None:
    """Writes a table to a new folder. Memory holds some 100 bytes a row, and never all features.

    Args:
        path: A file that ends in .parquet, .csv, .tsv or .npz.
        mapping: What its columns stand for.
        folder: Where the data set goes; must not exist.
        progress: Told what is being done, and the fraction that is done.
        name: The data set's name.

    Raises:
        InvalidValueError: If the mapping names a column that is not there.
        DatasetError: If the file cannot be read or is no such table; the message names row and column.
    """
    with federated.new_folder(folder) as partial:
        spool = partial / "rows"
        rows = _read(path, mapping, spool, progress)
        chosen = _choose(rows, mapping)
        scaler = scaling.fit(rows.features, rows.names, chosen["train"], mapping.scaling, mapping.bounds)
        written, outside = {}, 0
        for split, order in chosen.items():
            *written[split], clipped = _write(rows, split, order, scaler, partial, progress)
            outside += clipped
        spool.unlink()
        warnings = [*rows.warnings, *findings.sentences(tuple(rows.classes), written), *scaler.warnings]
        if outside:
            share = outside / (rows.features.shape[1] * sum(map(len, chosen.values())))
            words = N_("{share:.2%} of the values lay outside the bounds and were clipped to them.")
            warnings.append(words.format(share=share))
        federated.write_manifest(
            partial,
            name=name,
            num_classes=len(rows.classes),
            description=federated.Description(
                source=_source(path, mapping),
                scaling=scaler.scaling,
                access_note=scaler.access_note,
                class_names=tuple(rows.classes),
                feature_names=tuple(rows.names) if rows.shape is None else (),
                image_shape=_image_shape(rows, mapping),
                warnings=tuple(warnings),
            ),
        )


def _read(path: Path, mapping: Mapping, spool: Path, progress: Progress) -> _Rows:
    """Reads the whole table once; the features go to the file `spool`."""
    table = table_files.open_table(path)
    there = [column.name for column in table.columns]
    columns.check_name("user", mapping.user, there)
    columns.check_name("label", mapping.label, there)
    text = [mapping.user, mapping.label]
    if mapping.split is not None:
        text.append(columns.check_name("split", mapping.split, there))
    names = [columns.check_name("features", name, there) for name in mapping.features]
    names = names or [name for name in there if name not in text and not _INDEX.fullmatch(name)]
    if not names:
        message = _("Expected columns besides {columns}, found none.")
        raise InvalidValueError("features", message.format(columns=", ".join(text)))
    wide = [column.name for column in table.columns if column.name in names and column.kind in ("array", "image")]
    if wide and len(names) > 1:
        message = _(
            "Expected columns of numbers, or one column of arrays or images, found {name!r} among {count} columns. "
            "Choose {name!r} alone, or leave it out."
        )
        raise InvalidValueError("features", message.format(name=wide[0], count=len(names)))
    user = columns.Codes(
        mapping.user, option="missing_user", missing=mapping.missing_user, join="user" in mapping.join
    )
    label = columns.Codes(
        mapping.label, option="missing_label", missing=mapping.missing_label, join="label" in mapping.join
    )
    split = columns.Codes(mapping.split or "")
    codes: dict[str, list[np.ndarray]] = {"user": [], "label": [], "split": []}
    count, read, width, dtype, shape = 0, 0, None, None, None
    with spool.open("wb") as file:
        for batch, fraction in table.batches([*text, *names], text):
            first_row, read = read, read + len(batch[mapping.user])
            with reading(path):  # not of the spool file: what goes wrong there is not wrong in here
                users = user(batch[mapping.user], first_row)
                labels = label(batch[mapping.label], first_row, users >= 0)
                keep = (users >= 0) & (labels >= 0)
                if not keep.any():
                    continue
                codes["user"].append(users[keep])
                codes["label"].append(labels[keep])
                if mapping.split is not None:
                    codes["split"].append(split(batch[mapping.split], first_row, keep)[keep])
                values, array_shape = _features({name: batch[name] for name in names}, keep, first_row)
            if width is None:
                width, dtype, shape = values.shape[1], values.dtype, array_shape
                if not width:
                    message = _("Expected numbers in column {column!r}, found arrays of length 0.")
                    raise DatasetError(message.format(column=names[0]))
            if (values.shape[1], array_shape) != (width, shape):
                message = _(
                    "Expected arrays of shape {shape} in column {column!r}, found {other} from row {row:,} on."
                )
                raise DatasetError(
                    message.format(shape=shape, column=names[0], other=array_shape, row=first_row + 1)
                )
            values.astype(dtype, copy=False).tofile(file)
            count += len(values)
            if len(label.values) > federated.MAX_CLASSES:
                message = _(
                    "Expected at most {most:,} classes in column {column!r}, found more: {classes}, ... Is it a class, "
                    "and not an amount or a name?"
                )
                some = ", ".join(label.values[:4])
                raise DatasetError(message.format(most=federated.MAX_CLASSES, column=mapping.label, classes=some))
            progress(_("Reading the table"), fraction)
    if not count:
        message = _("{file} has no rows.") if not read else _("Every row of {file} lacks a user or a label.")
        raise DatasetError(message.format(file=path.name))
    too_few = (
        _("Expected at least 2 users in column {column!r}, found only {value!r}. Is it the right column?"),
        _("Expected at least 2 classes in column {column!r}, found only {value!r}. Is it the right column?"),
    )
    owners, answers = np.concatenate(codes["user"]), np.concatenate(codes["label"])
    users, classes = sorted(_present(user.values, owners)), columns.in_order(_present(label.values, answers))
    for column, found, message in zip((mapping.user, mapping.label), (users, classes), too_few, strict=True):
        if len(found) < 2:
            raise DatasetError(message.format(column=column, value=found[0]))
    return _Rows(
        users=users,
        classes=classes,
        user=_renumbered(user.values, users)[owners],
        label=_renumbered(label.values, classes)[answers],
        in_test=_tests(mapping.split, split.values)[np.concatenate(codes["split"])] if mapping.split else None,
        features=np.memmap(spool, dtype, "r", shape=(count, width)),
        names=names,
        shape=shape,
        warnings=findings.of_names(users, user, classes, label),
    )


def _features(
    batch: dict[str, pa.Array], keep: np.ndarray, first_row: int
) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Returns `columns.block` of the rows to keep; an error names the row by its place among all."""
    if keep.all():
        return columns.block(batch, first_row)
    try:
        return columns.block({name: column.filter(pa.array(keep)) for name, column in batch.items()}, first_row)
    except DatasetError:
        edges = np.flatnonzero(np.diff(keep, prepend=False, append=False)).reshape(-1, 2)
        for begin, end in edges:  # pieces without a gap, to find the row again that is meant
            columns.block({name: column[begin:end] for name, column in batch.items()}, first_row + int(begin))
        raise


def _present(values: list[str], numbers: np.ndarray) -> list[str]:
    """Returns those of `values` that some row has: a row that was left out may have had the only one."""
    return [values[number] for number in np.unique(numbers)]


def _renumbered(values: list[str], order: list[str]) -> np.ndarray:
    """Returns the place in `order` of each of `values`, of those that are in it."""
    places = {value: place for place, value in enumerate(order)}
    return np.array([places.get(value, -1) for value in values], np.int32)


def _tests(column: str, values: list[str]) -> np.ndarray:
    """Returns which of a split column's values means testing."""
    for value in values:
        if value.strip().lower() not in ("train", "test"):
            message = _(
                "Expected 'train' or 'test' in column {column!r}, found {value!r}. Rename the values, or "
                "choose no split column: each user's examples are then split by a seed."
            )
            raise DatasetError(message.format(column=column, value=value[:40]))
    return np.array([value.strip().lower() == "test" for value in values])


def _choose(rows: _Rows, mapping: Mapping) -> dict[str, np.ndarray]:
    """Returns the rows of "train" and of "test", each sorted by user and then as in the file."""
    order = np.argsort(rows.user, kind="stable")
    counts = np.bincount(rows.user, minlength=len(rows.users))
    rank = splitting.ranks(rows.users, np.concatenate([[0], np.cumsum(counts)]), mapping.seed)
    most = np.minimum(counts, mapping.max_examples_per_user or counts.max())
    kept = rank < np.repeat(most, counts)
    if rows.in_test is None:
        in_test = rank < np.repeat(splitting.num_tests(most, mapping.test_fraction), counts)
    else:
        in_test = rows.in_test[order]
    chosen = {"train": order[kept & ~in_test], "test": order[kept & in_test]}
    for split, found in chosen.items():
        if not len(found):
            reason = (
                _("every user has one")
                if mapping.split is None
                else _("column {column!r} says so").format(column=mapping.split)
            )
            message = (
                _(
                    "Expected examples to train and to test on, found none to train on: {reason}. "
                    "Add some, or split in another way."
                )
                if split == "train"
                else _(
                    "Expected examples to train and to test on, found none to test on: {reason}. "
                    "Add some, or split in another way."
                )
            )
            raise DatasetError(message.format(reason=reason))
    return chosen


def _write(
    rows: _Rows, split: str, order: np.ndarray, scaler: scaling.Scaler, partial: Path, progress: Progress
) -> tuple[np.ndarray, np.ndarray, int]:
    """Writes the arrays of a split; returns offsets, labels, and how many values were outside the bounds."""
    counts = np.bincount(rows.user[order], minlength=len(rows.users))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    labels = rows.label[order].astype(federated.label_dtype(len(rows.classes)))
    np.save(partial / f"{split}_offsets.npy", offsets)
    np.save(partial / f"{split}_labels.npy", labels)
    shape = (len(order), rows.features.shape[1])
    features = federated.new_array(partial, f"{split}_features", scaler.dtype, shape)
    outside = 0
    for part in scaling.chunks(rows.features, len(order)):
        features[part], clipped = scaler(rows.features[order[part]])
        outside += clipped
        progress(_("Sorting by user ({split})").format(split=split), part.stop / len(order))
    return offsets, labels, outside


def _source(path: Path, mapping: Mapping) -> str:
    """Returns where a data set comes from, in English: pages tell it again."""
    if mapping.split is not None:
        testing = N_("test examples by {column}").format(column=repr(mapping.split))
    else:
        testing = N_("{share:.3g} of each user's examples for testing, by seed {seed}").format(
            share=mapping.test_fraction, seed=mapping.seed
        )
    words = N_("The table {file}: users by {user}, classes by {label}; {testing}")
    if mapping.max_examples_per_user is not None:
        words = N_(
            "The table {file}: users by {user}, classes by {label}; at most {most} examples a user, by seed {seed}; "
            "{testing}"
        )
    return words.format(
        file=path.name,
        user=repr(mapping.user),
        label=repr(mapping.label),
        most=mapping.max_examples_per_user,
        seed=mapping.seed,
        testing=testing,
    )


def _image_shape(rows: _Rows, mapping: Mapping) -> tuple[int, ...] | None:
    given, width = mapping.image_shape, rows.features.shape[1]
    if given is not None:
        if len(given) not in (2, 3) or math.prod(given) != width:
            message = _(
                "Expected image_shape to be (height, width) or (height, width, channels) of {width:,} features, "
                "found {given}."
            )
            raise InvalidValueError("image_shape", message.format(width=width, given=given))
        return tuple(given)
    return rows.shape if rows.shape is not None and len(rows.shape) in (2, 3) else None
