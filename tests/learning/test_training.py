"""The loop, with an engine that counts instead of learning."""

from dataclasses import replace

import numpy as np
import pytest

from dpcore.errors import DivergedError, InvalidValueError
from dpcore.learning import training
from dpcore.learning.engine import RoundMetrics
from dpcore.plan import identity
from dpcore.privacy import accounting
from dpcore.rng import Streams


class CountingEngine:
    """Its one weight is the number of users that came so far."""

    def initialize(self):
        return 0

    def next(self, state, cohort, round_num):
        return state + len(cohort), RoundMetrics(clip_norm=0.1 * round_num, update_norm=float(round_num))

    def model_weights(self, state):
        return [np.array(state)]


def evaluate(weights):
    return 0.5, float(weights[0])


def test_rounds_evaluations_and_epsilon(small_plan, few_writers, with_privacy):
    small_plan = with_privacy(small_plan, noise_multiplier=0.9)
    reports = list(training.run(small_plan, few_writers, CountingEngine(), evaluate, eval_every=2))
    assert [r.round for r in reports] == [0, 1, 2, 3]
    assert [r.accuracy for r in reports] == [0.5, None, 0.5, 0.5]
    assert [r.clip_norm for r in reports] == pytest.approx([0.1, 0.1, 0.2, 0.3])
    assert reports[0].cohort_size is None
    assert reports[3].loss == sum(r.cohort_size for r in reports[1:])
    exact = [accounting.epsilon(replace(small_plan.privacy, rounds=count)).value for count in range(4)]
    spent = [r.epsilon for r in reports]
    assert (spent[0], spent[3]) == (0, exact[3])
    assert all(e <= s <= e * 1.002 for e, s in zip(exact, spent, strict=True))


def test_a_stop_evaluates_the_last_round(small_plan, few_writers):
    asked = iter([False, True])
    run = training.run(
        small_plan, few_writers, CountingEngine(), evaluate, eval_every=50, stop_requested=lambda: next(asked)
    )
    assert [(r.round, r.accuracy) for r in run] == [(0, 0.5), (1, 0.5)]


def test_a_plan_for_another_population_is_refused(small_plan, few_writers, with_privacy):
    other = with_privacy(small_plan, population=61)
    with pytest.raises(InvalidValueError, match="population"):
        next(training.run(other, few_writers, CountingEngine(), evaluate, eval_every=1))


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("where", ["weights", "update_norm"])
def test_a_model_that_is_not_finite_is_no_model(small_plan, few_writers, odd, where):
    class Exploding(CountingEngine):
        def next(self, state, cohort, round_num):
            if round_num < 2:
                return 0.0, RoundMetrics(clip_norm=0.1, update_norm=1.0)
            told = RoundMetrics(clip_norm=0.1, update_norm=odd if where == "update_norm" else 1.0)
            return (odd if where == "weights" else 0.0), told

    reports = training.run(small_plan, few_writers, Exploding(), evaluate, eval_every=1)
    assert [next(reports).round, next(reports).round] == [0, 1]
    with pytest.raises(DivergedError, match=r"^Expected a finite model after round 2, found"):
        next(reports)


def test_a_run_goes_on_from_any_round_as_if_nothing_had_been(small_plan, few_writers):
    def reports(**how):
        return list(training.run(small_plan, few_writers, CountingEngine(), evaluate, eval_every=2, **how))

    whole = reports()
    for kept in whole[:-1]:
        rest = reports(resume=(kept.row, kept.state))
        assert [replace(r.row, seconds=0) for r in rest] == [
            replace(r.row, seconds=0) for r in whole[kept.round + 1 :]
        ]


def test_rounds_drawn_again_are_in_epsilon(small_plan, few_writers):
    reports = list(training.run(small_plan, few_writers, CountingEngine(), evaluate, eval_every=2, redrawn=2))
    assert reports[-1].epsilon == accounting.epsilon(replace(small_plan.privacy, rounds=5)).value
    exact = accounting.epsilon(replace(small_plan.privacy, rounds=3)).value
    assert exact <= reports[1].epsilon <= exact * 1.002


def test_what_is_told_before_a_round_is_its_number(small_plan, few_writers):
    told = []
    list(training.run(small_plan, few_writers, CountingEngine(), evaluate, eval_every=2, before_round=told.append))
    assert told == [1, 2, 3]


def test_the_noise_norm_is_that_of_the_noise(small_plan, few_writers):
    reports = list(training.run(small_plan, few_writers, CountingEngine(), evaluate, eval_every=2))
    privacy = small_plan.privacy
    assert reports[0].noise_norm is None
    assert reports[1].noise_norm == pytest.approx(privacy.value_noise_multiplier * 0.1 / 10)  # one weight
    assert reports[3].noise_norm == pytest.approx(privacy.value_noise_multiplier * 0.2 / 10)


class RememberingEngine(CountingEngine):
    """Knows who came, round by round."""

    def initialize(self):
        self.came = []
        return 0

    def next(self, state, cohort, round_num):
        self.came.append(cohort.tolist())
        return super().next(state, cohort, round_num)


def came(plan, dataset, **how):
    engine = RememberingEngine()
    list(training.run(plan, dataset, engine, evaluate, eval_every=50, **how))
    return engine.came


def test_cohorts_are_of_those_who_train(small_plan, float_table, with_privacy):
    """Of 60 users four have nothing to train on."""
    plan = with_privacy(small_plan, population=56, clients_per_round=20, rounds=100)
    assert float_table.trainers.tolist() == [3, 4, *range(6, 60)]
    cohorts = came(plan, float_table)
    assert {user for cohort in cohorts for user in cohort} == set(float_table.trainers.tolist())
    assert np.mean([len(cohort) for cohort in cohorts]) == pytest.approx(20, abs=4 * np.sqrt(13 / 100))
    whole = with_privacy(plan, clients_per_round=56, rounds=1)
    assert came(whole, float_table) == [float_table.trainers.tolist()]


def test_a_plan_that_counts_those_who_only_test_is_refused(small_plan, float_table):
    with pytest.raises(InvalidValueError, match="the 56 users of table who train, found 60"):
        came(small_plan, float_table)


def test_where_all_train_the_seeded_cohorts_are_as_ever(small_plan, few_writers):
    """Written down before users who only test were left out, and under the name that such a run keeps."""
    assert came(small_plan, few_writers, streams=Streams(0, identity.of_format_2(small_plan.to_json()))) == [
        [4, 6, 22, 23, 26, 28, 37, 43, 47],
        [2, 6, 14, 22, 27, 37, 38, 41, 49, 51, 57],
        [1, 7, 10, 11, 14, 15, 19, 20, 30, 39, 41, 45, 47, 54, 56],
    ]
