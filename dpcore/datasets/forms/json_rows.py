"""JSON lines: an object a row. A list of such objects is read as well."""

import json
import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from dpcore.datasets.forms.json_stream import JsonStream
from dpcore.datasets.forms.leaf import KEYS, LeafTable
from dpcore.datasets.importing.tabular import BYTES, Batch, Table, column_of
from dpcore.errors import DatasetError
from dpcore.language import _

_ROWS = 4096  # in a batch
_NO_COLUMN = (pa.ArrowException, OverflowError, TypeError)  # what Arrow raises of values that are of several kinds
_SEEN = 200  # rows that say which columns there are


class JsonRows(Table):
    """Rows of JSON; the columns are the names in the first of them. A name that a row lacks has no value there."""

    def __init__(self, path: Path):
        super().__init__(path)
        rows = [row for row, _characters in islice(self._rows(), _SEEN)]
        if not rows:
            raise DatasetError(_("{file} has no rows.").format(file=path.name))
        names = list(dict.fromkeys(name for row in rows for name in row))
        self.columns = tuple(
            column_of(pa.field(name, self._array(name, [row.get(name) for row in rows], 0).type)) for name in names
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        size, done, begun = max(self._path.stat().st_size, 1), 0, 0.0
        rows: list[dict[str, Any]] = []
        for row, characters in chain[tuple[dict[str, Any], float]](self._rows(), [({}, math.inf)]):
            if rows and (len(rows) == _ROWS or characters - begun > BYTES):
                values = {name: [row.get(name) for row in rows] for name in names}
                values |= {name: [_named(value) for value in values[name]] for name in text or []}
                fraction = min(characters / size, 1.0)
                yield {name: self._array(name, column, done) for name, column in values.items()}, fraction
                done, begun, rows = done + len(rows), characters, []
            rows.append(row)

    def _rows(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Yields each row, and how many characters of the file are then read."""
        with self._path.open(encoding="utf-8-sig") as file:
            stream = JsonStream(file, self._path)
            listed = stream.peek() == "["
            for number, row in enumerate(stream.elements() if listed else stream.values()):
                if not isinstance(row, dict):
                    message = _("Expected an object with names and values as row {row:,} of {file}, found {value}.")
                    raise DatasetError(message.format(row=number + 1, file=self._path.name, value=str(row)[:40]))
                yield row, stream.characters
            stream.end()

    def _array(self, name: str, values: list, first_row: int) -> pa.Array:
        """Returns values of one kind; all numbers as float64: whether one is whole says nothing of those to come."""
        try:
            column = _column(values)
        except _NO_COLUMN as err:
            row = bisect_left(range(len(values)), True, key=lambda last: not _is_column(values[: last + 1]))
            message = _(
                "Expected text, numbers or lists of numbers in column {column!r}, one of them in all rows, found {value} "
                "in row {row:,}. From pandas, write to_json(orient='records', lines=True)."
            )
            found = json.dumps(values[row])[:40]
            raise DatasetError(message.format(column=name, value=found, row=first_row + row + 1)) from err
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        return column.cast(pa.float64()) if number else column


def _column(values: list) -> pa.Array:
    column = pa.array(values)
    if pa.types.is_struct(column.type):
        raise TypeError
    return column


def _is_column(values: list) -> bool:
    try:
        _column(values)
    except _NO_COLUMN:
        return False
    return True


def open_json(path: Path) -> Table:
    """Returns the table in a file of JSON: LEAF's, if its first name is one of LEAF's."""
    with path.open(encoding="utf-8-sig") as file:
        stream = JsonStream(file, path)
        leaf = stream.peek() == "{" and next(stream.items(), "") in KEYS
    return LeafTable(path) if leaf else JsonRows(path)


def _named(value: Any) -> Any:
    """Returns an id or label as text. It depends on that value alone, so that 1 and 1.0 are one in every batch."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return None if math.isnan(value) else str(int(value)) if value.is_integer() else repr(value)
    return str(value) if isinstance(value, int) else value
