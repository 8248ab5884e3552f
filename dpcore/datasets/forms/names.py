"""Ids and labels in whatever shape a file has them, as one value per row."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dpcore.errors import DatasetError
from dpcore.language import _

_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


class Flat:
    """Makes a column flat, over many batches: arrays of one value, and one-hot rows."""

    def __init__(self, name: str):
        self._name = name
        self._width: int | None = None  # of one-hot rows

    def __call__(self, column: pa.Array, first_row: int) -> pa.Array:
        """Returns the column as it is where it has one value per row, and else what its rows stand for.

        Raises:
            DatasetError: If a row is an array of several values and not one-hot.
        """
        while any(test(column.type) for test in _LISTS):
            lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
            if (lengths > 1).any():
                return self._places(column, lengths, first_row)
            column = _spread(column.flatten(), lengths > 0)
        return column

    def _places(self, column: pa.Array, lengths: np.ndarray, first_row: int) -> pa.Array:
        """Returns the place of the 1 in each one-hot row."""
        width = self._width or int(lengths[0])
        other = np.flatnonzero(lengths != width)
        if len(other) or width < 2:
            row = int(other[0]) if len(other) else 0
            raise self._wrong(first_row + row, column[row])
        self._width, values = width, column.flatten()
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            if not pa.types.is_boolean(values.type):
                raise self._wrong(first_row, column[0])
            values = pc.cast(values, pa.int8())
        cells = values.fill_null(-1).to_numpy(zero_copy_only=False).reshape(-1, width)
        bad = np.flatnonzero(((cells == 1).sum(1) != 1) | ((cells == 0).sum(1) != width - 1))
        if len(bad):
            raise self._wrong(first_row + int(bad[0]), column[int(bad[0])])
        return pa.array(cells.argmax(1))

    def _wrong(self, row: int, value: pa.Scalar) -> DatasetError:
        message = _(
            "Expected one value, or one 1 among zeros (one-hot), in each row of column {column!r}, found {value} in "
            "row {row:,}."
        )
        return DatasetError(message.format(column=self._name, value=str(value.as_py())[:60], row=row + 1))


def _spread(values: pa.Array, there: np.ndarray) -> pa.Array:
    """Returns the values in the rows that have one, and nothing in the others."""
    return values if there.all() else values.take(pa.array(np.cumsum(there) - 1, mask=~there))
