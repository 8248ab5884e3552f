"""CSV files: text with one row a line, under a line with the names of the columns."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from dpcore.datasets.tabular import BYTES, Batch, Table, described, not_a_number
from dpcore.errors import DatasetError
from dpcore.language import _


class CsvTable(Table):
    """Separated by commas, semicolons, tabs or bars, whichever its first line has most of."""

    def __init__(self, path: Path):
        super().__init__(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline(BYTES)
            if len(first) == BYTES:  # more than a row may have, and perhaps all of a large file
                message = _(
                    "Expected a line with the names of the columns in {file}, found no end of its first line."
                )
                raise DatasetError(message.format(file=path.name))
            if not first.strip():
                raise DatasetError(
                    _("{file} is empty: expected a line with the names of its columns.").format(file=path.name)
                )
            self._delimiter = max(",;\t|", key=first.count)
            file.seek(0)
            self._names = next(csv.reader(file, delimiter=self._delimiter))
        for name in self._names:
            if self._names.count(name) > 1:
                message = _("{file} has two columns called {name!r}. Rename one of them.")
                raise DatasetError(message.format(file=path.name, name=name))
        with self._explained([]), path.open("rb") as raw, self._opened(raw) as reader:
            self.columns = tuple(described(field) for field in reader.schema)

    def _opened(self, raw, **options) -> pyarrow.csv.CSVStreamingReader:
        bad_row = options.pop("bad_row", None)
        return pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(block_size=BYTES, use_threads=bad_row is None),
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
            message = _("{file} cannot be read as CSV: {reason}. Expected UTF-8 text, one row a line.")
            raise DatasetError(message.format(file=self._path.name, reason=err)) from err

    def _explain(self, numbers: list[str]) -> None:
        """Reads all once more as text, and raises at the first row that is no row of a table of numbers."""
        import pandas as pd  # slow to import, and only needed here

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
                    message = _(
                        "Expected {expected} values in line {line} of {file}, found {found}: {text!r}."
                    ).format(
                        expected=row.expected_columns,
                        line=row.number,
                        file=self._path.name,
                        found=row.actual_columns,
                        text=row.text[:60],
                    )
                    raise DatasetError(message) from err
