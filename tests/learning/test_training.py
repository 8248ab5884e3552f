"""The loop, with an engine that counts instead of learning."""

from dataclasses import replace

import numpy as np
import pytest

from dpcore.errors import DivergedError, InvalidValueError
from dpcore.learning import training
from dpcore.learning.engine import RoundMetrics
from dpcore.privacy import accounting


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


def test_rounds_evaluations_and_epsilon(small_plan, few_writers):
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
