"""The lesson's two lines of noise, against the matrices that they come from."""

import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from dpcore.lesson import correlated
from dpcore.privacy import accounting


def test_both_lines_begin_with_the_same_draws_and_cost_the_same():
    plan, alone = correlated.plan(28), correlated.plan(1)
    table = correlated.paths(plan, draw=3)
    assert accounting.epsilon(plan).value == accounting.epsilon(alone).value
    # The first noise is drawn once, and is scaled to the first column of each matrix.
    first = plan.noise.source(lambda _round: np.random.default_rng(5), 100, [(1,)])(1)[0][0]
    fresh = alone.noise.source(lambda _round: np.random.default_rng(5), 100, [(1,)])(1)[0][0]
    assert table["correlated"][0] / table["independent"][0] == pytest.approx(first / fresh, rel=1e-5)


def test_noise_of_one_band_is_the_independent_one():
    table = correlated.paths(correlated.plan(1))
    assert table["correlated"].to_numpy() == pytest.approx(table["independent"].to_numpy(), abs=1e-6)
    assert table["independent_rms"].to_numpy() == pytest.approx(1.2 * np.sqrt(np.arange(1, 101)))


@pytest.mark.parametrize("bands", [4, 28])
def test_what_is_drawn_spreads_as_its_root_mean_square_says(bands):
    tables = [correlated.paths(correlated.plan(bands), draw) for draw in range(150)]
    for name in correlated.NAMES:
        seen = np.mean([np.square(table[name]) for table in tables], axis=0)
        # The variance of 150 squares of a Gaussian is 2 / 150 of theirs; five deviations, in any of ten rounds.
        ratio = seen[9::10] / np.square(tables[0][f"{name}_rms"].to_numpy()[9::10])
        assert np.abs(ratio - 1).max() < 5 * np.sqrt(2 / 150)
    assert correlated.effective_noise(tables[0], "correlated") < 0.6 * correlated.effective_noise(
        tables[0], "independent"
    )


def test_more_bands_than_rounds_between_two_of_a_users_are_refused():
    with pytest.raises(InvalidValueError, match="at most the separation, 28 rounds, found 29"):
        correlated.plan(29)
