"""What runs on one data set are charged with, and when no more are let in."""

import math
import sqlite3

import pytest

from dpcore.errors import BudgetExceededError
from dpcore.learning import engines
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.process import processes, supervisor
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy


def plan(**values):
    return Plan(privacy=PrivacyPlan(**values))


def run(store, status, rounds=(0, 1), engine="vectorized", **values):
    run_id = store.create(plan(**values), engine=engine, eval_every=5)
    store.begin(run_id)
    for number in rounds:
        row = Round(round=number, accuracy=None, loss=None, clip_norm=0.1, cohort_size=5, epsilon=0.5, seconds=1.0)
        store.append(run_id, row)
    if status != "running":
        store.end(run_id, status)
    return run_id


def spent(store, **more):
    return budget.balance(store, "writers", precision=Precision.PREVIEW, **more).account.headline.value


def test_whatever_released_a_round_or_still_may_is_charged_with_its_whole_plan(store):
    assert spent(store) == 0
    run(store, "failed", rounds=(0,))  # nothing was released
    assert spent(store) == 0
    run(store, "stopped")
    once = accounting.epsilon(PrivacyPlan(), Precision.PREVIEW).value
    assert spent(store) == once
    store.create(plan(), engine="vectorized", eval_every=5)  # queued
    assert spent(store) == accounting.epsilon(PrivacyPlan(rounds=200), Precision.PREVIEW).value
    assert spent(store, more=[plan()]) == accounting.epsilon(PrivacyPlan(rounds=300), Precision.PREVIEW).value


def test_rounds_drawn_again_are_charged_and_deleting_takes_nothing_back(store):
    run_id = run(store, "interrupted")
    once = spent(store)
    store.requeue(store.run(run_id), redrawn=7)
    more = accounting.epsilon(PrivacyPlan(rounds=107), Precision.PREVIEW).value
    assert spent(store) == more > once
    store.request_stop(run_id)
    supervisor.delete(store, run_id)
    store.empty_bin()
    assert store.runs() == []
    assert spent(store) == more


@pytest.mark.parametrize("redrawn", [1, 0])  # drawn again; or noted as lost, where it repeats exactly
def test_resuming_and_cancelling_takes_no_charge_away(store, redrawn):
    run_id = run(store, "running", rounds=(0,))
    store.draw(run_id, 1)
    store.end(run_id, "interrupted")
    store.requeue(store.run(run_id), redrawn=redrawn)
    store.request_stop(run_id)
    assert spent(store) > 1.7


@pytest.mark.parametrize("engine", ["tff", "vectorized"])  # the latter as of a version that kept no key
def test_a_round_that_was_being_drawn_is_charged_again(store, no_processes, engine):
    run_id = run(store, "running", engine=engine)
    store.draw(run_id, 2)
    store.end(run_id, "interrupted")
    supervisor.resume(store, run_id)
    assert store.run(run_id).redrawn == 1
    assert spent(store) == accounting.epsilon(PrivacyPlan(rounds=101), Precision.PREVIEW).value


def test_a_run_whose_plan_cannot_be_read_leaves_no_guarantee(store):
    run_id = run(store, "finished")
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET plan = replace(plan, '\"version\": 2', '\"version\": 99')")
    assert math.isinf(spent(store))
    assert run_id in budget.sentence(budget.balance(store, "writers"))


def test_a_run_that_only_its_folder_knows_is_charged_and_not_begun_by_itself(store):
    run_id = run(store, "stopped")
    (store.home / "runs.sqlite").unlink()
    again = Store(store.home)
    assert spent(again) > 1.7
    assert supervisor.resume_interrupted(again) == []
    supervisor.delete(again, run_id)
    again.empty_bin()
    (store.home / "runs.sqlite").unlink()
    third = Store(store.home)
    assert third.runs() == third.runs(deleted=True) == []  # what was thrown away stays away
    assert spent(third) > 1.7


def test_a_run_that_is_resumed_must_have_room_for_a_round_drawn_again(store, monkeypatch):
    monkeypatch.setattr(processes, "launch", lambda *given, **named: None)
    run_id = run(store, "running", engine="tff")
    store.draw(run_id, 2)
    store.end(run_id, "interrupted")
    store.set_policy(Policy(name="writers", budget_epsilon=accounting.epsilon(PrivacyPlan()).value))
    assert not engines.replays_exactly("tff")
    with pytest.raises(BudgetExceededError):
        supervisor.resume(store, run_id)
    assert store.run(run_id).status == "interrupted"


def test_no_run_starts_past_the_budget(store, monkeypatch):
    monkeypatch.setattr(processes, "launch", lambda *given, **named: pytest.fail("was started"))
    store.set_policy(Policy(name="writers", budget_epsilon=2.0))
    run(store, "finished")
    with pytest.raises(BudgetExceededError, match=r"at most epsilon 2 at delta 1e-05; .* would spend 2.337"):
        supervisor.start(store, plan(), engine="vectorized", eval_every=5)
    assert len(store.runs()) == 1
    budget.check(store, plan(rounds=1))


@pytest.mark.parametrize(
    ("values", "why"), [({"noise_multiplier": 0}, "without noise"), ({"zeroing": True}, "zeroes")]
)
def test_a_run_without_a_guarantee_fits_no_budget(store, values, why):
    store.set_policy(Policy(name="writers", budget_epsilon=1000.0))
    with pytest.raises(BudgetExceededError, match=why):
        budget.check(store, plan(**values))
    run(store, "finished", **values)
    assert math.isinf(spent(store))
    with pytest.raises(BudgetExceededError, match="left no guarantee"):
        budget.check(store, plan())


def test_a_public_data_set_costs_nothing(store):
    run(store, "finished", noise_multiplier=0)
    store.set_policy(Policy(name="writers", budget_epsilon=1.0, public=True))
    assert spent(store) == 0
    budget.check(store, plan(noise_multiplier=0))
    assert "public" in budget.sentence(budget.balance(store, "writers"))


def test_the_balance_in_words(store):
    run(store, "finished")
    assert "The runs on writers (1) come to epsilon 1.708" in budget.sentence(budget.balance(store, "writers"))
    store.set_policy(Policy(name="writers", budget_epsilon=5.0))
    assert "of a budget of 5" in budget.sentence(budget.balance(store, "writers"))


def test_the_runs_of_a_data_set_that_is_gone_keep_their_ledger(store):
    gone = Plan(training=TrainingPlan(dataset="gone"))
    store.create(gone, engine="vectorized", eval_every=5)
    assert budget.dataset_names(store)[-1] == "gone"
    assert budget.balance(store, "gone", precision=Precision.PREVIEW).account.headline.value > 1
