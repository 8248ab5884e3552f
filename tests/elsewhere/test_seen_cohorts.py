"""Random cohorts that are seen: held to sums that are written out."""

import numpy as np
import pytest
from scipy import stats

from dpcore.elsewhere.seen_cohorts import Drawn, epsilon
from dpcore.privacy import gaussian


def written_out(noise, probability, rounds, delta):
    """By how often the user takes part, one Gaussian each."""
    times = np.arange(1, rounds + 1)
    masses = stats.binom.pmf(times, rounds, probability)
    low, high = 0.0, 1e4
    for _step in range(80):
        middle = (low + high) / 2
        above = masses @ gaussian.deltas(noise / np.sqrt(times), middle) > delta
        low, high = (middle, high) if above else (low, middle)
    return high


@pytest.mark.parametrize("noise", [0.3, 1.0, 7.0])
@pytest.mark.parametrize(("probability", "rounds"), [(0.1, 50), (0.01, 2000), (1.0, 30)])
@pytest.mark.parametrize("delta", [1e-3, 1e-5, 1e-9])
def test_coins_that_are_seen(noise, probability, rounds, delta):
    exact = written_out(noise, probability, rounds, delta)
    found = epsilon([Drawn(noise, 1, probability, rounds)], delta)
    assert exact * (1 - 1e-9) <= found <= exact * (1 + 1e-4) + 1e-9


def test_everybody_in_every_round_is_one_gaussian():
    found = epsilon([Drawn(1.0, 1, 1.0, 20), Drawn(0.5, 1, 1.0, 10)], 1e-5)
    exact = float(gaussian.epsilons((20 + 40) ** -0.5, 1e-5))
    assert exact <= found <= 1.001 * exact


def test_kinds_that_are_alike_are_one_kind():
    split = epsilon([Drawn(1.0, 1, 0.1, 20), Drawn(1.0, 1, 0.1, 30)], 1e-5)
    assert split == pytest.approx(epsilon([Drawn(1.0, 1, 0.1, 50)], 1e-5), rel=1e-6)


def test_draws_with_replacement_by_hand():
    """One round: as often as somebody is drawn, so far the sum moves."""
    masses = stats.binom.pmf(np.arange(1, 30), 100, 0.01)
    found = epsilon([Drawn(2.0, 100, 0.01, 1)], 1e-5)
    at = float(masses @ gaussian.deltas(2.0 / np.arange(1, 30), found))
    assert at == pytest.approx(1e-5, rel=1e-3)


def test_more_rounds_noise_or_delta_move_it_the_right_way():
    base = epsilon([Drawn(1.0, 1, 0.05, 40)], 1e-5)
    assert base < epsilon([Drawn(1.0, 1, 0.05, 80)], 1e-5)
    assert base > epsilon([Drawn(1.5, 1, 0.05, 40)], 1e-5)
    assert base > epsilon([Drawn(1.0, 1, 0.05, 40)], 1e-3)


def test_who_is_hardly_ever_drawn_is_within_delta():
    assert epsilon([Drawn(0.1, 1, 1e-9, 5)], 1e-5) == 0.0
