"""A user's own table as a federated data set, in any of the forms of `dpcore.datasets.forms`: one row an example."""

import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore.datasets import columns, federated, findings, scaling, splitting, table_files
from dpcore.datasets.forms import split_words
from dpcore.datasets.spool import Spool
from dpcore.datasets.tabular import Roles, Table
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import N_, _
from dpcore.limits import check_choice

Progress = Callable[[str, float], None]

_INDEX = re.compile(r"(Unnamed: \d+)?|__index_level_\d+__")  # numbers of rows, as pandas writes them unasked

_GROUPS, _ROWS_OF_A_GROUP = 20, 500  # fewer users than these, of more rows than these each, may be groups of users


@dataclass(frozen=True, kw_only=True)
class Mapping:
    """What the columns of a table stand for, and what becomes of them.

    Attributes:
        user: The column that says whose example a row is; `None` is that which the form of the file has for it.
        label: The column that says its class: text, or numbers; `None` as for `user`.
        features: The columns of numbers, or one column of arrays or images; empty takes all others
            but numbers of rows.
        image_shape: (height, width) or (height, width, channels) of the features, where they are an image and
            the file does not tell; or (channels, height, width), if one of them can only be channels.
        split: A column of "train" and "test", or of yes and no; `None` is that of the form, if it has one, and else
            splits each user's examples by the seed.
        test_fraction: How many of a user's examples are for testing, where no column says; one of two at least.
        test_users: The share of users who only test, while all others only train; `None` is nobody.
        seed: Fixes which.
        max_examples_per_user: How many examples a user may have, chosen by the seed; `None` is all.
        scaling: "standardise" to mean 0 and standard deviation 1; "bounds" clips to fixed bounds and maps them
            to 0 and 1; "none" takes the numbers as they are. `None` divides bytes by 255 and standardises
            what is no bytes.
        bounds: (low, high) for all features, or by the name of a column; only with scaling "bounds".
        all_classes: Whether to take all 62 classes of TFF's file of both variants of Federated EMNIST.

    Raises:
        InvalidValueError: If a value is out of range or two of them contradict each other.
    """

    user: str | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] | None = None
    split: str | None = None
    test_fraction: float = 0.1
    test_users: float | None = None
    seed: int = 0
    max_examples_per_user: int | None = None
    scaling: str | None = None
    bounds: tuple[float, float] | dict[str, tuple[float, float]] | None = None
    all_classes: bool = False

    def __post_init__(self):
        if self.test_users is not None and not 0 < self.test_users < 1:
            message = _("Expected test_users in (0, 1), found {value}.")
            raise InvalidValueError("test_users", message.format(value=self.test_users))
        if self.test_users is not None and self.split is not None:
            message = _("Expected a split column or test_users, found both: either says who tests.")
            raise InvalidValueError("test_users", message)
        if not 0 < self.test_fraction < 1:
            message = _("Expected test_fraction in (0, 1), found {value}.")
            raise InvalidValueError("test_fraction", message.format(value=self.test_fraction))
        if self.max_examples_per_user is not None and self.max_examples_per_user < 1:
            message = _("Expected max_examples_per_user to be at least 1, found {value}.")
            raise InvalidValueError("max_examples_per_user", message.format(value=self.max_examples_per_user))
        if self.scaling is not None:
            check_choice("scaling", self.scaling, scaling.NAMES)
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
        axes: Of a row's array or image, if it is one.
        image_shape: Of a row, if it is an image.
        notes: What a reader should know of how they were read, in English.
        class_names: What the classes are called.
    """

    users: list[str]
    classes: list[str]
    user: np.ndarray
    label: np.ndarray
    in_test: np.ndarray | None
    features: np.ndarray
    names: list[str]
    axes: tuple[int, ...] | None
    image_shape: tuple[int, ...] | None
    notes: tuple[str, ...]
    class_names: tuple[str, ...]


def convert(
    path: Path,
    mapping: Mapping,
    folder: Path,
    progress: Progress,
    *,
    name: str,
    test_path: Path | None = None,
) -> None:
    """Writes a table to a new folder. Memory holds some 100 bytes a row, and never all features.

    Args:
        path: A file of one of the `dpcore.datasets.forms`, or a folder of them.
        mapping: What its columns stand for.
        folder: Where the data set goes; must not exist.
        progress: Told what is being done, and the fraction that is done.
        name: The data set's name.
        test_path: A second file, of test examples; that in `path` is then of training examples.

    Raises:
        InvalidValueError: If the mapping names a column that is not there.
        DatasetError: If the file cannot be read or is no such table; the message names row and column.
    """
    with federated.new_folder(folder) as partial:
        spool = partial / "rows"
        with table_files.opened(
            path, partial, progress, test_path=test_path, all_classes=mapping.all_classes
        ) as table:
            mapping = _completed(mapping, table.roles)
            rows = _read(table, path.name, mapping, spool, progress)
        chosen = _choose(rows, mapping)
        scaler = scaling.fit(
            rows.features,
            rows.names,
            chosen["train"],
            mapping.scaling,
            mapping.bounds,
            image=rows.image_shape is not None,
            as_it_is=table.roles.as_it_is,
        )
        written, outside = {}, 0
        for split, order in chosen.items():
            *written[split], clipped = _write(rows, split, order, scaler, partial, progress)
            outside += clipped
        spool.unlink()
        warnings = [*findings.sentences(rows.class_names, written), *rows.notes, *scaler.warnings]
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
                class_names=rows.class_names,
                feature_names=tuple(rows.names) if rows.axes is None else (),
                image_shape=rows.image_shape,
                warnings=tuple(warnings),
            ),
        )


def _completed(mapping: Mapping, roles: Roles) -> Mapping:
    """Returns a mapping in which the form of the file has said what nobody else has."""
    split = mapping.split or (roles.split if mapping.test_users is None else None)
    return dataclasses.replace(
        mapping, user=mapping.user or roles.user, label=mapping.label or roles.label, split=split
    )


def _chosen(table: Table, mapping: Mapping) -> tuple[list[str], list[str]]:
    """Returns the columns of user, label and split, if there is one, and those of the features."""
    there = [column.name for column in table.columns]
    text = [columns.check_name("user", mapping.user, there), columns.check_name("label", mapping.label, there)]
    if mapping.split is not None:
        text.append(columns.check_name("split", mapping.split, there))
    names = [columns.check_name("features", name, there) for name in mapping.features]
    others = (*text, table.roles.user, table.roles.label, table.roles.split)
    names = names or [name for name in there if name not in others and not _INDEX.fullmatch(name)]
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
    return text, names


def _read(table: Table, file_name: str, mapping: Mapping, spool: Path, progress: Progress) -> _Rows:
    """Reads the whole table once; the features go to the file `spool`."""
    text, names = _chosen(table, mapping)
    user, label, split = (columns.Codes(name) for name in (mapping.user, mapping.label, mapping.split or ""))
    codes: dict[str, list[np.ndarray]] = {"user": [], "label": [], "split": []}
    features, count = Spool(table, names, mapping.image_shape), 0
    with spool.open("wb") as file:
        for batch, fraction in table.batches([*text, *names], text):
            if not len(batch[mapping.user]):
                continue
            codes["user"].append(user(batch[mapping.user], count))
            codes["label"].append(label(batch[mapping.label], count))
            if mapping.split is not None:
                codes["split"].append(split(batch[mapping.split], count))
            features.append(file, batch, count)
            count += len(batch[mapping.user])
            if len(label.values) > federated.MAX_CLASSES:
                message = _(
                    "Expected at most {most:,} classes in column {column!r}, found more: {classes}, ... Is it a class, "
                    "and not an amount or a name?"
                )
                some = ", ".join(label.values[:4])
                raise DatasetError(message.format(most=federated.MAX_CLASSES, column=mapping.label, classes=some))
            progress(_("Reading the table"), fraction)
    if not count:
        raise DatasetError(_("{file} has no rows.").format(file=file_name))
    too_few = (
        _("Expected at least 2 users in column {column!r}, found only {value!r}. Is it the right column?"),
        _("Expected at least 2 classes in column {column!r}, found only {value!r}. Is it the right column?"),
    )
    for column, found, message in zip((mapping.user, mapping.label), (user, label), too_few, strict=True):
        if len(found.values) < 2:
            raise DatasetError(message.format(column=column, value=found.values[0]))
    users, (classes, class_names) = sorted(user.values), _classes(label.values, mapping.label, table.roles)
    in_test, note = split_words.testing(mapping.split, split.values) if mapping.split else (None, "")
    return _Rows(
        users=users,
        classes=classes,
        user=_renumbered(user.values, users)[np.concatenate(codes["user"])],
        label=_renumbered(label.values, classes)[np.concatenate(codes["label"])],
        in_test=in_test[np.concatenate(codes["split"])] if mapping.split else None,
        features=features.array(spool),
        names=features.names,
        axes=features.axes,
        image_shape=features.layout.shape,
        notes=(
            *table.notes,
            *filter(None, (note, features.layout.note, _of_groups(mapping.user, len(users), count))),
        ),
        class_names=class_names,
    )


def _of_groups(column: str, num_users: int, num_rows: int) -> str:
    """Returns what to ask where a column of users has so few values that it may be one of groups; in English."""
    if num_users >= _GROUPS or num_rows < _ROWS_OF_A_GROUP * num_users:
        return ""
    words = N_(
        "Column {column} has {users:,} values in {rows:,} rows. Does it say whose a row is, and not of which group?"
    )
    return words.format(column=repr(column), users=num_users, rows=num_rows)


def _classes(values: list[str], column: str, roles: Roles) -> tuple[list[str], tuple[str, ...]]:
    """Returns the classes in order, as the column spells them, and what they are called."""
    known = roles.class_names.get(column)
    numbers = {value for value in values if re.fullmatch("0|[1-9][0-9]{0,8}", value)}
    if known is not None:
        wrong = [value for value in values if value not in numbers or int(value) >= len(known)]
        if wrong or len(known) > federated.MAX_CLASSES:
            message = _(
                "Expected numbers of the {count:,} classes that the file names, at most {most:,}, in column {column!r}, "
                "found {value!r}. Leave out the rows that have no class."
            )
            found = wrong[0] if wrong else str(len(known))
            words = message.format(count=len(known), most=federated.MAX_CLASSES, column=column, value=found)
            raise DatasetError(words)
        return [*map(str, range(len(known)))], known
    if roles.numbered and column == roles.label and len(numbers) == len(values):
        count = 1 + max(map(int, values))
        if count <= federated.MAX_CLASSES:
            return [*map(str, range(count))], tuple(map(str, range(count)))
    return (order := columns.in_order(values)), tuple(order)


def _renumbered(values: list[str], order: list[str]) -> np.ndarray:
    """Returns the place in `order` of each of `values`."""
    places = {value: place for place, value in enumerate(order)}
    return np.array([places[value] for value in values], np.int32)


def _choose(rows: _Rows, mapping: Mapping) -> dict[str, np.ndarray]:
    """Returns the rows of "train" and of "test", each sorted by user and then as in the file."""
    order = np.argsort(rows.user, kind="stable")
    counts = np.bincount(rows.user, minlength=len(rows.users))
    rank = splitting.ranks(rows.users, np.concatenate([[0], np.cumsum(counts)]), mapping.seed)
    most = np.minimum(counts, mapping.max_examples_per_user or counts.max())
    kept = rank < np.repeat(most, counts)
    if mapping.test_users is not None:
        in_test = np.repeat(splitting.held_out(rows.users, mapping.test_users, mapping.seed), counts)
    elif rows.in_test is None:
        in_test = rank < np.repeat(splitting.num_tests(most, mapping.test_fraction), counts)
    else:
        in_test = rows.in_test[order]
    chosen = {"train": order[kept & ~in_test], "test": order[kept & in_test]}
    for split, found in chosen.items():
        if not len(found):
            reason = _("every user has one")
            if mapping.split is not None:
                reason = _("column {column!r} says so").format(column=mapping.split)
            elif mapping.test_users is not None:
                reason = _("no user is drawn for that")
            message = (
                _(
                    "Expected examples to train and to test on, found none to train on: {reason}. "
                    "Add some, or split in another way."
                )
                if split == "train"
                else _(
                    "Expected examples to train and to test on, found none to test on: {reason}. "
                    "Add some, or split in another way: test_users=0.1 tests on a tenth of the users."
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
    if mapping.test_users is not None:
        testing = N_("all examples of {share:.3g} of the users for testing, by seed {seed}").format(
            share=mapping.test_users, seed=mapping.seed
        )
    elif mapping.split is not None:
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
