"""NPZ files: NumPy arrays by name, read a piece at a time."""

import math
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa

from dpcore.datasets.forms.arrow_types import nested
from dpcore.datasets.importing.tabular import BYTES, ROWS, Batch, Table, column_of
from dpcore.errors import DatasetError
from dpcore.language import _

_KINDS = "biufSUMm"  # truth, whole numbers, floats, text, times
_MOST_AT_ONCE = 1 << 30  # bytes of an array that is read whole; and far more than a row has


class NpzTable(Table):
    """Each array is a column, its first axis the rows; arrays of more axes are columns of lists."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._headers, lengths = {}, {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    shape, fortran, dtype = _npy_header(file)
                    held = archive.getinfo(member).file_size - file.tell()
                name = member.removesuffix(".npy")
                if dtype.hasobject:  # and they are not looked at: reading them could run anything
                    message = _("Array {name!r} of {file} holds Python objects: save it with a plain type.")
                    raise DatasetError(message.format(name=name, file=path.name))
                if dtype.kind not in _KINDS:
                    message = _("Expected text or numbers in array {name!r} of {file}, found {dtype}.")
                    raise DatasetError(message.format(name=name, file=path.name, dtype=str(dtype)[:60]))
                if not shape or 0 in shape[1:]:
                    message = _("Expected a row an example in array {name!r} of {file}, found {shape}.")
                    raise DatasetError(message.format(name=name, file=path.name, shape=str(shape)[:60]))
                self._check_size(name, shape, dtype, fortran, held)
                self._headers[name], lengths[name] = (shape, dtype, fortran), shape[0]
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
            message = _("Expected arrays of the same length in {file}, found {found}.")
            raise DatasetError(message.format(file=path.name, found=found))
        self._rows = next(iter(lengths.values()), 0)
        self.columns = tuple(
            column_of(pa.field(name, _arrow(np.empty((0, *shape[1:]), dtype)).type))
            for name, (shape, dtype, _fortran) in self._headers.items()
        )

    def _check_size(self, name: str, shape: tuple[int, ...], dtype: np.dtype, fortran: bool, held: int) -> None:
        """Refuses what is not there or does not fit into memory, before room is made for it."""
        size = math.prod(shape) * dtype.itemsize
        if min(shape) < 0 or size > held:
            message = _(
                "Array {name!r} of {file} says that its shape is {shape}, and is cut off after {held:,} bytes."
            )
            raise DatasetError(message.format(name=name, file=self._path.name, shape=str(shape)[:60], held=held))
        at_once = size if fortran else size // max(shape[0], 1)
        if at_once > _MOST_AT_ONCE:
            message = (
                _(
                    "Array {name!r} of {file} is stored by columns and has to fit into memory: save it by rows (C order)."
                )
                if fortran
                else _("Array {name!r} of {file} has rows of {size:,} bytes, more than can be trained on.")
            )
            raise DatasetError(message.format(name=name, file=self._path.name, size=at_once))

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        widths = {
            name: int(np.prod(shape[1:], dtype=int)) * dtype.itemsize
            for name, (shape, dtype, _fortran) in self._headers.items()
            if name in names
        }
        step = max(1, min(ROWS, BYTES // max(1, *widths.values())))
        with zipfile.ZipFile(self._path) as archive:
            files, whole = {name: archive.open(f"{name}.npy") for name in names}, {}
            for name, file in files.items():
                if self._headers[name][2]:  # its rows are not in one piece: memory has to hold it
                    whole[name] = np.lib.format.read_array(file)
                else:
                    _npy_header(file)
            for start in range(0, self._rows, step):
                count, batch = min(step, self._rows - start), {}
                for name, width in widths.items():
                    if name in whole:
                        batch[name] = _arrow(whole[name][start : start + count])
                        continue
                    shape, dtype, _fortran = self._headers[name]
                    content = files[name].read(count * width)
                    if len(content) < count * width:
                        message = _("Array {name!r} of {file} is cut off after row {row:,}.")
                        raise DatasetError(message.format(name=name, file=self._path.name, row=start))
                    batch[name] = _arrow(np.frombuffer(content, dtype).reshape(count, *shape[1:]))
                yield batch, (start + count) / self._rows


def _npy_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _arrow(values: np.ndarray) -> pa.Array:
    if values.dtype.kind == "S":
        with suppress(UnicodeDecodeError):  # what is no text stays bytes
            values = np.char.decode(values, "utf-8")
    return nested(values)
