import numpy as np
import pytest

from dpcore.learning import sampling
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan


def test_cohorts_are_poisson_samples():
    """Sizes are binomial (mean and variance), and each user comes with the same probability."""
    plan = Plan(privacy=PrivacyPlan(population=1000, clients_per_round=100, rounds=2000))
    came = np.zeros((2000, 1000), bool)
    for round_num in range(2000):
        came[round_num, sampling.cohort(plan, round_num + 1)] = True
    sizes = came.sum(axis=1)
    assert sizes.mean() == pytest.approx(100, abs=4 * np.sqrt(90 / 2000))
    assert sizes.var() == pytest.approx(90, rel=0.15)  # 0 for cohorts of fixed size
    assert np.abs(came.mean(axis=0) - 0.1).max() < 5 * np.sqrt(0.09 / 2000)
    assert abs(np.corrcoef(came[:, 0], came[:, 1])[0, 1]) < 0.1


def test_everyone_comes_when_all_are_asked():
    plan = Plan(privacy=PrivacyPlan(population=30, clients_per_round=30))
    assert len(sampling.cohort(plan, 1)) == 30


def test_a_shuffle_is_a_permutation_of_its_own_user_and_round():
    plan = Plan()
    orders = [sampling.shuffled_examples(plan, *key, 50).tolist() for key in [(1, 1), (1, 2), (2, 1), (1, 1)]]
    assert sorted(orders[0]) == list(range(50))
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_each_epoch_is_shuffled_anew_and_the_first_is_that_of_one_epoch():
    one, three = (Plan(training=TrainingPlan(local_epochs=epochs)) for epochs in (1, 3))
    order = sampling.shuffled_examples(three, 2, 7, 40)
    epochs = order.reshape(3, 40).tolist()
    assert epochs[0] == sampling.shuffled_examples(one, 2, 7, 40).tolist()
    assert [sorted(epoch) for epoch in epochs] == 3 * [list(range(40))]
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_no_two_plans_share_a_cohort_and_without_its_seed_no_two_draws(small_plan, with_privacy):
    cohorts = [
        sampling.cohort(small_plan, 1).tolist(),
        sampling.cohort(with_privacy(small_plan, noise_multiplier=0.4), 1).tolist(),
        sampling.cohort(small_plan, 1, fresh_coins=True).tolist(),
        sampling.cohort(small_plan, 1, fresh_coins=True).tolist(),
    ]
    assert len({tuple(cohort) for cohort in cohorts}) == 4
    assert sampling.cohort(small_plan, 1).tolist() == cohorts[0]
