"""A run's own folder: what its ledger needs is kept there too, should the file of runs be lost."""

import os
import re
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from dpcore import files

FILE = "run.json"
KEY = "key"  # what the random numbers of a run without a seed follow from, while it goes on
WORKER_LOCK = "worker.lock"
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
_MOST_BYTES = 1 << 24  # of such a file: what is larger was not written here
# What it says, in this order: all that is known of a run but its rounds, and what changes with each of them.
FACTS = (
    *("run_id", "revision", "created", "plan", "engine", "eval_every", "stop_when_diverging", "owner", "status"),
    *("started", "ended", "dataset_fingerprint", "redrawn", "drawing", "deleted", "purged", "name", "tags", "note"),
    *("identity", "audit"),
)
_ROWS = (
    f"SELECT {', '.join(FACTS)}, (SELECT max(round) FROM rounds WHERE rounds.run_id = runs.run_id) AS last_round, "
    "seal FROM runs"
)


def rows(db: sqlite3.Connection) -> dict[str, sqlite3.Row]:
    """Returns what the table says of all runs, by id."""
    return {row["run_id"]: row for row in db.execute(_ROWS)}


def row(db: sqlite3.Connection, run_id: str) -> sqlite3.Row | None:
    """Returns what the table says of a run."""
    found: sqlite3.Row | None = db.execute(f"{_ROWS} WHERE run_id = ?", (run_id,)).fetchone()
    return found


def facts(row: sqlite3.Row) -> dict[str, Any]:
    """Returns what a run's folder has to say, from what the table does."""
    said = dict(row)
    del said["seal"]
    for name in ("identity", "audit"):
        if said[name] is None:  # of before there was one: what was said and sealed then stays as it is
            del said[name]
    if said["status"] == "running":  # no round waits for this file: only that there was one is in it
        said |= {"drawing": None, "last_round": None if said["last_round"] is None else 0}
    return said


def is_intact(row: sqlite3.Row) -> bool:
    """Whether a row is as it was written; of an older version's, which has no seal, nobody knows."""
    return row["seal"] is None or row["seal"] == files.digest(facts(row))


def agree(runs: Path | str, row: sqlite3.Row) -> bool:
    """Whether the folder of a run says the same as the table."""
    return content(f"{runs}/{row['run_id']}") == files.sealed_json(facts(row))


def keep(db: sqlite3.Connection, runs: Path, run_id: str, *, lasting: bool = True) -> None:
    """Writes into a run's folder what the table says now; in the transaction that changed it, so before it is there."""
    db.execute("UPDATE runs SET revision = revision + 1 WHERE run_id = ?", (run_id,))
    now = row(db, run_id)
    if now is not None:
        write(db, runs / run_id, now, lasting=lasting)


def write(db: sqlite3.Connection, folder: Path, row: sqlite3.Row, *, lasting: bool = False) -> None:
    """Writes into a run's folder what a row says, and seals the row."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_private(folder / FILE, files.sealed_json(facts(row)), lasting=lasting)
    db.execute("UPDATE runs SET seal = ? WHERE run_id = ?", (files.digest(facts(row)), row["run_id"]))


def content(folder: Path | str) -> bytes | None:  # as text: thousands are looked at whenever a store is opened
    """Returns what stands in a run's folder about it; `None` if nothing does."""
    try:
        descriptor = os.open(f"{folder}/{FILE}", os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError):  # the latter: a name that no file can have
        return None
    try:
        return os.read(descriptor, min(os.fstat(descriptor).st_size, _MOST_BYTES))
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def recorded(folder: Path) -> dict[str, Any] | None:
    """Returns what a run's folder says of it, where that is what was written; an older version's has no status."""
    said, sealed = files.read_json(content(folder) or b"")
    if said is None or not (sealed or _is_of_old(said)):
        return None
    return {"run_id": folder.name, "revision": 0, "owner": "", "purged": 0, "audit": None} | said


def is_damaged(folder: Path) -> bool:
    """Whether what a run's folder says of it cannot be read."""
    return content(folder) is not None and recorded(folder) is None


def _is_of_old(said: dict[str, Any]) -> bool:
    kinds = {"created": float, "plan": str, "engine": str, "eval_every": int, "redrawn": int}
    return said.keys() - kinds <= {"owner", "purged"} and all(
        isinstance(said.get(name), kind) for name, kind in kinds.items()
    )


def is_of_a_run(folder: Path) -> bool:
    """Whether a run has left something in a folder: not what was left by who was killed while queueing it."""
    if content(folder) is not None:
        return True
    if not _RUN_ID.fullmatch(folder.name) or not folder.is_dir():
        return False
    return any(not found.name.endswith(".partial") for found in folder.iterdir())


def say(runs: Path, text: str) -> bool:
    """Whether some run's folder has a text in what it says."""
    return any(text.encode() in (content(folder) or b"") for folder in runs.glob("*"))


def names(runs: Path) -> set[str]:
    """Returns the names of runs' folders, and of what is beside them."""
    if not runs.is_dir():
        return set()
    return {entry.name for entry in os.scandir(runs) if is_name(entry.name)}


def is_name(run_id: Any) -> bool:
    """Whether a run's folder can have this name: in a damaged table an id may be anything."""
    return isinstance(run_id, str) and run_id.isprintable() and "/" not in run_id and run_id.strip(".") != ""


def set_aside(folder: Path) -> None:
    """Puts what a folder says under another name, so that a person can look at it."""
    with suppress(FileNotFoundError):
        (folder / FILE).replace(folder / f"{FILE}.damaged")


def size(folder: Path) -> int:
    """Returns the bytes in a run's folder."""
    total = 0
    for found in folder.glob("**/*"):
        with suppress(FileNotFoundError):
            total += found.stat().st_size if found.is_file() else 0
    return total


def clear(folder: Path, *, charged: bool) -> None:
    """Removes what is in a run's folder; where the ledger charges the run, but for what it needs."""
    for found in folder.glob("*"):
        if found.name != FILE:
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
    if not charged:  # last: what is left without it would be taken for a run of which nothing is known
        (folder / FILE).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
