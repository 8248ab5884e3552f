"""A round's losses against its exact hockey-stick divergence, with many digits: the same at each loss of the grid."""

import itertools
import math

import mpmath
import numpy as np
import pytest

from dpcore.privacy.losses import largest_loss, losses


def exact_delta(noise, prob, side, epsilon):
    """The delta of one round with 60 digits: Balle and Wang (2018) for the sampled Gaussian, either side."""
    with mpmath.workdps(60):
        noise, prob, epsilon = mpmath.mpf(noise), mpmath.mpf(prob), mpmath.mpf(epsilon)
        if mpmath.expm1(side * epsilon) <= -prob:  # a loss that no output has
            return mpmath.mpf(0) if side == -1 else 1 - mpmath.exp(epsilon)
        output = side * (noise * mpmath.log1p(mpmath.expm1(side * epsilon) / prob) + mpmath.mpf(0.5) / noise)
        absent, present = mpmath.ncdf(-output), mpmath.ncdf(side / noise - output)
        mixed = (1 - prob) * absent + prob * present
        return mixed - mpmath.exp(epsilon) * absent if side == 1 else absent - mpmath.exp(epsilon) * mixed


@pytest.mark.parametrize(
    ("noise", "prob"),
    [
        (1.2, 0.0355),
        (0.1, 0.03),
        (0.01, 0.5),
        (0.7, 1e-9),
        (60.0, 1e-6),
        (3.0, 0.999),
        (40.0, 1 - 1e-9),
        (5.0, 1.0),
    ],
)
def test_a_grid_has_the_exact_delta_at_each_of_its_losses(noise, prob):
    for side, tail in itertools.product((1, -1), (1e-12, 1e-150)):
        held_to_the_exact_delta(noise, prob, side, tail)


def held_to_the_exact_delta(noise, prob, side, tail):
    with np.errstate(all="ignore"):
        step = largest_loss(noise, prob, side, tail) / 300
        found = losses((noise, prob, 1), side, tail, step)
    grid = found.lowest + step * np.arange(len(found.masses))
    for place in range(0, len(grid), 23):
        above = found.masses[place:] * -np.expm1(grid[place] - grid[place:])
        exact = exact_delta(noise, prob, side, grid[place])
        # The loss as a float is off by its last digit, and delta by that for each output of a higher one.
        slack = 4e-16 * (1 + abs(grid[place])) * (math.fsum(found.masses[place + 1 :]) + found.infinity)
        assert exact * (1 - 1e-11) - slack <= math.fsum(above) + found.infinity
        assert math.fsum(above) + found.infinity <= exact * (1 + 2e-6) + slack + 3 * tail
    assert math.fsum(found.masses) + found.infinity == pytest.approx(1, abs=1e-12)
    assert (found.masses >= 0).all()


def test_a_reach_is_never_nothing():
    """All outputs but for the tail have one loss to all digits: it still takes two losses to be between."""
    with np.errstate(all="ignore"):
        assert 0 < largest_loss(0.03, 1e-9, -1, 1e-15) < 1e-12
        found = losses((0.03, 1e-9, 1), -1, 1e-15, 1e-14)
    assert found.lowest + 1e-14 * (len(found.masses) - 1) == pytest.approx(1e-9, rel=1e-4)
