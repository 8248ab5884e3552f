"""Tables in files, by the end of their name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet

from dpcore.datasets.csv_table import CsvTable
from dpcore.datasets.npz_table import NpzTable
from dpcore.datasets.reading import check_is_file, reading
from dpcore.datasets.tabular import BYTES, ROWS, Batch, Column, Table, described
from dpcore.errors import DatasetError
from dpcore.language import _


class ParquetTable(Table):
    """A Parquet file."""

    def __init__(self, path: Path):
        super().__init__(path)
        with self._opened() as file:
            self.columns = tuple(described(field) for field in file.schema_arrow)

    def _opened(self):
        return pyarrow.parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=BYTES)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        with self._opened() as file:
            done, rows = 0, max(file.metadata.num_rows, 1)
            wide = any(column.kind in ("array", "image") for column in self.columns if column.name in names)
            step = ROWS // 16 if wide else min(ROWS, BYTES // len(names))
            for batch in file.iter_batches(step, columns=names):
                done += len(batch)
                yield dict(zip(batch.schema.names, batch.columns, strict=True)), done / rows


_READERS = {".parquet": ParquetTable, ".csv": CsvTable, ".tsv": CsvTable, ".npz": NpzTable}
SUFFIXES = tuple(_READERS)


def open_table(path: Path) -> Table:
    """Returns the table in a file.

    Raises:
        DatasetError: If it is none of the kinds that are read, missing or damaged.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = _("Expected a file that ends in {endings}, found {file}.")
        raise DatasetError(message.format(endings=", ".join(SUFFIXES), file=path.name))
    with reading(path):
        check_is_file(path)
        return reader(path)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a page shows of a file before it is imported: its columns, and their first values, arrays in words."""

    columns: tuple[Column, ...]
    rows: dict[str, list]


def preview(path: Path, rows: int = 5) -> Preview:
    """Returns the columns of a file and its first rows.

    Raises:
        DatasetError: If the file cannot be read.
    """
    file = open_table(path)
    batch, _fraction = next(file.batches([column.name for column in file.columns]), ({}, 1.0))
    shown = {
        column.name: (
            batch[column.name][:rows].to_pylist()
            if column.kind in ("number", "text")
            else [column.dtype] * min(rows, len(batch[column.name]))
        )
        for column in file.columns
        if column.name in batch
    }
    return Preview(columns=file.columns, rows=shown)
