"""The accountant on what was measured: as planned where that is so, and infinite rather than reassuring."""

import dataclasses
import math

import pytest

from dpcore.plan import FixedClipping
from dpcore.privacy import accounting
from dpcore.privacy.auditing.ingredients import ACROSS_ROUNDS, ingredients
from dpcore.privacy.auditing.plug_in import plug_in
from tests.privacy.auditing.simulated import PLAN, trace
from tests.privacy.auditing.test_ingredients import BANDED, innovations


def plugged(*args, plan=PLAN, **given):
    return plug_in(ingredients(trace(*args, plan=plan, **given), plan), plan)


@pytest.mark.parametrize(
    "plan", [PLAN, dataclasses.replace(PLAN, clipping=FixedClipping())], ids=["adaptive", "fixed"]
)
def test_an_honest_run_has_the_epsilon_of_its_plan(plan):
    found = plugged(2, plan=plan, leak=0)
    assert found.claimed == pytest.approx(accounting.epsilon(plan).value, rel=0.01)
    assert found.low < found.claimed < found.high
    assert found.low < found.epsilon < found.high < found.low * 1.2


def test_correlated_noise_is_plugged_in_as_well():
    found = plugged(2, plan=BANDED, directions=4_096, innovations=innovations())
    assert found.claimed == pytest.approx(accounting.epsilon(BANDED).value, rel=0.01)
    assert found.low < found.claimed < found.high


def test_half_the_noise_is_the_epsilon_of_half_the_noise():
    plan = dataclasses.replace(PLAN, clipping=FixedClipping())
    halved = dataclasses.replace(plan, noise_multiplier=plan.noise_multiplier / 2)
    found = plugged(2, plan=plan, breaks="noise half", leak=0)
    assert found.low < accounting.epsilon(halved).value < found.high
    twice = plugged(2, plan=plan, breaks="clip twice", leak=0)
    assert twice.low < accounting.epsilon(halved).value < twice.high


def test_users_updates_that_pass_for_noise_make_no_epsilon_that_reassures():
    """They make the noise look larger, and an epsilon of that would be too low."""
    found = plugged(1, leak=10)
    assert found.epsilon < found.claimed * 0.95
    assert found.high > found.claimed


def test_a_step_that_was_not_seen_promises_nothing():
    rows = [
        dataclasses.replace(row, measured=-0.2, low=-0.3, high=-0.1) if "step_of" in row.name else row
        for row in ingredients(trace(0, directions=4_096), PLAN)
    ]
    assert plug_in(rows, PLAN).high > plug_in(rows, PLAN).claimed


def test_no_noise_is_an_infinite_epsilon():
    rows = ingredients(trace(0, directions=4_096), PLAN)
    none = [
        dataclasses.replace(row, measured=0.0, low=0.0, high=0.0) if row.name == ACROSS_ROUNDS else row
        for row in rows
    ]
    assert plug_in(none, PLAN).epsilon == math.inf
    assert plug_in(none, PLAN).high == math.inf


def test_without_canaries_the_step_is_the_plans():
    found = plugged(0, directions=4_096, run_canaries=0, round_canaries=0)
    assert found.epsilon == pytest.approx(found.claimed, rel=0.02)
