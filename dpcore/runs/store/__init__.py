"""Every run and every round of it, in one SQLite file that many processes read and write."""

import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from dpcore import messages, strict_json
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import InvalidValueError
from dpcore.plan import Plan, identity
from dpcore.rounds import Round, second_release
from dpcore.runs.store import folders, order
from dpcore.runs.store.database import not_found
from dpcore.runs.store.decisions import Decisions
from dpcore.runs.store.run_rows import ROUND_COLUMNS, RUN_COLUMNS, Run, read_plan, read_run, seal_of_epsilon
from dpcore.runs.store.study_rows import StudyRows


class Store(Decisions, StudyRows):
    """The runs under one home folder, with all else that is in their file.

    What is decided for all runs, and studies, have modules of their own, but no objects of their own:
    `dpcore.runs.access.visiting` sorts the methods of this class, inherited ones too, into what visitors may call.
    """

    def folder(self, run_id: str) -> Path:
        """Where a run keeps its log, lock, checkpoint and weights."""
        return self.home / "runs" / run_id

    def create(
        self,
        plan: Plan,
        *,
        engine: str,
        eval_every: int,
        stop_when_diverging: bool = False,
        owner: str = "",
        cluster: ClusterConfiguration | None = None,
        audit: int | None = None,
    ) -> str:
        """Queues a run behind all others and returns its id; a visitor's, before those whose owners had more turns."""
        name = identity.of_run(plan.fingerprint, audit)
        run_id, created = time.strftime("%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:8], time.time()
        if cluster is not None:  # before anybody can begin it
            self.set_cluster(cluster, run_id)
        with self._changing_run(run_id) as db:
            db.execute(
                "INSERT INTO runs "
                "(run_id, created, plan, identity, engine, eval_every, stop_when_diverging, owner, audit, position) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(position), 0) + 1 FROM runs))",
                (run_id, created, plan.to_json(), name, engine, eval_every, stop_when_diverging, owner, audit),
            )
            if owner:
                order.take_turns(db, run_id, owner)
        return run_id

    def run(self, run_id: str) -> Run:
        """Returns one run.

        Raises:
            RunNotFoundError: If there is none of this id.
        """
        with self._connection() as db:
            row = db.execute(f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise not_found(run_id)
        return read_run(row)

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
                f"SELECT {RUN_COLUMNS} FROM runs WHERE {where} ORDER BY created DESC, rowid DESC", states
            ).fetchall()
        readable = []
        for row in rows:
            with suppress(InvalidValueError):  # one odd row must not hide all others
                readable.append(read_run(row))
        return readable

    def unreadable(self) -> list[tuple[str, str | None]]:
        """Returns the ids of the runs whose plan cannot be read, with their data set where that much is known."""
        with self._connection() as db:
            rows = db.execute("SELECT run_id, plan FROM runs WHERE status != 'cancelled'").fetchall()
        found = []
        for run_id, text in rows:
            try:
                read_plan(text)
            except InvalidValueError:
                dataset = None
                with suppress(ValueError, KeyError, TypeError):
                    dataset = strict_json.loads(text)["training"]["dataset"]
                found.append((run_id, dataset if isinstance(dataset, str) else None))
        return found

    def queue(self) -> list[Run]:
        """Returns the queued runs, in the order in which they will begin."""
        return sorted(self.runs(status=["queued"]), key=lambda run: (run.position, run.created))

    def rounds(self, run_id: str, after: int = -1) -> list[Round]:
        """Returns the rounds of a run that come after round `after`, in order."""
        with self._connection() as db:
            rows = db.execute(
                f"SELECT {ROUND_COLUMNS} FROM rounds WHERE run_id = ? AND round > ? ORDER BY round",
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

    def evaluations(self) -> dict[str, list[tuple[int, float]]]:
        """Returns the accuracies of every run, each with its round, in order."""
        found: dict[str, list[tuple[int, float]]] = {}
        with self._connection() as db:
            for run_id, number, value in db.execute(
                "SELECT run_id, round, accuracy FROM rounds WHERE accuracy IS NOT NULL ORDER BY run_id, round"
            ):
                found.setdefault(run_id, []).append((number, value))
        return found

    def append(self, run_id: str, row: Round) -> None:
        """Adds a round; one that is there already must be the same release, and stays as it is.

        Raises:
            CheckpointError: If it is not: it would be a second release of the round.
        """
        values = [getattr(row, field.name) for field in fields(Round)]
        with self._in_a_round(run_id) as db:
            added = db.execute(
                f"INSERT OR IGNORE INTO rounds (run_id, {ROUND_COLUMNS}) VALUES (?{', ?' * len(values)})",
                (run_id, *values),
            )
            db.execute(
                "UPDATE runs SET beat = ?, drawing = CASE WHEN drawing > ? THEN drawing END, "
                "attempts = CASE WHEN ? THEN 0 ELSE attempts END WHERE run_id = ?",
                (time.monotonic(), row.round, added.rowcount, run_id),
            )
            if added.rowcount:
                plan, redrawn = db.execute("SELECT plan, redrawn FROM runs WHERE run_id = ?", (run_id,)).fetchone()
                seal = seal_of_epsilon(plan, redrawn, row.epsilon)
                db.execute("UPDATE runs SET accounted = ? WHERE run_id = ?", (seal, run_id))
            there = db.execute(
                f"SELECT {ROUND_COLUMNS} FROM rounds WHERE run_id = ? AND round = ?", (run_id, row.round)
            ).fetchone()
        if not row.repeats(Round(**dict(there))):
            raise second_release(row.round)

    def draw(self, run_id: str, round_num: int) -> None:
        """Notes that a round is about to be drawn that could not be drawn again exactly."""
        with self._in_a_round(run_id) as db:
            db.execute("UPDATE runs SET drawing = ? WHERE run_id = ?", (round_num, run_id))

    def begin(self, run_id: str) -> bool:
        """Marks a queued run as running; `False` if it is no longer queued."""
        return self._change_run(
            run_id,
            "UPDATE runs SET status = 'running', message = '', attempts = attempts + 1, beat = ?, "
            "started = coalesce(started, ?) WHERE status = 'queued' AND deleted IS NULL AND run_id = ?",
            time.monotonic(),
            time.time(),
        )

    def unbegin(self, run_id: str) -> None:
        """Puts a run back into the queue whose worker could not be started."""
        self._change_run(run_id, "UPDATE runs SET status = 'queued' WHERE status = 'running' AND run_id = ?")

    def say(self, run_id: str, message: str, dataset_fingerprint: str | None = None) -> None:
        """Sets the one line that tells what an active run does; and which data it was given, once known."""
        said = (messages.to_json(message), time.monotonic(), run_id)
        with self._connection() as db:
            db.execute("UPDATE runs SET message = ?, beat = ? WHERE run_id = ?", said)
        if dataset_fingerprint is not None:
            self._change_run(
                run_id, "UPDATE runs SET dataset_fingerprint = ? WHERE run_id = ?", dataset_fingerprint
            )

    def end(self, run_id: str, status: str, message: str = "") -> None:
        """Ends an active run; one that has ended stays as it is.

        What waits cannot be interrupted: somebody has resumed it since its worker was found gone.
        """
        active = "'running'" if status == "interrupted" else "'queued', 'running'"
        self._change_run(
            run_id,
            f"UPDATE runs SET status = ?, message = ?, ended = ? WHERE status IN ({active}) AND run_id = ?",
            status,
            messages.to_json(message),
            time.time(),
        )

    def request_stop(self, run_id: str) -> None:
        """Asks a running run to stop between two rounds; one that waits leaves the queue at once."""
        with self._changing_run(run_id) as db:
            db.execute(
                "UPDATE runs SET ended = ?, message = '', status = CASE WHEN EXISTS "
                "(SELECT 1 FROM rounds WHERE rounds.run_id = runs.run_id) THEN 'stopped' ELSE 'cancelled' END "
                "WHERE run_id = ? AND status = 'queued'",
                (time.time(), run_id),
            )
            db.execute("UPDATE runs SET stop_requested = 1 WHERE run_id = ? AND status = 'running'", (run_id,))

    def requeue(self, run: Run, *, redrawn: int, behind: bool = False) -> bool:
        """Queues a run that has ended before its last round; `False` if it cannot go on.

        At its old place, or (`behind`) as one that is new. The caller has made sure that no worker has it.
        """
        with self._changing_run(run.run_id) as db:
            changed = db.execute(
                "UPDATE runs SET status = 'queued', stop_requested = 0, message = '', ended = NULL, beat = NULL, "
                # What is charged as drawn again is no longer noted as lost; anything else stays noted, and charged.
                "drawing = CASE WHEN redrawn < ? THEN NULL ELSE drawing END, redrawn = ? WHERE run_id = ? "
                "AND deleted IS NULL AND status IN ('interrupted', 'stopped', 'failed', 'running')",
                (redrawn, redrawn, run.run_id),
            )
            if behind and changed.rowcount:
                order.take_turns(db, run.run_id, run.owner)
        return changed.rowcount > 0

    def move(self, run_id: str, *, before: str | None) -> None:
        """Puts a queued run before another queued one, or (`None`) behind all."""
        with self._changing() as db:
            order.move(db, run_id, before=before)

    def describe(
        self, run_id: str, *, name: str | None = None, tags: str | None = None, note: str | None = None
    ) -> None:
        """Sets what a person says about a run; `None` leaves it."""
        self._change_run(
            run_id,
            "UPDATE runs SET name = coalesce(?, name), tags = coalesce(?, tags), note = coalesce(?, note) "
            "WHERE run_id = ?",
            name,
            tags,
            note,
        )

    def delete(self, run_id: str) -> bool:
        """Puts a run that is not active into the bin; `False` if it is active."""
        return self._change_run(
            run_id,
            "UPDATE runs SET deleted = ? WHERE status NOT IN ('queued', 'running') AND run_id = ?",
            time.time(),
        )

    def restore(self, run_id: str) -> None:
        """Takes a run out of the bin."""
        self._change_run(run_id, "UPDATE runs SET deleted = NULL WHERE NOT purged AND run_id = ?")

    def empty_bin(self) -> int:
        """Removes for good what is in the bin; returns the bytes freed.

        The last round of a run that the ledger charges stays, and its plan: what it has spent cannot be undone.
        """
        freed = 0
        for run in self.runs(deleted=True):
            folder = self.folder(run.run_id)
            freed += folders.size(folder)
            with self._changing_run(run.run_id) as db:
                if run.may_have_released:
                    db.execute(
                        "DELETE FROM rounds WHERE run_id = ? AND round < ?", (run.run_id, run.last_round or 0)
                    )
                    db.execute("UPDATE runs SET purged = 1 WHERE run_id = ?", (run.run_id,))
                else:
                    folders.clear(folder, charged=False)
                    db.execute("DELETE FROM runs WHERE run_id = ?", (run.run_id,))
            if run.may_have_released:
                folders.clear(folder, charged=True)
        return freed
