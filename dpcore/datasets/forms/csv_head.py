"""What the first lines of a CSV file say of the others: the separator, the names, and how numbers are written."""

import csv
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dpcore.errors import DatasetError
from dpcore.language import _

SEPARATORS = ",;\t|"

_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_EXPONENT = r"(?:[eE][-+]?\d+)?\s*"
_WHOLE = re.compile(rf"\s*[-+]?\d+{_EXPONENT}")
_COMMA = re.compile(rf"\s*[-+]?\d*,\d+{_EXPONENT}")
_POINT = re.compile(rf"\s*[-+]?\d*\.\d*{_EXPONENT}")
_THOUSANDS = re.compile(r"\s*[-+]?[1-9]\d{0,2},\d{3}\s*")
_LONGEST = 1 << 23  # characters of a line
_SEEN = 1000  # rows that say how numbers are written


@dataclass(frozen=True, kw_only=True)
class Head:
    """How a file is to be read.

    Attributes:
        names: Of the columns, as they stand there.
        delimiter: What is between values.
        decimal: What is before decimals, a point or a comma.
    """

    names: list[str]
    delimiter: str
    decimal: str


def read_head(path: Path) -> Head:
    """Returns how a file is to be read.

    Raises:
        DatasetError: If its first lines are not those of such a file; the message says what to do.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first, second = file.readline(_LONGEST), file.readline(_LONGEST)
            _check(path, first)
            delimiter = max(SEPARATORS, key=lambda one: _count(first, one))
            if first.startswith("#") and _count(first, delimiter) != _count(second, delimiter):
                message = _("{file} begins with a comment: {text!r}. Take lines that begin with # out.")
                raise DatasetError(message.format(file=path.name, text=first[:40].rstrip()))
            file.seek(0)
            names = next(csv.reader(file, delimiter=delimiter))
    except UnicodeDecodeError as err:
        raise not_utf_8_error(path) from err
    if not second and not first.endswith(("\n", "\r")):
        raise DatasetError(_("{file} has no rows.").format(file=path.name))
    if len(names) == 1:
        message = _(
            "Expected columns with commas, semicolons, tabs or bars between them in {file}, found one: {name!r}."
        )
        raise DatasetError(message.format(file=path.name, name=names[0][:60]))
    commas = _has_decimal_commas(_rows(path, delimiter, len(names)))
    return Head(names=names, delimiter=delimiter, decimal="," if commas else ".")


def not_utf_8_error(path: Path) -> DatasetError:
    """The error about a file in another encoding; it names the first line that shows it."""
    good = 0
    with path.open("rb") as file, suppress(UnicodeDecodeError):
        while line := file.readline(_LONGEST):
            line.decode()
            good += 1
    message = _(
        "{file} cannot be read as CSV: line {line:,} is not UTF-8. Save it as UTF-8 (in a spreadsheet: CSV UTF-8), "
        "or turn it into that: iconv -f latin1 -t utf-8."
    )
    return DatasetError(message.format(file=path.name, line=good + 1))


def _check(path: Path, first: str) -> None:
    """Raises if the first line cannot be one of names."""
    if len(first) == _LONGEST:  # more than a row may have, and perhaps all of a large file
        message = _("Expected a line with the names of the columns in {file}, found no end of its first line.")
    elif not first.strip():
        message = _("{file} is empty, or its first line is: expected a line with the names of its columns.")
    elif first.startswith("sep="):
        message = _("{file} begins with {text!r}, which only a spreadsheet understands. Take that line out.")
    elif "\0" in first:
        message = _("{file} cannot be read as CSV: it seems to be UTF-16. Save it as UTF-8.")
    else:
        return
    raise DatasetError(message.format(file=path.name, text=first.strip()[:9]))


def _count(line: str, delimiter: str) -> int:
    """Returns how often a separator stands outside of quotes."""
    return _QUOTED.sub("", line).count(delimiter)


def _rows(path: Path, delimiter: str, width: int) -> list[list[str]]:
    """Returns the first rows, as text."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = []
        with suppress(csv.Error):  # a value too long for this reader says nothing of numbers
            for row in islice(csv.reader(file, delimiter=delimiter), 1, _SEEN):
                rows += [row] if len(row) == width else []
        return rows


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
