"""A user's own table as a federated data set, in any of the forms of `dpcore.datasets.forms`: one row per example."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore.datasets import columns, federated, splitting, table_warnings
from dpcore.datasets.forms import split_words
from dpcore.datasets.importing import scaling, table_files
from dpcore.datasets.importing.file_errors import explaining_errors
from dpcore.datasets.importing.mapping import Mapping, completed
from dpcore.datasets.importing.spool import Spool
from dpcore.datasets.importing.tabular import Roles, Table
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import N_, _

Progress = Callable[[str, float], None]

_INDEX = re.compile(r"(Unnamed: \d+)?|__index_level_\d+__")  # numbers of rows, as pandas writes them unasked

_GROUPS, _ROWS_OF_A_GROUP = 20, 500  # fewer users than these, of more rows than these each, may be groups of users


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
        warnings: What was noticed of the file, of users and of classes, a sentence each, in English.
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
    warnings: tuple[str, ...]
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
            mapping = completed(mapping, table.roles, test_file=test_path is not None)
            if test_path is not None:
                table_files.check_apart(path, test_path)
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
            offsets, labels, clipped = _write(rows, split, order, scaler, partial, progress)
            written[split] = offsets, labels
            outside += clipped
        spool.unlink()
        share = outside / (rows.features.shape[1] * sum(map(len, chosen.values())))
        warnings = [*rows.warnings, *table_warnings.sentences(rows.class_names, written), *scaler.warnings]
        federated.write_manifest(
            partial,
            name=name,
            num_classes=len(rows.classes),
            description=_description(rows, scaler, _source(path, mapping), (*warnings, *_clipped_warnings(share))),
        )


def _description(
    rows: _Rows, scaler: scaling.Scaler, source: str, warnings: tuple[str, ...]
) -> federated.Description:
    """Returns what the manifest says of the table's numbers."""
    return federated.Description(
        source=source,
        scaling=scaler.scaling,
        access_note=scaler.access_note,
        class_names=rows.class_names,
        feature_names=tuple(rows.names) if rows.axes is None else (),
        image_shape=rows.image_shape,
        warnings=warnings,
    )


def _clipped_warnings(share: float) -> tuple[str, ...]:
    """Returns what to say of the share of all values that lay outside the bounds; nothing where none did."""
    message = N_("{share:.2%} of the values lay outside the bounds and were clipped to them.")
    return (message.format(share=share),) if share else ()


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
    user_name, label_name = text[:2]
    user, label = (
        columns.Codes(
            getattr(mapping, role),
            option=f"missing_{role}",
            missing=getattr(mapping, f"missing_{role}"),
            join=role in mapping.join,
        )
        for role in ("user", "label")
    )
    split, features = columns.Codes(mapping.split or ""), Spool(table, names, mapping.image_shape)
    codes: dict[str, list[np.ndarray]] = {"user": [], "label": [], "split": []}
    read = 0
    with spool.open("wb") as file:
        for batch, fraction in table.batches([*text, *names], text):
            first_row, read = read, read + len(batch[user_name])
            with explaining_errors(table.path):  # not of the spool file: what goes wrong there is not wrong in here
                owner = user(batch[user_name], first_row)
                labels = label(batch[label_name], first_row, owner >= 0)
                keep = (owner >= 0) & (labels >= 0)
                if not keep.any():
                    continue
                codes["user"].append(owner[keep])
                codes["label"].append(labels[keep])
                if mapping.split is not None:
                    codes["split"].append(split(batch[mapping.split], first_row, keep)[keep])
                values = features(batch, keep, first_row)
            values.tofile(file)
            _check_classes(label_name, label.values)
            progress(_("Reading the table"), fraction)
    if not codes["user"]:
        message = _("{file} has no rows.") if not read else _("Every row of {file} lacks a user or a label.")
        raise DatasetError(message.format(file=file_name))
    owners, answers = np.concatenate(codes["user"]), np.concatenate(codes["label"])
    users, found = sorted(_present(user.values, owners)), _present(label.values, answers)
    _check_two((user_name, label_name), users, found)
    classes, class_names = _classes(found, label_name, table.roles)
    in_test, note = split_words.test_values(mapping.split, split.values) if mapping.split else (None, "")
    notes = (*table.notes, note, features.layout.note, _of_groups(user_name, len(users), len(owners)))
    return _Rows(
        users=users,
        classes=classes,
        user=_renumbered(user.values, users)[owners],
        label=_renumbered(label.values, classes)[answers],
        in_test=None if in_test is None else in_test[np.concatenate(codes["split"])],
        features=features.array(spool, len(owners)),
        names=features.names,
        axes=features.axes,
        image_shape=features.layout.shape,
        warnings=(*table_warnings.name_warnings(users, user, columns.in_order(found), label), *filter(None, notes)),
        class_names=class_names,
    )


def _check_classes(column: str, labels: list[str]) -> None:
    """Refuses a column of labels that has more values than a data set may have classes."""
    if len(labels) > federated.MAX_CLASSES:
        message = _(
            "Expected at most {most:,} classes in column {column!r}, found more: {classes}, ... Is it a class, "
            "and not an amount or a name?"
        )
        some = ", ".join(labels[:4])
        raise DatasetError(message.format(most=federated.MAX_CLASSES, column=column, classes=some))


def _check_two(names: tuple[str, str], users: list[str], labels: list[str]) -> None:
    """Refuses a table of fewer than two users, or of fewer than two classes."""
    messages = (
        _("Expected at least 2 users in column {column!r}, found only {value!r}. Is it the right column?"),
        _("Expected at least 2 classes in column {column!r}, found only {value!r}. Is it the right column?"),
    )
    for column, there, message in zip(names, (users, labels), messages, strict=True):
        if len(there) < 2:
            raise DatasetError(message.format(column=column, value=there[0]))


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


def _present(values: list[str], numbers: np.ndarray) -> list[str]:
    """Returns those of `values` that some row has: a row that was left out may have had the only one."""
    return [values[number] for number in np.unique(numbers)]


def _renumbered(values: list[str], order: list[str]) -> np.ndarray:
    """Returns the place in `order` of each of `values`, of those that are in it."""
    places = {value: place for place, value in enumerate(order)}
    return np.array([places.get(value, -1) for value in values], np.int32)


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
        in_test = rank < np.repeat(splitting.num_test_examples(most, mapping.test_fraction), counts)
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
