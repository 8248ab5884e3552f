"""Parquet, CSV and NPZ files as columns, a batch of rows at a time: memory does not grow with the file."""

import csv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from dpcore.errors import DatasetError

SUFFIXES = (".parquet", ".csv", ".tsv", ".npz")

_ROWS = 1 << 16  # in a batch of plain columns
_BYTES = 1 << 23  # in a batch of text, or of an array
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


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a page shows of a file before it is imported: its columns, and its first rows, arrays in words."""

    columns: tuple[Column, ...]
    rows: pd.DataFrame


def preview(path: Path, rows: int = 5) -> Preview:
    """Returns the columns of a file and its first rows.

    Raises:
        DatasetError: If the file cannot be read.
    """
    file = open_table(path)
    batch, _ = next(file.batches([column.name for column in file.columns]), ({}, 1.0))
    shown = {
        column.name: (
            batch[column.name][:rows].to_pylist()
            if column.kind in ("number", "text")
            else [column.dtype] * min(rows, len(batch[column.name]))
        )
        for column in file.columns
        if column.name in batch
    }
    return Preview(columns=file.columns, rows=pd.DataFrame(shown))


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
        with _reading(self._path):
            yield from self._batches(names, text)


class _Parquet(Table):
    def __init__(self, path: Path):
        super().__init__(path)
        with self._opened() as file:
            self.columns = tuple(_described(field) for field in file.schema_arrow)

    def _opened(self):
        return pyarrow.parquet.ParquetFile(self._path)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        with self._opened() as file:
            done, rows = 0, max(file.metadata.num_rows, 1)
            wide = any(column.kind in ("array", "image") for column in self.columns if column.name in names)
            step = _ROWS // 16 if wide else min(_ROWS, _BYTES // len(names))
            for batch in file.iter_batches(step, columns=names):
                done += len(batch)
                yield dict(zip(batch.schema.names, batch.columns, strict=True)), done / rows


class _Csv(Table):
    def __init__(self, path: Path):
        super().__init__(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if not first.strip():
                raise DatasetError(f"{path.name} is empty: expected a line with the names of its columns.")
            self._delimiter = max(",;\t|", key=first.count)
            file.seek(0)
            self._names = next(csv.reader(file, delimiter=self._delimiter))
        for name in self._names:
            if self._names.count(name) > 1:
                raise DatasetError(f"{path.name} has two columns called {name!r}. Rename one of them.")
        with self._explained([]), path.open("rb") as raw, self._opened(raw) as reader:
            self.columns = tuple(_described(field) for field in reader.schema)

    def _opened(self, raw, **options) -> pyarrow.csv.CSVStreamingReader:
        bad_row = options.pop("bad_row", None)
        return pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(block_size=_BYTES, use_threads=bad_row is None),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=bad_row
            ),
            convert_options=pyarrow.csv.ConvertOptions(**options),
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        numbers = [] if text is None else [name for name in names if name not in text]
        types = dict.fromkeys(text or [], pa.string()) | dict.fromkeys(numbers, pa.float64())
        size = self._path.stat().st_size
        with (
            self._explained(numbers),
            self._path.open("rb") as raw,
            self._opened(raw, include_columns=names, column_types=types) as file,
        ):
            for batch in file:
                yield dict(zip(names, batch.columns, strict=True)), min(raw.tell() / size, 1.0)

    @contextmanager
    def _explained(self, numbers: list[str]) -> Iterator[None]:
        """Turns what Arrow cannot read into row, column and what was expected there."""
        try:
            yield
        except pa.ArrowInvalid as err:
            self._explain(numbers)
            raise DatasetError(
                f"{self._path.name} cannot be read as CSV: {err}. Expected UTF-8 text, one row a line."
            ) from err

    def _explain(self, numbers: list[str]) -> None:
        """Reads all once more as text, and raises at the first row that is no row of a table of numbers."""
        bad_rows = []

        def bad_row(row: pyarrow.csv.InvalidRow) -> str:
            bad_rows.append(row)
            return "error"

        types, done = dict.fromkeys(self._names, pa.string()), 0
        with self._path.open("rb") as raw:
            try:
                for batch in self._opened(raw, column_types=types, bad_row=bad_row):
                    for name in numbers:
                        values = batch.column(self._names.index(name)).to_pandas()
                        wrong = pd.to_numeric(values, errors="coerce").isna() & (values != "")
                        if wrong.any():
                            row = int(np.flatnonzero(wrong)[0])
                            raise not_a_number(name, done + row, values[row])
                    done += len(batch)
            except pa.ArrowInvalid as err:
                if bad_rows:
                    [row] = bad_rows[:1]
                    raise DatasetError(
                        f"Expected {row.expected_columns} values in line {row.number} of {self._path.name}, found "
                        f"{row.actual_columns}: {row.text[:60]!r}."
                    ) from err


class _Npz(Table):
    """Each array is a column, its first axis the rows; arrays of more axes are columns of lists."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._headers, lengths = {}, {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                with archive.open(member) as file:
                    shape, fortran, dtype = _npy_header(file)
                name = member.removesuffix(".npy")
                if dtype.hasobject:
                    raise DatasetError(
                        f"Array {name!r} of {path.name} holds Python objects: save it with a plain type."
                    )
                if not shape or 0 in shape[1:]:
                    raise DatasetError(
                        f"Expected a row an example in array {name!r} of {path.name}, found {shape}."
                    )
                self._headers[name], lengths[name] = (shape, dtype, fortran), shape[0]
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
            raise DatasetError(f"Expected arrays of the same length in {path.name}, found {found}.")
        self._rows = next(iter(lengths.values()), 0)
        self.columns = tuple(
            _described(pa.field(name, _arrow(np.empty((0, *shape[1:]), dtype)).type))
            for name, (shape, dtype, _) in self._headers.items()
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        widths = {
            name: int(np.prod(shape[1:], dtype=int)) * dtype.itemsize
            for name, (shape, dtype, _) in self._headers.items()
            if name in names
        }
        step = max(1, min(_ROWS, _BYTES // max(widths.values(), default=1)))
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
                    shape, dtype, _ = self._headers[name]
                    content = files[name].read(count * width)
                    if len(content) < count * width:
                        raise DatasetError(f"Array {name!r} of {self._path.name} is cut off after row {start:,}.")
                    batch[name] = _arrow(np.frombuffer(content, dtype).reshape(count, *shape[1:]))
                yield batch, (start + count) / self._rows


def _npy_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _arrow(values: np.ndarray) -> pa.Array:
    """An array of any number of axes, as nested lists of fixed size."""
    if values.dtype.kind == "S":
        values = values.astype(str)
    column = pa.array(values.ravel())
    for size in reversed(values.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


_READERS = {".parquet": _Parquet, ".csv": _Csv, ".tsv": _Csv, ".npz": _Npz}


def open_table(path: Path) -> Table:
    """Returns the table in a file.

    Raises:
        DatasetError: If it is none of the kinds that are read, missing or damaged.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"Expected a file that ends in {', '.join(SUFFIXES)}, found {path.name}.")
    with _reading(path):
        return reader(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what libraries say of a file that is not what its name says into a sentence."""
    try:
        yield
    except DatasetError:
        raise
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, csv.Error, pa.ArrowException) as err:
        kind = path.suffix.lower().removeprefix(".").upper()
        raise DatasetError(f"{path.name} cannot be read as {kind}: {err}") from err


def _described(field: pa.Field) -> Column:
    kind, inner, axes = field.type, field.type, 0
    while any(test(inner) for test in _LIST):
        inner, axes = inner.value_type, axes + 1
    if axes:
        number = any(test(inner) for test in _NUMBER)
        return Column(name=field.name, dtype=f"{inner}, {axes + 1} axes", kind="array" if number else "other")
    if any(test(kind) for test in _NUMBER):
        return Column(name=field.name, dtype=str(kind), kind="number")
    if any(test(kind) for test in _TEXT):
        return Column(name=field.name, dtype="text", kind="text")
    encoded = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
    if encoded or any(test(kind) for test in _BINARY):
        return Column(name=field.name, dtype="encoded images", kind="image")
    return Column(name=field.name, dtype=str(kind), kind="other")


def not_a_number(name: str, row: int, value) -> DatasetError:
    """The error about a value that should be a number; `row` counts from 0, as people see it from 1."""
    return DatasetError(
        f"Expected numbers in column {name!r}, found {str(value)[:40]!r} in row {row + 1:,}. Leave the column out "
        "of the features, or turn it into numbers."
    )


def first_null(column: pa.Array) -> int | None:
    """The first row, from 0, that has no value."""
    return int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0]) if column.null_count else None
