"""Studies on a store whose runs are written by hand, with the tutorial's figures."""

import sqlite3
from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError, StudyNotFoundError
from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.rounds import Round
from dpcore.runs import processes, studies, supervisor
from dpcore.runs.store import Policy
from dpcore.runs.studies import Setting, Study

BASE = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
TUTORIAL = Study(plan=BASE)
ACCURACY = {0.0: 0.795, 0.5: 0.777, 0.75: 0.712, 1.0: 0.547, 1.2: 0.786}


@pytest.fixture(autouse=True)
def no_processes(monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    monkeypatch.setattr(processes, "launch", lambda *given, **named: pytest.fail("was started"))


def finish(store, run, accuracy=None):
    """Ends a queued run as its worker would."""
    store.begin(run.run_id)
    shift = 0.002 * (run.plan.training.seed or 0)
    reached = ACCURACY[run.plan.privacy.noise_multiplier] if accuracy is None else accuracy
    for number, value in ((0, 0.1), (run.plan.privacy.rounds, reached + shift)):
        row = Round(
            round=number, accuracy=value, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=0.5, seconds=0.06 * 50
        )
        store.append(run.run_id, row)
    store.end(run.run_id, "finished")


def work(store):
    """Finishes all that is queued, in order; returns how many that were."""
    queue = store.queue()
    for run in queue:
        finish(store, run)
    return len(queue)


def test_the_tutorials_study_from_an_empty_store(store):
    study_id = studies.start(store, TUTORIAL)
    assert [run.plan.privacy.noise_multiplier for run in store.queue()] == [0.0, 0.5, 0.75, 1.0]
    now = studies.look(store, study_id)
    assert (now.status, now.reading.complete, now.sentences, now.result) == ("going", False, [], None)
    work(store)
    studies.advance_all(store)  # as the worker of the last run does
    (final,) = store.queue()
    assert (final.plan.privacy.clients_per_round, final.plan.privacy.noise_multiplier) == (120, 1.2)
    work(store)
    now = studies.look(store, study_id)
    assert (now.status, now.finished) == ("finished", 5)
    assert now.reading.bearable.plan.privacy.noise_multiplier == 0.5
    words = " ".join(now.sentences)
    assert "Noise 0.5: 0.777, 0.018 below the noise-free 0.795: within" in words
    assert "Noise 1: 0.547, 0.248 below the noise-free 0.795: beyond" in words
    assert "120 clients at noise 1.2 keep that, and reach epsilon 1.708" in words
    assert "too few seeds to say how much of it is chance" in words
    assert "A rehearsal" in words
    rows = studies.table(now)
    assert [row["part"] for row in rows] == ["sweep"] * 4 + ["final"]
    assert rows[-1]["difference"] == pytest.approx(-0.009)


def test_by_pld_fewer_clients_are_enough(store):
    studies.start(store, replace(TUTORIAL, accountant="pld"))
    work(store)
    studies.advance_all(store)
    assert store.queue()[0].plan.privacy.clients_per_round == 104


def test_what_was_run_already_is_taken_and_the_same_study_goes_on(store):
    first = studies.start(store, TUTORIAL)
    work(store)
    assert studies.start(store, TUTORIAL) == first
    studies.start(store, replace(TUTORIAL, seeds=(0, 1)))
    assert len(store.queue()) == 1 + 4  # the first study's final run, and the second seed
    assert {run.plan.training.seed for run in store.queue() if run.plan.privacy.clients_per_round == 50} == {1}


def test_several_seeds_say_what_is_chance(store):
    study_id = studies.start(store, replace(TUTORIAL, seeds=(0, 1, 2, 3)))
    work(store)
    studies.advance_all(store)
    assert work(store) == 4
    now = studies.look(store, study_id)
    assert now.status == "finished"
    assert now.baseline.band == pytest.approx(0.003)
    assert "too few seeds" not in " ".join(now.sentences)
    assert "one of 4 final runs" in " ".join(now.sentences)

    def setting(*accuracies):
        return Setting(plan=BASE, charged=BASE.privacy, accuracies=accuracies)

    close = setting(0.79, 0.80, 0.795, 0.795)
    assert studies.differs(close, setting(0.785, 0.795, 0.79, 0.79)) is False
    assert studies.differs(close, setting(0.70, 0.71, 0.70, 0.71)) is True
    assert studies.differs(close, setting(0.70, 0.71, 0.70)) is None


def test_rounds_drawn_again_are_in_the_epsilon_of_a_study(store):
    study_id = studies.start(store, TUTORIAL)
    work(store)
    studies.advance_all(store)
    (final,) = store.queue()
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET redrawn = 60 WHERE run_id = ?", (final.run_id,))
    work(store)
    now = studies.look(store, study_id)
    more = accounting.epsilon(replace(final.plan.privacy, rounds=160)).value
    assert studies.table(now)[-1]["epsilon"] == more > 2
    assert "the target of 2 is not kept" in " ".join(now.sentences)


def test_a_run_of_a_finished_study_that_is_thrown_away_is_not_trained_again(store):
    study_id = studies.start(store, TUTORIAL)
    work(store)
    studies.advance_all(store)
    work(store)
    assert studies.look(store, study_id).status == "finished"
    supervisor.delete(store, store.runs()[-1].run_id)
    studies.advance_all(store)
    studies.look(store, study_id)
    assert store.queue() == []


def test_a_grid_compares_each_run_with_its_own_noise_free_one(store):
    grid = Study(plan=BASE, noise_multipliers=(0.0, 0.5), client_learning_rates=(0.01, 0.1), target_epsilon=None)
    study_id = studies.start(store, grid)
    for run in store.queue():
        slow = run.plan.training.client_learning_rate == 0.01
        finish(store, run, (0.6 if slow else 0.8) - 0.1 * run.plan.privacy.noise_multiplier)
    rows = studies.table(studies.look(store, study_id))
    assert {(row["noise"], row["learning rate"]): round(row["difference"], 3) for row in rows} == {
        (0.0, 0.01): 0,
        (0.0, 0.1): 0,
        (0.5, 0.01): -0.05,
        (0.5, 0.1): -0.05,
    }


def test_a_larger_noise_that_got_lucky_is_not_bearable(store):
    studies.start(store, TUTORIAL)
    for run in store.queue():
        lucky = {0.5: 0.6, 0.75: 0.79}
        finish(store, run, lucky.get(run.plan.privacy.noise_multiplier))
    (row,) = store.studies()
    now = studies.look(store, row.study_id)
    assert now.reading.bearable is None
    assert now.status == "finished"
    assert "No noise of the sweep is within the tolerance" in now.sentences[-1]


def test_a_run_that_failed_is_not_tried_for_ever_but_once_more_when_asked(store):
    study_id = studies.start(store, TUTORIAL)
    (broken, *rest) = store.queue()
    store.begin(broken.run_id)
    store.end(broken.run_id, "failed", "out of luck")
    for run in rest:
        finish(store, run)
    studies.advance_all(store)
    now = studies.look(store, study_id)
    assert now.status == "stuck"
    assert f"{broken.run_id} is failed" in now.message
    assert store.queue() == []
    studies.go_on(store, study_id)
    assert [run.plan for run in store.queue()] == [broken.plan]
    work(store)
    studies.advance_all(store)
    work(store)
    assert studies.look(store, study_id).status == "finished"


def test_a_budget_stops_a_study_with_its_reason(store):
    store.set_policy(Policy(name="writers", budget_epsilon=1.0))
    study_id = studies.start(store, replace(TUTORIAL, noise_multipliers=(0.0, 0.5)))
    now = studies.look(store, study_id)
    assert now.status == "stuck"
    assert "at most epsilon 1 " in now.message


def test_a_paused_study_leaves_the_queue_and_goes_on(store):
    study_id = studies.start(store, TUTORIAL)
    studies.pause(store, study_id)
    assert store.queue() == []
    studies.advance_all(store)
    assert store.queue() == []
    studies.go_on(store, study_id)
    assert len(store.queue()) == 4


def test_a_grid_has_every_setting_once(store):
    grid = Study(
        plan=BASE,
        noise_multipliers=(0.5, 1.0, 0.5),
        clients_per_round=(20, 50),
        rounds=(10, 20),
        client_learning_rates=(0.01, 0.02),
        clippings=(FixedClipping(clip_norm=0.1),),
        seeds=(0, 1),
        target_epsilon=None,
    )
    assert len(grid.grid()) == 2 * 2 * 2 * 2 * 2
    assert Study.from_json(grid.to_json()) == grid
    study_id = studies.start(store, grid)
    assert len(store.queue()) == 32
    assert studies.look(store, study_id).sentences == []


def test_estimates_are_fitted_to_what_was_measured(store):
    seconds, measured = studies.seconds(store, TUTORIAL.grid(), "vectorized")
    assert (seconds > 10, measured) == (True, False)
    studies.start(store, TUTORIAL)
    work(store)
    seconds, measured = studies.seconds(store, TUTORIAL.grid(), "vectorized")
    assert measured
    assert seconds == pytest.approx(4 * 6.0)  # two rows of three seconds each


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"noise_multipliers": (0.5, 1.0)}, "noise 0"),
        ({"noise_multipliers": (0.0,)}, "noise 0"),
        ({"clients_per_round": (50, 100)}, "which of them"),
        ({"noise_multipliers": (0.0, 9.0)}, "adaptive clipping"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"noise_multipliers": ()}, "at least one run"),
        ({"accountant": "guess"}, "accountant"),
    ],
)
def test_a_study_that_cannot_be_is_refused_when_it_is_made(values, words):
    with pytest.raises(InvalidValueError, match=words):
        replace(TUTORIAL, **values)


def test_nonsense_is_no_study(store):
    for text in ("", "[]", "{}", '{"version": 99}', TUTORIAL.to_json().replace("tolerance", "patience")):
        with pytest.raises(InvalidValueError):
            Study.from_json(text)
    with pytest.raises(StudyNotFoundError, match="'nope'"):
        studies.look(store, "nope")
