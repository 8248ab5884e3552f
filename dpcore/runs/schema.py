"""The file of runs: from version to version, and out of a damaged one."""

import json
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from dpcore.errors import StoreError

# What turned each version of the file into the next, from an empty file on.
_MIGRATIONS = [
    """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    plan TEXT NOT NULL,
    engine TEXT NOT NULL,
    eval_every INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'queued',
    message TEXT NOT NULL DEFAULT '',
    stop_requested INTEGER NOT NULL DEFAULT 0,
    dataset_fingerprint TEXT,
    started REAL,
    ended REAL
);
CREATE TABLE rounds (
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    round INTEGER NOT NULL,
    accuracy REAL,
    loss REAL,
    clip_norm REAL NOT NULL,
    cohort_size INTEGER,
    epsilon REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run_id, round)
) WITHOUT ROWID;
""",
    """
CREATE TABLE datasets (
    name TEXT PRIMARY KEY,
    budget_epsilon REAL,
    budget_delta REAL,
    public INTEGER NOT NULL
) WITHOUT ROWID;
""",
    """
ALTER TABLE runs ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN stop_when_diverging INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN beat REAL;
ALTER TABLE runs ADD COLUMN drawing INTEGER;
ALTER TABLE runs ADD COLUMN redrawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN deleted REAL;
ALTER TABLE runs ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET position = rowid;
ALTER TABLE rounds ADD COLUMN update_norm REAL;
ALTER TABLE rounds ADD COLUMN noise_norm REAL;
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
""",
]
VERSION = len(_MIGRATIONS)
PLAN_FILE = "run.json"  # in a run's folder: what its ledger needs, should the file of runs be lost
KEPT = ("created", "plan", "engine", "eval_every", "redrawn")  # what is in it
RECOVERED = "recovered"  # the setting that tells what happened to a damaged file


def connect(path: Path) -> sqlite3.Connection:
    """Opens an existing file; the caller closes it."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    return db


def prepare(path: Path) -> None:
    """Makes a file of runs usable: makes it, brings it up to date, or replaces a damaged one by what can be read.

    The caller keeps others from doing the same at the same time.

    Raises:
        StoreError: If the file is of a newer version.
        sqlite3.Error, OSError: If it cannot be opened or made.
    """
    if not path.exists() or path.stat().st_size == 0:
        _replace(path, aside=None)
        return
    try:
        with closing(connect(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise StoreError(
                    f"Expected {path} to be of version {VERSION} or older, found {version}: it was written by a newer "
                    "version of Epsilon Lab. Use that one, or another --home."
                )
            found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found == "ok" and version > 0:
                _migrate(db, version)
                return
    except sqlite3.OperationalError:  # locked, full, not allowed: nothing is wrong with what is in it
        raise
    except sqlite3.DatabaseError:
        pass
    _replace(path, aside=_free_name(path))


def _migrate(db: sqlite3.Connection, version: int) -> None:
    for step in range(version, VERSION):
        db.executescript(f"BEGIN; {_MIGRATIONS[step]} PRAGMA user_version = {step + 1}; COMMIT;")


def _free_name(path: Path) -> Path:
    stamp, number = time.strftime("%Y%m%d-%H%M%S"), 0
    while True:
        aside = path.with_name(f"{path.stem}.damaged-{stamp}-{number}.sqlite")
        if not aside.exists():
            return aside
        number += 1


def _replace(path: Path, aside: Path | None) -> None:
    """Puts a whole file at `path`: with what can be read of the old one, which is kept as `aside`."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    with closing(connect(fresh)) as db, db:
        _migrate(db, 0)
        runs, rounds = _salvage(path, db) if aside else (0, 0)
        runs += _from_folders(path.parent / "runs", db)
        if aside or runs:
            message = (
                f"The file of runs was {f'damaged; it is kept as {aside.name}' if aside else 'lost'}. {runs} runs and "
                f"{rounds} rounds could be read back. A budget that was set may be lost: look at the Ledger."
            )
            db.execute("INSERT INTO settings (name, value) VALUES (?, ?)", (RECOVERED, message))
    with closing(connect(fresh)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    _to_disk(fresh)
    if aside:
        os.link(path, aside)
    for suffix in ("-wal", "-shm"):  # they belong to the old file: beside the new one they would be its ruin
        beside = path.with_name(path.name + suffix)
        if aside and beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
        else:
            beside.unlink(missing_ok=True)
    fresh.replace(path)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _salvage(damaged: Path, db: sqlite3.Connection) -> tuple[int, int]:
    """Copies every row that can be read; returns how many runs and rounds."""
    copied = {"runs": 0, "rounds": 0}
    with suppress(sqlite3.Error), closing(connect(damaged)) as old:
        for table, keys in {
            "runs": ["rowid"],
            "rounds": ["run_id", "round"],
            "datasets": ["name"],
            "settings": ["name"],
        }.items():
            known = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for direction in ("ASC", "DESC"):  # from both ends up to what is broken
                order = ", ".join(f"{key} {direction}" for key in keys)
                with suppress(sqlite3.Error):
                    for row in old.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                        names = [name for name in row.keys() if name in known]  # noqa: SIM118
                        with suppress(sqlite3.Error):  # such as a round whose run could not be read
                            added = db.execute(
                                f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) "
                                f"VALUES ({', '.join('?' * len(names))})",
                                [row[name] for name in names],
                            )
                            if table in copied:
                                copied[table] += added.rowcount
    return copied["runs"], copied["rounds"]


def _from_folders(runs: Path, db: sqlite3.Connection) -> int:
    """Adds the runs that only their folders know, so that the ledger still charges them; returns how many."""
    added = 0
    for kept in sorted(runs.glob(f"*/{PLAN_FILE}")):
        with suppress(ValueError, KeyError, TypeError, OSError, sqlite3.Error):
            told, done = json.loads(kept.read_text()), (kept.parent / "weights.npz").exists()
            values = {name: told[name] for name in KEPT} | {
                "run_id": kept.parent.name,
                "status": "finished" if done else "interrupted",
                "drawing": 1,  # its rounds are not known any more, but there may have been some
                "message": "Read back from its folder: the file of runs did not have it any more.",
            }
            names = list(values)
            before = db.total_changes
            db.execute(
                f"INSERT OR IGNORE INTO runs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                list(values.values()),
            )
            added += db.total_changes - before
    return added
