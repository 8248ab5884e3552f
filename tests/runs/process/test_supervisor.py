import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dpcore.errors import InvalidValueError
from dpcore.locks import lock
from dpcore.mechanisms.noise import SquareRoot
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs import reporting
from dpcore.runs.access import budget
from dpcore.runs.process import processes, supervisor


def running(store):
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    store.begin(run_id)
    return run_id


def test_a_run_is_running_while_its_lock_is_held_and_interrupted_when_it_is_not(store):
    run_id = running(store)
    with lock(processes.worker_lock(store, run_id), wait=True):
        assert supervisor.current(store, run_id).status == "running"
    seen = supervisor.current(store, run_id)
    assert (seen.status, seen.active) == ("interrupted", False)
    assert "killed" in seen.message
    assert [run.status for run in supervisor.runs(store)] == ["interrupted"]
    assert store.run(run_id).status == "running"  # looking writes nothing: it works on a full disk


def test_a_queued_run_needs_no_worker(store):
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    assert supervisor.current(store, run_id).status == "queued"


def test_a_run_whose_folder_was_removed_is_lost_and_hides_no_other(store):
    run_id = running(store)
    shutil.rmtree(store.folder(run_id))
    assert [run.status for run in supervisor.runs(store)] == ["interrupted"]
    supervisor.delete(store, run_id)
    assert store.runs() == []


def test_a_claimed_run_forgets_who_had_it_so_that_nobody_else_is_killed_for_it(store):
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        run_id = store.create(Plan(), engine="tff", eval_every=5)
        processes.write_worker_pid(store, run_id, bystander.pid)  # as after a restart, when its number is another's
        held = processes.claim(store, store.run(run_id))
        processes.kill_worker(store, run_id)
        assert bystander.poll() is None
        os.close(held)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_lost_round_that_cannot_be_drawn_again_ends_a_run_for_good(store, no_processes):
    """On TFF, of a schedule: users would take part more often than they are accounted for."""
    scheduled = Plan(privacy=PrivacyPlan(participation=Schedule()))
    usual = Plan()
    for plan, goes_on in ((usual, True), (scheduled, False)):
        run_id = store.create(plan, engine="tff", eval_every=5)
        store.begin(run_id)
        row = Round(round=0, accuracy=0.1, loss=1.0, clip_norm=0.1, cohort_size=None, epsilon=0.0, seconds=0.1)
        store.append(run_id, row)
        store.draw(run_id, 1)
        if goes_on:
            supervisor.resume(store, run_id)
            assert store.run(run_id).redrawn == 1
        else:
            with pytest.raises(InvalidValueError, match="one was lost: drawn again, it would cost more"):
                supervisor.resume(store, run_id)
            assert supervisor.resume_interrupted(store) == []
            assert store.run(run_id).charged == plan.privacy


def test_noise_that_an_engine_has_no_room_for_is_refused_before_it_is_queued(store, no_processes):
    privacy = PrivacyPlan(rounds=200, participation=Schedule(), noise=SquareRoot(), clipping=FixedClipping())
    with pytest.raises(InvalidValueError, match="at most 128 earlier rounds on the engine tff, found 199"):
        supervisor.start(store, Plan(privacy=privacy), engine="tff", eval_every=5)
    assert store.runs() == []


def test_a_model_for_images_is_refused_where_there_are_none_before_a_worker_starts(store, float_table):
    folder = store.home / "datasets" / "imported" / "table"
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(float_table.train.features.filename).parent, folder)
    privacy = PrivacyPlan(population=56, clients_per_round=10, rounds=3, noise_multiplier=0.3)
    plan = Plan(privacy=privacy, training=TrainingPlan(dataset="table", model="cnn"))
    with pytest.raises(
        InvalidValueError, match="16 x 16 pixels for model cnn, found no images in table"
    ) as refused:
        supervisor.start(store, plan, engine="vectorized", eval_every=1)
    assert (refused.value.field, store.queue()) == ("model", [])


def test_what_a_person_ended_does_not_go_on_by_itself(store, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    ended, lost = running(store), running(store)
    supervisor.stop(store, ended, now=True)
    assert supervisor.resume_interrupted(store) == [lost]


def test_no_runner_is_started_for_an_empty_queue_or_beside_another(store, monkeypatch):
    started = []
    monkeypatch.setattr(processes, "launch", lambda *given, **named: started.append(given) or _Done())
    supervisor.wake(store)
    store.create(Plan(), engine="tff", eval_every=5)
    with lock(processes.runner_lock(store), wait=True):
        supervisor.wake(store)
    assert started == []
    supervisor.wake(store)
    assert len(started) == 1


class _Done:
    def wait(self):
        return 0


@pytest.fixture
def some_only_test(store, float_table):
    """Puts a data set into the home of which 4 of 60 users only test, and returns a plan for it."""
    folder = store.home / "datasets" / "imported" / "table"
    shutil.copytree(Path(float_table.train.features.filename).parent, folder)

    def plan(population):
        training = TrainingPlan(dataset="table", dataset_fingerprint=float_table.fingerprint)
        return Plan(
            privacy=PrivacyPlan(population=population, clients_per_round=10, noise_multiplier=0.3),
            training=training,
        )

    return plan


def test_a_run_of_before_that_sampled_users_who_only_test_stays_charged_and_is_not_resumed(
    store, some_only_test, no_processes
):
    """Its guarantee at 10 / 60 was valid, so the ledger has it as it was; its cohorts cannot be drawn any more."""
    run_id = store.create(some_only_test(60), engine="vectorized", eval_every=5)
    store.begin(run_id)
    store.append(
        run_id,
        Round(round=1, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=3, epsilon=0.5, seconds=1.0),
    )
    store.end(run_id, "stopped")
    with pytest.raises(InvalidValueError, match="the 56 users of table who train, found 60"):
        supervisor.resume(store, run_id)
    assert store.run(run_id).status == "stopped"
    (charged,) = budget.charged_runs(store, "table")
    assert charged.plan.privacy.population == 60
    data = dict(reporting.rows(store, charged))["Data"]
    assert "60 users, of whom 56 train and the others only test." in data


def test_only_plans_for_those_who_train_are_queued(store, some_only_test, no_processes):
    with pytest.raises(InvalidValueError, match="found 60"):
        supervisor.start(store, some_only_test(60), engine="vectorized", eval_every=5)
    assert store.runs() == []
    assert store.run(supervisor.start(store, some_only_test(56), engine="vectorized", eval_every=5))
