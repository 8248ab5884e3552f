"""What a worker makes of how its training ended; the training itself is played."""

import os
import threading
from types import SimpleNamespace

import pytest

from dpcore import hosting, isolated, learning
from dpcore.errors import DamagedCheckpointError, StoreError
from dpcore.learning import engines
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.process import processes, worker
from dpcore.runs.store import Store, folders


def train(store, run, stop_requested, held):
    """A minute a round, until it is told to stop."""
    for number in range(run.plan.privacy.rounds + 1):
        stops = stop_requested()
        store.append(
            run.run_id,
            Round(round=number, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=3, epsilon=1.0, seconds=60.0),
        )
        if stops:
            return "stopped", ""
    return "finished", ""


@pytest.mark.parametrize(("owner", "outcome"), [("a visitor", ("stopped", 3)), ("", ("finished", 100))])
def test_a_visitors_run_stops_after_its_minutes_and_is_charged_in_full(store, monkeypatch, owner, outcome):
    monkeypatch.setattr(worker, "_train", train)
    store.set_rules(hosting.Rules(most_minutes=3))
    run_id = store.create(Plan(), engine="vectorized", eval_every=5, owner=owner)
    store.begin(run_id)
    status, message = worker._outcome(store, run_id, threading.Event())
    store.end(run_id, status, message)
    assert (status, store.run(run_id).last_round) == outcome
    assert message == (
        "Stopped after the minutes that a visitor's run may train on this dashboard: 3" if owner else ""
    )
    (charged,) = budget.charged_runs(store, "writers")
    assert charged.charged == Plan().privacy


def test_what_has_had_its_minutes_goes_on_once_the_machines_person_resumes_it(store, monkeypatch):
    monkeypatch.setattr(worker, "_train", train)
    store.set_rules(hosting.Rules(most_minutes=3))
    run_id = store.create(
        Plan(privacy=PrivacyPlan(rounds=20)), engine="vectorized", eval_every=5, owner="a visitor"
    )
    for outcome in ("stopped", "finished"):
        store.begin(run_id)
        status, message = worker._outcome(store, run_id, threading.Event())
        store.end(run_id, status, message)
        assert status == outcome
        store.requeue(store.run(run_id), redrawn=0)


def test_without_its_key_a_run_that_must_not_be_drawn_anew_does_not_go_on(store):
    """The key is there before anything is drawn, stays the same, and is never made a second time."""
    scheduled = Plan(privacy=PrivacyPlan(participation=Schedule()), training=TrainingPlan(seed=None))
    for plan, goes_on in ((scheduled, False), (Plan(training=TrainingPlan(seed=None)), True)):
        run_id = store.create(plan, engine="vectorized", eval_every=5)
        store.begin(run_id)
        key = worker._key(store, store.run(run_id))
        assert key == worker._key(store, store.run(run_id))
        assert key.bit_length() > 64
        store.append(
            run_id,
            Round(round=0, accuracy=0.1, loss=1.0, clip_norm=0.1, cohort_size=None, epsilon=0.0, seconds=0.1),
        )
        (store.folder(run_id) / folders.KEY).write_text("")  # as a lost disk leaves it
        if goes_on:
            assert worker._key(store, store.run(run_id)) is None
        else:
            with pytest.raises(DamagedCheckpointError, match="found no key there"):
                worker._key(store, store.run(run_id))
    seeded = store.create(Plan(), engine="vectorized", eval_every=5)
    assert worker._key(store, store.run(seeded)) == 0
    assert not (store.folder(seeded) / folders.KEY).exists()


def test_who_ends_a_run_that_is_ending_does_not_kill_the_one_that_follows(store, monkeypatch):
    monkeypatch.setattr(worker, "_outcome", lambda *_: ("finished", ""))
    first, second = (store.create(Plan(), engine="vectorized", eval_every=5) for _ in range(2))
    held = processes.claim(store, store.run(first))
    processes.write_worker_pid(store, first, os.getpid())
    end, killed = store.end, []
    monkeypatch.setattr(processes.os, "kill", lambda pid, _: killed.append(pid))

    def ending(self, run_id, *told):
        """A slow disk, on which somebody presses the button."""
        if store.run(second).status == "running":
            processes.kill_worker(store, first)
        end(run_id, *told)

    monkeypatch.setattr(Store, "end", ending)
    monkeypatch.setattr(worker.os, "dup2", lambda *_: None)
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    worker.main(store.home, first, held)
    assert [store.run(one).status for one in (first, second)] == ["finished", "finished"]
    assert killed == []


def test_who_stops_it_first_is_not_told_of_the_minutes(store, monkeypatch):
    monkeypatch.setattr(worker, "_train", train)
    run_id = store.create(Plan(), engine="vectorized", eval_every=5, owner="a visitor")
    store.begin(run_id)
    store.request_stop(run_id)
    assert worker._outcome(store, run_id, threading.Event()) == ("stopped", "")


def test_a_run_whose_port_is_open_to_all_says_so_while_it_trains(store, few_writers, monkeypatch):
    def rounds(*_, **__):
        yield from ()
        raise StoreError("A full disk")

    monkeypatch.setenv("EPSILON_LAB_NOT_ISOLATED", "Operation not permitted")
    monkeypatch.setattr(worker.datasets, "load", lambda *_: few_writers)
    monkeypatch.setattr(engines, "create", lambda *_: None)
    monkeypatch.setattr(learning, "evaluation", SimpleNamespace(Evaluation=lambda *_: None), raising=False)
    monkeypatch.setattr(learning, "training", SimpleNamespace(run=rounds), raising=False)
    said = []
    monkeypatch.setattr(Store, "say", lambda self, run_id, message, *_: said.append(message))
    run_id = store.create(Plan(), engine="tff", eval_every=5)
    store.begin(run_id)
    assert worker._outcome(store, run_id, threading.Event())[0] == "interrupted"
    assert said[1:] == [isolated.problem()] * 2  # while TensorFlow starts, and then
    assert "all network interfaces" in said[-1]
