import multiprocessing
import shutil
import time

import pytest

from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.runs import supervisor


def _hold(path, held):
    with lock(path, wait=True):
        held.set()
        time.sleep(60)


@pytest.fixture
def living_worker(store):
    """A process that holds a running run's lock, as a worker does."""
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(supervisor.worker_lock(store, run_id), held))
    process.start()
    assert held.wait(30)
    store.begin(run_id)
    yield run_id, process
    process.kill()
    process.join()


def test_a_living_worker_is_left_alone_and_a_killed_one_is_noticed(store, living_worker):
    run_id, process = living_worker
    supervisor.notice_lost_workers(store)
    assert store.run(run_id).status == "running"
    process.kill()
    process.join()
    supervisor.notice_lost_workers(store)
    assert store.run(run_id).status == "failed"
    assert "killed" in store.run(run_id).message


def test_a_queued_run_is_given_time_to_start(store):
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    supervisor.notice_lost_workers(store)
    assert store.run(run_id).status == "queued"


def test_a_run_whose_folder_was_removed_is_lost_and_hides_no_other(store, monkeypatch):
    monkeypatch.setattr(supervisor, "_START_SECONDS", 0.0)
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    shutil.rmtree(store.folder(run_id))
    supervisor.notice_lost_workers(store)
    assert store.run(run_id).status == "failed"
