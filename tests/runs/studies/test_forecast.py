import dataclasses

import numpy as np
import pandas as pd
import pytest

from dpcore.mechanisms.noise import Banded, Independent
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.precision import Precision
from dpcore.rounds import Round
from dpcore.runs.studies import forecast

RATIOS = np.array([0.0, 0.01, 0.01, 0.015, 0.02])
ACCURACIES = np.array([0.795, 0.777, 0.786, 0.712, 0.547])


def test_the_fit_falls_with_the_noise_and_passes_through_what_is_known():
    found = forecast.forecast(RATIOS, ACCURACIES, np.array([0.0, 0.005, 0.01, 0.0125, 0.02, 0.05]))
    assert (np.diff(found.accuracy) <= 0).all()
    assert found.accuracy[[0, 2, 4]] == pytest.approx([0.795, 0.7815, 0.547])
    assert 0.712 < found.accuracy[3] < 0.7815
    assert found.inside.tolist() == [True] * 5 + [False]
    assert (found.low < found.accuracy)[:-1].all()
    assert np.isnan(found.low[-1])  # beyond all runs nothing says how far off it is
    assert (found.high[:-1] <= 1).all()


def test_the_band_holds_a_setting_that_was_left_out():
    for left_out in (0.01, 0.015):
        seen = left_out != RATIOS
        found = forecast.forecast(RATIOS[seen], ACCURACIES[seen], np.array([left_out]))
        actual = ACCURACIES[~seen].mean()
        assert found.low[0] <= actual <= found.high[0]


def test_too_few_runs_are_no_forecast():
    assert forecast.forecast(RATIOS[:3], ACCURACIES[:3], np.array([0.01])) is None


def test_the_noise_for_an_epsilon_is_near_that_of_the_calibration_and_reaches_it():
    plan = PrivacyPlan(noise_multiplier=0.0)
    clients = np.array([50, 1000])
    found = forecast.noise_for(plan, clients, 2.0)
    for count, noise in zip(clients, found, strict=True):
        exact = calibration.solve(
            PrivacyPlan(clients_per_round=int(count), noise_multiplier=0.0),
            "noise",
            target_epsilon=2.0,
            accountant="pld",
        )
        assert noise == pytest.approx(exact.noise_multiplier, rel=0.02)
    reached = PrivacyPlan(clients_per_round=50, noise_multiplier=float(found[0]))
    assert accounting.epsilon(reached, Precision.PREVIEW).value == pytest.approx(2.0, rel=0.03)


def test_the_noise_for_an_epsilon_keeps_to_it_and_is_hardly_more_than_that_takes():
    plan = PrivacyPlan(noise_multiplier=0.0, rounds=20)
    clients = np.array([33, 61, 1000, 3383])
    for epsilon in (0.3, 2.0):
        for count, noise in zip(clients, forecast.noise_for(plan, clients, epsilon), strict=True):
            reached = dataclasses.replace(plan, clients_per_round=int(count), noise_multiplier=float(noise))
            assert 0.97 * epsilon < accounting.epsilon(reached).value <= epsilon


def test_a_noise_that_no_plan_can_have_is_no_number():
    plan, few = PrivacyPlan(noise_multiplier=0.0, rounds=20), np.array([10])
    assert np.isnan(forecast.noise_for(plan, few, 0.1))  # its count of clipped updates alone takes more
    fixed = dataclasses.replace(plan, clipping=FixedClipping(clip_norm=0.1))
    assert np.isfinite(forecast.noise_for(fixed, few, 0.1))


def test_a_ratio_that_is_held_is_one_ratio():
    held = [PrivacyPlan(clients_per_round=n, noise_multiplier=round(0.015 * n, 12)) for n in range(10, 400)]
    assert {forecast.ratio(plan) for plan in held} == {0.015}


def test_an_epsilon_out_of_reach_is_no_number():
    assert np.isnan(forecast.noise_for(PrivacyPlan(noise_multiplier=0.0), np.array([3383]), 1e-4)).all()


def test_accuracy_between_evaluations():
    rows = [
        Round(round=n, accuracy=a, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=0.5, seconds=1.0)
        for n, a in ((0, 0.1), (5, None), (10, 0.5))
    ]
    assert forecast.accuracy_after(rows, 5) == pytest.approx(0.3)
    assert forecast.accuracy_after(rows, 11) is None
    assert forecast.accuracy_after([], 1) is None


def test_the_front_is_what_nothing_beats():
    costs, accuracies = np.array([1.0, 2.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.7, 0.6, 0.7, 0.8])
    assert forecast.pareto_front(costs, accuracies).tolist() == [True, True, False, False, True]


def test_a_setting_has_the_mean_over_its_seeds_and_a_seed_that_was_run_twice_counts_once():
    rows = [("a", "0", 0.5), ("b", "0", 0.5), ("c", "1", 0.7), ("d", "none (d)", 0.9), ("e", "none (e)", 0.8)]
    runs = pd.DataFrame(rows, columns=["run", "seed", "accuracy"])
    runs = runs.assign(noise=0.5, rounds=100, epsilon=[2.0, 2.0, 2.1, 2.0, 2.0], minutes=[1.0, 3.0, 2.0, 2.0, 2.0])
    other = runs.tail(1).assign(run="f", rounds=30, accuracy=0.95)
    few, many = forecast.means_over_seeds(pd.concat([runs, other]), ["noise", "rounds"]).to_dict("records")
    assert (few["run"], few["seeds"], few["accuracy"]) == ("f", 1, 0.95)
    assert (many["run"], many["seeds"]) == ("a,b,c,d,e", 4)
    assert many["accuracy"] == pytest.approx((0.5 + 0.7 + 0.9 + 0.8) / 4)
    assert (many["low"], many["high"], many["epsilon"], many["minutes"]) == (0.5, 0.9, 2.1, 2.0)


def test_the_noise_for_an_epsilon_on_a_schedule_keeps_to_it_and_none_is_said_where_cohorts_cannot_be_formed():
    plan = PrivacyPlan(
        noise_multiplier=0.0, clipping=FixedClipping(), participation=Schedule(), noise=Banded(bands=28)
    )
    few, many, most = forecast.noise_for(plan, np.array([20, 120, 400]), 2.0)
    assert few < many
    assert np.isnan(most)  # its groups take turns every 8 rounds: 28 bands would share noise
    reached = dataclasses.replace(plan, noise_multiplier=float(many))
    assert 1.94 < accounting.epsilon(reached).value <= 2.0
    alone = dataclasses.replace(plan, noise=Independent())
    (small,) = forecast.noise_for(alone, np.array([3383]), 0.3)  # all users in all rounds: ten times as far
    assert accounting.epsilon(
        dataclasses.replace(alone, clients_per_round=3383, noise_multiplier=float(small))
    ).value == pytest.approx(0.3, rel=0.03)
