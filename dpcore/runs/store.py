"""Every run and every round of it, in one SQLite file that many processes read and write."""

import functools
import json
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from dpcore import files, limits
from dpcore.errors import CheckpointError, InvalidValueError, RunNotFoundError, StoreError
from dpcore.locks import lock
from dpcore.plan import Plan, PrivacyPlan
from dpcore.rounds import Round
from dpcore.runs import schema

ACTIVE = ("queued", "running")
RESUMABLE = ("interrupted", "stopped", "failed")
ENDED = (*RESUMABLE, "finished", "cancelled")
_PARALLEL = "parallel"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the store knows it.

    Attributes:
        status: queued, running, finished; stopped (by a person, or because the loss diverged); interrupted (its
            worker is gone); failed; cancelled (before it began).
        position: Its place in the queue; lower is earlier.
        beat: The machine's monotonic clock when its worker last said something; a jump of the wall clock does
            not move it.
        drawing: The round that was being drawn when it was last heard of, where that cannot be repeated exactly.
        redrawn: Rounds that were drawn again because they could not be repeated exactly. The ledger charges them.
        attempts: How often it began since its last new round.
        deleted: When it was put into the bin; `None` if it is not there.
        last_round: The last round that is known; `None` before the first.
        accuracy: Of the last evaluated round.
        epsilon: Spent up to the last round.
        seconds: Spent on its rounds.
    """

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
    position: int
    name: str
    tags: str
    note: str
    stop_when_diverging: bool
    attempts: int
    beat: float | None
    drawing: int | None
    redrawn: int
    deleted: float | None
    last_round: int | None = None
    accuracy: float | None = None
    epsilon: float = 0.0
    seconds: float = 0.0

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def complete(self) -> bool:
        """Whether all its rounds are done."""
        return self.last_round == self.plan.privacy.rounds

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or self.run_id

    @property
    def may_have_released(self) -> bool:
        """Whether somebody may have seen a round of it, or still may."""
        lost_in_a_round = self.status == "interrupted" and self.last_round is not None
        known = bool(self.last_round) or self.drawing is not None or self.redrawn > 0
        return self.active or self.status == "finished" or lost_in_a_round or known

    @property
    def charged(self) -> PrivacyPlan:
        """The plan of all rounds that were drawn: planned, and drawn again."""
        return replace(self.plan.privacy, rounds=self.plan.privacy.rounds + self.redrawn)


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


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """A study as the store knows it.

    Attributes:
        spec: What it asks, as JSON; `dpcore.runs.studies` reads it.
        going: Whether its next runs are queued as soon as they are known.
        message: Why it does not go on, where that is not for want of time.
        runs: The ids of its runs, by their part in it.
    """

    study_id: str
    created: float
    spec: str
    going: bool
    message: str
    runs: dict[str, list[str]]


_DERIVED = {
    "last_round": "(SELECT max(round) FROM rounds WHERE rounds.run_id = runs.run_id)",
    "accuracy": "(SELECT accuracy FROM rounds WHERE rounds.run_id = runs.run_id AND accuracy IS NOT NULL "
    "ORDER BY round DESC LIMIT 1)",
    "epsilon": "coalesce((SELECT epsilon FROM rounds WHERE rounds.run_id = runs.run_id ORDER BY round DESC LIMIT 1), 0)",
    "seconds": "(SELECT coalesce(sum(seconds), 0) FROM rounds WHERE rounds.run_id = runs.run_id)",
}
_RUN_COLUMNS = ", ".join(
    f"{_DERIVED[field.name]} AS {field.name}" if field.name in _DERIVED else field.name for field in fields(Run)
)
_ROUND_COLUMNS = ", ".join(field.name for field in fields(Round))


class Store:
    """The runs under one home folder.

    Each method opens its own connection, so a store may be shared between threads and forked processes. A damaged
    file is set aside when a store is opened, and what can be read of it is kept.

    Args:
        home: The folder (`dpcore.home.folder`); made if it is missing.

    Raises:
        StoreError: If the file is of a newer version, or cannot be used; of every method, if it is damaged
            or cannot be written.
    """

    def __init__(self, home: Path):
        self.home = home
        self._path = home / "runs.sqlite"
        with self._explaining():
            home.mkdir(parents=True, exist_ok=True)
            with lock(home / "runs.lock", wait=True):
                schema.prepare(self._path)
                self._keep_missing()
                # Kept open: else the last one to leave removes what readers share, and on a full disk nobody could
                # make it again to read.
                self._open = schema.connect(self._path)
                self._open.execute("SELECT count(*) FROM runs").fetchone()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as err:
            if isinstance(err, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            advice = (
                "Free some space, close what locks it, or choose another folder with EPSILON_LAB_HOME or --home."
                if isinstance(err, sqlite3.OperationalError | OSError)
                else "Start the program again: it sets a damaged file aside and keeps what can be read."
            )
            raise StoreError(f"{self._path} cannot be used as the file of runs: {err}. {advice}") from err

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on an error."""
        with self._explaining():
            db = schema.connect(self._path)
            try:
                with db:
                    yield db
            finally:
                db.close()

    def _change(self, sql: str, *values: Any) -> bool:
        """Runs one statement; whether it changed a row."""
        with self._connection() as db:
            return db.execute(sql, values).rowcount > 0

    def folder(self, run_id: str) -> Path:
        """Where a run keeps its log, lock, checkpoint and weights."""
        return self.home / "runs" / run_id

    def create(self, plan: Plan, *, engine: str, eval_every: int, stop_when_diverging: bool = False) -> str:
        """Queues a run behind all others and returns its id."""
        run_id, created = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:8], time.time()
        values = {"created": created, "plan": plan.to_json(), "engine": engine, "eval_every": eval_every}
        with self._explaining():
            self.folder(run_id).mkdir(parents=True)
            self._keep(run_id, values | {"redrawn": 0})
        with self._connection() as db:
            db.execute(
                "INSERT INTO runs (run_id, created, plan, engine, eval_every, stop_when_diverging, position) "
                "VALUES (?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM runs))",
                (run_id, *values.values(), stop_when_diverging),
            )
        return run_id

    def _keep(self, run_id: str, values: dict) -> None:
        """Writes into the run's own folder what its ledger needs, should the file of runs be lost."""
        target = self.folder(run_id) / schema.PLAN_FILE
        told = {name: values[name] for name in (*schema.KEPT, "purged") if name in values}
        files.write(target, json.dumps(told).encode())

    def _keep_missing(self) -> None:
        """Writes what an older version has not written into the runs' folders."""
        with self._connection() as db:
            ids = [row[0] for row in db.execute("SELECT run_id FROM runs")]
        for run_id in ids:
            if self.folder(run_id).exists() and not (self.folder(run_id) / schema.PLAN_FILE).exists():
                with suppress(InvalidValueError):
                    run = self.run(run_id)
                    self._keep(run_id, vars(run) | {"plan": run.plan.to_json()})

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

    def runs(self, *, status: Iterable[str] = (), deleted: bool | None = False) -> list[Run]:
        """Returns runs, the newest first; without those whose plan this version cannot read.

        Args:
            status: Only runs of these; empty for all.
            deleted: Those in the bin, those that are not, or (`None`) both.
        """
        states = tuple(status)
        where = f"status IN ({', '.join('?' * len(states))})" if states else "1"
        in_bin = "deleted IS NOT NULL AND NOT purged"
        where += {None: "", True: f" AND {in_bin}", False: " AND deleted IS NULL"}[deleted]
        with self._connection() as db:
            rows = db.execute(
                f"SELECT {_RUN_COLUMNS} FROM runs WHERE {where} ORDER BY created DESC, rowid DESC", states
            ).fetchall()
        readable = []
        for row in rows:
            with suppress(InvalidValueError):  # one odd row must not hide all others
                readable.append(_run(row))
        return readable

    def unreadable(self) -> list[tuple[str, str | None]]:
        """Returns the ids of the runs whose plan cannot be read, with their data set where that much is known."""
        with self._connection() as db:
            rows = db.execute("SELECT run_id, plan FROM runs WHERE status != 'cancelled'").fetchall()
        found = []
        for run_id, text in rows:
            try:
                _plan(text)
            except InvalidValueError:
                dataset = None
                with suppress(ValueError, KeyError, TypeError):
                    dataset = json.loads(text)["training"]["dataset"]
                found.append((run_id, dataset))
        return found

    def queue(self) -> list[Run]:
        """Returns the queued runs, in the order in which they will begin."""
        return sorted(self.runs(status=["queued"]), key=lambda run: (run.position, run.created))

    def rounds(self, run_id: str, after: int = -1) -> list[Round]:
        """Returns the rounds of a run that come after round `after`, in order."""
        with self._connection() as db:
            rows = db.execute(
                f"SELECT {_ROUND_COLUMNS} FROM rounds WHERE run_id = ? AND round > ? ORDER BY round",
                (run_id, after),
            ).fetchall()
        return [Round(**dict(row)) for row in rows]

    def curves(self, metric: str) -> dict[str, list[float]]:
        """Returns one evaluated metric of every run, in the order of its rounds."""
        found: dict[str, list[float]] = {}
        with self._connection() as db:
            for run_id, value in db.execute(
                f"SELECT run_id, {metric} FROM rounds WHERE {metric} IS NOT NULL ORDER BY run_id, round"
            ):
                found.setdefault(run_id, []).append(value)
        return found

    def policy(self, dataset: str) -> Policy:
        """Returns what was decided about a data set, or the default."""
        with self._connection() as db:
            row = db.execute("SELECT * FROM datasets WHERE name = ?", (dataset,)).fetchone()
        return Policy(name=dataset) if row is None else Policy(**{**dict(row), "public": bool(row["public"])})

    def set_policy(self, policy: Policy) -> None:
        """Keeps what was decided about a data set."""
        self._change(
            "INSERT OR REPLACE INTO datasets (name, budget_epsilon, budget_delta, public) VALUES (?, ?, ?, ?)",
            policy.name,
            policy.budget_epsilon,
            policy.budget_delta,
            policy.public,
        )

    def _setting(self, name: str) -> Any:
        with self._connection() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def parallel_runs(self) -> int:
        """Returns how many runs train side by side."""
        return self._setting(_PARALLEL) or int(limits.PARALLEL_RUNS.default)

    def set_parallel_runs(self, count: int) -> None:
        """Sets how many runs train side by side; those that train already go on.

        Raises:
            InvalidValueError: If it is no count, or too many.
        """
        count = limits.PARALLEL_RUNS.check(count)
        self._change("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", _PARALLEL, count)

    def recovered(self) -> str:
        """Returns what happened to a damaged file, until somebody has read it; else nothing."""
        return self._setting(schema.RECOVERED) or ""

    def forget_recovered(self) -> None:
        """Notes that somebody has read it."""
        self._change("DELETE FROM settings WHERE name = ?", schema.RECOVERED)

    def create_study(self, spec: str) -> str:
        """Keeps a study and returns its id; that of the one that asks the same, where there is one."""
        study_id = time.strftime("study-%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:8]
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            there = db.execute("SELECT study_id FROM studies WHERE spec = ?", (spec,)).fetchone()
            if there:
                return there[0]
            db.execute(
                "INSERT INTO studies (study_id, created, spec) VALUES (?, ?, ?)", (study_id, time.time(), spec)
            )
        return study_id

    def studies(self, study_id: str | None = None) -> list[StudyRow]:
        """Returns all studies, the newest first; or the one of this id, if there is one."""
        with self._connection() as db:
            found = db.execute("SELECT * FROM studies ORDER BY created DESC, rowid DESC").fetchall()
            members = db.execute("SELECT * FROM study_runs").fetchall()
        rows = []
        for row in found:
            runs: dict[str, list[str]] = {}
            for member in members:
                if member["study_id"] == row["study_id"]:
                    runs.setdefault(member["part"], []).append(member["run_id"])
            rows.append(StudyRow(**{**dict(row), "going": bool(row["going"])}, runs=runs))
        return [row for row in rows if study_id in (None, row.study_id)]

    def attach(self, study_id: str, run_id: str, part: str) -> None:
        """Makes a run part of a study."""
        self._change(
            "INSERT OR IGNORE INTO study_runs (study_id, run_id, part) VALUES (?, ?, ?)", study_id, run_id, part
        )

    def detach(self, study_id: str, run_id: str) -> None:
        """Takes a run out of a study."""
        self._change("DELETE FROM study_runs WHERE study_id = ? AND run_id = ?", study_id, run_id)

    def set_going(self, study_id: str, going: bool, message: str = "") -> None:
        """Sets whether a study queues its next runs, and why not."""
        self._change("UPDATE studies SET going = ?, message = ? WHERE study_id = ?", going, message, study_id)

    def append(self, run_id: str, row: Round) -> None:
        """Adds a round; one that is there already must be the same release, and stays as it is.

        Raises:
            CheckpointError: If it is not: it would be a second release of the round.
        """
        values = [getattr(row, field.name) for field in fields(Round)]
        with self._connection() as db:
            added = db.execute(
                f"INSERT OR IGNORE INTO rounds (run_id, {_ROUND_COLUMNS}) VALUES (?{', ?' * len(values)})",
                (run_id, *values),
            )
            db.execute(
                "UPDATE runs SET beat = ?, drawing = CASE WHEN drawing > ? THEN drawing END, "
                "attempts = CASE WHEN ? THEN 0 ELSE attempts END WHERE run_id = ?",
                (time.monotonic(), row.round, added.rowcount, run_id),
            )
            there = db.execute(
                f"SELECT {_ROUND_COLUMNS} FROM rounds WHERE run_id = ? AND round = ?", (run_id, row.round)
            ).fetchone()
        if not row.repeats(Round(**dict(there))):
            raise CheckpointError(
                f"Expected round {row.round} to come out as it did before the interruption, and it did not: another "
                "machine or another version of TensorFlow adds in another order. Going on would release the round a "
                "second time. Start the plan as a new run."
            )

    def draw(self, run_id: str, round_num: int) -> None:
        """Notes that a round is about to be drawn that could not be drawn again exactly."""
        self._change("UPDATE runs SET drawing = ? WHERE run_id = ?", round_num, run_id)

    def begin(self, run_id: str) -> bool:
        """Marks a queued run as running; `False` if it is no longer queued."""
        return self._change(
            "UPDATE runs SET status = 'running', message = '', attempts = attempts + 1, beat = ?, "
            "started = coalesce(started, ?) WHERE run_id = ? AND status = 'queued' AND deleted IS NULL",
            time.monotonic(),
            time.time(),
            run_id,
        )

    def unbegin(self, run_id: str) -> None:
        """Puts a run back into the queue whose worker could not be started."""
        self._change("UPDATE runs SET status = 'queued' WHERE run_id = ? AND status = 'running'", run_id)

    def say(self, run_id: str, message: str, dataset_fingerprint: str | None = None) -> None:
        """Sets the one line that tells what an active run does; and which data it was given, once known."""
        self._change(
            "UPDATE runs SET message = ?, beat = ?, dataset_fingerprint = coalesce(?, dataset_fingerprint) "
            "WHERE run_id = ?",
            message,
            time.monotonic(),
            dataset_fingerprint,
            run_id,
        )

    def end(self, run_id: str, status: str, message: str = "") -> None:
        """Ends an active run; one that has ended stays as it is."""
        self._change(
            "UPDATE runs SET status = ?, message = ?, ended = ? WHERE run_id = ? AND status IN ('queued', 'running')",
            status,
            message,
            time.time(),
            run_id,
        )

    def request_stop(self, run_id: str) -> None:
        """Asks a running run to stop between two rounds; one that waits leaves the queue at once."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "UPDATE runs SET ended = ?, message = '', status = CASE WHEN EXISTS "
                "(SELECT 1 FROM rounds WHERE rounds.run_id = runs.run_id) THEN 'stopped' ELSE 'cancelled' END "
                "WHERE run_id = ? AND status = 'queued'",
                (time.time(), run_id),
            )
            db.execute("UPDATE runs SET stop_requested = 1 WHERE run_id = ? AND status = 'running'", (run_id,))

    def requeue(self, run: Run, *, redrawn: int) -> bool:
        """Queues a run that has ended before its last round, at its old place; `False` if it cannot go on.

        The caller has made sure that no worker has it.
        """
        with self._explaining():
            self.folder(run.run_id).mkdir(parents=True, exist_ok=True)
            self._keep(run.run_id, vars(run) | {"plan": run.plan.to_json(), "redrawn": redrawn})
        return self._change(
            "UPDATE runs SET status = 'queued', stop_requested = 0, message = '', ended = NULL, beat = NULL, "
            # What is charged as drawn again is no longer noted as lost; anything else stays noted, and charged.
            "drawing = CASE WHEN redrawn < ? THEN NULL ELSE drawing END, redrawn = ? WHERE run_id = ? "
            "AND deleted IS NULL AND status IN ('interrupted', 'stopped', 'failed', 'running')",
            redrawn,
            redrawn,
            run.run_id,
        )

    def move(self, run_id: str, *, before: str | None) -> None:
        """Puts a queued run before another queued one, or (`None`) behind all."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            order = [
                row[0]
                for row in db.execute("SELECT run_id FROM runs WHERE status = 'queued' ORDER BY position, rowid")
                if row[0] != run_id
            ]
            order.insert(order.index(before) if before in order else len(order), run_id)
            first = db.execute("SELECT min(position) FROM runs WHERE status = 'queued'").fetchone()[0]
            if first is not None:
                db.executemany(
                    "UPDATE runs SET position = ? WHERE run_id = ? AND status = 'queued'",
                    [(first + number, queued) for number, queued in enumerate(order)],
                )

    def describe(
        self, run_id: str, *, name: str | None = None, tags: str | None = None, note: str | None = None
    ) -> None:
        """Sets what a person says about a run; `None` leaves it."""
        self._change(
            "UPDATE runs SET name = coalesce(?, name), tags = coalesce(?, tags), note = coalesce(?, note) "
            "WHERE run_id = ?",
            name,
            tags,
            note,
            run_id,
        )

    def delete(self, run_id: str) -> bool:
        """Puts a run that is not active into the bin; `False` if it is active."""
        return self._change(
            "UPDATE runs SET deleted = ? WHERE run_id = ? AND status NOT IN ('queued', 'running')",
            time.time(),
            run_id,
        )

    def restore(self, run_id: str) -> None:
        """Takes a run out of the bin."""
        self._change("UPDATE runs SET deleted = NULL WHERE run_id = ?", run_id)

    def disk_use(self, run_id: str) -> int:
        """Returns the bytes in a run's folder."""
        total = 0
        for found in self.folder(run_id).glob("**/*"):
            with suppress(FileNotFoundError):
                total += found.stat().st_size if found.is_file() else 0
        return total

    def empty_bin(self) -> int:
        """Removes for good what is in the bin; returns the bytes freed.

        The last round of a run that the ledger charges stays, and its plan: what it has spent cannot be undone.
        """
        freed = 0
        for run in self.runs(deleted=True):
            freed += self.disk_use(run.run_id)
            with self._connection() as db:
                if run.may_have_released:
                    db.execute(
                        "DELETE FROM rounds WHERE run_id = ? AND round < ?", (run.run_id, run.last_round or 0)
                    )
                    db.execute("UPDATE runs SET purged = 1 WHERE run_id = ?", (run.run_id,))
                    with suppress(OSError):  # should the folder be gone, the file of runs still knows
                        self._keep(run.run_id, vars(run) | {"plan": run.plan.to_json(), "purged": 1})
                else:
                    db.execute("DELETE FROM runs WHERE run_id = ?", (run.run_id,))
            for found in self.folder(run.run_id).glob("*"):
                if found.name != schema.PLAN_FILE or not run.may_have_released:
                    shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
        return freed


# Pages look at all runs every second or two, and a plan never changes.
_plan = functools.lru_cache(maxsize=4096)(Plan.from_json)


def _run(row: sqlite3.Row) -> Run:
    values = dict(row)
    values["plan"] = _plan(values["plan"])
    for name in ("stop_requested", "stop_when_diverging"):
        values[name] = bool(values[name])
    return Run(**values)
