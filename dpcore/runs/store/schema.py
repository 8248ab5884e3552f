"""The file of runs: from version to version, and out of a damaged one."""

import itertools
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from dpcore import files
from dpcore.errors import StoreError
from dpcore.language import _
from dpcore.runs.store import folders

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
    """
ALTER TABLE runs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN seal TEXT;
ALTER TABLE datasets ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN seal TEXT;
""",
    """
ALTER TABLE runs ADD COLUMN identity TEXT;
""",
    # From here on messages are JSON: an older version would show it. What it has written itself stays, and is read.
    "",
    """
ALTER TABLE runs ADD COLUMN audit INTEGER;
""",
    # Who computed the epsilon of the last round: see `run_rows.seal_of_epsilon`.
    """
ALTER TABLE runs ADD COLUMN accounted TEXT;
""",
]
VERSION = len(_MIGRATIONS)
MADE = ""  # what `prepare` says of a file that was not there
_LOG_PAGES = 200  # a log of so many is brought into the file
_SETTLE_SECONDS = 0.1
_NO_VERSION = 1000  # none will ever have such a number: it is damaged
# Python cannot decode what SQLite says of a damaged schema.
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)


def connect(path: Path, *, threads: bool = False) -> sqlite3.Connection:
    """Opens an existing file; the caller closes it, in this thread unless it is for all `threads`."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(uri, uri=True, timeout=30, check_same_thread=not threads)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda content: content.decode(errors="replace")  # one odd byte must not hide all rows
    db.execute("PRAGMA foreign_keys = ON")
    db.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    return db


def settle(db: sqlite3.Connection) -> None:
    """Brings the log into the file and empties it, as far as nobody reads just now: a log that is lost takes less along.

    Emptied, as what is there already must not come back from a part of the log, over what is newer.
    """
    with suppress(sqlite3.Error):
        db.execute(f"PRAGMA busy_timeout = {int(1000 * _SETTLE_SECONDS)}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def prepare(path: Path) -> str | None:
    """Makes a file of runs usable: makes it, brings it up to date, or replaces a damaged one by what can be read.

    The caller keeps others from doing the same at the same time, and then holds the file against what else is known
    (`dpcore.runs.store.recovery`).

    Returns:
        `None` where it was whole, `MADE` where it was not there, else the name under which the damaged one is kept.

    Raises:
        StoreError: If the file is of a newer version.
        sqlite3.Error, OSError: If it cannot be opened or made.
    """
    if not path.exists() or path.stat().st_size == 0:
        _replace(path, aside=None)
        return MADE
    try:
        with closing(connect(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if VERSION < version < _NO_VERSION:
                message = _(
                    "Expected {file} to be of version {version} or older, found {found}: it was written by a newer "
                    "version of Epsilon Lab. Use that one, or another --home."
                )
                raise StoreError(message.format(file=path, version=VERSION, found=version))
            # Of indexes too: with a part of its log, a file has pages of two times, each of which looks whole.
            found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found == "ok" and 0 < version <= VERSION:
                _migrate(db, version)
                return None
    except DAMAGE as err:
        if not is_damage(err):
            raise
    return replace_damaged(path)


def is_damage(err: Exception) -> bool:
    """Whether something is wrong with what is in a file; not where it is locked, full or not allowed."""
    if isinstance(
        err, sqlite3.OperationalError
    ):  # a format or a table that there is not; a log that ends before its end
        return getattr(err, "sqlite_errorname", "") in ("SQLITE_ERROR", "SQLITE_IOERR_SHORT_READ")
    return isinstance(err, DAMAGE)


def replace_damaged(path: Path) -> str:
    """Puts a whole file in the place of a damaged one; returns the name under which that one is kept."""
    aside = _free_name(path)
    _replace(path, aside=aside)
    return aside.name


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
    with closing(connect(fresh)) as db:
        db.execute("PRAGMA foreign_keys = OFF")  # rounds of a run that is still to be read back from its folder
        with db:
            _migrate(db, 0)
            if aside:
                with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # without the log, should it be that
                    alone = shutil.copyfile(path, Path(folder) / path.name)
                    _read_damaged([path, alone], db)
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


def _read_damaged(copies: Sequence[Path], db: sqlite3.Connection) -> None:
    """Fills a new file with what can be read of a damaged one, of whose copies the first knows most."""
    for damaged in copies:
        _salvage(damaged, db, "runs")
    runs = {run_id for (run_id,) in db.execute("SELECT run_id FROM runs WHERE typeof(run_id) = 'text'")}
    runs.update(folders.names(copies[0].parent / "runs"))
    for damaged in copies:
        for run_id in sorted(runs):
            _salvage(damaged, db, "rounds", "run_id = ?", run_id)
        for table in ("datasets", "settings", "studies", "study_runs"):
            _salvage(damaged, db, table)
    # What was lost may have been released: the ledger goes on charging it. Of a run with a seal its folder knows more.
    db.execute(
        "UPDATE runs SET drawing = 1 WHERE drawing IS NULL AND seal IS NULL "
        "AND (status NOT IN ('queued', 'cancelled') OR started IS NOT NULL) AND NOT EXISTS "
        "(SELECT 1 FROM rounds WHERE rounds.run_id = runs.run_id AND round > 0)"
    )


def _salvage(damaged: Path, db: sqlite3.Connection, table: str, where: str = "1", *values: str) -> None:
    """Copies every row of a table that can be read, from both ends up to what is broken."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    known = {row[1] for row in columns}
    keys = ["rowid"] if table == "runs" else [row[1] for row in columns if row[5]]
    for direction in ("ASC", "DESC"):
        with suppress(*DAMAGE), closing(connect(damaged)) as old:
            old.execute("PRAGMA writable_schema = ON")  # else not a row is read of a file that ends too early
            order = ", ".join(f"{key} {direction}" for key in keys)
            for row in old.execute(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}", values):
                names = [name for name in row.keys() if name in known]  # noqa: SIM118
                with suppress(sqlite3.Error):  # such as a row of which a part is nonsense
                    db.execute(
                        f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
                        [row[name] for name in names],
                    )
