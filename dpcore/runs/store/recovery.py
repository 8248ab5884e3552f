"""The file of runs held against what is written beside it, so that whatever becomes of files, no charge is forgotten.

Each run's folder says all that its ledger needs (`dpcore.runs.store.folders`), and is written in the transaction that
changes the run's row, before the row is there. Both have a revision and a seal. What is whole and newer holds; what can
be read in neither is a run that may have spent anything.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dpcore import limits, messages
from dpcore.errors import InvalidValueError
from dpcore.language import N_, Message
from dpcore.locks import is_held
from dpcore.runs.store import folders, policies, schema
from dpcore.runs.store.run_rows import ACTIVE, may_have_released, read_plan

RECOVERED = "recovered"  # the setting that tells what was read back, until somebody has read that
_READ_BACK, _NOTED, _UNREADABLE = "read back", "noted", "unreadable"
_TOLD = {
    _READ_BACK: N_("Runs read back from their folders, with what they have spent: {count}."),
    _UNREADABLE: N_("Runs that can be read nowhere, so that nothing is guaranteed any more: {count}."),
    _NOTED: N_("Folders whose note of their run was damaged, and is written anew: {count}."),
}
_DAMAGED = N_("The file of runs was damaged; it is kept as {file}.")
_LOST = N_("The file of runs was lost.")
_BEHIND = N_("The file of runs was not as it had been left.")
_ROUNDS = N_("Rounds that could be read of it: {count}.")
_POLICIES_READ_BACK = N_("What was decided about the budget or the public mark was read back for: {names}.")
_POLICIES_LOST = N_(
    "What was decided about budgets and public marks is lost: until it is decided anew on the Ledger, every budget is 0 "
    "and nothing is public."
)
_POLICIES_KEPT = N_("Every budget and public mark is as it was.")
_MESSAGE = N_("Read back from its folder: the file of runs did not have it any more.")
# How far it was is not known: a round may have been lost, and nobody begins it again unasked.
_UNKNOWN = {"attempts": 1000, "beat": None, "stop_requested": 0, "message": messages.to_json(_MESSAGE)}


def hold(home: Path, db: sqlite3.Connection, found: str | None = None) -> None:
    """Makes a file of runs say no less than what is beside it, and notes for its readers what was read back.

    Args:
        home: The folder of all.
        db: The file of runs.
        found: What `schema.prepare` said of it.
    """
    runs, rows = home / "runs", folders.rows(db)
    if not all(map(folders.is_name, rows)):
        rows = _name_again(db)
    _note_lost_draws(db, runs, rows)
    if found is None and not _odd(runs, rows) and policies.agree(db, home):
        return
    with db:
        db.execute("BEGIN IMMEDIATE")  # who writes a folder is in such a transaction: nobody is in the middle of it
        _forget_damaged_ids(db, runs)
        done, odd = Counter[str](), _odd(runs, folders.rows(db))
        for run_id in sorted(
            odd, key=lambda run_id: folders.recorded(runs / run_id) is None
        ):  # by then doubts are known
            done[_mend(db, runs, run_id, doubt=bool(found) or done[_READ_BACK] > 0)] += 1
        del done[""]
        if found is not None:
            db.execute("DELETE FROM rounds WHERE run_id NOT IN (SELECT run_id FROM runs)")
        # Rows without a seal are an older version's, which has written no other place.
        doubt = bool(found) or (
            done[_READ_BACK] + done[_UNREADABLE] > 0 and all(row["seal"] for row in rows.values())
        )
        names, lost = policies.mend(db, home, doubt=doubt)
        _tell(db, done, _sentences(db, found, done, names, policies_lost=lost))


def agree(home: Path, db: sqlite3.Connection, run_id: str) -> None:
    """Reads back what a row lacks, in a transaction that is about to change it."""
    row = folders.row(db, run_id)
    if row is not None and folders.agree(home / "runs", row):
        return
    if done := _mend(db, home / "runs", run_id):
        _tell(db, Counter([done]))


def agree_on_policies(home: Path, db: sqlite3.Connection) -> None:
    """Reads back what was decided about data sets, in a transaction in which something is decided."""
    if not policies.agree(db, home):
        names, lost = policies.mend(db, home, doubt=False)
        _tell(db, Counter(), _sentences(db, None, Counter(), names, policies_lost=lost))


def _odd(runs: Path, rows: Mapping[str, sqlite3.Row]) -> list[str]:
    """Returns the runs of which table and folders do not say the same, those of the table first."""
    where = str(runs)
    odd = [run_id for run_id, row in rows.items() if not folders.agree(where, row)]
    for name in sorted(folders.names(runs) - rows.keys()):
        told = folders.recorded(runs / name)
        if told is None or told["run_id"] not in rows:  # else it is a copy
            odd += [name] if folders.is_of_a_run(runs / name) else []
    return odd


def _sentences(
    db: sqlite3.Connection, found: str | None, done: Counter[str], names: list[str], *, policies_lost: bool
) -> Iterable[str]:
    if found:
        yield _DAMAGED.format(file=found)
        yield _ROUNDS.format(count=db.execute("SELECT count(*) FROM rounds").fetchone()[0])
    elif done[_READ_BACK] or done[_UNREADABLE] or names:
        yield _LOST if found == schema.MADE else _BEHIND
    if policies_lost:
        yield _POLICIES_LOST
    elif names:
        yield _POLICIES_READ_BACK.format(names=", ".join(names))
    elif found or (found is not None and done):
        yield _POLICIES_KEPT


def _tell(db: sqlite3.Connection, done: Counter[str], sentences: Iterable[str] = ()) -> None:
    """Adds to what nobody has read yet: each sentence once, and numbers to numbers."""
    row = db.execute("SELECT value FROM settings WHERE name = ?", (RECOVERED,)).fetchone()
    told = messages.all_from_json(str(row[0])) if row else []
    told += [sentence for sentence in sentences if sentence not in told]
    for what in filter(done.__getitem__, _TOLD):
        key = _TOLD[what]
        before = [one for one in told if isinstance(one, Message) and one.key == key]
        count = done[what] + sum(int(one.values["count"]) for one in before)
        told = [one for one in told if one not in before] + [key.format(count=count)]
    if told:
        said = messages.all_to_json(told)
        db.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (RECOVERED, said))


def _mend(db: sqlite3.Connection, runs: Path, run_id: str, *, doubt: bool = False) -> str:
    """Makes table and folder say the same of a run, in a transaction; returns what was done, where something was.

    With `doubt`, the table is known to be of an earlier time, as far as it is there.
    """
    folder, row = runs / run_id, folders.row(db, run_id)
    told, damaged = folders.recorded(folder), folders.is_damaged(folder)
    intact = row if row is not None and folders.is_intact(row) and not (doubt and damaged) else None
    if told is not None and told["run_id"] != run_id:
        if row is None:
            return _mend_renamed(db, runs, told)
        told = None
    if told is not None and (intact is None or told["revision"] > intact["revision"]):
        _take(db, runs, told, row)
        return _READ_BACK
    if (
        told is not None and intact is not None and told["redrawn"] > intact["redrawn"]
    ):  # as an older version says it
        db.execute("UPDATE runs SET redrawn = ? WHERE run_id = ?", (told["redrawn"], run_id))
        folders.keep(db, runs, run_id, lasting=False)
        return _READ_BACK
    if intact is not None:
        if intact["seal"] is None and intact["status"] in ACTIVE:
            return ""  # an older version may still train it, and would break a seal
        if doubt and intact["status"] == "queued" and not folder.exists():  # it may have been thrown away since
            _put(db, run_id, _UNKNOWN | {"status": "interrupted", "drawing": 1}, row)
            folders.keep(db, runs, run_id, lasting=False)
            return _READ_BACK
        with suppress(OSError):  # the table knows: on a full disk one may still look
            folders.write(db, folder, intact)
        return _NOTED if damaged else ""
    if row is None and not folders.is_of_a_run(folder):
        return ""
    _mark_unreadable(db, runs, run_id, row)
    return _UNREADABLE


def _name_again(db: sqlite3.Connection) -> dict[str, sqlite3.Row]:
    """Gives a name to rows whose id is damaged so that it cannot be one; returns all rows."""
    with db:
        for number, run_id in db.execute("SELECT rowid, run_id FROM runs").fetchall():
            if not folders.is_name(run_id):
                db.execute("UPDATE runs SET run_id = ? WHERE rowid = ?", (f"damaged-{number}", number))
    return folders.rows(db)


def _forget_damaged_ids(db: sqlite3.Connection, runs: Path) -> None:
    """Removes each row that is another run's, by its seal, and has only its id damaged."""
    for run_id, row in folders.rows(db).items():
        if not (folders.is_intact(row) or folders.is_of_a_run(runs / run_id)) and folders.say(runs, row["seal"]):
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))


def _mend_renamed(db: sqlite3.Connection, runs: Path, told: dict[str, Any]) -> str:
    """As `_mend`, for a folder that is a copy of a run's, or that run's under another name."""
    run_id = str(told["run_id"])
    if not folders.is_name(run_id) or folders.row(db, run_id) or folders.recorded(runs / run_id):
        return ""
    _take(db, runs, told, None)
    return _READ_BACK


def _take(db: sqlite3.Connection, runs: Path, told: dict[str, Any], row: sqlite3.Row | None) -> None:
    """Writes into the table what a run's folder says; `row` is what the table said."""
    run_id, folder = told["run_id"], runs / told["run_id"]
    newest = "status" in told and row is not None and _revision(row) <= told["revision"]
    charged = "status" not in told or may_have_released(told)
    values = {name: told[name] for name in folders.FACTS if name in told} | {"message": messages.to_json(_MESSAGE)}
    values["redrawn"] = _redrawn(told, row)
    values["revision"] = told["revision"] if row is None else max(told["revision"], _revision(row))
    if newest:
        if told["status"] == "running":  # which round, its folder does not say
            values["drawing"] = 1
    else:
        values |= _UNKNOWN
        if told.get("status", "queued") in ACTIVE:
            values["status"] = "running" if is_held(folder / folders.WORKER_LOCK) else _how_it_ended(folder)
        if charged and told.get("drawing") is None:
            values["drawing"] = 1
        if told["purged"]:
            values["deleted"] = told.get("deleted") or told["created"]
    _put(db, run_id, values, row)
    now = folders.row(db, run_id)
    if charged and now is not None and not may_have_released(dict(now)):  # its rounds are lost
        db.execute("UPDATE runs SET drawing = 1 WHERE run_id = ?", (run_id,))
    folders.keep(db, runs, run_id, lasting=False)


def _revision(row: sqlite3.Row) -> int:
    return int(row["revision"]) if folders.is_intact(row) else 0


def _redrawn(told: Mapping[str, Any], row: sqlite3.Row | None) -> int:
    """Returns the rounds that were drawn again, by whoever knows of more; no more than an accountant takes."""
    known = [one["redrawn"] for one in (told, row) if one is not None and isinstance(one["redrawn"], int)]
    try:
        most = int(limits.ROUNDS.maximum) - read_plan(told["plan"]).privacy.rounds
    except InvalidValueError:
        most = 0
    return int(max([told["redrawn"], *(number for number in known if number <= most)]))


def _how_it_ended(folder: Path) -> str:
    """Returns the status of a run that was not said to have ended, and has no worker."""
    done = (folder / "weights.npz").exists() and not (folder / "checkpoint").exists()
    return "finished" if done else "interrupted"


def _mark_unreadable(db: sqlite3.Connection, runs: Path, run_id: str, row: sqlite3.Row | None) -> None:
    """Keeps a run of which nothing is sure: it may have spent anything, on any data set."""
    folders.set_aside(runs / run_id)
    values: dict[str, Any] = dict.fromkeys(("engine", "owner", "name", "tags", "note"), "")
    values |= {"created": 0.0, "eval_every": 1, "redrawn": 0, "purged": 0, "stop_when_diverging": 0}
    values |= {"deleted": None, "started": None, "ended": None, "dataset_fingerprint": None, "audit": None}
    values |= {"status": "interrupted", "drawing": 1, **_UNKNOWN}
    values["plan"] = "" if row is None else f"damaged: {row['plan']}"  # so that nobody reads it
    values["revision"] = -1  # older than any copy that somebody puts back
    _put(db, run_id, values, row)
    folders.keep(db, runs, run_id, lasting=False)


def _put(db: sqlite3.Connection, run_id: str, values: dict[str, Any], row: sqlite3.Row | None) -> None:
    if row is None:
        db.execute(
            "INSERT INTO runs (run_id, created, plan, engine, eval_every, position) VALUES (?, 0, '', '', 1, "
            "(SELECT coalesce(max(position), 0) + 1 FROM runs))",
            (run_id,),
        )
    else:
        db.execute("UPDATE runs SET position = 0 WHERE run_id = ? AND typeof(position) != 'integer'", (run_id,))
    names = [name for name in values if name != "run_id"]
    db.execute(
        f"UPDATE runs SET {', '.join(f'{name} = ?' for name in names)} WHERE run_id = ?",
        (*(values[name] for name in names), run_id),
    )


def _note_lost_draws(db: sqlite3.Connection, runs: Path, rows: Mapping[str, sqlite3.Row]) -> None:
    """Notes a lost round for each run that has lost its worker between two rounds, as far as the table knows.

    With the end of a log its note of the round that was being drawn may be lost, and nothing else.
    """
    for run_id, row in rows.items():
        if row["status"] != "running" or row["drawing"] is not None or row["last_round"] is None:
            continue
        if is_held(runs / run_id / folders.WORKER_LOCK) or _replays(row, runs / run_id):
            continue
        with suppress(sqlite3.OperationalError), db:  # on a full disk one may still look
            db.execute("UPDATE runs SET drawing = ? WHERE run_id = ?", (row["last_round"] + 1, run_id))


def _replays(row: sqlite3.Row, folder: Path) -> bool:
    from dpcore.learning import engines  # a runner has no other use for it

    try:
        seeded = read_plan(row["plan"]).training.seed is not None
        return engines.replays_exactly(row["engine"]) and (seeded or (folder / folders.KEY).exists())
    except InvalidValueError:
        return False
