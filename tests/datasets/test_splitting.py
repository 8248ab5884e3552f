import numpy as np
import pytest

from dpcore.datasets import splitting

USERS = ["ann", "bob", "cleo"]
OFFSETS = np.array([0, 1000, 1000, 4000])


def test_ranks_are_a_permutation_of_each_users_examples():
    ranks = splitting.ranks(USERS, OFFSETS, seed=0)
    assert sorted(ranks[:1000]) == list(range(1000))
    assert sorted(ranks[1000:]) == list(range(3000))


def test_orders_look_random_and_differ_by_user_and_seed():
    """Neighbours are not correlated, each position is equally likely to be early."""
    ranks = splitting.ranks(USERS, OFFSETS, seed=0)[1000:]
    assert abs(np.corrcoef(ranks[:-1], ranks[1:])[0, 1]) < 0.06
    assert ranks[:1000].mean() == pytest.approx(1500, rel=0.06)
    assert abs(np.corrcoef(ranks, splitting.ranks(USERS, OFFSETS, seed=1)[1000:])[0, 1]) < 0.06
    alike = splitting.ranks(["x", "y"], np.array([0, 500, 1000]), seed=0)
    assert abs(np.corrcoef(alike[:500], alike[500:])[0, 1]) < 0.15


def test_ranks_do_not_depend_on_other_users():
    alone = splitting.ranks(["cleo"], np.array([0, 3000]), seed=0)
    np.testing.assert_array_equal(alone, splitting.ranks(USERS, OFFSETS, seed=0)[1000:])


def test_how_many_are_for_testing():
    counts = np.array([0, 1, 2, 3, 10, 14, 16, 100])
    assert splitting.num_test_examples(counts, 0.1).tolist() == [0, 0, 1, 1, 1, 1, 2, 10]
    assert splitting.num_test_examples(counts, 0.99).tolist() == [0, 0, 1, 2, 9, 13, 15, 99]


def test_held_out_users_are_a_share_of_them_each_by_itself():
    people = [f"p{n}" for n in range(4000)]
    held = splitting.held_out(people, 0.25, seed=0)
    assert held.mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_array_equal(splitting.held_out(people[1000:], 0.25, seed=0), held[1000:])
    assert (splitting.held_out(people, 0.25, seed=1) & held).mean() == pytest.approx(0.0625, abs=0.02)
    assert (held <= splitting.held_out(people, 0.5, seed=0)).all()  # a larger share holds more users, and the same
    assert splitting.held_out([], 0.5, seed=0).shape == (0,)
