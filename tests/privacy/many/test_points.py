import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism

from dpcore.privacy import composition
from dpcore.privacy.many import points

SETTINGS = [(1.3, 120 / 3383, 100), (5.0, 0.3, 1000), (30.0, 0.5, 10), (0.7, 0.0025, 2000), (2.0, 1e-6, 100_000)]


@pytest.mark.parametrize(("noise", "prob", "rounds"), SETTINGS)
def test_it_is_the_librarys(noise, prob, rounds):
    expected = from_gaussian_mechanism(noise, value_discretization_interval=1e-3, sampling_prob=prob)
    got = points.of_a_round(noise, prob, 1e-3)
    for one, other in ((got._pmf_remove, expected._pmf_remove), (got._pmf_add, expected._pmf_add)):
        one, other = one.to_dense_pmf(), other.to_dense_pmf()
        assert one._lower_loss == other._lower_loss
        assert one._infinity_mass == other._infinity_mass
        np.testing.assert_allclose(one._probs, other._probs, rtol=1e-9, atol=1e-12)
    epsilons = [pld.self_compose(rounds).get_epsilon_for_delta(1e-5) for pld in (got, expected)]
    assert epsilons[0] == pytest.approx(epsilons[1], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("noise", "prob", "rounds"), SETTINGS[:4])
def test_it_is_not_below_another_composition(noise, prob, rounds):
    found = points.of_a_round(noise, prob, 1e-4).self_compose(rounds).get_epsilon_for_delta(1e-7)
    # That one is an upper bound as well: near the true one by its closeness.
    assert found > composition.epsilon([(noise, prob, rounds)], 1e-7, closeness=1e-6)[0] * (1 - 3e-6)


@pytest.mark.parametrize("delta", [1e-12, 1e-5, 0.2, 0.9])
@pytest.mark.parametrize(("noise", "prob", "rounds"), [*SETTINGS, (0.3, 0.9, 2000), (0.2, 1e-5, 1)])
def test_its_epsilon_is_the_librarys(noise, prob, rounds, delta):
    found = points.of_a_round(noise, prob, 1e-3).self_compose(rounds)
    assert points.epsilon(found, delta) == pytest.approx(found.get_epsilon_for_delta(delta), rel=1e-8, abs=1e-12)
