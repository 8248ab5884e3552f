"""The features of a table on their way: in a file, in the order of its rows, as one array of numbers."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from dpcore.datasets import columns, images
from dpcore.datasets.tabular import Table
from dpcore.errors import DatasetError
from dpcore.language import _


class Spool:
    """Takes batches of columns, all alike.

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
        self._width, self._dtype, self._rows = 0, None, 0

    def append(self, file: BinaryIO, batch: dict[str, pa.Array], first_row: int) -> None:
        """Writes the features of some rows, of which the first is `first_row` of the table, from 0.

        Raises:
            InvalidValueError: If they have not the shape that was said.
            DatasetError: If they are no numbers, or not like those before.
        """
        values, axes = columns.block({name: batch[name] for name in self._columns}, first_row)
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
        self.layout(values).astype(self._dtype, copy=False).tofile(file)
        self._rows += len(values)

    def _begin(self, values: np.ndarray, axes: tuple[int, ...] | None) -> None:
        self._width, self._dtype, self.axes = values.shape[1], values.dtype, axes
        if not self._width:
            message = _("Expected numbers in column {column!r}, found arrays of length 0.")
            raise DatasetError(message.format(column=self.names[0]))
        # The channels of pictures that were encoded are where they belong.
        usual, guessed = (axes, None) if self._encoded else (self._roles.image_shape, axes)
        self.layout = images.layout(guessed, self._width, given=self._image_shape, usual=usual)
        if len(self.names) == self._width:
            self.names = [self._columns[place] for place in self.layout(np.arange(self._width)[None])[0]]

    def array(self, path: Path) -> np.ndarray:
        """Returns what was written, [num_rows, num_features], mapped to its file."""
        return np.memmap(path, self._dtype, "r", shape=(self._rows, self._width))
