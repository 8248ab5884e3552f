"""A table of rounds in CSV: one row a round, columns as the round log calls them. All else is asked."""

import csv
import io
from typing import Any

from dpcore.elsewhere.log import MOST_ROUNDS, Round
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import excerpt

_COLUMNS = (*Round.__dataclass_fields__, "round")
_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def is_table(text: str) -> bool:
    """Whether a text begins with a row of such names."""
    first = text.lstrip().splitlines()[:1]
    names = [name.strip().strip('"').lower() for name in first[0].split(",")] if first else []
    return bool(names) and any(name in _COLUMNS for name in names) and not any("{" in name for name in names)


def rows_of(text: str) -> list[list[str]]:
    """Returns the rows of a table that are not empty.

    Raises:
        InvalidValueError: If it is damaged.
    """
    try:
        return [row for row in csv.reader(io.StringIO(text), strict=True) if any(cell.strip() for cell in row)]
    except csv.Error as err:
        message = _("Expected a table in CSV, found one that is damaged: {reason}.")
        raise InvalidValueError("file", message.format(reason=str(err))) from err


def from_table(text: str) -> dict[str, Any]:
    """Returns the values of a round log that has these rounds.

    Raises:
        InvalidValueError: If a column is unknown, a row too long or short, or a cell no number.
    """
    rows = rows_of(text)
    if len(rows) < 2 or len(rows) > MOST_ROUNDS + 1:
        message = _("Expected a row of names and 1 to {most:,} rows of rounds, found {found:,} rows.")
        raise InvalidValueError("file", message.format(most=MOST_ROUNDS, found=len(rows)))
    names = [cell.strip().lower() for cell in rows[0]]
    for name in names:
        if name not in _COLUMNS or names.count(name) > 1:
            message = _("Expected columns among {names}, each once, found {found}.")
            raise InvalidValueError("file", message.format(names=", ".join(_COLUMNS), found=excerpt(name)))
    return {
        "framework": {"name": "csv"},
        "noise": {"kind": "gaussian", "where": "server"},
        "rounds": [_round(names, row, number) for number, row in enumerate(rows[1:], 2)],
    }


def _round(names: list[str], row: list[str], line: int) -> dict[str, Any]:
    if len(row) != len(names):
        message = _("Expected {most} cells in line {line}, found {found}.")
        raise InvalidValueError("file", message.format(most=len(names), line=line, found=len(row)))
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=True) if name != "round" and cell.strip()}
    return {name: _value(name, cell, line) for name, cell in cells.items()}


def _value(name: str, cell: str, line: int) -> Any:
    if name == "released" and cell.lower() in _SWITCHES:
        return _SWITCHES[cell.lower()]
    try:
        if name == "released":
            raise ValueError
        return int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 20 else float(cell)
    except ValueError as err:
        message = _("Expected {name} in line {line} to be a number, and released true or false, found {found}.")
        raise InvalidValueError("file", message.format(name=name, line=line, found=excerpt(cell))) from err
