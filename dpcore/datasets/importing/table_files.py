"""Tables in files and folders, by their form."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet

from dpcore.datasets.forms import folders, recognition, unpacking
from dpcore.datasets.forms.arrow_table import ArrowTable, class_names
from dpcore.datasets.forms.arrow_types import plain, plain_field
from dpcore.datasets.forms.json_rows import JsonRows, open_json
from dpcore.datasets.forms.tff_hdf5 import Hdf5Table
from dpcore.datasets.forms.tff_records import SqliteTable
from dpcore.datasets.importing.csv_table import CsvTable
from dpcore.datasets.importing.file_errors import check_is_file, explaining_errors
from dpcore.datasets.importing.npz_table import NpzTable
from dpcore.datasets.importing.tabular import BYTES, Batch, Column, Roles, Table, column_of, rows_per_batch
from dpcore.errors import DatasetError
from dpcore.language import _

_SOME = 16  # rows that say how large all are


class ParquetTable(Table):
    """A Parquet file."""

    def __init__(self, path: Path):
        super().__init__(path)
        with self._opened() as file:
            schema = file.schema_arrow
        self.columns = tuple(column_of(plain_field(field)) for field in schema)
        self.roles = Roles(class_names=class_names(schema))

    def _opened(self):
        return pyarrow.parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=BYTES)

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        with self._opened() as file:
            done, rows = 0, max(file.metadata.num_rows, 1)
            some = next(file.iter_batches(_SOME, columns=names), None)
            step = rows_per_batch(some, self.columns) if some else 1
            for batch in file.iter_batches(step, columns=names):
                done += len(batch)
                yield {name: plain(batch.column(name)) for name in names}, done / rows


_READERS = {
    "Parquet": ParquetTable,
    "CSV": CsvTable,
    "TSV": CsvTable,
    "NPZ": NpzTable,
    "Feather and Arrow IPC": ArrowTable,
    "JSON lines": JsonRows,
    "LEAF's JSON": open_json,
    "TFF's HDF5": Hdf5Table,
    "TFF's SQLite": SqliteTable,
}


def open_table(path: Path, *, all_classes: bool = False) -> Table:
    """Returns the table in a file that is not packed; `all_classes` as of `opened`.

    Raises:
        DatasetError: If it is none of the kinds that are read, missing or damaged.
    """
    with explaining_errors(path):
        check_is_file(path)
        form = recognition.form_of(path)
        options = {"all_classes": all_classes} if _READERS[form] is SqliteTable else {}
        table = _READERS[form](path, **options)
    for name, count in Counter(column.name for column in table.columns).items():
        if count > 1:
            message = _("{file} has two columns called {name!r}. Rename one of them.")
            raise DatasetError(message.format(file=path.name, name=name))
    return table


@contextmanager
def opened(
    path: Path,
    scratch: Path,
    progress: Callable[[str, float], None] = lambda what, fraction: None,
    *,
    test_path: Path | None = None,
    all_classes: bool = False,
) -> Iterator[Table]:
    """Yields the table in a file, or in the files of a folder.

    Args:
        path: The file, which may be packed, or the folder.
        scratch: Where to put what is unpacked; it is gone afterwards.
        progress: Told what is being done, and the fraction that is done.
        test_path: The file or folder of test examples, if what is in `path` is for training alone.
        all_classes: As of `dpcore.datasets.forms.tff_records.SqliteTable`.

    Raises:
        DatasetError: If a file is none of the kinds that are read, missing or damaged, or they do not go together.
    """
    parts = folders.parts_of(path)
    if test_path is not None:
        tests = folders.parts_of(test_path)
        parts = [*(("train", file) for _split, file in parts), *(("test", file) for _split, file in tests)]
    with ExitStack() as stack:
        files = [stack.enter_context(unpacking.plain(file, scratch, progress)) for _split, file in parts]
        tables = [open_table(file, all_classes=all_classes) for file in files]
        if len(tables) == 1:
            yield tables[0]
        else:
            yield folders.PartedTable([(split, table) for (split, _), table in zip(parts, tables, strict=True)])


def check_apart(path: Path, test_path: Path) -> None:
    """Refuses to test on what is trained on.

    Raises:
        DatasetError: If a file is in both.
    """
    one, other = (
        {os.path.realpath(file) for _split, file in folders.parts_of(place)} for place in (path, test_path)
    )
    if both := one & other:
        message = _(
            "Expected other examples to test on than to train on, found {file} for both. Give the file of test examples."
        )
        raise DatasetError(message.format(file=Path(min(both)).name))


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a page shows of a file before it is imported: its columns, and their first values, arrays in words.

    Attributes:
        roles: What its form says of the columns.
    """

    columns: tuple[Column, ...]
    rows: dict[str, list]
    roles: Roles


def preview(path: Path, rows: int = 5, test_path: Path | None = None) -> Preview:
    """Returns the columns of a file or a folder, and its first rows.

    Raises:
        DatasetError: If the file cannot be read.
    """
    with tempfile.TemporaryDirectory() as scratch, opened(path, Path(scratch), test_path=test_path) as file:
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
    return Preview(columns=file.columns, rows=shown, roles=file.roles)
