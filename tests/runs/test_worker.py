"""What a worker makes of how its training ended; the training itself is played."""

import threading

import pytest

from dpcore import hosting
from dpcore.plan import Plan
from dpcore.rounds import Round
from dpcore.runs import budget, worker


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
    (charged,) = budget.charged(store, "writers")
    assert charged.charged == Plan().privacy


def test_who_stops_it_first_is_not_told_of_the_minutes(store, monkeypatch):
    monkeypatch.setattr(worker, "_train", train)
    run_id = store.create(Plan(), engine="vectorized", eval_every=5, owner="a visitor")
    store.begin(run_id)
    store.request_stop(run_id)
    assert worker._outcome(store, run_id, threading.Event()) == ("stopped", "")
