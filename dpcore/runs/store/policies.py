"""What was decided about data sets: in a table of the file of runs, and in files beside it that are written first.

Where they differ, what was decided last holds; what can be read nowhere is as strict as can be, until somebody decides
anew.
"""

import math
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcore import files, limits

_FILES = (
    "budgets.json",
    "runs/budgets.json",
)  # the second where runs have folders: an older copy of one is seen to be
EVERY = "*"  # stands for each data set of which nothing is known, where something may have been lost


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What its owner decided about a data set.

    Attributes:
        name: The data set's.
        budget_epsilon: What all runs on it together may spend; `None` for no bound.
        budget_delta: The delta of that.
        public: Whether its users need no protection, so that runs on it cost nothing.
    """

    name: str
    budget_epsilon: float | None = None
    budget_delta: float = limits.DELTA.default
    public: bool = False


def of(db: sqlite3.Connection, name: str) -> Policy:
    """Returns what was decided about a data set, or the default."""
    found = db.execute(
        "SELECT * FROM datasets WHERE name IN (?, ?) ORDER BY name = ?", (name, EVERY, EVERY)
    ).fetchone()
    if found is None:
        return Policy(name=name)
    said = _facts(found) | {"name": name}
    del said["revision"]
    return Policy(**said)


def keep(db: sqlite3.Connection, home: Path, policy: Policy) -> None:
    """Keeps what was decided about a data set; in a transaction, so that the files have it before the table."""
    before = _rows(db).get(policy.name)
    _put(db, {**vars(policy), "revision": 1 + (before["revision"] if before else 0)})
    _write(db, home)


def agree(db: sqlite3.Connection, home: Path) -> bool:
    """Whether all places say the same."""
    rows = _rows(db)
    said = {name: _facts(row) for name, row in rows.items()}
    sealed = all(row["seal"] == files.digest(said[name]) for name, row in rows.items())
    return sealed and all(_told(path) == said for path in paths(home))


def mend(db: sqlite3.Connection, home: Path, *, doubt: bool) -> tuple[list[str], bool]:
    """Makes all places say the same, in a transaction.

    Args:
        db: The file of runs.
        home: Where the other files are.
        doubt: Whether something of the table may be lost, or of another time.

    Returns:
        The names of the data sets of which something was read back, and whether something could be lost for good.
    """
    rows, told = _rows(db), [said for said in map(_told, paths(home)) if said is not None]
    known = {name: _facts(row) for name, row in rows.items() if _is_whole(row)}
    lost = not told and (doubt or len(known) < len(rows))
    if lost:
        now = {name: _nothing(name, known.get(name)) for name in sorted({*rows, EVERY})}
    else:
        places = [known, *told]
        names = rows.keys() | {name for said in told for name in said}
        now = {name: _last_decided(name, [said[name] for said in places if name in said]) for name in sorted(names)}
    read_back = [name for name in now if now[name] != known.get(name)]
    for name in read_back:
        _put(db, now[name])
    try:
        _write(db, home)
    except OSError:
        if read_back:
            raise  # on a full disk one may still look at what the table knows
    return ([] if lost else read_back), lost


def paths(home: Path) -> list[Path]:
    """Returns the files beside that of runs in which decisions are kept."""
    return [home / name for name in _FILES if (home / name).parent.is_dir()]


def _rows(db: sqlite3.Connection) -> dict[str, sqlite3.Row]:
    return {row["name"]: row for row in db.execute("SELECT * FROM datasets")}


def _facts(row: sqlite3.Row) -> dict[str, Any]:
    said = dict(row) | {"public": row["public"] == 1}
    del said["seal"]
    return said


def _is_whole(row: sqlite3.Row) -> bool:
    """Whether a row is as it was written; one of an older version has no seal, but numbers in it."""
    if row["seal"] is not None:
        return bool(row["seal"] == files.digest(_facts(row)))
    return isinstance(row["budget_epsilon"], float | None) and isinstance(row["budget_delta"], float)


def _told(path: Path) -> dict[str, dict[str, Any]] | None:
    """Returns what a file says, by data set; `None` if it is lost or damaged."""
    try:
        said, sealed = files.read_json(path.read_bytes())
    except OSError:
        return None
    return said["datasets"] if said is not None and sealed else None


def _last_decided(name: str, said: list[dict[str, Any]]) -> dict[str, Any]:
    if not said:
        return _nothing(name)
    last = [one for one in said if one["revision"] == max(every["revision"] for every in said)]
    # Both at once, and not the same, are no decision: the strictest of each.
    epsilon = min(math.inf if one["budget_epsilon"] is None else one["budget_epsilon"] for one in last)
    return last[0] | {
        "budget_epsilon": None if epsilon == math.inf else epsilon,
        "budget_delta": min(one["budget_delta"] for one in last),
        "public": all(one["public"] for one in last),
    }


def _nothing(name: str, known: dict[str, Any] | None = None) -> dict[str, Any]:
    """As strict as can be: nothing may be spent, and nothing is public."""
    known = known or {**vars(Policy(name=name)), "revision": 0}
    return known | {"budget_epsilon": 0.0, "public": False, "revision": known["revision"] + 1}


def _put(db: sqlite3.Connection, said: dict[str, Any]) -> None:
    db.execute(
        f"INSERT OR REPLACE INTO datasets ({', '.join(said)}) VALUES ({', '.join('?' * len(said))})",
        list(said.values()),
    )


def _write(db: sqlite3.Connection, home: Path) -> None:
    said = {name: _facts(row) for name, row in _rows(db).items()}
    for name, facts in said.items():
        db.execute("UPDATE datasets SET seal = ? WHERE name = ?", (files.digest(facts), name))
    for path in paths(home):
        files.write_private(path, files.sealed_json({"datasets": said}))
