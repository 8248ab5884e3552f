import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dpcore.errors import RunNotFoundError, StoreError
from dpcore.plan import Plan
from dpcore.runs.store import Policy, Round, Store


def row(number, **values):
    defaults = {"accuracy": None, "loss": None, "clip_norm": 0.1, "cohort_size": 5, "epsilon": 1.0, "seconds": 0.5}
    return Round(round=number, **(defaults | values))


def create(store):
    return store.create(Plan(), engine="tff", eval_every=5)


def test_a_run_keeps_its_plan_and_rounds(store):
    run_id = create(store)
    run = store.run(run_id)
    assert (run.plan, run.status, run.active, run.eval_every) == (Plan(), "queued", True, 5)
    rounds = [row(0, accuracy=0.1, loss=float("inf"), cohort_size=None), row(1, epsilon=float("inf"))]
    for one in rounds:
        store.append(run_id, one)
    assert Store(store.home).rounds(run_id) == rounds
    assert store.rounds(run_id, after=0) == rounds[1:]


def test_a_round_is_never_written_twice(store):
    run_id = create(store)
    store.append(run_id, row(1))
    with pytest.raises(sqlite3.IntegrityError):
        store.append(run_id, row(1, epsilon=2.0))


def test_states_go_one_way(store):
    run_id = create(store)
    assert store.begin(run_id)
    assert not store.begin(run_id)
    store.end(run_id, "finished")
    store.end(run_id, "failed", "too late")
    assert (store.run(run_id).status, store.run(run_id).message) == ("finished", "")


def test_the_newest_run_comes_first(store):
    ids = [create(store) for _ in range(3)]
    assert [run.run_id for run in store.runs()] == ids[::-1]


def test_an_unknown_run_is_named(store):
    with pytest.raises(RunNotFoundError, match="'nope'"):
        store.run("nope")


def test_a_newer_file_is_refused(store):
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="found 99"):
        Store(store.home)


def test_what_is_no_database_is_refused_and_kept(tmp_path):
    (tmp_path / "runs.sqlite").write_text("this is not a database, but long enough to look like one" * 20)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path)
    assert (tmp_path / "runs.sqlite").read_text().startswith("this is not")


def test_an_unreadable_plan_hides_no_other_run(store):
    bad, good = create(store), create(store)
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET plan = '{\"version\": 99}' WHERE run_id = ?", (bad,))
    assert [run.run_id for run in store.runs()] == [good]


def test_a_home_that_cannot_be_made_is_a_sentence():
    with pytest.raises(StoreError, match="choose another folder"):
        Store(Path("/dev/null/home"))


def test_many_threads_may_be_the_first_users(tmp_path):
    for number in range(10):
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: Store(tmp_path / str(number)).runs(), range(6)))  # noqa: B023


def _write(home, run_id, numbers):
    for number in numbers:
        Store(home).append(run_id, row(number))


def test_many_processes_write_at_once(store):
    run_id = create(store)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(store.home, run_id, range(i, 100, 4))) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert [r.round for r in store.rounds(run_id)] == list(range(100))


def test_a_file_of_version_1_is_brought_up_to_date_and_keeps_its_runs(store):
    run_id = create(store)
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.executescript("DROP TABLE datasets; PRAGMA user_version = 1;")
    again = Store(store.home)
    assert [run.run_id for run in again.runs()] == [run_id]
    assert again.policy("writers") == Policy(name="writers")


def test_what_is_decided_about_a_data_set_is_kept(store):
    decided = Policy(name="writers", budget_epsilon=3.0, budget_delta=1e-6, public=True)
    store.set_policy(decided)
    assert Store(store.home).policy("writers") == decided
    assert store.policy("other") == Policy(name="other")
