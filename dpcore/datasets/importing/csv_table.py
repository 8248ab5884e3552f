"""CSV files: text with one row per line, under a line with the names of the columns."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from dpcore.datasets.forms.csv_head import SEPARATORS, not_utf_8_error, read_head
from dpcore.datasets.importing.tabular import BYTES, Batch, Table, column_of, not_a_number_error
from dpcore.errors import DatasetError
from dpcore.language import N_, _

_CALLED = {",": N_("commas"), ";": N_("semicolons"), "\t": N_("tabs"), "|": N_("bars")}
_DECIMAL_COMMA = N_("Numbers were read with a comma before their decimals: 1,5 is one and a half.")


class CsvTable(Table):
    """Separated by commas, semicolons, tabs or bars, whichever its first line has most of."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._head = read_head(path)
        self._names = self._head.names
        if self._head.decimal == ",":
            self.notes = (_DECIMAL_COMMA,)
        with self._explained([]), path.open("rb") as raw, self._opened(raw) as reader:
            found = [field.with_name(name.strip()) for name, field in zip(self._names, reader.schema, strict=True)]
        self.columns = tuple(column_of(field) for field in found)
        self._yes_or_no = {field.name for field in found if pa.types.is_boolean(field.type)}
        self._raw = {name.strip(): name for name in self._names}

    def _opened(self, raw, **options) -> pyarrow.csv.CSVStreamingReader:
        bad_row = options.pop("bad_row", None)
        return pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(block_size=BYTES, use_threads=bad_row is None),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._head.delimiter, newlines_in_values=True, invalid_row_handler=bad_row
            ),
            convert_options=pyarrow.csv.ConvertOptions(decimal_point=self._head.decimal, **options),
        )

    def _batches(self, names: list[str], text: list[str] | None) -> Iterator[tuple[Batch, float]]:
        numbers = [] if text is None else [name for name in names if name not in text]
        types = {self._raw[name]: pa.string() for name in text or []}
        types |= {self._raw[name]: pa.bool_() if name in self._yes_or_no else pa.float64() for name in numbers}
        size, raw_names = self._path.stat().st_size, [self._raw[name] for name in names]
        with (
            self._explained(numbers),
            self._path.open("rb") as raw,
            self._opened(raw, include_columns=raw_names, column_types=types) as file,
        ):
            for batch in file:
                yield dict(zip(names, batch.columns, strict=True)), min(raw.tell() / size, 1.0)

    @contextmanager
    def _explained(self, numbers: list[str]) -> Iterator[None]:
        """Turns what Arrow cannot read into row, column and what was expected there."""
        try:
            yield
        except UnicodeDecodeError as err:
            raise not_utf_8_error(self._path) from err
        except pa.ArrowInvalid as err:
            self._explain(numbers)
            if "UTF8" in str(err):
                raise not_utf_8_error(self._path) from err
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
                        values = batch.column(self._names.index(self._raw[name])).to_pandas()
                        written = values.str.replace(",", ".") if self._head.decimal == "," else values
                        wrong = pd.to_numeric(written, errors="coerce").isna() & (values != "")
                        yes_or_no = values.str.lower().isin(("true", "false"))
                        if name in self._yes_or_no:
                            wrong = ~yes_or_no & ~values.isin(("1", "0", ""))
                        elif (wrong & ~yes_or_no).any():
                            wrong &= ~yes_or_no  # names what is neither
                        if wrong.any():
                            row = int(np.flatnonzero(wrong)[0])
                            raise not_a_number_error(name, done + row, values[row])
                    done += len(batch)
            except pa.ArrowInvalid as err:
                if bad_rows:
                    raise self._other_row(bad_rows[0]) from err

    def _other_row(self, row: pyarrow.csv.InvalidRow) -> DatasetError:
        message = _("Expected {expected} values in line {line} of {file}, found {found}: {text!r}. {hint}")
        others = [
            one
            for one in SEPARATORS
            if one != self._head.delimiter and row.text.count(one) == row.expected_columns - 1
        ]
        if row.text.startswith("#"):
            hint = _("Take lines that begin with # out.")
        elif others:
            hint = _("Has it {others} between its values, and {these} between its names? Use one for both.")
            hint = hint.format(others=_(_CALLED[others[0]]), these=_(_CALLED[self._head.delimiter]))
        else:
            hint = _("Put values with {these} in them into double quotes.").format(
                these=_(_CALLED[self._head.delimiter])
            )
        return DatasetError(
            message.format(
                expected=row.expected_columns,
                line=row.number,
                file=self._path.name,
                found=row.actual_columns,
                text=row.text[:60],
                hint=hint,
            )
        )
