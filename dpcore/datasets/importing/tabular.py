"""What the readers of tables share: columns, and rows a batch at a time; memory does not grow with the file."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dpcore.datasets.forms.names import Flat
from dpcore.datasets.importing.file_errors import explaining_errors
from dpcore.errors import DatasetError
from dpcore.language import _

ROWS = 1 << 16  # in a batch of plain columns
BYTES = 1 << 23  # in a batch of text, or of an array

_NUMBER = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
_BINARY = (pa.types.is_binary, pa.types.is_large_binary)

_IMAGES = 64  # encoded ones in a batch: nobody knows how large they are before they are decoded

Batch = dict[str, pa.Array]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a file.

    Attributes:
        name: What the file calls it.
        dtype: Its type, for people.
        kind: "number", "text", "array" (lists of numbers), "image" (encoded, as PNG) or "other".
    """

    name: str
    dtype: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What a form itself says of its columns: it stands where nobody says otherwise.

    Attributes:
        user: The column that says whose example a row is; `None` where the form does not say. So are the others.
        label: The column of classes.
        split: The column of "train" and "test".
        numbered: Whether whole numbers as labels count the classes from 0, also those that no example is of.
        class_names: By column, what the whole numbers in it stand for.
        image_shape: (height, width) of features that come as one row of pixels.
        as_it_is: Whether its images are numbers as models see them.
    """

    user: str | None = None
    label: str | None = None
    split: str | None = None
    numbered: bool = False
    class_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    image_shape: tuple[int, ...] | None = None
    as_it_is: bool = False


class Table:
    """A file that is read, or several that are one table.

    Attributes:
        columns: Its columns, in order.
        roles: What its form says of them.
        notes: What a reader should know of how it is read, in English.
    """

    columns: tuple[Column, ...]
    roles: Roles = Roles()
    notes: tuple[str, ...] = ()
    _batches: Callable[[list[str], list[str] | None], Iterator[tuple[Batch, float]]]  # each form has its own

    def __init__(self, path: Path):
        self._path = path

    @property
    def path(self) -> Path:
        """The file, or the first of several."""
        return self._path

    def batches(self, names: list[str], text: list[str] | None = None) -> Iterator[tuple[Batch, float]]:
        """Yields some rows of the columns `names`, and the fraction of the file that is then read.

        In a CSV file the columns in `text` stay text and the others must be numbers; `None` guesses.

        Raises:
            DatasetError: If the file is damaged or is no table.
        """
        flat, done = {name: Flat(name) for name in text or []}, 0
        with explaining_errors(self._path):
            for batch, fraction in self._batches(names, text):
                batch |= {name: flatten(batch[name], done) for name, flatten in flat.items()}
                done += len(next(iter(batch.values()), ()))
                yield batch, fraction


def rows_per_batch(some: pa.RecordBatch, columns: Iterable[Column]) -> int:
    """Returns how many rows of some columns memory should hold, by the size of the first of them.

    Args:
        some: Those first rows.
        columns: The columns of the table.
    """
    images = any(column.kind == "image" for column in columns if column.name in some.schema.names)
    most = BYTES * len(some) // max(some.nbytes, 1)
    return max(1, min(most, _IMAGES if images else ROWS))


def column_of(field: pa.Field) -> Column:
    kind, inner, axes = field.type, field.type, 0
    while any(test(inner) for test in _LIST):
        inner, axes = inner.value_type, axes + 1
    if axes:
        number = any(test(inner) for test in _NUMBER)
        return Column(
            name=field.name,
            dtype=_("{type}, {axes} axes").format(type=inner, axes=axes + 1),
            kind="array" if number else "other",
        )
    if any(test(kind) for test in _NUMBER):
        return Column(name=field.name, dtype=str(kind), kind="number")
    if any(test(kind) for test in _TEXT):
        return Column(name=field.name, dtype=_("text"), kind="text")
    encoded = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    if encoded or any(test(kind) for test in _BINARY):
        return Column(name=field.name, dtype=_("encoded images"), kind="image")
    return Column(name=field.name, dtype=str(kind), kind="other")


def not_a_number_error(name: str, row: int, value) -> DatasetError:
    """The error about a value that should be a number; `row` counts from 0, as people see it from 1."""
    message = _(
        "Expected numbers in column {column!r}, found {value!r} in row {row:,}. Leave the column out "
        "of the features, or turn it into numbers."
    )
    with suppress(TypeError, ValueError):
        if isinstance(value, str) and math.isfinite(float(value)):
            message = _(
                "Expected numbers in column {column!r}, found the text {value!r} in row {row:,}. Give the column a type "
                "of numbers, or leave it out of the features."
            )
    return DatasetError(message.format(column=name, value=str(value)[:40], row=row + 1))


def only_text_error(path: Path, names: Iterable[str]) -> DatasetError:
    """The error about a file that has nothing to learn from."""
    message = _(
        "{file} holds text and no numbers ({names}). Models here learn from images and vectors, not from text."
    )
    return DatasetError(message.format(file=path.name, names=", ".join(list(names)[:5])))


def first_null(column: pa.Array) -> int:
    """Returns the first row of a column [rows], from 0, that has no value; of a column that has one."""
    return int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
