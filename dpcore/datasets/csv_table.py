"""CSV files: text with one row a line, under a line with the names of the columns."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from dpcore.datasets.tabular import BYTES, Batch, Table, described, not_a_number
from dpcore.errors import DatasetError
from dpcore.language import N_, _

_SEPARATORS = ",;\t|"
_CALLED = {",": N_("commas"), ";": N_("semicolons"), "\t": N_("tabs"), "|": N_("bars")}
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_WHOLE, _COMMA, _POINT = (
    re.compile(rf"\s*[-+]?\d{part}(?:[eE][-+]?\d+)?\s*") for part in ("+", "*,\\d+", "*\\.\\d*")
)
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")
_LONGEST = 1 << 24  # characters of the first line
_SEEN = 1000  # rows that say how numbers are written
_DECIMAL_COMMA = N_("Numbers were read with a comma before their decimals: 1,5 is one and a half.")


class CsvTable(Table):
    """Separated by commas, semicolons, tabs or bars, whichever its first line has most of."""

    def __init__(self, path: Path):
        super().__init__(path)
        with self._text() as file:
            first = file.readline(BYTES)
            if len(first) == BYTES:  # more than a row may have, and perhaps all of a large file
                message = _(
                    "Expected a line with the names of the columns in {file}, found no end of its first line."
                )
                raise DatasetError(message.format(file=path.name))
            if not first.strip():
                message = _("{file} is empty, or its first line is: expected a line with the names of its columns.")
                raise DatasetError(message.format(file=path.name))
            if first.startswith("sep="):
                message = _(
                    "{file} begins with {text!r}, which only a spreadsheet understands. Take that line out."
                )
                raise DatasetError(message.format(file=path.name, text=first.strip()[:9]))
            if "\0" in first:
                message = _("{file} cannot be read as CSV: it seems to be UTF-16. Save it as UTF-8.")
                raise DatasetError(message.format(file=path.name))
            self._delimiter = max(_SEPARATORS, key=_QUOTED.sub("", first).count)
            if first.startswith("#") and _separators(file.readline(_LONGEST), self._delimiter) != _separators(
                first, self._delimiter
            ):
                message = _("{file} begins with a comment: {text!r}. Take lines that begin with # out.")
                raise DatasetError(message.format(file=path.name, text=first[:40].rstrip()))
            file.seek(0)
            self._names = next(csv.reader(file, delimiter=self._delimiter))
        if len(self._names) == 1:
            message = _(
                "Expected columns with commas, semicolons, tabs or bars between them in {file}, found one: {name!r}."
            )
            raise DatasetError(message.format(file=path.name, name=self._names[0][:60]))
        self._decimal = "," if _has_decimal_commas(self._rows()) else "."
        if self._decimal == ",":
            self.notes = (_DECIMAL_COMMA,)
        with self._explained([]), path.open("rb") as raw, self._opened(raw) as reader:
            found = [field.with_name(name.strip()) for name, field in zip(self._names, reader.schema, strict=True)]
        self.columns = tuple(described(field) for field in found)
        self._yes_or_no = {field.name for field in found if pa.types.is_boolean(field.type)}
        self._raw = {name.strip(): name for name in self._names}

    @contextmanager
    def _text(self) -> Iterator:
        """Opens the file as text, and says what to do where it is not in UTF-8."""
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield file
        except UnicodeDecodeError as err:
            raise self._not_utf_8() from err

    def _rows(self) -> list[list[str]]:
        """Returns the first rows, as text."""
        rows = []
        with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file, suppress(csv.Error):
            for row in islice(csv.reader(file, delimiter=self._delimiter), 1, _SEEN):
                rows += [row] if len(row) == len(self._names) else []
        return rows

    def _opened(self, raw, **options) -> pyarrow.csv.CSVStreamingReader:
        bad_row = options.pop("bad_row", None)
        return pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(block_size=BYTES, use_threads=bad_row is None),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=bad_row
            ),
            convert_options=pyarrow.csv.ConvertOptions(decimal_point=self._decimal, **options),
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
            raise self._not_utf_8() from err
        except pa.ArrowInvalid as err:
            self._explain(numbers)
            if "UTF8" in str(err):
                raise self._not_utf_8() from err
            message = _("{file} cannot be read as CSV: {reason}. Expected UTF-8 text, one row a line.")
            raise DatasetError(message.format(file=self._path.name, reason=err)) from err

    def _not_utf_8(self) -> DatasetError:
        """Looks for the first line that is not UTF-8."""
        good = 0
        with self._path.open("rb") as file, suppress(UnicodeDecodeError):
            while line := file.readline(_LONGEST):
                line.decode()
                good += 1
        message = _(
            "{file} cannot be read as CSV: line {line:,} is not UTF-8. Save it as UTF-8 (in a spreadsheet: CSV UTF-8), "
            "or turn it into that: iconv -f latin1 -t utf-8."
        )
        return DatasetError(message.format(file=self._path.name, line=good + 1))

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
                        written = values.str.replace(",", ".") if self._decimal == "," else values
                        wrong = pd.to_numeric(written, errors="coerce").isna() & (values != "")
                        yes_or_no = values.str.lower().isin(("true", "false"))
                        if name in self._yes_or_no:
                            wrong = ~yes_or_no & ~values.isin(("1", "0", ""))
                        elif (wrong & ~yes_or_no).any():
                            wrong &= ~yes_or_no  # names what is neither
                        if wrong.any():
                            row = int(np.flatnonzero(wrong)[0])
                            raise not_a_number(name, done + row, values[row])
                    done += len(batch)
            except pa.ArrowInvalid as err:
                if bad_rows:
                    raise self._other_row(bad_rows[0]) from err

    def _other_row(self, row: pyarrow.csv.InvalidRow) -> DatasetError:
        message = _("Expected {expected} values in line {line} of {file}, found {found}: {text!r}. {hint}")
        others = [
            one for one in _SEPARATORS if one != self._delimiter and row.text.count(one) == row.expected_columns - 1
        ]
        if row.text.startswith("#"):
            hint = _("Take lines that begin with # out.")
        elif others:
            hint = _("Has it {others} between its values, and {these} between its names? Use one for both.")
            hint = hint.format(others=_(_CALLED[others[0]]), these=_(_CALLED[self._delimiter]))
        else:
            hint = _("Put values with {these} in them into double quotes.").format(
                these=_(_CALLED[self._delimiter])
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


def _separators(line: str, delimiter: str) -> int:
    return _QUOTED.sub("", line).count(delimiter)


def _has_decimal_commas(rows: list[list[str]]) -> bool:
    """Whether numbers have a comma before their decimals: some do that are no thousands, and none has a point."""
    commas = thousands = 0
    for column in zip(*rows, strict=True):
        cells = [cell for cell in column if cell.strip()]
        with_comma = [cell for cell in cells if _COMMA.fullmatch(cell)]
        if with_comma and all(_COMMA.fullmatch(cell) or _WHOLE.fullmatch(cell) for cell in cells):
            commas += len(with_comma)
            thousands += sum(1 for cell in with_comma if _THOUSANDS.fullmatch(cell))
        elif any(map(_POINT.fullmatch, cells)) and all(_POINT.fullmatch(c) or _WHOLE.fullmatch(c) for c in cells):
            return False
    return commas > thousands
