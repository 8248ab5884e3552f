"""Attacks on runs whose guarantee is known: their bounds stay below it, and find what is broken."""

import dataclasses

import numpy as np
import pytest
from scipy import special, stats

from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, gaussian
from dpcore.privacy.auditing import bounds
from dpcore.privacy.auditing.attacks import (
    CLOPPER_PEARSON,
    GAUSSIAN_F_DP,
    ONE_RUN,
    PLAN_F_DP,
    ROUND,
    RUN,
    attack,
    claim_p_value,
    cosine_estimate,
    epsilon_by_round,
    log_likelihood_ratios,
)
from tests.privacy.auditing.simulated import PLAN, trace
from tests.privacy.auditing.test_ingredients import BANDED, innovations

LEAKY = dataclasses.replace(PLAN, clients_per_round=120, noise_multiplier=0.5)


def by_method(*args, plan=PLAN, **given):
    return {bound.method: bound for bound in attack(trace(*args, plan=plan, **given), plan)}


@pytest.mark.parametrize("plan", [PLAN, LEAKY], ids=["as claimed", "little noise"])
def test_what_attacks_show_is_below_what_is_claimed(plan):
    found, claimed = by_method(1, plan=plan), accounting.epsilon(plan).value
    assert set(found) == {ONE_RUN, PLAN_F_DP, CLOPPER_PEARSON, GAUSSIAN_F_DP}
    for method in (ONE_RUN, PLAN_F_DP, CLOPPER_PEARSON):
        assert found[method].scope == RUN
        assert 0 < found[method].epsilon < claimed
        assert 0 < found[method].right <= found[method].guesses
    of_round = float(gaussian.epsilons(plan.value_noise_multiplier, plan.delta))
    assert found[GAUSSIAN_F_DP].scope == ROUND
    assert of_round / 2 < found[GAUSSIAN_F_DP].epsilon < of_round
    proven = {ONE_RUN, PLAN_F_DP, GAUSSIAN_F_DP}  # canaries of one run are not shown to be independent trials
    assert {method: bound.confidence for method, bound in found.items()} == {
        method: 0.95 if method in proven else None for method in found
    }


def test_epsilon_by_round_grows_to_that_of_the_run():
    whole = trace(1, plan=LEAKY, directions=4_096)
    found = epsilon_by_round(whole, LEAKY)
    assert len(found) == LEAKY.rounds
    assert found[-1] == next(bound.epsilon for bound in attack(whole, LEAKY) if bound.method == ONE_RUN)
    assert found[0] < found[20] < found[-1]
    assert epsilon_by_round(whole, LEAKY, rounds=[1, 21, 100]).tolist() == found[[0, 20, 99]].tolist()


def test_what_is_known_of_a_run_so_far_is_attacked_as_well():
    plan = dataclasses.replace(LEAKY, rounds=10)
    so_far = trace(1, plan=plan, directions=4_096)
    assert {bound.method for bound in attack(so_far, LEAKY)} == {ONE_RUN, CLOPPER_PEARSON, GAUSSIAN_F_DP}
    assert claim_p_value(so_far, LEAKY) > 0.01


def test_the_score_is_the_log_likelihood_ratio_of_the_plan():
    one = trace(0, directions=2_048)
    scores, noise, q = log_likelihood_ratios(one, PLAN), one.noise, PLAN.sampling_prob
    seen = one.projections[:5, :50].astype(float)
    present = (1 - q) * stats.norm.pdf(seen, 0, noise) + q * stats.norm.pdf(seen, 1, noise)
    assert scores[:5, :50] == pytest.approx(np.log(present / stats.norm.pdf(seen, 0, noise)), abs=1e-9)


def test_all_users_in_all_rounds_with_hardly_noise_is_found_out():
    """Where each canary is in or out for all to see, the bounds are what so many coins can show."""
    plan = PrivacyPlan(
        population=100, clients_per_round=100, rounds=20, noise_multiplier=0.3, clipping=FixedClipping()
    )
    found = by_method(0, plan=plan, directions=4_096)
    assert found[ONE_RUN].right == found[ONE_RUN].guesses == 400
    most = bounds.one_run(num_canaries=1_000, num_guesses=400, num_right=400, delta=1e-5, confidence=1 - 0.05 / 3)
    assert found[ONE_RUN].epsilon == most > 2
    assert found[CLOPPER_PEARSON].epsilon > 4


def test_an_attack_on_a_broken_run_refutes_the_claim():
    assert claim_p_value(trace(0, directions=4_096), PLAN) > 0.01
    assert claim_p_value(trace(0, directions=4_096, breaks="clip off"), PLAN) < 1e-3
    assert by_method(0, breaks="clip off")[ONE_RUN].epsilon > accounting.epsilon(PLAN).value
    of_round = float(gaussian.epsilons(PLAN.value_noise_multiplier, PLAN.delta))
    assert by_method(0, breaks="clip twice")[GAUSSIAN_F_DP].epsilon > of_round


def test_a_low_bound_is_no_claim_of_safety():
    """A run without any privacy, whose canaries send nothing: the attacks show nothing, and refute nothing."""
    blind = trace(0, directions=4_096, breaks="nothing sent")
    found = {bound.method: bound.epsilon for bound in attack(blind, PLAN)}
    assert max(found.values()) < 0.2
    assert claim_p_value(blind, PLAN) == 1


@pytest.mark.slow  # a hundred runs
def test_bounds_are_above_the_truth_as_seldom_as_they_say():
    """Nothing leaks: a bound above 0 is a wrong one."""
    runs, wrong = 100, dict.fromkeys((ONE_RUN, PLAN_F_DP, CLOPPER_PEARSON, GAUSSIAN_F_DP), 0)
    plan = dataclasses.replace(PLAN, rounds=10)
    for seed in range(runs):
        found = by_method(
            seed, plan=plan, breaks="nothing sent", run_canaries=300, round_canaries=300, directions=1_024
        )
        for method, bound in found.items():
            wrong[method] += bound.epsilon > 0
    assert max(wrong.values()) <= stats.binom.ppf(0.999, runs, 0.05), wrong
    assert wrong[GAUSSIAN_F_DP] > 0  # as it should, now and then


def test_correlated_noise_is_attacked_by_its_innovations():
    found = by_method(0, plan=BANDED, directions=4_096, innovations=innovations())
    of_round = float(gaussian.epsilons(BANDED.noise_multiplier, BANDED.delta))
    assert of_round / 4 < found[GAUSSIAN_F_DP].epsilon < of_round
    for method in (ONE_RUN, PLAN_F_DP, CLOPPER_PEARSON):
        assert 0 <= found[method].epsilon < accounting.epsilon(BANDED).value


def test_the_cosine_estimate_is_that_of_its_two_gaussians():
    one = trace(0, directions=4_096)
    path = one.clip_norms @ one.projections
    inside, outside = path[:1_000][one.run_coins], path[2_000:]
    expected = bounds.two_gaussians(
        means=(inside.mean(), outside.mean()),
        stddevs=(inside.std(ddof=1), outside.std(ddof=1)),
        delta=1e-5,
    )
    assert cosine_estimate(one, 1e-5) == pytest.approx(expected, rel=1e-4)
    assert cosine_estimate(trace(0, directions=4_096, run_canaries=0), 1e-5) == 0


def test_canaries_in_all_rounds_have_the_estimate_of_one_gaussian():
    plan = PrivacyPlan(
        population=100, clients_per_round=100, rounds=25, noise_multiplier=10.0, clipping=FixedClipping()
    )
    found = cosine_estimate(trace(0, plan=plan, leak=0, run_canaries=4_000, round_canaries=0), 1e-2)
    assert found == pytest.approx(float(gaussian.epsilons(2.0, 1e-2)), rel=0.15)


def test_how_sure_a_round_is_known():
    """The surest hundredth of round coins is right as often as one Gaussian lets it be."""
    found = by_method(2)[GAUSSIAN_F_DP]
    noise = PLAN.value_noise_multiplier
    sides = stats.norm(0.5, noise), stats.norm(-0.5, noise)
    far = special.ndtri(0.9975) * noise  # some place out there
    x = np.linspace(0, far + 6, 20_001)
    density = sides[0].pdf(x) + sides[1].pdf(x)
    beyond = np.cumsum(density[::-1])[::-1] * (x[1] - x[0])
    threshold = x[np.argmin(np.abs(beyond - 0.01))]
    expected = sides[0].sf(threshold) / (sides[0].sf(threshold) + sides[1].sf(threshold))
    assert found.guesses == 1_000
    assert found.right / 1_000 == pytest.approx(expected, abs=0.03)
