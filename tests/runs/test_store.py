import multiprocessing
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dpcore.errors import CheckpointError, InvalidValueError, RunNotFoundError, StoreError
from dpcore.plan import Plan
from dpcore.runs import schema
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


def test_a_round_that_comes_again_must_be_the_same_and_changes_nothing(store):
    run_id = create(store)
    first = row(1, loss=2.0)
    store.append(run_id, first)
    store.append(run_id, row(1, loss=2.0, seconds=9.0))
    assert store.rounds(run_id) == [first]
    with pytest.raises(CheckpointError, match=r"round 1 to come out .* release the round a second time"):
        store.append(run_id, row(1, loss=2.0, clip_norm=0.2))
    assert store.rounds(run_id) == [first]


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


def test_what_is_no_database_is_set_aside(tmp_path):
    (tmp_path / "runs.sqlite").write_text("this is not a database, but long enough to look like one" * 20)
    store = Store(tmp_path)
    assert store.runs() == []
    (aside,) = tmp_path.glob("runs.damaged-*.sqlite")
    assert aside.read_text().startswith("this is not")


@pytest.mark.parametrize("how", ["emptied", "removed"])
def test_a_file_that_is_gone_is_made_anew_from_the_runs_folders(store, how):
    finished, stopped = create(store), create(store)
    (store.folder(finished) / "weights.npz").touch()
    for file in store.home.glob("runs.sqlite*"):
        file.unlink()
    if how == "emptied":
        (store.home / "runs.sqlite").touch()
    again = Store(store.home)
    assert {run.run_id: run.status for run in again.runs()} == {finished: "finished", stopped: "interrupted"}
    assert all(run.may_have_released for run in again.runs())
    assert "was lost" in again.recovered()


def test_a_file_that_is_damaged_meanwhile_is_one_sentence(store):
    create(store)
    (store.home / "runs.sqlite").write_bytes(b"nonsense" * 2000)
    with pytest.raises(StoreError, match="sets a damaged file aside"):
        store.runs()


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
    assert store.rounds("old-1")[0].update_norm is None
    assert store.policy("writers") == Policy(name="writers")
    assert not list(tmp_path.glob("runs.damaged*"))


def test_what_is_decided_about_a_data_set_is_kept(store):
    decided = Policy(name="writers", budget_epsilon=3.0, budget_delta=1e-6, public=True)
    store.set_policy(decided)
    assert Store(store.home).policy("writers") == decided
    assert store.policy("other") == Policy(name="other")


def test_the_queue_has_an_order_that_can_be_changed(store):
    one, two, three = (create(store) for _ in range(3))

    def queue():
        return [run.run_id for run in store.queue()]

    assert queue() == [one, two, three]
    store.move(three, before=one)
    assert queue() == [three, one, two]
    store.move(three, before=None)
    assert queue() == [one, two, three]
    store.begin(one)
    store.move(three, before=two)
    assert queue() == [three, two]
    store.end(one, "interrupted")
    store.requeue(store.run(one), redrawn=0)
    assert queue() == [one, three, two]  # it had its turn already


def test_a_queued_run_is_cancelled_and_one_that_had_begun_is_stopped(store):
    fresh, resumed, running = (create(store) for _ in range(3))
    for run_id in (resumed, running):
        store.begin(run_id)
        store.append(run_id, row(0))
    store.end(resumed, "interrupted")
    store.requeue(store.run(resumed), redrawn=0)
    for run_id in (fresh, resumed, running):
        store.request_stop(run_id)
    assert [store.run(run_id).status for run_id in (fresh, resumed, running)] == ["cancelled", "stopped", "running"]
    assert store.run(running).stop_requested
    assert not store.begin(fresh)


def test_a_deleted_run_comes_back_until_the_bin_is_emptied(store):
    run_id, active = create(store), create(store)
    store.begin(run_id)
    for number in range(3):
        store.append(run_id, row(number))
    assert not store.delete(run_id)
    store.end(run_id, "finished")
    (store.folder(run_id) / "weights.npz").write_bytes(b"x" * 1000)
    assert store.delete(run_id)
    assert [run.run_id for run in store.runs()] == [active]
    assert [run.run_id for run in store.runs(deleted=True)] == [run_id]
    store.restore(run_id)
    assert len(store.runs()) == 2
    store.delete(run_id)
    assert store.empty_bin() > 1000
    assert not (store.folder(run_id) / "weights.npz").exists()
    assert store.runs(deleted=True) == []
    (left,) = [run for run in store.runs(deleted=None) if run.run_id == run_id]
    assert left.may_have_released  # and so it stays charged
    assert left.last_round == 2
    (store.home / "runs.sqlite").unlink()
    assert {run.run_id for run in Store(store.home).runs(deleted=None) if run.may_have_released} >= {run_id}


def test_a_run_that_released_nothing_is_removed_without_a_trace(store):
    run_id = create(store)
    store.request_stop(run_id)
    store.delete(run_id)
    store.empty_bin()
    assert store.runs(deleted=None) == []
    assert not any(store.folder(run_id).glob("*"))


def test_names_tags_and_notes(store):
    run_id = create(store)
    store.describe(run_id, name="the last one", tags="paper final")
    store.describe(run_id, note="good")
    run = store.run(run_id)
    assert (run.title, run.tags, run.note) == ("the last one", "paper final", "good")


def test_the_number_of_runs_side_by_side_is_kept_and_checked(store):
    store.set_parallel_runs(3)
    assert Store(store.home).parallel_runs() == 3
    with pytest.raises(InvalidValueError, match="parallel_runs"):
        store.set_parallel_runs(0)


def test_a_clock_that_jumps_moves_no_run_in_the_queue(store, monkeypatch):
    one = create(store)
    monkeypatch.setattr("time.time", lambda: 1.0)
    two = create(store)
    assert [run.run_id for run in store.queue()] == [one, two]
