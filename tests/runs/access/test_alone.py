import sqlite3
from dataclasses import replace

import pytest

from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.many import kept
from dpcore.privacy.precision import Precision
from dpcore.rounds import Round
from dpcore.runs.access import budget

PLAN = Plan(privacy=PrivacyPlan(rounds=2, noise_multiplier=1.7))


def finished(store, *, rounds=2, epsilon=None):
    """A run with its rounds, as a worker leaves it."""
    run_id = store.create(PLAN, engine="vectorized", eval_every=1)
    store.begin(run_id)
    whole = accounting.epsilon(PLAN.privacy).value if epsilon is None else epsilon
    for number in range(rounds + 1):
        spent = whole if number == 2 else 0.0
        store.append(
            run_id,
            Round(
                round=number, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=None, epsilon=spent, seconds=0.1
            ),
        )
    store.end(run_id, "finished" if rounds == 2 else "stopped")
    return run_id


def change(store, sql):
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute(sql)
    db.close()


def test_what_a_run_recorded_is_taken_without_accounting(store, monkeypatch):
    run = store.run(finished(store))
    monkeypatch.setattr(accounting, "known_epsilon", lambda _plan: pytest.fail("accounted anew"))
    assert run.accounted
    assert budget.epsilons_alone([run, run]) == [run.epsilon] * 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE rounds SET epsilon = 0.01 WHERE round = 2",
        "UPDATE runs SET accounted = NULL",
        "UPDATE runs SET accounted = 'x'",
        "UPDATE runs SET accounted = x'00'",
        "UPDATE runs SET redrawn = 1",
    ],
)
def test_a_recorded_epsilon_that_was_changed_or_is_anothers_is_not_taken(store, sql):
    run_id = finished(store)
    change(store, sql)
    (run,) = [one for one in store.runs() if one.run_id == run_id]
    assert not run.accounted
    true = accounting.epsilon(run.charged).value
    (found,) = budget.epsilons_alone([run])
    assert true <= found < true * 1.0001


def test_another_versions_epsilon_is_not_taken(store, monkeypatch):
    run_id = finished(store, epsilon=0.01)
    assert store.run(run_id).accounted
    monkeypatch.setattr(kept, "accountants", lambda: "another")
    assert budget.epsilons_alone([store.run(run_id)])[0] >= accounting.epsilon(PLAN.privacy).value


def test_a_run_that_ended_early_costs_its_whole_plan(store):
    (found,) = budget.epsilons_alone([store.run(finished(store, rounds=1))])
    assert found >= accounting.epsilon(PLAN.privacy).value > 0


def test_what_is_known_is_the_number_to_keep_and_a_preview_is_above_it(store):
    plan = replace(PLAN.privacy, noise_multiplier=1.71)
    accounting._compose.cache_clear()
    preview = accounting.known_epsilon(plan)
    assert preview == accounting.epsilon(plan, Precision.PREVIEW).value
    known = accounting.epsilon(plan).value
    assert accounting.known_epsilon(plan) == known <= preview
