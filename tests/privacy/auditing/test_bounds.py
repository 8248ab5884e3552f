"""Bounds against golden numbers, other programs' answers, and games whose epsilon is known.

`JAX_PRIVACY` is what jax_privacy 2.0.0 (with dp-accounting 0.6.0) answered: `auditing._epsilon_one_run`,
`auditing._epsilon_one_run_fdp` divided by `get_sigma_gaussian`, and `CanaryScoreAuditor.epsilon_clopper_pearson` at an
explicit threshold, two-sided. Its own searches stop at 1e-6.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from dpcore.errors import InvalidValueError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import gaussian
from dpcore.privacy.auditing import attacks, bounds

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
ONE_RUN, F_DP = GOLDEN["one_run_lower_bound"], GOLDEN["gaussian_f_dp_lower_bound"]
CLAIM, SCHEDULE = GOLDEN["claim_p_value"], GOLDEN["known_schedule"]
JAX_PRIVACY = {
    "one_run": [
        ({"m": 2_000, "r": 37, "v": 35}, 1e-6, 0.95, 1.651479601),
        ({"m": 300, "r": 60, "v": 41}, 1e-4, 0.99, 0.062420677),
        ({"m": 10_000, "r": 500, "v": 420}, 1e-7, 0.95, 1.453478871),
    ],
    "gaussian_f_dp": [
        ({"m": 2_000, "r": 37, "v": 35}, 0.520582937),
        ({"m": 5_000, "r": 500, "v": 300}, 0.096608643),
        ({"m": 300, "r": 60, "v": 50}, 0.427418569),
    ],
}


def counts(case):
    return {"num_canaries": case["m"], "num_guesses": case["r"], "num_right": case["v"]}


@pytest.mark.parametrize("case", ONE_RUN["cases"], ids=str)
def test_one_run(case):
    found = bounds.one_run(**counts(case), delta=case["delta"])
    assert found == pytest.approx(case["epsilon"], abs=ONE_RUN["atol"])


@pytest.mark.parametrize(("case", "delta", "confidence", "epsilon"), JAX_PRIVACY["one_run"])
def test_one_run_as_jax_privacy(case, delta, confidence, epsilon):
    found = bounds.one_run(**counts(case), delta=delta, confidence=confidence)
    assert found == pytest.approx(epsilon, abs=2e-6)
    p = bounds.one_run_p_value(**counts(case), epsilon=found, delta=delta)
    assert p <= 1 - confidence == pytest.approx(p, rel=1e-6)  # the bound itself is still ruled out


@pytest.mark.parametrize("case", F_DP["cases"], ids=str)
def test_gaussian_f_dp(case):
    assert bounds.gaussian_f_dp(**counts(case)) == pytest.approx(case["mu"], abs=F_DP["atol"])


@pytest.mark.parametrize(("case", "mu"), JAX_PRIVACY["gaussian_f_dp"])
def test_gaussian_f_dp_as_jax_privacy(case, mu):
    assert bounds.gaussian_f_dp(**counts(case)) == pytest.approx(mu, abs=1e-6)


@pytest.mark.parametrize("case", CLAIM["cases"], ids=str)
def test_how_probable_a_plan_makes_what_was_guessed(case):
    trade_off = attacks.plan_trade_off(PrivacyPlan(clients_per_round=50, noise_multiplier=1.0))
    assert bounds.claim_p_value(trade_off, **counts(case)) == pytest.approx(case["p"], rel=CLAIM["rtol"])


def test_two_gaussians():
    first, second = GOLDEN["two_gaussians"]["cases"]
    found = bounds.two_gaussians(means=first["means"], stddevs=first["stddevs"], delta=1e-5)
    assert found == pytest.approx(first["epsilon"], abs=1e-6)
    found = bounds.two_gaussians(means=(1, 0), stddevs=second["stddevs"], delta=1e-5)
    assert found == pytest.approx(6.477649, abs=1e-6)
    assert bounds.two_gaussians(means=(0, 1), stddevs=(1.0, 1.1), delta=1e-5) == pytest.approx(found, abs=1e-8)


@pytest.mark.parametrize("noise", [0.2, 0.7, 1.2, 5.0, 40.0])
@pytest.mark.parametrize("delta", [1e-2, 1e-5, 1e-9])
def test_gaussians_of_one_variance_have_the_analytic_epsilon(noise, delta):
    found = bounds.two_gaussians(means=(3, 2), stddevs=(noise, noise), delta=delta)
    assert found == pytest.approx(float(gaussian.epsilons(noise, delta)), abs=1e-7)
    nearly = bounds.two_gaussians(means=(3, 2), stddevs=(noise, noise * (1 + 1e-10)), delta=delta)
    assert nearly == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(
    ("mean", "stddev", "epsilon"), [(0.5, 1.3, 0.2), (0.5, 0.7, 0.2), (-2, 1.0, 1.0), (0, 0.9, 0.05), (0, 2, 3)]
)
def test_the_divergence_of_two_gaussians_is_the_integral(mean, stddev, epsilon):
    x = np.linspace(-40, 40, 400_001)
    excess = stats.norm.pdf(x, mean, stddev) - math.exp(epsilon) * stats.norm.pdf(x)
    integral = np.maximum(excess, 0).sum() * (x[1] - x[0])
    assert bounds._hockey_stick(mean, stddev, epsilon) == pytest.approx(integral, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("case", SCHEDULE["cases"], ids=str)
def test_a_known_schedule(case):
    found = bounds.known_schedule(
        noise_multiplier=case["noise"],
        sampling_prob=case["clients"] / SCHEDULE["population"],
        rounds=SCHEDULE["rounds"],
        delta=1e-5,
    )
    assert found == pytest.approx(case["epsilon"], rel=SCHEDULE["rtol"])


def test_a_schedule_of_everybody_is_one_gaussian():
    found = bounds.known_schedule(noise_multiplier=3.0, sampling_prob=1.0, rounds=9, delta=1e-5)
    assert found == pytest.approx(float(gaussian.epsilons(1.0, 1e-5)), abs=1e-7)


@pytest.mark.parametrize(
    ("given", "delta", "epsilon"),
    [
        ((300, 500, 20, 500), 0.0, 2.207443280),
        ((300, 500, 20, 500), 1e-2, 2.189279845),
        ((480, 500, 200, 500), 1e-5, 2.207425281),
    ],
)
def test_clopper_pearson_as_jax_privacy(given, delta, epsilon):
    true, positives, false, negatives = given
    found = bounds.clopper_pearson(
        true_positives=true, positives=positives, false_positives=false, negatives=negatives, delta=delta
    )
    assert found == pytest.approx(epsilon, abs=2e-9)


def test_nobody_right_of_nobody_bounds_nothing():
    nothing = {"true_positives": 0, "positives": 50, "false_positives": 0, "negatives": 50}
    assert bounds.clopper_pearson(**nothing, delta=1e-5) == 0
    assert bounds.one_run(num_canaries=100, num_guesses=0, num_right=0, delta=1e-5) == 0
    assert bounds.gaussian_f_dp(num_canaries=100, num_guesses=0, num_right=0) == 0


def test_more_right_guesses_bound_more_and_abstaining_costs_delta():
    by_right = [
        bounds.one_run(num_canaries=1_000, num_guesses=100, num_right=right, delta=1e-5)
        for right in range(50, 101, 5)
    ]
    assert by_right[0] == 0
    assert (np.diff(by_right) >= 0).all()
    by_canaries = [
        bounds.one_run(num_canaries=number, num_guesses=100, num_right=95, delta=1e-4)
        for number in (100, 1_000, 10_000)
    ]
    assert (np.diff(by_canaries) < 0).all()


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_one_run_is_below_the_truth_as_often_as_it_says(epsilon):
    """Randomised response of each coin: exactly epsilon, and the worst case of the theorem."""
    right, which = np.unique(
        np.random.default_rng(0).binomial(300, special.expit(epsilon), 1_000), return_inverse=True
    )
    given = {"num_canaries": 300, "num_guesses": 300, "delta": 0}
    found = np.array([bounds.one_run(**given, num_right=int(one)) for one in right])[which]
    assert np.mean(found > epsilon) <= stats.binom.ppf(0.999, 1_000, 0.05) / 1_000
    assert np.mean(found > epsilon) >= 0.02  # and it is no lower than it has to be
    assert np.median(found) >= epsilon - 0.45


@pytest.mark.parametrize("mu", [0.3, 1.0])
def test_f_dp_is_below_the_truth_as_often_as_it_says(mu):
    """Coins seen through one Gaussian each, of which the surest tenth is guessed."""
    draw, number, guesses = np.random.default_rng(0), 500, 50
    trade_off, found, claims = bounds.gaussian_trade_off(mu), [], []
    for _ in range(200):
        coins = draw.random(number) < 0.5
        seen = (coins - 0.5) * mu + draw.standard_normal(number)
        surest = np.argsort(-np.abs(seen))[:guesses]
        right = int(np.count_nonzero((seen > 0)[surest] == coins[surest]))
        given = {"num_canaries": number, "num_guesses": guesses, "num_right": right}
        found.append(bounds.gaussian_f_dp(**given))
        claims.append(bounds.rules_out(trade_off, **given, significance=0.05))
    assert np.mean(np.array(found) > mu) <= stats.binom.ppf(0.999, 200, 0.05) / 200
    assert np.mean(claims) <= stats.binom.ppf(0.999, 200, 0.05) / 200
    assert np.mean(found) > mu / 5


@pytest.mark.parametrize("given", [(10, 11, 5), (10, 5, 6), (10, 5, -1)])
def test_counts_that_cannot_be_are_refused(given):
    with pytest.raises(InvalidValueError, match="at most as many guesses as canaries"):
        bounds.one_run(**counts(dict(zip("mrv", given, strict=True))), delta=0)
    with pytest.raises(InvalidValueError, match="right ones as guesses"):
        bounds.gaussian_f_dp(**counts(dict(zip("mrv", given, strict=True))))
