"""TFF's SQLite form, with features of any names: each of a tf.Example record is a column."""

import functools
import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from google.protobuf import message as protobuf

from dpcore.datasets import federated_emnist, tff_sqlite
from dpcore.datasets.forms.arrow_types import nested
from dpcore.datasets.importing import spelling
from dpcore.datasets.importing.tabular import BYTES, Batch, Roles, Table, column_of, only_text_error
from dpcore.errors import DatasetError
from dpcore.language import N_, _

_USER, _SPLIT, _LABELS = "client_id", "split_name", ("label", "labels")
_PICTURE, _EMNIST = re.compile("pixel|image|img", re.IGNORECASE), 784
_RECORDS, _IMAGES = 2048, 64  # in a batch
_EMPTY = tff_sqlite.Example().features.feature["nothing"]
_LISTS = {"floats": "float_list", "integers": "int64_list", "bytes": "bytes_list"}
_WIDTHS = {"floats": 4, "integers": 1, "bytes": 1}  # of one in what protobuf counts: floats are bytes there
_KINDS = {
    "floats": N_("{count:,} floats"),
    "integers": N_("{count:,} integers"),
    "bytes": N_("{count:,} strings of bytes"),
    "nothing": N_("nothing"),
}


class SqliteTable(Table):
    """Rows are examples; the columns are `client_id`, `split_name` where there are two, and the features.

    Args:
        path: The file.
        all_classes: Whether to take all 62 classes, and not the digits, of a file that holds both variants of
            Federated EMNIST.
    """

    def __init__(self, path: Path, *, all_classes: bool = False):
        super().__init__(path)
        source, variant = federated_emnist.splits_of(path, only_digits=not all_classes)
        self._splits = {source.train_split: "train"} | ({source.test_split: "test"} if source.test_split else {})
        promised = tff_sqlite.num_examples(path, named=False)  # as in any form, the mapping says
        self._promised = {(split, user): count for split in self._splits for user, count in promised[split].items()}
        first = next(self._records(), None)
        if first is None:
            raise DatasetError(_("{file} holds no examples.").format(file=path.name))
        kinds = {name: _kind_of(feature) for name, feature in sorted(self._parsed(first[2]).items())}
        self._features = {name: (kind, count) for name, (kind, count) in kinds.items() if count}
        for name in {_USER, _SPLIT} & self._features.keys():
            message = _("Expected another name for the feature {name!r} in {file}: users and splits are called so.")
            raise DatasetError(message.format(name=name, file=path.name))
        names = [_USER, *[_SPLIT] * (len(self._splits) > 1), *self._features]
        columns = self._columns(names, [first])
        self.columns = tuple(column_of(pa.field(name, column.type)) for name, column in columns.items())
        if all(kind == "bytes" and _is_text(columns[name][0]) for name, (kind, _count) in self._features.items()):
            raise only_text_error(path, self._features)
        label = next((name for name in self._features if name in _LABELS), None)
        self.roles = Roles(
            user=_USER,
            label=label,
            split=_SPLIT if len(self._splits) > 1 else None,
            numbered=True,
            class_names={label: variant.class_names} if variant and label else {},
            image_shape=_square(self._features),
            as_it_is=not any(kind == "integers" and count > 1 for kind, count in self._features.values()),
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        chosen = [self._features[name] for name in names if name in self._features and name not in (text or [])]
        images = any(kind == "bytes" for kind, _count in chosen)  # or text, which is no feature
        most = max(
            1, min(_IMAGES if images else _RECORDS, BYTES // (8 * max(sum(count for _, count in chosen), 1)))
        )
        total = max(sum(self._promised.values()), 1)
        held, records = Counter[tuple[str, str]](), self._records()
        spelled = functools.cache(lambda user: spelling.spelled(user) or "")
        while rows := list(islice(records, most)):
            held.update((split, spelled(user)) for user, split, _record in rows)
            yield self._columns(names, rows), min(held.total() / total, 1.0)
        for (split, user), count in self._promised.items():
            if held[split, user] != count:
                message = _("{file} promises {count:,} examples of user {user} in {split}, and holds {held:,}.")
                found = held[split, user]
                raise DatasetError(
                    message.format(file=self._path.name, count=count, user=user, split=split, held=found)
                )
        if len(held) > len(self._promised):
            message = _("{file} holds examples of user {user} in {split}, and promises none.")
            split, user = min(held.keys() - self._promised.keys())
            raise DatasetError(message.format(file=self._path.name, user=user, split=split))

    def _records(self) -> Iterator[tuple]:
        """Yields user, split and serialised example of each row, in the order of the file."""
        query = "SELECT client_id, split_name, serialized_example_proto FROM examples WHERE split_name = ?"
        try:
            with closing(tff_sqlite.connect(self._path)) as connection:
                for split in self._splits:
                    yield from connection.execute(query, [split])
        except sqlite3.Error as err:
            raise DatasetError(_("{file} is damaged: {reason}.").format(file=self._path.name, reason=err)) from err

    def _parsed(self, record: bytes):
        """Returns the features of a serialised tf.Example by name."""
        try:
            return tff_sqlite.Example.FromString(record).features.feature
        except (protobuf.DecodeError, TypeError) as err:
            raise DatasetError(_("{file} is damaged: {reason}.").format(file=self._path.name, reason=err)) from err

    def _columns(self, names: list[str], rows: list[tuple]) -> Batch:
        users, splits, records = zip(*rows, strict=True)
        known = {
            _USER: lambda: pa.array(
                [user if user is None or isinstance(user, bytes) else str(user) for user in users]
            ),
            _SPLIT: lambda: pa.array([self._splits[split] for split in splits]),
        }
        parsed = [self._parsed(record) for record in records]
        return {name: known[name]() if name in known else self._column(name, parsed, users) for name in names}

    def _column(self, name: str, parsed: list, users: tuple) -> pa.Array:
        kind, count = self._features[name]
        features = [example.get(name, _EMPTY) for example in parsed]
        lists = [getattr(feature, _LISTS[kind]).value for feature in features]
        if {*map(len, lists)} != {count * _WIDTHS[kind]}:
            self._tell(name, features, users)
        if kind == "floats":
            values = np.frombuffer(b"".join(lists), "<f4")
        else:
            values = np.array([*chain.from_iterable(lists)], np.int64 if kind == "integers" else object)
        return nested(values if count == 1 else values.reshape(-1, count))

    def _tell(self, name: str, features: list, users: tuple) -> None:
        """Raises for the first example whose feature is not of the kind of the others."""
        kind, count = self._features[name]
        for feature, user in zip(features, users, strict=True):
            found = _kind_of(feature)
            if found != (kind, count):
                message = _(
                    "Expected {expected} as {name!r} in each example of {file}, found {found} in one of user {user}."
                )
                expected, other = (_(_KINDS[what]).format(count=number) for what, number in ((kind, count), found))
                words = message.format(expected=expected, name=name, file=self._path.name, found=other, user=user)
                raise DatasetError(words)


def _is_text(value: pa.Scalar) -> bool:
    """Whether bytes, or the first of a list of them, are text and no picture."""
    while isinstance(value, pa.FixedSizeListScalar):
        value = value.values[0]
    try:
        return value.as_py().decode().isprintable()
    except UnicodeDecodeError:
        return False


def _kind_of(feature) -> tuple[str, int]:
    """Returns what a feature holds (a key of `_KINDS`), and how many of them."""
    for kind, name in _LISTS.items():
        if held := len(getattr(feature, name).value):
            return kind, held // _WIDTHS[kind]
    return "nothing", 0


def _square(features: dict[str, tuple[str, int]]) -> tuple[int, int] | None:
    """Returns the shape of the one feature that is a row of pixels, by its name or because EMNIST has so many."""
    wide = [(name, count) for name, (kind, count) in features.items() if count > 1 and kind != "bytes"]
    if len(wide) == 1:
        [(name, count)] = wide
        side = math.isqrt(count)
        if side * side == count and (_PICTURE.search(name) or count == _EMNIST):
            return side, side
    return None
