"""The worker that waits while a dashboard is open: with real processes, most of which train nothing."""

import dataclasses
import functools
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from dpcore import datasets, locks, program
from dpcore.learning.engines import NAMES
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.audit import trace_file
from dpcore.runs.process import memory, processes, resident, runner, spare, supervisor
from dpcore.runs.store import Store
from tests.runs.process.test_runner import statuses, until


@pytest.fixture
def idle(monkeypatch):
    """Workers that train nothing, whether they have waited or not."""
    monkeypatch.setattr(spare, "_MODULE", "tests.runs.idle_spare")
    monkeypatch.setattr(spare, "_BEGINNING_SECONDS", 0.0)
    monkeypatch.setattr(runner, "_MODULE_FOR", {one: ["tests.runs.idle_worker"] for one in NAMES})
    monkeypatch.setattr(supervisor, "wake", lambda store: None)  # the runner is in the test


@pytest.fixture
def dashboard(store):
    """Returns what closes the one that is open."""
    descriptors = [locks.share(processes.dashboards_lock(store))]

    def close():
        while descriptors:
            os.close(descriptors.pop())

    yield close
    close()


@pytest.fixture
def waiting(store, dashboard):
    """The keeper of a worker that waits, in the test."""
    kept = spare.Spare(store)
    yield kept
    kept.end()


@pytest.fixture
def started(store):
    """The workers of a runner in the test; ended with it."""
    workers = runner.StartedWorkers()
    yield workers
    for worker in workers.values():
        worker.kill()
        worker.wait()


def ready(kept):
    """Returns the process that waits, once it can take a run."""
    until(lambda: kept.keep() and not kept._is_loading())
    return psutil.Process(kept._process.pid)


def queued(store, note="sleep", engine="vectorized"):
    run_id = store.create(Plan(), engine=engine, eval_every=5)
    store.describe(run_id, note=note)
    return run_id


def begun(store, run_id):
    """Returns the process that trains a run, once it has said something."""
    until(lambda: store.run(run_id).last_round == 1)
    return psutil.Process(processes.worker_pid(store, run_id))


@pytest.mark.usefixtures("idle")
def test_what_waits_takes_the_run_and_is_then_a_worker_as_any_other(store, waiting, started):
    """All that a process inherits or sets up is compared with that of a worker that was started for its run."""
    store.set_parallel_runs(2)
    spared, there = queued(store), ready(waiting)
    assert not locks.is_held(processes.worker_lock(store, spared))
    runner.step(store, started, waiting)
    taken = begun(store, spared)
    assert taken == there
    fresh_id = queued(store)
    runner.step(store, started)
    fresh = begun(store, fresh_id)

    def of(process):
        folder = Path(f"/proc/{process.pid}")
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        told = {name: lines[name] for name in ("SigIgn", "SigBlk", "Umask", "Cpus_allowed", "NoNewPrivs")}
        environment = process.environ()
        return told | {
            "environment": environment,
            "nice": process.nice(),
            "cwd": process.cwd(),
            "limits": (folder / "limits").read_text(),
            "session": os.getsid(process.pid) == os.getpgid(process.pid) == process.pid,
            "input": (folder / "fd/0").readlink(),
            "locks": sorted(
                one.name for one in map(Path.readlink, (folder / "fd").iterdir()) if one.suffix == ".lock"
            ),
            "parent": process.ppid(),
        }

    assert of(taken) == of(fresh)
    for run_id, process in ((spared, taken), (fresh_id, fresh)):
        log = processes.worker_log(store, run_id)
        assert [Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in (1, 2)] == [log] * 2
        assert locks.is_held(processes.worker_lock(store, run_id))
    for run_id in (spared, fresh_id):
        supervisor.stop(store, run_id)
    until(lambda: statuses(store, spared, fresh_id) == ["stopped"] * 2)
    taken.wait(60)  # it serves this run, and ends


@pytest.mark.usefixtures("idle")
def test_the_next_one_takes_the_next_run(store, waiting, started):
    pids = []
    for _ in range(2):
        run_id = queued(store, "")
        pids.append(ready(waiting).pid)
        runner.step(store, started, waiting)
        assert processes.worker_pid(store, run_id) == pids[-1]
        until(lambda run_id=run_id: statuses(store, run_id) == ["finished"])
    assert pids[0] != pids[1]


@pytest.mark.usefixtures("idle")
def test_a_run_waits_for_what_still_loads_and_no_longer_than_it_may(store, waiting, started, monkeypatch):
    waiting.keep()
    run_id = queued(store, "")
    os.kill(waiting._process.pid, signal.SIGSTOP)
    runner.step(store, started, waiting)
    assert statuses(store, run_id) == ["queued"]
    tff = queued(store, "", engine="tff")
    supervisor.move(store, tff, before=run_id)  # it would be no use to wait
    runner.step(store, started, waiting)
    until(lambda: statuses(store, tff) == ["finished"])
    monkeypatch.setattr(spare, "_LOADING_SECONDS", 0.0)
    late = waiting._process
    runner.step(store, started, waiting)
    until(lambda: statuses(store, run_id) == ["finished"])
    waiting.keep()
    assert late.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_dead_or_does_not_answer_costs_no_run_and_trains_none_later(
    store, waiting, started, monkeypatch, how
):
    monkeypatch.setattr(spare, "_ANSWER_SECONDS", 0.2)
    gone, run_id = ready(waiting), queued(store, "")
    gone.send_signal(how)
    runner.step(store, started, waiting)
    assert processes.worker_pid(store, run_id) not in (None, gone.pid)
    until(lambda: statuses(store, run_id) == ["finished"])
    gone.wait(60)
    assert (store.home / "order").read_text().split() == [run_id]
    assert ready(waiting).pid != gone.pid  # and there is another one


@pytest.mark.usefixtures("idle")
def test_one_that_dies_is_replaced_the_later_the_more_often(store, waiting, monkeypatch):
    now = [time.monotonic()]
    monkeypatch.setattr(spare.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(spare, "_MODULE", "tests.no_such_module")
    pauses = []
    for _ in range(3):
        waiting.keep()
        waiting._process.wait()
        waiting.keep()
        died = now[0]
        while waiting._process is None:
            now[0] += 0.5
            waiting.keep()
        pauses.append(now[0] - died)
    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.usefixtures("idle")
def test_none_waits_below_four_gibibytes_or_once_no_dashboard_is_open(store, waiting, dashboard, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: (4 << 30) - 1)
    assert waiting.keep()
    assert waiting._process is None
    monkeypatch.setattr(memory, "free_bytes", lambda: 4 << 30)
    there = ready(waiting)
    dashboard()
    assert not waiting.keep()
    there.wait(60)


def test_memory_is_what_the_machine_and_every_group_leave(tmp_path, monkeypatch):
    free = memory.free_bytes()
    assert 0 < free <= psutil.virtual_memory().total
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("4000000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 3000000\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    assert memory.free_bytes() == 4_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes() > 5_000_000


class Open:
    """A dashboard, as far as others see it: a process that shares the lock, and the runner that stays for it."""

    def __init__(self, store, module="tests.runs.idle_resident"):
        self._lock = locks.share(processes.dashboards_lock(store))
        self.resident = processes.launch(module, str(store.home), log=store.home / "runner.log")

    def spare(self):
        return (psutil.Process(self.resident.pid).children() or [None])[0]

    def close(self):
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None


@pytest.fixture
def opened(store):
    dashboard = Open(store)
    yield dashboard
    dashboard.close()
    for run in store.runs(status=["running"]):
        processes.kill_worker(store, run.run_id)
    dashboard.resident.kill()
    dashboard.resident.wait()


def test_the_one_who_stays_starts_what_anybody_queues_and_leaves_with_the_dashboard(store, opened, monkeypatch):
    until(opened.spare)
    launched = []
    monkeypatch.setattr(processes, "launch", lambda *given, **named: launched.append(given))
    run_id = store.create(Plan(), engine="vectorized", eval_every=5)  # as a command line does
    supervisor.wake(store)
    assert launched == []
    until(lambda: statuses(store, run_id) == ["finished"])
    with locks.lock(processes.runner_lock(store), wait=True):  # which it has only while there is something to do
        pass
    until(opened.spare)
    left = opened.spare()
    opened.close()
    assert opened.resident.wait(60) == 0
    left.wait(60)


def test_what_was_taken_outlives_the_one_who_stays_and_what_waits_does_not(store, opened):
    until(opened.spare)
    first, run_id = opened.spare(), queued(store)
    taken = begun(store, run_id)
    assert taken == first
    until(opened.spare)
    waits = [one for one in psutil.Process(opened.resident.pid).children() if one != taken]
    until(lambda: [one for one in psutil.Process(opened.resident.pid).children() if one != taken])
    waits = [one for one in psutil.Process(opened.resident.pid).children() if one != taken]
    opened.resident.kill()
    opened.resident.wait()
    psutil.wait_procs(waits, timeout=60)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in waits)
    assert taken.is_running()
    supervisor.stop(store, run_id)
    until(lambda: statuses(store, run_id) == ["stopped"])


def test_only_one_stays_however_many_dashboards_are_open(store, opened):
    until(opened.spare)
    second = Open(store)
    assert second.resident.wait(60) == 0
    opened.close()
    assert opened.resident.poll() is None
    second.close()
    assert opened.resident.wait(60) == 0


@pytest.mark.usefixtures("idle")
def test_one_of_before_an_upgrade_trains_nothing(store, waiting, monkeypatch):
    ready(waiting)
    installed, run_id = program.installed(), queued(store, "")
    versions = iter([installed, ("another", 0)])
    monkeypatch.setattr(program, "installed", lambda: next(versions))
    resident._stay(store, waiting)  # it leaves: whoever comes next is of what is installed now
    assert statuses(store, run_id) == ["queued"]


@pytest.mark.slow
def test_a_run_is_the_same_to_the_last_bit_whether_its_worker_has_waited(home_of_few, monkeypatch):
    """And what waits has no data in use: they can be removed meanwhile."""
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    monkeypatch.setattr(spare, "_LOADING_SECONDS", 600.0)  # other tests use the same cores
    store, started, found = Store(home_of_few), runner.StartedWorkers(), []
    few = functools.partial(PrivacyPlan, clients_per_round=20, noise_multiplier=0.5, rounds=3)
    plan = datasets.plan_on("few", home_of_few, few)
    kept, held = spare.Spare(store), locks.share(processes.dashboards_lock(store))
    try:
        for waiting in (None, kept):
            there = ready(kept).pid if waiting else None
            run_id = supervisor.start(store, plan, engine="vectorized", eval_every=1, audit=16)
            runner.step(store, started, waiting)
            assert there in (None, processes.worker_pid(store, run_id))
            until(lambda run_id=run_id: not supervisor.current(store, run_id).active, seconds=600)
            rows = [dataclasses.replace(row, seconds=0.0) for row in store.rounds(run_id)]
            weights = np.load(store.folder(run_id) / "weights.npz")
            trace = (store.folder(run_id) / trace_file.FILE).read_bytes()
            found.append((rows, [weights[name].tobytes() for name in weights.files], trace))
            assert len(rows) == 4
        assert found[0] == found[1]
        monkeypatch.setattr(spare, "_BEGINNING_SECONDS", 0.0)
        ready(kept)
        assert "Traceback" not in (store.home / "spare.log").read_text()  # all that it prepares could be
        datasets.remove("few", home_of_few)
    finally:
        kept.end()
        os.close(held)
        started.await_exits()
