import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.risk import rate_from_pair, risk, why_unbounded

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
ATTACKS = [case for case in CASES if case["group"] == "attack"]


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case["id"])
def test_golden_attacks(case):
    inputs = case["inputs"]
    found = risk(PrivacyPlan(clients_per_round=inputs["clients"], noise_multiplier=inputs["noise_multiplier"]))
    got = found.true_positive_rate(inputs["fpr"]) if "fpr" in inputs else found.advantage
    assert abs(got - case["expected"]) <= max(case["tol_abs"], case["tol_rel"] * case["expected"])


def test_there_are_attacks():
    assert len(ATTACKS) > 8


@pytest.mark.parametrize("rate", [1e-4, 0.01, 0.3, 0.9])
def test_a_plain_gaussian_has_a_closed_form(rate):
    """Dong et al. (2022), section 2.2: the trade-off of N(0, 1) and N(mu, 1)."""
    mu = 10 / 16.0  # ten per cent of noise 16 in a hundred rounds
    plan = PrivacyPlan(clients_per_round=3383, noise_multiplier=16.0)
    exact = stats.norm.cdf(stats.norm.ppf(rate) + mu)
    assert exact <= risk(plan).true_positive_rate(rate) <= exact * 1.002
    assert risk(plan).advantage == pytest.approx(2 * stats.norm.cdf(mu / 2) - 1, rel=1e-4)


def test_one_pair_alone_says_more():
    pair = rate_from_pair(accounting.epsilon(PrivacyPlan()).value, 1e-5, 0.01)
    assert pair == pytest.approx(0.0552, abs=1e-4)
    assert risk(PrivacyPlan()).true_positive_rate(0.01) == pytest.approx(0.0262, abs=1e-4)
    assert rate_from_pair(math.inf, 0, 0.01) == 1


def test_without_noise_everybody_is_found_and_without_rounds_nobody_is():
    naked, silent = risk(PrivacyPlan(noise_multiplier=0)), risk(PrivacyPlan(rounds=0))
    assert (naked.advantage, naked.true_positive_rate(0.01), naked.best_guess(0.5)) == (1, 1, 1)
    assert (silent.advantage, silent.true_positive_rate(0.01), silent.best_guess(0.3)) == (0, 0.01, 0.7)
    assert silent.posterior(0.3, 0.01) == pytest.approx(0.3)


def test_with_zeroing_nothing_bounds_an_attack():
    found = risk(PrivacyPlan(zeroing=True))
    assert (found.advantage, found.true_positive_rate(0.01), found.best_guess(0.5)) == (1, 1, 1)
    assert found.posterior(0.5, 0.01) == 1 / 1.01
    assert "follows the updates without noise" in why_unbounded(PrivacyPlan(zeroing=True))
    assert "without noise" in why_unbounded(PrivacyPlan(noise_multiplier=0))
    assert why_unbounded(PrivacyPlan()) == why_unbounded(PrivacyPlan(delta=0)) == ""
    assert why_unbounded(PrivacyPlan(zeroing=True, rounds=0)) == ""


@pytest.mark.parametrize("noise", [0.001, 0.05, 0.1])
def test_with_hardly_any_noise_all_are_found_that_took_part(noise):
    """Of those that were ever drawn; whoever never was cannot be told from one that was not there."""
    plan = PrivacyPlan(noise_multiplier=noise)
    drawn = 1 - (1 - plan.sampling_prob) ** plan.rounds
    assert drawn * (1 - 1e-4) <= risk(plan).advantage <= drawn * (1 + 1e-9)
    assert risk(plan).true_positive_rate(0.01) <= drawn + 0.01 + 1e-9


def test_what_attacks_achieve_does_not_jump_where_another_takes_over():
    rates = [
        risk(PrivacyPlan(clients_per_round=100, noise_multiplier=noise)).true_positive_rate(np.array([1e-6, 0.01]))
        for noise in np.geomspace(0.14, 0.18, 15).tolist()
    ]
    falls = -np.diff(rates, axis=0)
    assert (falls > 0).all()
    assert (np.abs(np.diff(falls, axis=0)) < 0.0025).all()


def test_guesses_and_suspicions():
    found = risk(PrivacyPlan())
    assert found.best_guess(0.5) == pytest.approx((1 + found.advantage) / 2)
    assert found.best_guess(0.1) == pytest.approx(found.best_guess(0.9))
    assert 0.9 <= found.best_guess(0.1) < 0.91
    rates = found.true_positive_rate(0.01)
    assert found.posterior(0.5, 0.01) == pytest.approx(rates / (rates + 0.01))
    priors = [found.posterior(prior, 0.01) for prior in (0.01, 0.1, 0.5, 0.9)]
    assert priors == sorted(priors)


@pytest.mark.parametrize("noise", [0.3, 0.5, 1.2])
def test_a_guess_is_never_said_to_be_worse_than_it_is(noise):
    """Everybody in one round: the profile is that of one Gaussian (Balle and Wang 2018, theorem 8)."""
    whole = PrivacyPlan(population=2, clients_per_round=2, rounds=1, clipping=FixedClipping())
    found = risk(replace(whole, noise_multiplier=noise))
    for prior in np.linspace(0.001, 0.5, 999):
        odds = (1 - prior) / prior
        given, otherwise = stats.norm.cdf(np.array([0.5, -0.5]) / noise - noise * np.log(odds))
        delta = given - odds * otherwise
        assert 1 - prior + prior * delta <= found.best_guess(prior) + 1e-12


def test_the_trade_off_is_above_guessing_and_rises():
    rates = np.linspace(0.001, 1, 50)
    found = risk(PrivacyPlan()).true_positive_rate(rates)
    assert (found >= rates - 1e-12).all()
    assert (np.diff(found) >= 0).all()
