"""What studies have found, with the tutorial's figures."""

import re
import sqlite3
from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.plan import TrainingPlan
from dpcore.privacy import accounting
from dpcore.reports import study as report
from dpcore.runs.studies import findings, schedule
from dpcore.runs.studies.study import Study
from tests.runs.tutorial import BASE, TUTORIAL, finish, work

pytestmark = pytest.mark.usefixtures("no_processes")


def test_several_seeds_say_what_is_chance(store):
    study_id = schedule.start(store, replace(TUTORIAL, seeds=(0, 1, 2, 3)))
    work(store)
    schedule.advance_all(store)
    assert work(store) == 4
    now = schedule.current(store, study_id)
    assert now.status == "finished"
    assert now.baseline.band == pytest.approx(0.003)
    assert "too few seeds" not in " ".join(findings.sentences(now))
    assert "one of 4 final runs" in " ".join(findings.sentences(now))


def test_rounds_drawn_again_are_in_the_epsilon_of_a_study(store):
    study_id = schedule.start(store, TUTORIAL)
    work(store)
    schedule.advance_all(store)
    (final,) = store.queue()
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET redrawn = 60 WHERE run_id = ?", (final.run_id,))
    work(store)
    now = schedule.current(store, study_id)
    more = accounting.epsilon(replace(final.plan.privacy, rounds=160)).value
    assert findings.table(now)[-1]["epsilon"] == more > 2
    assert "the target of 2 is not kept" in " ".join(findings.sentences(now))


def test_a_final_run_below_its_target_says_why(store):
    study_id = schedule.start(store, replace(TUTORIAL, target_epsilon=300.0))
    work(store)
    schedule.advance_all(store)
    (final,) = store.queue()
    finish(store, final, 0.5)
    said = " ".join(findings.sentences(schedule.current(store, study_id)))
    why = "clients are whole, and 15 of them would reach 355.6."
    assert f"Epsilon by RDP is 218.7, below the target of 300: {why}" in said
    usual = schedule.start(store, TUTORIAL)
    work(store)
    schedule.advance_all(store)
    work(store)
    assert "below the target" not in " ".join(findings.sentences(schedule.current(store, usual)))


def test_a_grid_compares_each_run_with_its_own_noise_free_one(store):
    grid = Study(plan=BASE, noise_multipliers=(0.0, 0.5), client_learning_rates=(0.01, 0.1), target_epsilon=None)
    study_id = schedule.start(store, grid)
    for run in store.queue():
        slow = run.plan.training.client_learning_rate == 0.01
        finish(store, run, (0.6 if slow else 0.8) - 0.1 * run.plan.privacy.noise_multiplier)
    rows = findings.table(schedule.current(store, study_id))
    assert {(row["noise"], row["learning rate"]): round(row["difference"], 3) for row in rows} == {
        (0.0, 0.01): 0,
        (0.0, 0.1): 0,
        (0.5, 0.01): -0.05,
        (0.5, 0.1): -0.05,
    }


def test_what_a_study_found_has_the_same_numbers_in_japanese(store):
    study_id = schedule.start(store, TUTORIAL)
    work(store)
    schedule.current(store, study_id)
    work(store)
    english = findings.sentences(schedule.current(store, study_id))
    with speaking("ja"):
        japanese = findings.sentences(schedule.current(store, study_id))

    def numbers(words):
        return sorted(re.findall(r"[+-]?\d+(?:[.,]\d+)*(?:e[+-]\d+)?", words))

    assert len(english) == len(japanese) == 6
    for one, other in zip(english, japanese, strict=True):
        assert numbers(other) == numbers(one)
        assert other != one


def found(store, study, accuracies):
    """What a study has found whose runs end at these accuracies, by their noise."""
    study_id = schedule.start(store, study)
    for _ in range(2):
        for run in store.queue():
            finish(store, run, accuracies[run.plan.privacy.noise_multiplier])
        schedule.advance_all(store)
    return schedule.current(store, study_id)


def test_without_a_noise_free_run_the_least_noise_is_what_others_are_held_against(store):
    study = replace(TUTORIAL, noise_multipliers=(0.75, 0.5, 1.0), baseline="none")
    now = found(store, study, {0.5: 0.78, 0.75: 0.75, 1.0: 0.5, 0.975: 0.76})
    assert (now.status, now.baseline.plan.privacy.noise_multiplier) == ("finished", 0.5)
    words = findings.sentences(now)
    assert words[0].startswith(
        "Noise 0.75: 75.0%, 3.0 points below the accuracy at noise 0.5 (78.0%): within the tolerance of 5 points"
    )
    assert words[1].startswith("Noise 1: 50.0%, 28.0 points below the accuracy at noise 0.5 (78.0%): beyond")
    assert "65 clients per round with noise multiplier 0.975 keep that" in words[3]
    assert "accuracy 76.0%, -2.0 points against the run at noise 0.5" in words[3]
    assert not any("baseline" in sentence for sentence in words)
    differences = {row["noise"]: round(row["difference"], 3) for row in findings.table(now)}
    assert differences == {0.5: 0, 0.75: -0.03, 1.0: -0.28, 0.975: -0.02}
    with speaking("ja"):
        assert "ノイズ 0.5 での精度（78.0%）" in findings.sentences(now)[0]


def test_the_writers_stand_in_for_data_like_them_and_their_difference_is_said_to_be_one_of_data(store):
    data = replace(BASE, training=TrainingPlan(dataset="federated_emnist"))
    study = replace(TUTORIAL, plan=data, noise_multipliers=(0.0, 0.5), baseline="writers")
    now = found(store, study, {0.0: 0.79, 0.5: 0.77, 1.2: 0.76})
    assert {run.plan.training.dataset for run in now.final} == {"federated_emnist"}
    assert [(row["data"], row["noise"], round(row["difference"], 3)) for row in findings.table(now)] == [
        ("writers", 0.0, 0),
        ("federated_emnist", 0.5, -0.02),
        ("federated_emnist", 1.2, -0.03),
    ]
    words = " ".join(findings.sentences(now))
    assert "2.0 points below the non-private baseline on the Writers (79.0%): within" in words
    assert "-3.0 points against the non-private baseline on the Writers" in words
    assert "the difference also reflects the data" in words
    lines = set(report.rounds_table(store, now.runs)["setting"])
    assert "writers, noise 0, 50 clients, 100 rounds" in lines  # told apart from those of the other data


def test_data_that_are_not_like_the_writers_are_refused_before_anything_is_queued(store):
    for name in ("federated_emnist_62", "nowhere"):
        study = replace(TUTORIAL, plan=replace(BASE, training=TrainingPlan(dataset=name)), baseline="writers")
        with pytest.raises(InvalidValueError):
            schedule.start(store, study)
    assert store.runs() == store.studies() == []
