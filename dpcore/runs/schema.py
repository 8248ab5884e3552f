"""The file of runs: from version to version, and out of a damaged one."""

import itertools
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from dpcore import files
from dpcore.errors import StoreError
from dpcore.language import _
from dpcore.runs import folders

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
    """
CREATE TABLE studies (
    study_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    spec TEXT NOT NULL,
    going INTEGER NOT NULL DEFAULT 1,
    message TEXT NOT NULL DEFAULT ''
);
CREATE TABLE study_runs (
    study_id TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
    run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
    part TEXT NOT NULL,
    PRIMARY KEY (study_id, run_id)
) WITHOUT ROWID;
""",
    """
ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE studies ADD COLUMN owner TEXT NOT NULL DEFAULT '';
""",
]
VERSION = len(_MIGRATIONS)
RECOVERED = "recovered"  # the setting that tells what happened to a damaged file


def connect(path: Path) -> sqlite3.Connection:
    """Opens an existing file; the caller closes it."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda content: content.decode(errors="replace")  # one odd byte must not hide all rows
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
                message = _(
                    "Expected {file} to be of version {version} or older, found {found}: it was written by a newer "
                    "version of Epsilon Lab. Use that one, or another --home."
                )
                raise StoreError(message.format(file=path, version=VERSION, found=version))
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
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (path.with_name(f"{path.stem}.damaged-{stamp}-{number}.sqlite") for number in itertools.count())
    return next(name for name in names if not name.exists())


def _replace(path: Path, aside: Path | None) -> None:
    """Puts a whole file at `path`: with what can be read of the old one, which is kept as `aside`."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(0o600)
    with closing(connect(fresh)) as db, db:
        _migrate(db, 0)
        if aside:
            _salvage(path, db, "runs")
        folders.read_back(path.parent / "runs", db)
        if aside:
            for (run_id,) in db.execute("SELECT run_id FROM runs").fetchall():
                _salvage(path, db, "rounds", "run_id = ?", run_id)
            for table in ("datasets", "settings", "studies", "study_runs"):
                _salvage(path, db, table)
        # What was lost may have been released: the ledger goes on charging it.
        db.execute(
            "UPDATE runs SET drawing = 1 WHERE drawing IS NULL "
            "AND (status NOT IN ('queued', 'cancelled') OR started IS NOT NULL) AND NOT EXISTS "
            "(SELECT 1 FROM rounds WHERE rounds.run_id = runs.run_id AND round > 0)"
        )
        runs, rounds = (db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("runs", "rounds"))
        if aside or runs:
            message = (
                f"The file of runs was {f'damaged; it is kept as {aside.name}' if aside else 'lost'}. {runs} runs and "
                f"{rounds} rounds could be read back. A budget that was set may be lost: look at the Ledger."
            )
            db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (RECOVERED, message))
    with closing(connect(fresh)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    files.to_disk(fresh)
    if aside:
        os.link(path, aside)
    for suffix in ("-wal", "-shm"):  # they belong to the old file: beside the new one they would be its ruin
        beside = path.with_name(path.name + suffix)
        if aside and beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
        else:
            beside.unlink(missing_ok=True)
    fresh.replace(path)
    files.to_disk(path.parent)


def _salvage(damaged: Path, db: sqlite3.Connection, table: str, where: str = "1", *values: str) -> None:
    """Copies every row of a table that can be read, from both ends up to what is broken."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    known = {row[1] for row in columns}
    keys = ["rowid"] if table == "runs" else [row[1] for row in columns if row[5]]
    for direction in ("ASC", "DESC"):
        with suppress(sqlite3.Error), closing(connect(damaged)) as old:
            old.execute("PRAGMA writable_schema = ON")  # else not a row is read of a file that ends too early
            order = ", ".join(f"{key} {direction}" for key in keys)
            for row in old.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}", values):
                names = [name for name in row.keys() if name in known]  # noqa: SIM118
                with suppress(sqlite3.Error):  # such as a row of which a part is nonsense
                    db.execute(
                        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                        [row[name] for name in names],
                    )
