"""Clipping, noise and sampling in the lesson, against closed forms."""

import numpy as np
import pytest

from dpcore import limits
from dpcore.lesson import averaging, clipping, sampling, softmax
from dpcore.plan import AdaptiveClipping
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision


@pytest.mark.parametrize("start", [0.2, 5.0])
def test_the_clip_norm_finds_the_median_of_norms_that_stay(start):
    draw = np.random.default_rng(0)
    norms = [np.exp(draw.normal(0, 0.5, clipping.CLIENTS)).astype(np.float32) for _ in range(120)]
    path = clipping.clip_norms(norms, start)
    assert path[0] == start
    # One step is exp(0.2 * 0.5) at the most, and the quantile is noisy.
    assert np.abs(np.diff(np.log(path))).max() <= 0.1 + 1e-12
    assert np.exp(np.log(path[-60:]).mean()) == pytest.approx(1, rel=0.15)


def test_the_norms_are_those_of_real_cohorts():
    norms = clipping.cohort_norms(softmax.first_writers(60))
    assert len(norms) == clipping.ROUNDS
    sizes = [len(of_round) for of_round in norms]
    # Poisson: binomial(60, 1/2), whose mean over 60 rounds has a deviation of 0.5.
    assert np.mean(sizes) == pytest.approx(clipping.CLIENTS, abs=2)
    assert len(set(sizes)) > 5
    assert np.median(norms[-1]) < np.median(norms[0])  # a model that learns moves less


@pytest.fixture(scope="module")
def clean():
    return averaging.averages(softmax.first_writers(averaging.CLIENTS[-1]))


def test_noise_on_the_average_is_z_over_clients(clean):
    noisy = averaging.noisy(clean, 1.5)
    for count, seen, mean in zip(averaging.CLIENTS, noisy, clean.means, strict=True):
        noise = (seen - mean) / clean.clip_norm
        # 7,850 draws: the deviation is known to 0.8%; 2/3 and 3/2 of it are far away.
        assert noise.std() == pytest.approx(1.5 / count, rel=0.04)
        assert abs(noise.mean()) < 4 * 1.5 / count / np.sqrt(noise.size)
    np.testing.assert_array_equal(averaging.noisy(clean, 0), clean.means)


def test_another_number_is_another_draw_and_the_same_one_the_same(clean):
    norms = [np.ones(clipping.CLIENTS, np.float32)] * 5
    plan = sampling.plan(120)
    for drawn in (
        lambda draw: averaging.noisy(clean, 1.5, draw),
        lambda draw: clipping.clip_norms(norms, 1.0, draw),
        lambda draw: np.concatenate(sampling.cohorts(plan, draw)),
    ):
        np.testing.assert_array_equal(drawn(7), drawn(7))
        assert not np.array_equal(drawn(7), drawn(8))


def test_no_average_of_clipped_updates_is_longer_than_the_clip_norm(clean):
    assert (np.linalg.norm(clean.means, axis=(1, 2)) <= clean.clip_norm * (1 + 1e-6)).all()


def test_less_noise_is_clear_with_fewer_clients(clean):
    clear = [averaging.fewest_clear_clients(clean, noise) for noise in (0, 0.3, 1.2, 5)]
    assert clear[0] == averaging.CLIENTS[0]
    assert clear[0] < clear[1] < clear[2]
    assert clear[3] is None


def test_cohorts_are_poisson_samples():
    plan = sampling.plan(120)
    cohorts = sampling.cohorts(plan)
    came = np.bincount(np.concatenate(cohorts), minlength=plan.population)
    assert np.mean([len(cohort) for cohort in cohorts]) == pytest.approx(120, abs=4.5)
    # Each user's rounds are binomial(100, q): their variance over the users is 100 q (1 - q).
    prob = 120 / 3383
    assert came.var() == pytest.approx(100 * prob * (1 - prob), rel=0.15)
    assert set(cohorts[7]) <= set(sampling.cohorts(sampling.plan(200))[7])


def test_epsilon_by_round_ends_at_the_accountants():
    plan = sampling.plan(120)
    table = sampling.epsilon_by_round(plan)
    assert table["sampled"].iloc[-1] == accounting.epsilon(plan, Precision.PREVIEW).value
    assert table["known"].iloc[-1] == pytest.approx(accounting.without_amplification(plan), rel=1e-12)
    assert table["sampled"].is_monotonic_increasing
    assert (table["known"] > table["sampled"]).all()


def test_the_default_start_is_the_plans():
    assert limits.INITIAL_CLIP_NORM.default == AdaptiveClipping().initial_clip_norm
