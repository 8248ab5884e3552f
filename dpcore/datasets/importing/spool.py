"""The features of a table on their way: in a file, in the order of its rows, as one array of numbers."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from dpcore.datasets import columns
from dpcore.datasets.importing import images
from dpcore.datasets.importing.tabular import Table
from dpcore.errors import DatasetError
from dpcore.language import _


class Spool:
    """Makes rows of numbers of batches of columns, all alike.

    Args:
        table: What they are read from.
        names: The columns of the features.
        image_shape: What somebody has said of them, if they are images.

    Attributes:
        names: The columns of the features, in the order of these.
        axes: Of a row's array or image, if it is one.
        layout: What the features are; they have its order.
    """

    def __init__(self, table: Table, names: list[str], image_shape: tuple[int, ...] | None):
        self._columns = self.names = names
        self.axes: tuple[int, ...] | None = None
        self.layout = images.Layout()
        self._roles, self._image_shape = table.roles, image_shape
        self._encoded = any(column.kind == "image" for column in table.columns if column.name == names[0])
        self._width, self._dtype = 0, None

    def __call__(self, batch: dict[str, pa.Array], keep: np.ndarray, first_row: int) -> np.ndarray:
        """Returns the features of some rows as they are written, uint8, float32 or float64 [kept_rows, num_features].

        Args:
            batch: The columns, [rows] each.
            keep: Which of their rows are not left out, bool [rows].
            first_row: The place of the first of them in the table, from 0.

        Raises:
            InvalidValueError: If they have not the shape that was said.
            DatasetError: If they are no numbers, or not like those before.
        """
        values, axes = _kept({name: batch[name] for name in self._columns}, keep, first_row)
        if self._dtype is None:
            self._begin(values, axes)
        if (values.shape[1], axes) != (self._width, self.axes):
            message = _("Expected arrays of shape {shape} in column {column!r}, found {other} from row {row:,} on.")
            raise DatasetError(message.format(shape=self.axes, column=self.names[0], other=axes, row=first_row + 1))
        if not np.can_cast(values.dtype, self._dtype):
            message = _(
                "Expected numbers of one type in column {column!r}, found {one} and from row {row:,} on {other}."
            )
            raise DatasetError(
                message.format(column=self.names[0], one=self._dtype, row=first_row + 1, other=values.dtype)
            )
        return self.layout(values).astype(self._dtype, copy=False)

    def _begin(self, values: np.ndarray, axes: tuple[int, ...] | None) -> None:
        self._width, self._dtype, self.axes = values.shape[1], values.dtype, axes
        if not self._width:
            message = _("Expected numbers in column {column!r}, found arrays of length 0.")
            raise DatasetError(message.format(column=self.names[0]))
        if self._encoded and self._image_shape is None:  # their channels are where they belong
            self.layout = images.Layout(shape=axes)
        else:
            self.layout = images.chosen_layout(
                axes, self._width, given=self._image_shape, usual=self._roles.image_shape
            )
        if len(self.names) == self._width:
            self.names = [self._columns[place] for place in self.layout(np.arange(self._width)[None])[0]]

    def array(self, path: Path, num_rows: int) -> np.ndarray:
        """Returns what was written to a file, [num_rows, num_features] of the type of the first batch, mapped to it."""
        return np.memmap(path, self._dtype, "r", shape=(num_rows, self._width))


def _kept(
    batch: dict[str, pa.Array], keep: np.ndarray, first_row: int
) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Returns `columns.feature_block` of the rows to keep; an error names the row by its place among all."""
    if keep.all():
        return columns.feature_block(batch, first_row)
    try:
        return columns.feature_block(
            {name: column.filter(pa.array(keep)) for name, column in batch.items()}, first_row
        )
    except DatasetError:
        edges = np.flatnonzero(np.diff(keep, prepend=False, append=False)).reshape(-1, 2)
        for begin, end in edges:  # pieces without a gap, to find the row again that is meant
            columns.feature_block(
                {name: column[begin:end] for name, column in batch.items()}, first_row + int(begin)
            )
        raise
