"""Studies on a store whose runs are written by hand, with the tutorial's figures."""

from dataclasses import replace

import pytest

from dpcore.errors import StudyNotFoundError
from dpcore.language import speaking
from dpcore.runs.process import supervisor
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import findings, schedule
from tests.runs.tutorial import GRID, TUTORIAL, finish, work

pytestmark = pytest.mark.usefixtures("no_processes")


def test_the_tutorials_study_from_an_empty_store(store):
    study_id = schedule.start(store, TUTORIAL)
    assert [run.plan.privacy.noise_multiplier for run in store.queue()] == [0.0, 0.5, 0.75, 1.0]
    now = schedule.current(store, study_id)
    assert (now.status, now.outcome.complete, findings.sentences(now), now.final_setting) == (
        "going",
        False,
        [],
        None,
    )
    work(store)
    schedule.advance_all(store)  # as the worker of the last run does
    (final,) = store.queue()
    assert (final.plan.privacy.clients_per_round, final.plan.privacy.noise_multiplier) == (120, 1.2)
    work(store)
    now = schedule.current(store, study_id)
    assert (now.status, now.finished) == ("finished", 5)
    assert now.outcome.tolerable.plan.privacy.noise_multiplier == 0.5
    words = " ".join(findings.sentences(now))
    assert "Noise 0.5: 77.7%, 1.8 points below the non-private baseline (79.5%): within" in words
    assert "Noise 1: 54.7%, 24.8 points below the non-private baseline (79.5%): beyond" in words
    assert "120 clients per round with noise multiplier 1.2 keep that ratio and reach epsilon 1.708" in words
    assert "too few seeds to tell it from random variation" in words
    assert "Seeded run: not for release" in words
    rows = findings.table(now)
    assert [row["part"] for row in rows] == ["sweep"] * 4 + ["final"]
    assert rows[-1]["difference"] == pytest.approx(-0.009)


def test_by_pld_fewer_clients_are_enough(store):
    schedule.start(store, replace(TUTORIAL, accountant="pld"))
    work(store)
    schedule.advance_all(store)
    assert store.queue()[0].plan.privacy.clients_per_round == 104


def test_what_was_run_already_is_taken_and_the_same_study_goes_on(store):
    first = schedule.start(store, TUTORIAL)
    work(store)
    assert schedule.start(store, TUTORIAL) == first
    schedule.start(store, replace(TUTORIAL, seeds=(0, 1)))
    assert len(store.queue()) == 1 + 4  # the first study's final run, and the second seed
    assert {run.plan.training.seed for run in store.queue() if run.plan.privacy.clients_per_round == 50} == {1}


def test_a_run_of_a_finished_study_that_is_thrown_away_is_not_trained_again(store):
    study_id = schedule.start(store, TUTORIAL)
    work(store)
    schedule.advance_all(store)
    work(store)
    assert schedule.current(store, study_id).status == "finished"
    supervisor.delete(store, store.runs()[-1].run_id)
    schedule.advance_all(store)
    schedule.current(store, study_id)
    assert store.queue() == []


def test_a_run_that_failed_is_not_tried_for_ever_but_once_more_when_asked(store):
    study_id = schedule.start(store, TUTORIAL)
    (broken, *rest) = store.queue()
    store.begin(broken.run_id)
    store.end(broken.run_id, "failed", "out of luck")
    for run in rest:
        finish(store, run)
    schedule.advance_all(store)
    now = schedule.current(store, study_id)
    assert now.status == "stuck"
    assert f"{broken.run_id} is failed" in now.message
    assert store.queue() == []
    schedule.go_on(store, study_id)
    assert [run.plan for run in store.queue()] == [broken.plan]
    work(store)
    schedule.advance_all(store)
    work(store)
    assert schedule.current(store, study_id).status == "finished"


def test_a_budget_stops_a_study_with_its_reason(store):
    store.set_policy(Policy(name="writers", budget_epsilon=1.0))
    study_id = schedule.start(store, replace(TUTORIAL, noise_multipliers=(0.0, 0.5)))
    now = schedule.current(store, study_id)
    assert now.status == "stuck"
    assert "at most epsilon 1 " in now.message


def test_a_paused_study_leaves_the_queue_and_goes_on(store):
    study_id = schedule.start(store, TUTORIAL)
    schedule.pause(store, study_id)
    assert schedule.current(store, study_id).status == "paused"
    assert store.queue() == []
    schedule.advance_all(store)
    assert store.queue() == []
    schedule.go_on(store, study_id)
    assert len(store.queue()) == 4


def test_what_keeps_a_study_is_kept_for_readers_of_any_language(store):
    store.set_policy(Policy(name="writers", budget_epsilon=1.0))
    with speaking("ja"):
        study_id = schedule.start(store, replace(TUTORIAL, noise_multipliers=(0.0, 0.5)))
    (row,) = store.studies(study_id)
    assert row.message.startswith("Expected all runs on writers together to spend at most epsilon 1")


def test_every_plan_of_a_grid_is_queued(store):
    study_id = schedule.start(store, GRID)
    assert len(store.queue()) == 32
    assert findings.sentences(schedule.current(store, study_id)) == []


def test_a_study_that_is_not_there_is_named(store):
    with pytest.raises(StudyNotFoundError, match="'nope'"):
        schedule.current(store, "nope")
