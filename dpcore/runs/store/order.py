"""The order in which queued runs begin: positions alone, once a visitor's run has got its turn."""

import sqlite3
from collections import Counter


def take_turns(db: sqlite3.Connection, run_id: str, owner: str) -> None:
    """Puts a visitor's queued run before those of visitors who have more runs before theirs than this one has.

    A run of whoever has the machine waits for no more visitors than before.
    """
    rows = db.execute(
        "SELECT run_id, owner, status = 'queued' FROM runs WHERE status IN ('queued', 'running') AND run_id != ? "
        "ORDER BY status = 'queued', position, rowid",
        (run_id,),
    ).fetchall()
    own, turns = sum(row["owner"] == owner for row in rows), Counter[str]()
    before: list[str] = []
    behind: list[str] = []
    for other, whose, waits in rows:
        if waits:
            (behind if whose and turns[whose] > own else before).append(other)
        turns[whose] += 1
    _put_in_order(db, [*before, run_id, *behind])


def move(db: sqlite3.Connection, run_id: str, *, before: str | None) -> None:
    """Puts a queued run before another queued one, or (`None`) behind all."""
    order = [
        row[0]
        for row in db.execute("SELECT run_id FROM runs WHERE status = 'queued' ORDER BY position, rowid")
        if row[0] != run_id
    ]
    order.insert(order.index(before) if before in order else len(order), run_id)
    _put_in_order(db, order)


def _put_in_order(db: sqlite3.Connection, order: list[str]) -> None:
    first = db.execute("SELECT min(position) FROM runs WHERE status = 'queued'").fetchone()[0]
    if first is not None:
        db.executemany(
            "UPDATE runs SET position = ? WHERE run_id = ? AND status = 'queued'",
            [(first + number, queued) for number, queued in enumerate(order)],
        )
