"""Runs of older versions, which took what plans may not have any more: shown and charged, and not trained."""

import json
import math
import sqlite3
import threading

import pytest
from typer.testing import CliRunner

from dpcore.cli import app
from dpcore.errors import BudgetExceededError, InvalidValueError
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.precision import Precision
from dpcore.reports.study import rounds_table
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.process import supervisor, worker
from dpcore.runs.store import Store, stored_plan
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import outlook
from dpcore.ui.train import compare, run_list
from tests.runs.tutorial import GRID, TUTORIAL

ONCE = accounting.epsilon(PrivacyPlan(), Precision.PREVIEW).value
# What was taken before there were ranges: the part of a plan, its fields, and whether its updates were bounded.
OLD = {
    "a clip norm that float32 squares to 0": ({"clipping": {"clip_norm": 1e-30}}, {}, False),
    "one that adapts from there": ({"initial_clip_norm": 1e-25}, {}, False),
    "a low one that held": ({"clipping": {"clip_norm": 1e-9}}, {}, True),
    "infinite in float32": ({"initial_clip_norm": 1e300}, {}, True),
    "steps of the clip norm": ({"learning_rate": 400}, {}, True),
    "true for a number": ({"learning_rate": True}, {}, True),
    "steps of the clients": ({}, {"client_learning_rate": 1e-25}, True),
    "steps of the server": ({}, {"server_learning_rate": 1e30}, True),
    "momentum": ({}, {"server_momentum": 0.9999999}, True),
    "half an example": ({}, {"batch_size": 32.5}, True),
}


def text_of(clipping, training):
    """The JSON of a plan as an older version wrote it."""
    data = json.loads(Plan().to_json())
    data["privacy"]["clipping"] = clipping.get("clipping") or data["privacy"]["clipping"] | clipping
    data["training"] |= training
    return json.dumps(data, sort_keys=True)


def stored(store, text, *, clip_norms=(0.1, 0.1), status="interrupted"):
    """A run that an older version has left with this plan."""
    run_id = store.create(Plan(), engine="vectorized", eval_every=5)
    store.begin(run_id)
    for number, clip_norm in enumerate(clip_norms):
        told = {"accuracy": 0.1, "loss": 2.0, "cohort_size": 5, "epsilon": 0.5, "seconds": 1.0}
        store.append(run_id, Round(round=number, clip_norm=clip_norm, **told))
    store.end(run_id, status)
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET plan = ?, seal = NULL WHERE run_id = ?", (text, run_id))  # nor sealed
    (store.folder(run_id) / "run.json").unlink()  # as before it was kept there too
    return run_id


def spent(store):
    return budget.balance(store, "writers", precision=Precision.PREVIEW).account.headline.value


@pytest.mark.parametrize("name", OLD)
def test_what_older_versions_took_is_shown_and_charged(store, name):
    clipping, training, bounded = OLD[name]
    text = text_of(clipping, training)
    with pytest.raises(InvalidValueError, match=r"^Expected .* found "):
        Plan.from_json(text)
    run_id = stored(store, text)
    (run,) = store.runs()
    assert (run.run_id, run.plan.to_json(), store.unreadable()) == (run_id, text, [])
    assert spent(store) == (ONCE if bounded else math.inf)
    # As long as the folder is there: also where the file of runs is lost.
    again = Store(store.home)
    (again.home / "runs.sqlite").unlink()
    third = Store(store.home)
    assert [one.plan.to_json() for one in third.runs()] == [text]
    assert spent(third) == (ONCE if bounded else math.inf)


@pytest.mark.parametrize("name", OLD)
def test_what_older_versions_took_is_not_trained_any_more(store, no_processes, name):
    clipping, training, _ = OLD[name]
    run_id = stored(store, text_of(clipping, training))
    for again in (supervisor.resume, supervisor.retry):
        with pytest.raises(InvalidValueError, match=r"^Expected .* found "):
            again(store, run_id)
    assert [run.status for run in store.runs()] == ["interrupted"]
    queued = stored(store, text_of(clipping, training), clip_norms=())
    assert worker._outcome(store, queued, threading.Event())[0] == "failed"


def test_without_a_bound_there_is_no_claim(store):
    run_id = stored(store, text_of({"clipping": {"clip_norm": 1e-30}}, {}))
    charged = store.run(run_id).charged
    epsilon = accounting.epsilon(charged).value
    assert math.isinf(epsilon)
    assert math.isinf(accounting.without_amplification(charged))
    assert statement.sentence(charged, epsilon).startswith("No privacy guarantee: the clip norm was so low")
    assert "bounded nothing" in " ".join(charged.warnings)
    store.set_policy(Policy(name="writers", budget_epsilon=100.0))
    with pytest.raises(BudgetExceededError, match="left no guarantee"):
        budget.check(store, Plan())
    for command in (["runs", "list", "--json"], ["runs", "show", run_id], ["ledger"]):
        done = CliRunner().invoke(app, [*command, "--home", str(store.home)])
        assert (done.exit_code, done.exception) == (0, None), done.output


@pytest.mark.parametrize(("lowest", "bounded"), [(1e-9, True), (1e-13, False), (0.0, False)])
def test_a_clip_norm_that_came_down_by_itself_is_charged_as_what_it_was(store, lowest, bounded):
    run_id = stored(store, Plan().to_json(), clip_norms=(0.1, lowest, 0.1))
    assert spent(store) == (ONCE if bounded else math.inf)
    assert store.run(run_id).plan == Plan()
    assert bool(store.run(run_id).charged.warnings) != bounded
    supervisor.delete(store, run_id)
    assert spent(store) == (ONCE if bounded else math.inf)


@pytest.mark.parametrize(("lowest", "bounded"), [(1e-9, True), (1e-13, False)])
def test_wherever_a_run_that_nothing_bounded_is_shown_it_is_said_why(store, lowest, bounded):
    """Its last round has a finite epsilon in the file of runs, and its plan a clip norm that bounds."""
    run = store.run(stored(store, Plan().to_json(), clip_norms=(0.1, lowest, *[0.1] * 99), status="finished"))
    assert run.complete
    (cost,) = budget.epsilons_alone([run])
    row, facts = run_list._row(run, cost, []), compare._facts(run)
    assert (row["epsilon"] != "∞") == (facts["epsilon"] != "∞") == bounded
    told = [row["no guarantee because"], facts["no guarantee because"]]
    told += list(rounds_table(store, [run])["no guarantee because"])
    assert {bool(why) for why in told} == {not bounded}
    assert outlook.is_lost(store, "writers") != bounded


@pytest.mark.parametrize(
    ("training", "words"),
    [({"batch_size": "32"}, "batch_size"), ({"batch_size": -1}, "batch_size"), ({"dataset": 5}, "dataset")],
)
def test_what_no_version_took_leaves_no_guarantee(store, training, words):
    _leaves_no_guarantee(store, text_of({}, training), words)


def test_a_number_that_is_too_large_for_a_float_leaves_no_guarantee(store):
    huge = {"clipped_count_stddev_per_client": 10**400}
    _leaves_no_guarantee(store, text_of(huge, {}), "clipped_count_stddev")


def _leaves_no_guarantee(store, text, words):
    with pytest.raises(InvalidValueError, match=words):
        stored_plan.read(text)
    run_id = stored(store, text)
    assert store.runs() == []
    assert [found for found, _ in store.unreadable()] == [run_id]
    assert math.isinf(spent(store))


def test_a_study_that_older_versions_took_hides_no_other(store):
    odd, good = (store.create_study(text) for text in (GRID.to_json().replace("0.02", "1e30"), TUTORIAL.to_json()))
    done = CliRunner().invoke(app, ["study", "list", "--home", str(store.home)])
    assert (done.exit_code, done.exception) == (0, None)
    assert good in done.stdout
    assert f"{odd}: Expected client_learning_rate to be a number in" in done.stderr
