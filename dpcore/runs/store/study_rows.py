"""Studies as the store knows them, and which runs belong to them."""

import time
import uuid
from dataclasses import dataclass

from dpcore import messages
from dpcore.runs.store.database import Database


@dataclass(frozen=True, kw_only=True)
class StudyRow:
    """A study as the store knows it.

    Attributes:
        spec: What it asks, as JSON; `dpcore.runs.study` reads it.
        going: Whether its next runs are queued as soon as they are known.
        message: Why it does not go on, where that is not for want of time; as that of a `Run`.
        runs: The ids of its runs, by their part in it.
        owner: Whose it is; see `Run`.
    """

    study_id: str
    created: float
    spec: str
    going: bool
    message: str
    runs: dict[str, list[str]]
    owner: str


class StudyRows(Database):
    """The file of runs as far as studies go."""

    def create_study(self, spec: str, owner: str = "") -> str:
        """Keeps a study and returns its id; that of the one of this owner that asks the same, where there is one."""
        study_id = time.strftime("study-%Y%m%d-%H%M%S-") + uuid.uuid4().hex[:8]
        with self._changing() as db:
            there = db.execute(
                "SELECT study_id FROM studies WHERE spec = ? AND owner = ?", (spec, owner)
            ).fetchone()
            if there:
                return str(there[0])
            db.execute(
                "INSERT INTO studies (study_id, created, spec, owner) VALUES (?, ?, ?, ?)",
                (study_id, time.time(), spec, owner),
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
            said = {"going": bool(row["going"]), "message": messages.from_json(row["message"])}
            rows.append(StudyRow(**dict(row) | said, runs=runs))
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
        said = messages.to_json(message)
        self._change("UPDATE studies SET going = ?, message = ? WHERE study_id = ?", going, said, study_id)
