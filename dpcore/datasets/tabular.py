"""What the readers of tables share: columns, and rows a batch at a time; memory does not grow with the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dpcore.datasets.reading import reading
from dpcore.errors import DatasetError
from dpcore.language import _

ROWS = 1 << 16  # in a batch of plain columns
BYTES = 1 << 23  # in a batch of text, or of an array

_NUMBER = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
_LIST = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
_BINARY = (pa.types.is_binary, pa.types.is_large_binary)

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


class Table:
    """A file that is read.

    Attributes:
        columns: Its columns, in order.
    """

    columns: tuple[Column, ...]

    def __init__(self, path: Path):
        self._path = path

    def batches(self, names: list[str], text: list[str] | None = None) -> Iterator[tuple[Batch, float]]:
        """Yields some rows of the columns `names`, and the fraction of the file that is then read.

        In a CSV file the columns in `text` stay text and the others must be numbers; `None` guesses.

        Raises:
            DatasetError: If the file is damaged or is no table.
        """
        with reading(self._path):
            yield from self._batches(names, text)


def described(field: pa.Field) -> Column:
    kind, inner, axes = field.type, field.type, 0
    if isinstance(kind, pa.FixedShapeTensorType):
        inner, axes = kind.value_type, len(kind.shape)
    elif isinstance(kind, pa.BaseExtensionType):
        return described(field.with_type(kind.storage_type))
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


def not_a_number(name: str, row: int, value) -> DatasetError:
    """The error about a value that should be a number; `row` counts from 0, as people see it from 1."""
    message = _(
        "Expected numbers in column {column!r}, found {value!r} in row {row:,}. Leave the column out "
        "of the features, or turn it into numbers."
    )
    return DatasetError(message.format(column=name, value=str(value)[:40], row=row + 1))


def first_null(column: pa.Array) -> int | None:
    """The first row, from 0, that has no value."""
    return int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0]) if column.null_count else None
