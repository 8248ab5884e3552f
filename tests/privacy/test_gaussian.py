"""The closed form, against sixty digits."""

import math

import mpmath
import numpy as np
import pytest

from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, curves, gaussian
from dpcore.privacy.precision import Precision

NOISE = [0.03, 0.12, 1.2, 7.0, 40.0, 1000.0]


def exact_delta(noise, epsilon, digits=60):
    with mpmath.workdps(digits):
        noise, epsilon = mpmath.mpf(noise), mpmath.mpf(epsilon)
        above, below = 1 / (2 * noise) - noise * epsilon, -1 / (2 * noise) - noise * epsilon
        return mpmath.ncdf(above) - mpmath.exp(epsilon) * mpmath.ncdf(below)


@pytest.mark.parametrize("noise", NOISE)
def test_deltas_are_never_below_and_hardly_above(noise):
    epsilons = np.append(0, np.geomspace(1e-6, 0.5 / noise**2 + 10 / noise, 100))
    for epsilon, delta in zip(epsilons, gaussian.deltas(noise, epsilons), strict=True):
        assert 0 <= delta - exact_delta(noise, epsilon) <= 4e-12


@pytest.mark.parametrize("noise", NOISE)
def test_epsilons_are_never_below_and_hardly_above(noise):
    for delta in (1e-10, 1e-5, 1e-2, 0.3):
        found = float(gaussian.epsilons(noise, delta))
        assert exact_delta(noise, found) <= delta
        assert found == 0 or exact_delta(noise, found) >= delta * (1 - 1e-4)


@pytest.mark.parametrize("noise", [1e-6, 1e-3, *NOISE, 1e6])
def test_the_smallest_deltas_and_the_largest_epsilons_keep_their_digits(noise):
    for delta in (0.9, 1e-20, 1e-100, 1e-300):
        found = float(gaussian.epsilons(noise, delta))
        exact = exact_delta(noise, found, digits=400)
        assert exact <= delta
        assert found == 0 or exact >= delta * (1 - 1e-7)
        assert found == 0 or exact <= gaussian.deltas(noise, found) <= exact * (1 + 1e-7)


def test_where_delta_is_below_what_a_float_has_no_epsilon_is_claimed():
    assert math.isinf(gaussian.epsilons(1.2, 9e-301))


def test_accountant_and_curves_take_it_where_all_take_part():
    everybody = {"clients_per_round": 3383, "clipping": FixedClipping()}
    one, other = PrivacyPlan(noise_multiplier=12.0, **everybody), PrivacyPlan(noise_multiplier=7.0, **everybody)
    noise = (100 / 12.0**2) ** -0.5
    assert accounting.account(one).pld.value == gaussian.epsilons(noise, 1e-5)
    assert curves.pld_epsilons(**curves.plan_arguments(one)) == pytest.approx(
        gaussian.epsilons(noise, 1e-5), rel=1e-12
    )
    both = accounting.compose([one, other], 1e-5).pld
    assert both.grid is None
    assert exact_delta((100 / 12.0**2 + 100 / 7.0**2) ** -0.5, both.value) == pytest.approx(1e-5, rel=1e-9)
    # The library's grid is an upper bound of it.
    sampled = accounting._whole_pld({one.event.mechanism: 100}, Precision.PREVIEW.step)
    assert 0 <= sampled.get_epsilon_for_delta(1e-5) - accounting.account(one).pld.value < 1e-4
    epsilons = np.linspace(0, 4, 50)
    above = sampled.get_delta_for_epsilon(epsilons) - accounting.deltas(one, epsilons)
    assert (above > -1e-9).all()
    assert (above < 1e-4).all()
