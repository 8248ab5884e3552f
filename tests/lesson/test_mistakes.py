"""Published guarantees: their numbers against the library, closed forms and a brute-force cohort."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, stats

from dpcore.lesson import mistakes
from dpcore.mechanisms import zeroing
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, ledger

CLAIMS = {claim.name: claim for claim in mistakes.CLAIMS}


def test_six_claims_are_wrong_and_some_hold():
    reasons = [claim.reason for claim in mistakes.CLAIMS]
    assert sorted(set(reasons)) == sorted(mistakes.REASONS)
    assert reasons.count(mistakes.HOLDS) == 2
    assert len(reasons) == 8


@pytest.mark.parametrize("claim", mistakes.CLAIMS, ids=lambda claim: claim.name)
def test_a_wrong_claim_is_below_what_can_be_said_and_a_right_one_is_not(claim):
    if claim.reason == mistakes.HOLDS:
        assert claim.claimed >= claim.actual
    else:
        assert claim.claimed < claim.actual


def test_a_cohort_of_fixed_size_costs_what_the_golden_figures_say():
    fixed = CLAIMS["fixed_size"]
    assert (round(fixed.claimed, 2), round(fixed.actual, 2)) == (1.71, 8.81)
    assert mistakes.replaced_epsilon(PrivacyPlan()) == pytest.approx(14.09414, abs=1e-4)
    # At the noise that is quoted against a user replaced, not removed: another source has it too (mpmath, WBK19).
    assert mistakes.replaced_epsilon(PrivacyPlan(noise_multiplier=2.4)) == pytest.approx(3.5555208, abs=1e-6)


def test_a_known_schedule_is_one_gaussian_that_nothing_amplifies():
    """Balle & Wang (2018), theorem 8, for the four rounds of one user."""
    sigma, found = 1.2 / math.sqrt(4), CLAIMS["schedule"].actual
    left = stats.norm.cdf(0.5 / sigma - found * sigma)
    assert left - math.exp(found) * stats.norm.cdf(-0.5 / sigma - found * sigma) == pytest.approx(1e-5, rel=1e-6)
    assert CLAIMS["schedule"].claimed == CLAIMS["fixed_size"].claimed


def test_the_sweep_costs_what_the_ledger_composes():
    assert CLAIMS["sweep"].actual == pytest.approx(8.393, abs=1e-3)
    assert CLAIMS["sweep"].actual > max(mistakes.headline(plan) for plan in mistakes.sweep(PrivacyPlan()))


def test_all_users_in_all_rounds_are_one_gaussian():
    """Balle & Wang (2018), theorem 8: delta of the Gaussian mechanism in closed form."""
    sigma, delta = 30 / math.sqrt(100), 1e-5

    def excess(epsilon):
        left = stats.norm.cdf(0.5 / sigma - epsilon * sigma)
        return left - math.exp(epsilon) * stats.norm.cdf(-0.5 / sigma - epsilon * sigma) - delta

    exact = optimize.brentq(excess, 0, 20)
    assert exact - 1e-9 <= CLAIMS["everybody"].claimed < exact + 1e-9  # the root is found to 2e-12


def test_a_delta_above_one_over_the_population_is_warned_of():
    plan = CLAIMS["delta"].plan
    assert any("1/population" in warning for warning in plan.warnings)
    assert CLAIMS["delta"].actual == pytest.approx(accounting.epsilon(PrivacyPlan()).value, rel=1e-3)


def test_an_average_over_those_that_came_moves_twice_as_far():
    others = 7
    without = -1.0  # all others agree
    with_user = (others * -1.0 + 1.0) / (others + 1)
    sizes = np.array([1, others + 1, 120])
    assert mistakes.average_sensitivity(sizes) == pytest.approx([1, with_user - without, 2 / 120])
    # No direction does worse: one user of length 1 against others of any lengths and directions.
    draw = np.random.default_rng(0)
    updates = draw.normal(size=(2_000, others + 1, 3))
    updates /= np.maximum(1, np.linalg.norm(updates, axis=-1, keepdims=True))
    moved = np.linalg.norm(updates.mean(axis=1) - updates[:, 1:].mean(axis=1), axis=-1)
    assert moved.max() <= 2 / (others + 1)
    assert moved.max() > 1 / (others + 1)  # already further than the fixed denominator allows
    half = mistakes.headline(replace(PrivacyPlan(), noise_multiplier=0.6))
    assert CLAIMS["came"].actual == half


def test_the_zeroing_threshold_moves_without_noise_and_the_clip_norm_under_it():
    assert mistakes.threshold_sensitivity(120) == pytest.approx(math.exp(zeroing.LEARNING_RATE / 120) - 1)
    assert CLAIMS["zeroing"].actual == math.inf
    assert ledger.why_uncovered(CLAIMS["zeroing"].plan)
    moved, noise = mistakes.clip_norm_sensitivity(PrivacyPlan())
    assert moved == pytest.approx(math.exp(0.2 * 0.5 / 120) - 1)
    assert noise == pytest.approx(0.2 * 0.05)
