"""What studies have found, with the tutorial's figures."""

import re
import sqlite3
from dataclasses import replace

import pytest

from dpcore.language import speaking
from dpcore.privacy import accounting
from dpcore.runs import findings, studies
from dpcore.runs.study import Study
from tests.runs.tutorial import BASE, TUTORIAL, finish, work

pytestmark = pytest.mark.usefixtures("no_processes")


def test_several_seeds_say_what_is_chance(store):
    study_id = studies.start(store, replace(TUTORIAL, seeds=(0, 1, 2, 3)))
    work(store)
    studies.advance_all(store)
    assert work(store) == 4
    now = studies.look(store, study_id)
    assert now.status == "finished"
    assert now.baseline.band == pytest.approx(0.003)
    assert "too few seeds" not in " ".join(findings.sentences(now))
    assert "one of 4 final runs" in " ".join(findings.sentences(now))


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
    assert findings.table(now)[-1]["epsilon"] == more > 2
    assert "the target of 2 is not kept" in " ".join(findings.sentences(now))


def test_a_final_run_below_its_target_says_why(store):
    study_id = studies.start(store, replace(TUTORIAL, target_epsilon=300.0))
    work(store)
    studies.advance_all(store)
    (final,) = store.queue()
    finish(store, final, 0.5)
    said = " ".join(findings.sentences(studies.look(store, study_id)))
    why = "clients are whole, and 15 of them would reach 355.6."
    assert f"Epsilon by RDP is 218.7, below the target of 300: {why}" in said
    usual = studies.start(store, TUTORIAL)
    work(store)
    studies.advance_all(store)
    work(store)
    assert "below the target" not in " ".join(findings.sentences(studies.look(store, usual)))


def test_a_grid_compares_each_run_with_its_own_noise_free_one(store):
    grid = Study(plan=BASE, noise_multipliers=(0.0, 0.5), client_learning_rates=(0.01, 0.1), target_epsilon=None)
    study_id = studies.start(store, grid)
    for run in store.queue():
        slow = run.plan.training.client_learning_rate == 0.01
        finish(store, run, (0.6 if slow else 0.8) - 0.1 * run.plan.privacy.noise_multiplier)
    rows = findings.table(studies.look(store, study_id))
    assert {(row["noise"], row["learning rate"]): round(row["difference"], 3) for row in rows} == {
        (0.0, 0.01): 0,
        (0.0, 0.1): 0,
        (0.5, 0.01): -0.05,
        (0.5, 0.1): -0.05,
    }


def test_what_a_study_found_has_the_same_numbers_in_japanese(store):
    study_id = studies.start(store, TUTORIAL)
    work(store)
    studies.look(store, study_id)
    work(store)
    english = findings.sentences(studies.look(store, study_id))
    with speaking("ja"):
        japanese = findings.sentences(studies.look(store, study_id))

    def numbers(words):
        return sorted(re.findall(r"[+-]?\d+(?:[.,]\d+)*(?:e[+-]\d+)?", words))

    assert len(english) == len(japanese) == 6
    for one, other in zip(english, japanese, strict=True):
        assert numbers(other) == numbers(one)
        assert other != one
