"""The queue, with real processes that train nothing."""

import multiprocessing
import os
import signal
import sqlite3
import time

import pytest

from dpcore.errors import InvalidValueError
from dpcore.plan import Plan
from dpcore.runs.process import processes, runner, supervisor


@pytest.fixture(autouse=True)
def idle_workers(monkeypatch):
    monkeypatch.setattr(runner, "_MODULE_FOR", {"vectorized": ["tests.runs.idle_worker"]})
    monkeypatch.setattr(supervisor, "wake", lambda store: None)  # the runner is in the test


@pytest.fixture
def queued(store):
    def create(note=""):
        run_id = store.create(Plan(), engine="vectorized", eval_every=5)
        store.describe(run_id, note=note)
        return run_id

    yield create
    for run in store.runs(status=["running"]):
        processes.kill_worker(store, run.run_id)


@pytest.fixture
def watched(store, queued):
    """The workers of a runner in the test; ended with it."""
    workers = runner.StartedWorkers()
    yield workers
    for worker in workers.values():
        worker.kill()
        worker.wait()


def until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def statuses(store, *run_ids):
    return [supervisor.current(store, run_id).status for run_id in run_ids]


def test_runs_begin_in_the_order_of_the_queue(store, queued):
    ids = [queued() for _ in range(4)]
    supervisor.move(store, ids[3], before=ids[1])
    runner.main(store.home)  # until there is nothing to do
    assert statuses(store, *ids) == ["finished"] * 4
    assert (store.home / "order").read_text().split() == [ids[0], ids[3], ids[1], ids[2]]


def test_as_many_run_side_by_side_as_are_set(store, queued, watched):
    ids = [queued("sleep") for _ in range(3)]
    store.set_parallel_runs(2)
    runner.step(store, watched)
    runner.step(store, watched)
    assert statuses(store, *ids) == ["running", "running", "queued"]
    supervisor.stop(store, ids[0])
    until(lambda: runner.step(store, watched) is None or statuses(store, ids[2]) == ["running"])
    assert statuses(store, *ids) == ["stopped", "running", "running"]


def _run(home, module):
    runner._MODULE_FOR = {"vectorized": [module]}
    runner.main(home)


def test_two_runners_start_nothing_twice(store, queued):
    ids = [queued() for _ in range(6)]
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_run, args=(store.home, "tests.runs.idle_worker")) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(300)
        assert one.exitcode == 0
    assert statuses(store, *ids) == ["finished"] * 6
    assert (store.home / "order").read_text().split() == ids


def test_a_cancelled_run_is_passed_over(store, queued):
    first, second = queued(), queued()
    supervisor.stop(store, first)
    runner.main(store.home)
    assert statuses(store, first, second) == ["cancelled", "finished"]


@pytest.mark.parametrize(("note", "words"), [("exit 3", "exit code 3"), ("sleep", "signal SIGKILL")])
def test_a_worker_that_ends_without_a_word_is_said_to_have(store, queued, watched, note, words):
    run_id = queued(note)
    runner.step(store, watched)
    (worker,) = watched.values()
    if note == "sleep":
        until(lambda: store.run(run_id).last_round == 1)
        os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert statuses(store, run_id) == ["interrupted"]  # at once, for who looks
    runner.step(store, watched)
    run = store.run(run_id)
    assert run.status == "interrupted"
    assert words in run.message
    assert not watched


def test_a_killed_runner_leaves_its_workers_and_the_next_one_finds_them(store, queued):
    ids = [queued("sleep"), queued()]
    context = multiprocessing.get_context("spawn")
    first = context.Process(target=_run, args=(store.home, "tests.runs.idle_worker"))
    first.start()
    until(lambda: store.run(ids[0]).last_round == 1)
    first.kill()
    first.join()
    assert statuses(store, *ids) == ["running", "queued"]
    assert runner.step(store, runner.StartedWorkers())
    assert statuses(store, *ids) == ["running", "queued"]  # it counts as the one that may run
    supervisor.stop(store, ids[0])
    runner.main(store.home)
    assert statuses(store, *ids) == ["stopped", "finished"]


def test_a_worker_that_hangs_is_ended_and_the_queue_goes_on(store, queued, watched):
    hanging, next_one = queued("hang"), queued()
    runner.step(store, watched)
    until(lambda: store.run(hanging).last_round == 1)
    runner.step(store, watched)
    assert statuses(store, hanging) == ["running"]
    with sqlite3.connect(store.home / "runs.sqlite") as db:  # it has been silent for long, by the monotonic clock
        db.execute("UPDATE runs SET beat = beat - 4000 WHERE run_id = ?", (hanging,))
    # What is stored, not what a page says: that tells of the end as soon as the worker is dead, before the runner does.
    until(lambda: runner.step(store, watched) is None or store.run(hanging).status == "interrupted")
    assert "had hung" in store.run(hanging).message
    runner.main(store.home)
    assert statuses(store, next_one) == ["finished"]


def test_a_wall_clock_that_jumps_makes_no_worker_hang(store, queued, watched, monkeypatch):
    run_id = queued("sleep")
    runner.step(store, watched)
    until(lambda: store.run(run_id).last_round == 1)
    monkeypatch.setattr("time.time", lambda: 4e9)
    runner.step(store, watched)
    assert not processes.is_stuck(store, store.run(run_id))
    assert statuses(store, run_id) == ["running"]


def test_ending_a_run_now_does_not_wait_for_its_round(store, queued, watched):
    run_id = queued("hang")
    runner.step(store, watched)
    until(lambda: store.run(run_id).last_round == 1)
    supervisor.stop(store, run_id, now=True)
    until(lambda: statuses(store, run_id) == ["interrupted"])
    (worker,) = watched.values()
    assert worker.wait(5) == -signal.SIGKILL


def test_what_cannot_be_resumed_moved_or_deleted_is_refused(store, queued):
    run_id = queued()
    for refused in (
        lambda: supervisor.resume(store, run_id),
        lambda: supervisor.delete(store, run_id),
    ):
        with pytest.raises(InvalidValueError, match="queued"):
            refused()
    supervisor.stop(store, run_id)
    with pytest.raises(InvalidValueError, match="cancelled"):
        supervisor.move(store, run_id, before=None)


def test_interrupted_runs_go_on_at_the_next_start_but_not_for_ever(store, queued):
    run_id = queued("exit 1")
    for _ in range(3):
        runner.main(store.home)
        assert statuses(store, run_id) == ["interrupted"]
        resumed = supervisor.resume_interrupted(store)
    assert resumed == []
    assert statuses(store, run_id) == ["interrupted"]


def test_a_run_again_is_a_new_run_of_the_same_plan(store, queued):
    run_id = queued()
    runner.main(store.home)
    again = supervisor.retry(store, run_id)
    assert again != run_id
    assert store.run(again).plan == store.run(run_id).plan
    assert statuses(store, again) == ["queued"]
