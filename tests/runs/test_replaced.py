"""The file of runs is lost, replaced or damaged while dashboards and workers have it open."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dpcore.errors import BudgetExceededError, StoreError
from dpcore.runs.process import processes, supervisor, worker
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from tests.runs.damage import plan, row, spent, state, train

MAIN = "runs.sqlite"
ROOT = Path(__file__).parents[2]


def lose(home, older):
    for file in home.glob("runs.sqlite*"):
        file.unlink()


def lose_main(home, older):
    (home / MAIN).unlink()


def empty(home, older):
    (home / MAIN).write_bytes(b"")


def set_back(home, older):
    """As a person does who puts a backup in its place."""
    lose(home, older)
    shutil.copyfile(older, home / MAIN)


def set_back_in_place(home, older):
    shutil.copyfile(older, home / MAIN)


@pytest.fixture
def older(store, tmp_path_factory):
    """The file of runs as it was before anything was trained."""
    kept = tmp_path_factory.mktemp("backup") / MAIN
    shutil.copyfile(store.home / MAIN, kept)
    return kept


@pytest.mark.parametrize("damage", [lose, lose_main, empty, set_back, set_back_in_place])
def test_a_worker_goes_on_and_its_run_stays_charged(store, older, damage, no_processes):
    run_id = store.create(plan(), engine="vectorized", eval_every=5)
    before, held = spent(store, "writers"), processes.claim(store, store.run(run_id))
    assert before > 0
    store.append(run_id, row(0))
    store.append(run_id, row(1))
    damage(store.home, older)
    store.append(run_id, row(2))
    store.say(run_id, "Still there")
    dashboard = Store(store.home)
    assert dashboard.run(run_id).status == "running"
    assert spent(dashboard, "writers") == before
    assert "Runs read back" in dashboard.recovered()
    store.end(run_id, "finished")
    os.close(held)
    assert [run.status for run in Store(store.home).runs()] == ["finished"]
    assert spent(store, "writers") == before


@pytest.mark.parametrize("damage", [lose, lose_main, empty, set_back, set_back_in_place])
def test_a_dashboard_that_is_open_admits_nothing_past_the_budget(store, older, damage, no_processes):
    store.set_policy(Policy(name="writers", budget_epsilon=10.0))
    before = train(store)
    damage(store.home, older)
    with pytest.raises(BudgetExceededError):
        supervisor.start(store, plan(), engine="vectorized", eval_every=5)
    assert [run.run_id for run in store.runs()] == [before]


def test_a_run_that_has_ended_is_not_begun_again_by_a_table_that_forgot_that(store, older, no_processes):
    run_id = store.create(plan(seed=None), engine="vectorized", eval_every=5)
    shutil.copyfile(store.home / MAIN, older)
    store.begin(run_id)
    store.append(run_id, row(0))
    store.end(run_id, "finished")
    set_back_in_place(store.home, older)
    assert [run.run_id for run in store.queue()] == [run_id]  # as the table has it
    assert processes.claim(store, store.run(run_id)) is None
    assert store.run(run_id).status == "finished"


def test_a_run_that_was_thrown_away_is_not_begun_by_a_table_that_has_it_in_the_queue(store, older):
    thrown, other = (store.create(plan(), engine="vectorized", eval_every=5) for _ in range(2))
    shutil.copyfile(store.home / MAIN, older)
    for run_id in (thrown, other):
        store.request_stop(run_id)
    store.delete(thrown)
    store.empty_bin()
    set_back(store.home, older)
    assert Store(store.home).queue() == []
    assert (store.run(thrown).status, store.run(other).status) == ("interrupted", "cancelled")


def test_what_is_said_of_a_run_is_not_written_over_by_a_table_that_knows_less(store, older):
    run_id = train(store, engine="tff", status="interrupted")
    shutil.copyfile(store.home / MAIN, older)
    for redrawn in (1, 2, 3):
        store.requeue(store.run(run_id), redrawn=redrawn)
        store.begin(run_id)
        store.end(run_id, "interrupted")
    set_back_in_place(store.home, older)
    store.describe(run_id, name="the table knows of no round that was drawn again")
    assert store.run(run_id).redrawn == Store(store.home).run(run_id).redrawn == 3


def test_a_decision_is_not_taken_on_a_table_that_knows_less(store, older):
    store.set_policy(Policy(name="mine", budget_epsilon=1.0))
    set_back_in_place(store.home, older)
    store.set_policy(Policy(name="writers", budget_epsilon=2.0))
    assert store.policy("mine").budget_epsilon == 1.0


def test_a_worker_whose_file_was_damaged_says_so(store, monkeypatch, no_processes, capfd):
    def damage_and_fail(store, run, stop_requested, held):
        (store.home / MAIN).write_bytes(b"nonsense" * 2000)
        store.append(run.run_id, row(0))

    monkeypatch.setattr(worker, "_train", damage_and_fail)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    run_id = store.create(plan(), engine="vectorized", eval_every=5)
    worker.main(store.home, run_id, processes.claim(store, store.run(run_id)))
    again = Store(store.home)
    assert again.run(run_id).status == "interrupted"
    assert "cannot be used as the file of runs" in again.run(run_id).message
    assert "cannot be used as the file of runs" in capfd.readouterr().err
    assert spent(again, "writers") > 0


@pytest.mark.parametrize("damage", ["lost", "cut", "garbled"])
def test_a_log_that_is_damaged_under_an_open_dashboard_costs_what_was_in_it_and_no_charge(store, damage):
    done, trains = train(store), train(store, plan("mine"), engine="tff", rounds=6, status="running")
    before, log = state(store), store.home / f"{MAIN}-wal"
    content = log.read_bytes()
    assert content  # the last rounds of the run that trains
    if damage == "lost":
        log.unlink()
    else:
        log.write_bytes(content[: len(content) // 2] if damage == "cut" else os.urandom(len(content)))
    dashboards = Store(store.home), store
    for dashboard in dashboards:
        assert state(dashboard).spent == before.spent
        assert len(dashboard.rounds(done)) == 3
    assert "The file of runs was damaged" in store.recovered()
    store.append(trains, row(6))
    assert [one.round for one in store.rounds(trains)] == [6]


def test_a_home_that_was_removed_is_not_made_again(tmp_path):
    store = Store(tmp_path / "home")
    train(store)
    shutil.rmtree(store.home)
    with pytest.raises(StoreError):
        store.runs()
    assert not store.home.exists()


def test_what_changes_a_run_is_in_the_main_file_at_once_though_a_dashboard_is_open(store, tmp_path_factory):
    run_id = store.create(plan(), engine="vectorized", eval_every=5)
    for change in (
        lambda: store.begin(run_id),
        lambda: [store.append(run_id, row(number)) for number in range(100)] and store.end(run_id, "finished"),
        lambda: store.set_policy(Policy(name="writers", budget_epsilon=2.0)),
        lambda: store.set_parallel_runs(3),
        lambda: store.delete(run_id),
    ):
        change()
        assert (store.home / f"{MAIN}-wal").stat().st_size == 0
        alone = tmp_path_factory.mktemp("alone")
        shutil.copyfile(store.home / MAIN, alone / MAIN)
        copy = Store(alone)
        assert copy.runs(deleted=None) == store.runs(deleted=None)
        assert copy.policy("writers") == store.policy("writers")
        assert copy.parallel_runs() == store.parallel_runs()


def test_a_log_of_many_rounds_is_brought_into_the_file(store):
    run_id = train(store, rounds=300, status="running")
    assert (store.home / f"{MAIN}-wal").stat().st_size < 1_200_000
    assert store.run(run_id).last_round == 299


@contextmanager
def full_disk():
    """No file grows beyond what a run's folder says; the log of the file of runs has no room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_nothing_is_half_done(store):
    waits, trains, done = (
        store.create(plan(), engine="tff", eval_every=5),
        train(store, engine="tff", status="running"),
        train(store, plan("mine"), engine="tff", status="interrupted"),
    )
    store.set_policy(Policy(name="mine", budget_epsilon=1.0))
    before = state(store)
    for change in (
        lambda: store.create(plan("free"), engine="tff", eval_every=5),
        lambda: store.begin(waits),
        lambda: store.append(trains, row(3)),
        lambda: store.end(trains, "finished"),
        lambda: store.requeue(store.run(done), redrawn=1),
        lambda: store.set_policy(Policy(name="mine", budget_epsilon=50.0)),
    ):
        with full_disk(), pytest.raises(StoreError, match="Free some space"):
            change()
        with full_disk():
            assert state(store) == before  # one may still look
    with full_disk():
        assert state(Store(store.home)) == before
    again = Store(store.home)  # what was not said to be done is not done later either
    assert (state(again), again.recovered()) == (before, "")
    assert again.begin(waits)


@pytest.fixture
def busy(tmp_path):
    """Starts processes that queue, train, end and decide as fast as they can, and write down what was done."""
    started = []

    def start(count):
        for number in range(count):
            log = tmp_path / f"log-{number}"
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.runs.busy", tmp_path / "home", log, str(number)], cwd=ROOT
                )
            )
        return [tmp_path / f"log-{number}" for number in range(count)]

    yield start, started
    for process in started:
        process.kill()
        process.wait()


def acknowledged(logs):
    """What processes were told is done: the ids of runs that are charged, and each one's last budget."""
    runs, budgets = set(), {}
    for log in logs:
        for line in log.read_text().splitlines(keepends=True) if log.exists() else []:
            if line.endswith("\n"):
                what, name = line.split()
                if what == "run":
                    runs.add(name)
                else:
                    budgets[what] = float(name)
    return runs, budgets


def check(home, runs, budgets):
    store = Store(home)
    there = store.runs(deleted=None)
    assert store.unreadable() == []
    assert runs <= {run.run_id for run in there if run.may_have_released}
    assert len({run.run_id for run in there}) == len(there)
    for name, allowed in budgets.items():
        assert store.policy(name).budget_epsilon <= allowed  # they only fall


def test_what_was_done_is_done_whoever_is_killed_and_whatever_is_lost(tmp_path, busy):
    start, started = busy
    home, copy = tmp_path / "home", tmp_path / "copy"
    logs = start(2)
    deadline = time.monotonic() + 120
    while len(acknowledged(logs)[0]) < 12:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    seen = acknowledged(logs)
    subprocess.run(
        ["cp", "-r", home, copy], stderr=subprocess.DEVNULL, check=False
    )  # what is gone meanwhile, is gone
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()
    for where, done in ((home, acknowledged(logs)), (copy, seen)):
        for number, lost in enumerate(([], [f"{MAIN}-wal"], [MAIN], [f"{MAIN}-wal", MAIN])):
            damaged = shutil.copytree(where, tmp_path / f"{where.name}-{number}")
            for name in lost:
                (damaged / name).unlink(missing_ok=True)
            check(damaged, *done)
