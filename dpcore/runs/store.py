"""Every run and every round of it, in one SQLite file that many processes read and write."""

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

from dpcore import limits
from dpcore.errors import InvalidValueError, RunNotFoundError, StoreError
from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.rounds import Round

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
]
SCHEMA_VERSION = len(_MIGRATIONS)

ACTIVE = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the store knows it. `status`: queued, running, finished, stopped or failed."""

    run_id: str
    created: float
    plan: Plan
    engine: str
    eval_every: int
    status: str
    message: str
    stop_requested: bool
    dataset_fingerprint: str | None
    started: float | None
    ended: float | None

    @property
    def active(self) -> bool:
        return self.status in ACTIVE


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


_RUN_COLUMNS = ", ".join(field.name for field in fields(Run))
_ROUND_COLUMNS = ", ".join(field.name for field in fields(Round))


class Store:
    """The runs under one home folder.

    Each method opens its own connection, so a store may be shared between threads and forked processes.

    Args:
        home: The folder (`dpcore.home.folder`); made if it is missing.

    Raises:
        StoreError: If the file is not a store of this version.
    """

    def __init__(self, home: Path):
        self.home = home
        self._path = home / "runs.sqlite"
        try:
            home.mkdir(parents=True, exist_ok=True)
            with lock(home / "runs.lock", wait=True), self._connection() as db:
                version = db.execute("PRAGMA user_version").fetchone()[0]
                if version > SCHEMA_VERSION:
                    raise StoreError(
                        f"Expected {self._path} to be of version {SCHEMA_VERSION} or older, found {version}: it was "
                        "written by a newer version of Epsilon Lab. Use that one, or another --home."
                    )
                if version == 0:
                    db.execute("PRAGMA journal_mode = WAL")
                for step in range(version, SCHEMA_VERSION):
                    db.executescript(f"BEGIN; {_MIGRATIONS[step]} PRAGMA user_version = {step + 1}; COMMIT;")
        except (sqlite3.DatabaseError, OSError) as err:
            raise StoreError(
                f"{self._path} cannot be used as the file of runs: {err}. Move it away, or choose another "
                "folder with EPSILON_LAB_HOME or --home."
            ) from err

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on an error."""
        db = sqlite3.connect(self._path, timeout=30)
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA foreign_keys = ON")
            with db:
                yield db
        finally:
            db.close()

    def folder(self, run_id: str) -> Path:
        """Where a run keeps its log, lock and weights."""
        return self.home / "runs" / run_id

    def create(self, plan: Plan, *, engine: str, eval_every: int) -> str:
        """Queues a run and returns its id."""
        run_id = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:8]
        self.folder(run_id).mkdir(parents=True)
        with self._connection() as db:
            db.execute(
                "INSERT INTO runs (run_id, created, plan, engine, eval_every) VALUES (?, ?, ?, ?, ?)",
                (run_id, time.time(), plan.to_json(), engine, eval_every),
            )
        return run_id

    def run(self, run_id: str) -> Run:
        """Returns one run.

        Raises:
            RunNotFoundError: If there is none of this id.
        """
        with self._connection() as db:
            row = db.execute(f"SELECT {_RUN_COLUMNS} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise RunNotFoundError(f"No run has the id {run_id!r}. List them with: python -m dpcore runs list")
        return _run(row)

    def runs(self) -> list[Run]:
        """Returns all runs, the newest first; without those whose plan this version cannot read."""
        with self._connection() as db:
            rows = db.execute(f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY created DESC, rowid DESC").fetchall()
        readable = []
        for row in rows:
            with suppress(InvalidValueError):  # one odd row must not hide all others
                readable.append(_run(row))
        return readable

    def rounds(self, run_id: str, after: int = -1) -> list[Round]:
        """Returns the rounds of a run that come after round `after`, in order."""
        with self._connection() as db:
            rows = db.execute(
                f"SELECT {_ROUND_COLUMNS} FROM rounds WHERE run_id = ? AND round > ? ORDER BY round",
                (run_id, after),
            ).fetchall()
        return [Round(**dict(row)) for row in rows]

    def released(self) -> set[str]:
        """Returns the ids of the runs of which at least one round is known."""
        with self._connection() as db:
            return {row[0] for row in db.execute("SELECT DISTINCT run_id FROM rounds WHERE round > 0")}

    def policy(self, dataset: str) -> Policy:
        """Returns what was decided about a data set, or the default."""
        with self._connection() as db:
            row = db.execute("SELECT * FROM datasets WHERE name = ?", (dataset,)).fetchone()
        return Policy(name=dataset) if row is None else Policy(**{**dict(row), "public": bool(row["public"])})

    def set_policy(self, policy: Policy) -> None:
        """Keeps what was decided about a data set."""
        with self._connection() as db:
            db.execute(
                "INSERT OR REPLACE INTO datasets (name, budget_epsilon, budget_delta, public) VALUES (?, ?, ?, ?)",
                (policy.name, policy.budget_epsilon, policy.budget_delta, policy.public),
            )

    def append(self, run_id: str, row: Round) -> None:
        """Adds a round. A round that is there already is an error: it would be a second release."""
        values = [getattr(row, field.name) for field in fields(Round)]
        with self._connection() as db:
            db.execute(
                f"INSERT INTO rounds (run_id, {_ROUND_COLUMNS}) VALUES (?{', ?' * len(values)})",
                (run_id, *values),
            )

    def begin(self, run_id: str) -> bool:
        """Marks a queued run as running; `False` if it is no longer queued."""
        with self._connection() as db:
            changed = db.execute(
                "UPDATE runs SET status = 'running', started = ? WHERE run_id = ? AND status = 'queued'",
                (time.time(), run_id),
            )
            return changed.rowcount == 1

    def say(self, run_id: str, message: str, dataset_fingerprint: str | None = None) -> None:
        """Sets the one line that tells what an active run does; and which data it was given, once known."""
        with self._connection() as db:
            db.execute(
                "UPDATE runs SET message = ?, dataset_fingerprint = coalesce(?, dataset_fingerprint) "
                "WHERE run_id = ?",
                (message, dataset_fingerprint, run_id),
            )

    def end(self, run_id: str, status: str, message: str = "") -> None:
        """Ends an active run; one that has ended stays as it is."""
        with self._connection() as db:
            db.execute(
                "UPDATE runs SET status = ?, message = ?, ended = ? "
                "WHERE run_id = ? AND status IN ('queued', 'running')",
                (status, message, time.time(), run_id),
            )

    def request_stop(self, run_id: str) -> None:
        """Asks a run to stop between two rounds."""
        with self._connection() as db:
            db.execute(
                "UPDATE runs SET stop_requested = 1 WHERE run_id = ? AND status IN ('queued', 'running')", (run_id,)
            )


def _run(row: sqlite3.Row) -> Run:
    values = dict(row)
    values["plan"] = Plan.from_json(values["plan"])
    values["stop_requested"] = bool(values["stop_requested"])
    return Run(**values)
