"""Arrow's arrays of rarer types, as the plain types that everything else knows."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def plain(column: pa.Array) -> pa.Array:
    """Returns the same values [rows] without dictionaries, views, runs and extensions; tensors become nested lists."""
    kind = column.type
    if isinstance(kind, pa.FixedShapeTensorType) and not column.null_count:
        return nested(_tensors(column))
    if isinstance(kind, pa.BaseExtensionType):
        return plain(column.storage)
    if pa.types.is_dictionary(kind):
        return plain(column.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(column))
    if pa.types.is_string_view(kind):
        return pc.cast(column, pa.large_string())
    if pa.types.is_binary_view(kind):
        return pc.cast(column, pa.large_binary())
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return pc.cast(column, pa.large_list(kind.value_type))
    return column


def _tensors(column: pa.Array) -> np.ndarray:
    """Returns tensors [rows, ...] with their axes as they are told, if one order is meant by that.

    Not by `to_numpy_ndarray`, which in pyarrow 25 mixes up the values where three axes change places, and
    `from_numpy_ndarray` writes the inverse order then. They stay as they lie in the file: where the channels are is
    seen by their number.
    """
    kind = column.type
    values = column.storage.flatten().to_numpy(zero_copy_only=False).reshape(len(column), *kind.shape)
    order = kind.permutation or list(range(len(kind.shape)))
    if [order[place] for place in order] != list(range(len(order))):
        return values
    return values.transpose(0, *(1 + place for place in order))


def plain_field(field: pa.Field) -> pa.Field:
    """Returns what becomes of a column's type."""
    return pa.field(field.name, plain(pa.nulls(0, field.type)).type)


def nested(values: np.ndarray) -> pa.Array:
    """Returns an array [rows, ...] as a column [rows] of lists of fixed size, one in the other for each further axis."""
    plain = np.dtype(np.float64) if values.dtype == np.longdouble else values.dtype.newbyteorder("=")
    column = pa.array(values.astype(plain, copy=False).ravel())
    for size in reversed(values.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column
