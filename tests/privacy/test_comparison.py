"""A plan under each assumption, in passing: against the accountant itself, and the noise on the path against its sums."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dpcore.mechanisms import choices
from dpcore.mechanisms.participation import Full
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, assumptions
from dpcore.privacy.assumptions import comparison
from dpcore.privacy.precision import Precision


def of_a_schedule(noise="banded", **numbers):
    plan = PrivacyPlan(clipping=FixedClipping(clip_norm=0.1), **numbers)
    participation, added = choices.chosen("schedule", noise, plan.fleet)
    return replace(plan, participation=participation, noise=added)


PLANS = {
    "tutorial": PrivacyPlan(),
    "little noise": PrivacyPlan(noise_multiplier=0.3),
    "nearly all that an adaptive clip leaves room for": PrivacyPlan(noise_multiplier=11.9),
    "schedule": of_a_schedule(noise_multiplier=3.988),
    "full": PrivacyPlan(clients_per_round=3383),
    "one round": PrivacyPlan(rounds=1, population=500),
}


@pytest.mark.parametrize("name", PLANS)
def test_every_way_is_accounted_as_by_the_accountant_and_its_noise_reaches_the_target(name):
    plan = PLANS[name]
    epsilon = accounting.epsilon(plan, Precision.PREVIEW).value
    target = float(f"{epsilon * 1.0005:.4g}")
    found = comparison.ways(plan, target)
    assert [way.plan for way in found if way.plan in assumptions.plans(plan)] == list(
        dict.fromkeys(assumptions.plans(plan))
    )
    for way in found:
        account = accounting.epsilon(way.plan, Precision.PREVIEW).value
        assert account * (1 - 1e-4) <= way.epsilon <= account * 1.001 + 1e-3
        reached = accounting.epsilon(way.needed, Precision.PREVIEW).value
        assert target * 0.98 <= reached <= target * (1 + 1e-4) or way.plan == plan


def test_correlated_noise_stands_beside_independent_noise_on_a_schedule_and_asks_for_a_fixed_clip():
    found = {
        way.plan.noise.kind: way
        for way in comparison.ways(PLANS["tutorial"], 1.708)
        if way.plan.cohorts.kind == "schedule"
    }
    assert list(found) == ["independent", "tree", "banded"]
    assert {kind: way.needed.clipping.kind for kind, way in found.items()} == {
        "independent": "adaptive",
        "tree": "fixed",
        "banded": "fixed",
    }
    assert found["banded"].epsilon == found["independent"].epsilon < found["tree"].epsilon


def test_no_way_is_compared_twice_where_everybody_takes_part():
    plans = [way.plan for way in comparison.ways(PLANS["full"], 69.5)]
    assert len(set(plans)) == len(plans)
    assert plans[0].cohorts == Full()


def test_a_banded_schedule_needs_little_more_effective_noise_than_secret_coins():
    """The regime in which independent noise has 28.3 in root mean square, a tree 21.1 and 28 bands 9.7."""
    ways = comparison.ways(PLANS["schedule"], 2.0)
    rmse = {
        (way.plan.cohorts.kind, way.plan.noise.kind): 120
        * math.sqrt((comparison.noise_by_round(way.needed) ** 2).mean())
        for way in ways
    }
    assert rmse["schedule", "independent"] == pytest.approx(28.34, abs=0.02)
    assert rmse["schedule", "banded"] == pytest.approx(9.7, abs=0.05)
    assert rmse["schedule", "tree"] == pytest.approx(16.6 * 11.7956 / 3.988 / (35 / 4) ** 0.5, rel=0.01)
    equal = {
        way.plan.noise.kind: comparison.effective_noise(way.needed)
        for way in ways
        if way.plan.cohorts.kind == "schedule"
    }
    assert equal["banded"] == pytest.approx(9.7 / 28.34 * 3.988 / 120, rel=0.01)
    assert equal["independent"] == pytest.approx(3.988 / 120, rel=0.001)


@pytest.mark.parametrize("noise", ["independent", "tree", "banded", "square-root"])
def test_the_noise_on_the_path_is_that_of_the_sums(noise):
    plan = of_a_schedule(noise, noise_multiplier=2.0, rounds=40)
    source = plan.noise.source(lambda round_num: np.random.default_rng(round_num), 40, [(20_000,)])
    sums = np.cumsum([source(number)[0] for number in range(1, 41)], axis=0, dtype=float)
    drawn = 2.0 / 120 * np.sqrt((sums**2).mean(axis=1))
    assert comparison.noise_by_round(plan) == pytest.approx(drawn, rel=0.03)
