"""Files of runs that are old, newer, or damaged."""

import os
import sqlite3
from contextlib import closing

import pytest

from dpcore.errors import StoreError
from dpcore.plan import Plan
from dpcore.runs.store import Store, schema
from dpcore.runs.store.decisions import Policy


def create(store):
    return store.create(Plan(), engine="tff", eval_every=5)


def test_a_newer_file_is_refused(store):
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="found 99"):
        Store(store.home)


def filled(store, count=40, rounds=60):
    """Runs with rounds, enough for a file of many pages."""
    ids = [create(store) for _ in range(count)]
    for run_id in ids:
        store.begin(run_id)
        with sqlite3.connect(store.home / "runs.sqlite") as db:
            db.executemany(
                "INSERT INTO rounds (run_id, round, clip_norm, epsilon, seconds) VALUES (?, ?, 0.1, 0.5, 1.0)",
                [(run_id, number) for number in range(rounds)],
            )
        store.end(run_id, "stopped")
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return ids


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_set_aside_and_what_can_be_read_is_kept(store, keep):
    ids, file = filled(store), store.home / "runs.sqlite"
    damaged = file.read_bytes()[: int(file.stat().st_size * keep) // 4096 * 4096]
    file.write_bytes(damaged)
    again = Store(store.home)
    assert {run.run_id for run in again.runs()} == set(ids)  # their own folders know what rows do not
    kept = sum(len(again.rounds(run_id)) for run_id in ids)
    assert kept >= (keep - 0.3) * len(ids) * 60
    assert all(run.may_have_released for run in again.runs())  # the ledger forgets nothing
    (aside,) = store.home.glob("runs.damaged-*.sqlite")
    assert aside.read_bytes() == damaged
    assert aside.name in again.recovered()
    assert "budget" in again.recovered()
    again.forget_recovered()
    assert Store(store.home).recovered() == ""
    assert len(list(store.home.glob("runs.damaged-*.sqlite"))) == 1


def test_a_page_of_nonsense_costs_only_what_was_on_it(store):
    ids, file = filled(store), store.home / "runs.sqlite"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = os.urandom(4096)
    file.write_bytes(content)
    again = Store(store.home)
    assert {run.run_id for run in again.runs()} == set(ids)
    assert sum(len(again.rounds(run_id)) for run_id in ids) > 0.5 * len(ids) * 60


@pytest.mark.parametrize(
    "damage",
    [
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = CAST(X'43ff' AS TEXT) WHERE name = 'runs'",
        "DROP TABLE rounds; DROP TABLE runs; DROP TABLE settings",
        "ALTER TABLE runs RENAME COLUMN plan TO pl4n",
    ],
)
def test_a_damaged_schema_is_set_aside(store, damage):
    ids, file = filled(store, count=3), store.home / "runs.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(damage)
    again = Store(store.home)
    assert {run.run_id for run in again.runs()} == set(ids)
    assert "The file of runs was damaged" in again.recovered()


@pytest.mark.parametrize("where", [47, 60, 63])  # the number of the schema's format, and that of its version
@pytest.mark.parametrize("number", [0, 3, 77])
def test_a_format_that_there_is_not_is_set_aside(store, where, number):
    ids, file = filled(store, count=3), store.home / "runs.sqlite"
    content = bytearray(file.read_bytes())
    content[where] = number
    file.write_bytes(content)
    if (where, number) == (63, 77):
        with pytest.raises(StoreError, match="found 77"):
            Store(store.home)
        return
    assert {run.run_id for run in Store(store.home).runs()} == set(ids)


def test_what_is_no_database_is_set_aside(tmp_path):
    (tmp_path / "runs.sqlite").write_text("this is not a database, but long enough to look like one" * 20)
    store = Store(tmp_path)
    assert store.runs() == []
    (aside,) = tmp_path.glob("runs.damaged-*.sqlite")
    assert aside.read_text().startswith("this is not")


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_a_file_of_an_old_version_is_brought_up_to_date_and_keeps_its_runs(tmp_path, version):
    with closing(sqlite3.connect(tmp_path / "runs.sqlite")) as db:
        for step in schema._MIGRATIONS[:version]:
            db.executescript(step)
        for number in (1, 2):
            db.execute(
                "INSERT INTO runs (run_id, created, plan, engine, eval_every) VALUES (?, ?, ?, 'tff', 5)",
                (f"old-{number}", float(number), Plan().to_json()),
            )
        db.execute(
            "INSERT INTO rounds (run_id, round, clip_norm, epsilon, seconds) VALUES ('old-1', 1, 0.1, 0.5, 1.0)"
        )
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    store = Store(tmp_path)
    assert [run.run_id for run in store.queue()] == ["old-1", "old-2"]
    assert store.run("old-1").last_round == 1
    assert store.run("old-1").identity == "998429b17a6c7a3f"  # what that version called it
    assert store.run(store.create(Plan(), engine="vectorized", eval_every=5)).identity == Plan().fingerprint
    assert {run.owner for run in store.runs()} == {""}  # theirs who has the machine
    assert store.rounds("old-1")[0].update_norm is None
    assert store.policy("writers") == Policy(name="writers")
    assert not list(tmp_path.glob("runs.damaged*"))
