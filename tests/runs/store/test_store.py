import multiprocessing
import sqlite3

import pytest

from dpcore.errors import CheckpointError, RunNotFoundError
from dpcore.plan import Plan
from dpcore.rounds import Round
from dpcore.runs.store import Store


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


@pytest.mark.parametrize(
    "plan", ['{"version": 99}', "[" * 100_000, "[]", b"\xff\x00", 5, ""], ids=lambda plan: str(plan)[:9]
)
def test_an_unreadable_plan_hides_no_other_run(store, plan):
    bad, good = create(store), create(store)
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET plan = ? WHERE run_id = ?", (plan, bad))
    assert [run.run_id for run in store.runs()] == [good]
    assert store.unreadable() == [(bad, None)]


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
        writer.join(300)
        assert writer.exitcode == 0
    assert [r.round for r in store.rounds(run_id)] == list(range(100))


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
