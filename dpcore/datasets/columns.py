"""Columns of a table as numbers: who an example belongs to, its class, and its features."""

import difflib
import io
import re
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, UnidentifiedImageError

from dpcore.datasets.forms.arrow_types import plain
from dpcore.datasets.importing import spelling
from dpcore.datasets.importing.tabular import first_null, not_a_number_error
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import _

_PICTURES = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")  # others run programs: EPS calls Ghostscript
_GREY = ("1", "L", "LA", "I;16")
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
LARGEST = float(np.finfo(np.float32).max)  # what models compute with
_INFINITE = -2  # the number of what names nothing and may not be left out
MISSING = ("refuse", "drop", "keep")  # what becomes of rows without a user, or without a label


def check_name(field: str, name: str | None, names: list[str]) -> str:
    """Returns `name` if the table has such a column.

    Raises:
        InvalidValueError: If it has not; the message names the nearest.
    """
    if name in names:
        return name
    if name is None:
        message = _("Expected {field} to name a column of the table, found none. There is {near}.")
        raise InvalidValueError(field, message.format(field=field, near=_listed(names[:20])))
    near = difflib.get_close_matches(name, names, n=3) or names[:20]
    message = _("Expected {field} to be a column of the table, found {name!r}. There is {near}.")
    raise InvalidValueError(field, message.format(field=field, name=name, near=_listed(near)))


def _listed(names: list[str]) -> str:
    """Returns names as they have to be typed: in quotes where they would fall apart."""
    return ", ".join(repr(name) if re.search(r"[\s,'\"]|^$", name) else name for name in names) or _("nothing")


def _distinct(column: pa.Array) -> tuple[list, np.ndarray]:
    """Returns the distinct values of a column, which `spelling.spelled` takes, and the place of each row's among them.

    Raises:
        pa.ArrowException: If the column is of a kind that names nothing.
    """
    column = plain(column)
    if pa.types.is_float16(column.type):
        column = pc.cast(column, pa.float32())
    kind = column.type
    as_it_is = any(test(kind) for test in (pa.types.is_floating, pa.types.is_decimal, _is_bytes))
    if not as_it_is and not pa.types.is_string(kind):
        column = pc.cast(column, pa.string())
    encoded = column.dictionary_encode(null_encoding="encode")
    values = encoded.dictionary
    listed = list(values.to_numpy(zero_copy_only=False)) if pa.types.is_floating(kind) else values.to_pylist()
    return listed, encoded.indices.to_numpy()


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


class Codes:
    """Numbers the names in a column (`spelling.spelled`), in the order of their appearance, over many batches.

    Attributes:
        dropped: Rows without a name, that are to be left out.
        inexact: Whether a name is a floating-point number so large that several whole ones may have become it.
    """

    def __init__(self, name: str, *, option: str = "", missing: str = MISSING[0], join: bool = False):
        """Begins without a name.

        Args:
            name: The column.
            option: What the choice of `missing` is called; empty where there is none.
            missing: One of `MISSING`: "refuse" rows without a name, "drop" them, or "keep" what says that there is
                none ("NA", "-") as a name.
            join: Whether names that have a `spelling.comparison_key` in common are one.
        """
        self._name, self._option, self._missing, self._join = name, option, missing, join
        self._numbers: dict[str, int] = {}
        self._seen: dict[Any, int] = {}
        self.dropped = 0
        self.inexact = False

    @property
    def values(self) -> list[str]:
        return list(self._numbers)

    def __call__(self, column: pa.Array, first_row: int, among: np.ndarray | bool = True) -> np.ndarray:
        """Returns each row's number, int64 [rows]; -1 where it has no name and is to be left out.

        Args:
            column: Some rows.
            first_row: The place of the first of them in the file, from 0.
            among: Which of them matter, bool [rows].

        Raises:
            DatasetError: If a name is missing, or of a kind that names nothing.
        """
        try:
            values, places = _distinct(column)
        except pa.ArrowException as err:
            message = _("Expected text or numbers in column {column!r}, found {found}.")
            raise DatasetError(message.format(column=self._name, found=column.type)) from err
        numbers = np.array([self._number(value) for value in values], np.int64)[places]
        nameless = np.flatnonzero((numbers < 0) & among)
        refused = nameless if self._missing != "drop" else nameless[numbers[nameless] == _INFINITE]
        if len(refused):
            raise self._nameless(first_row + int(refused[0]), values[places[refused[0]]])
        self.dropped += len(nameless)
        return numbers

    def _number(self, value: Any) -> int:
        if value in self._seen:
            return self._seen[value]
        if isinstance(value, float | np.floating):
            if np.isinf(value):
                return _INFINITE
            self.inexact |= abs(value) > 2 ** (np.finfo(type(value)).nmant + 1)
        name = spelling.spelled(value)
        if name is None or (self._missing != "keep" and spelling.means_missing(name)):
            return -1
        name = spelling.comparison_key(name) if self._join else name
        return self._seen.setdefault(value, self._numbers.setdefault(name, len(self._numbers)))

    def _nameless(self, row: int, value: Any) -> DatasetError:
        """The error about the first row that has no name, from 0."""
        name = spelling.spelled(value)
        if isinstance(value, float | np.floating) and np.isinf(value):
            message = _(
                "Expected text or finite numbers in column {column!r}, found {value} in row {row:,}. Put an id or a "
                "class there, or leave the row out."
            )
        elif not self._option:
            message = _(
                "Expected a value in column {column!r} of every row, found none in row {row:,}. Fill it in, "
                "or leave the row out."
            )
        elif name is None:
            message = _(
                "Expected a value in column {column!r} of every row, found none in row {row:,}. Fill it in, or choose "
                "{option} drop, which leaves such rows out."
            )
        else:
            message = _(
                "Expected a value in column {column!r} of every row, found {value!r} in row {row:,}, which stands for "
                "none. Fill it in, or choose {option} drop, which leaves such rows out, or {option} keep, which takes it "
                "for a name."
            )
        return DatasetError(message.format(column=self._name, row=row + 1, value=name, option=self._option))


def in_order(values: list[str]) -> list[str]:
    """Returns distinct values sorted: as numbers if all of them are, else as text."""
    try:
        numbers = {value: float(value) for value in values}
    except ValueError:
        return sorted(values)
    if not np.isfinite(list(numbers.values())).all():
        return sorted(values)
    return sorted(values, key=lambda value: (numbers[value], value))


def feature_block(columns: dict[str, pa.Array], first_row: int) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Returns the features of a batch [rows, num_features], uint8 or floats, and the shape of a row of an array column.

    Takes columns of numbers, or one of arrays or images, whose bytes stay uint8. What float32 holds exactly
    becomes float32, the rest float64.

    Raises:
        DatasetError: If a value is missing, not a number, not finite, or too large for float32.
    """
    parts = [_values(name, column, first_row) for name, column in columns.items()]
    shape = parts[0].shape[1:] if parts[0].ndim > 1 else None
    dtypes = {part.dtype for part in parts}
    if dtypes != {np.dtype(np.uint8)} or shape is None:
        exact = all(np.can_cast(dtype, np.float32) for dtype in dtypes)
        parts = [part.astype(np.float32 if exact else np.float64, copy=False) for part in parts]
    found = np.column_stack(parts) if shape is None else parts[0].reshape(len(parts[0]), -1)
    if found.dtype != np.uint8:
        _check_finite(found, list(columns), first_row)
    return found, shape


def _check_finite(values: np.ndarray, names: list[str], first_row: int) -> None:
    good = np.abs(values) <= LARGEST  # false for what is not a number
    if good.all():
        return
    row, place = np.argwhere(~good)[0]
    message = _(
        "Expected finite numbers in column {column!r}, found {value} in row {row:,}. Put a number there, or leave the "
        "row out."
    )
    raise DatasetError(
        message.format(column=names[place % len(names)], value=values[row, place], row=first_row + row + 1)
    )


def _values(name: str, column: pa.Array, first_row: int) -> np.ndarray:
    """Returns a column as numbers [rows, ...]."""
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = _embedded(name, column, first_row)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return _images(name, column, first_row)
    shape, rows = [len(column)], len(column)
    while hasattr(column.type, "value_type") and not pa.types.is_dictionary(column.type):
        per_row = len(column) // max(rows, 1)
        if column.null_count:
            raise _empty(name, first_row + first_null(column) // per_row)
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        other = np.flatnonzero(lengths != lengths[0])
        if len(other):
            message = _(
                "Expected arrays of the same shape in column {column!r}, found lengths {length} and {other}, the "
                "latter in row {row:,}."
            )
            row = first_row + other[0] // per_row + 1
            raise DatasetError(message.format(column=name, length=lengths[0], other=lengths[other[0]], row=row))
        shape.append(int(lengths[0]))
        column = column.flatten()
    if column.null_count:
        raise _empty(name, first_row + first_null(column) // max(len(column) // rows, 1))
    if pa.types.is_decimal(column.type):
        column = pc.cast(column, pa.float64())
    if pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.int8())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise not_a_number_error(name, first_row, column[0].as_py())
    return column.to_numpy(zero_copy_only=False).reshape(shape)


def _empty(name: str, row: int) -> DatasetError:
    message = _(
        "Expected a number in column {column!r} of every row, found none in row {row:,}. Fill it in, leave the "
        "row out, or leave the column out of the features."
    )
    return DatasetError(message.format(column=name, row=row + 1))


def _embedded(name: str, column: pa.Array, first_row: int) -> pa.Array:
    """Returns the bytes of images as Hugging Face's data sets keep them: with a path, or a path alone."""
    content = pc.struct_field(column, "bytes")
    if content.null_count == len(content) > 0 and column.null_count < len(column):
        message = _(
            "Expected images in column {column!r}, found names of files and no bytes from row {row:,} on. Save the data "
            "set with the images in it."
        )
        raise DatasetError(message.format(column=name, row=first_row + 1))
    return content


def _images(name: str, column: pa.Array, first_row: int) -> np.ndarray:
    """Returns encoded images (PNG, JPEG, ...) as uint8 [rows, height, width], with 3 channels if in colour."""
    images: list[np.ndarray] = []
    for row, content in enumerate(column.to_pylist(), start=first_row):
        if content is None:
            raise _empty(name, row)
        pixels = _pixels(name, content, row)
        if images and pixels.shape != images[0].shape:
            message = _(
                "Expected images of {shape} pixels in column {column!r}, found {other} in row {row:,}. Bring them to "
                "one size and colour."
            )
            raise DatasetError(message.format(shape=images[0].shape, column=name, other=pixels.shape, row=row + 1))
        images.append(pixels)
    return np.stack(images)


def _pixels(name: str, content: bytes, row: int) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_PICTURES) as image:
                return np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))
    except UnidentifiedImageError as err:
        message = _(
            "Expected images ({formats}) in column {column!r}, found {count:,} bytes that are none in row {row:,}: "
            "{start!r}. Choose another column, or write pixels as lists of numbers."
        )
        formats = ", ".join(_PICTURES)
        words = message.format(formats=formats, column=name, count=len(content), row=row + 1, start=content[:8])
        raise DatasetError(words) from err
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, *_BOMBS) as err:
        message = _("Expected an image in column {column!r} of row {row:,}: {reason}.")
        raise DatasetError(message.format(column=name, row=row + 1, reason=str(err)[:200])) from err
