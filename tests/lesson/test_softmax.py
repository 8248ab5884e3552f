"""The lesson's model against finite differences, and what its updates say against who sent them."""

import numpy as np
import pytest

from dpcore.lesson import leakage, softmax


@pytest.fixture(scope="module")
def users():
    return softmax.first_writers(24)


def test_the_gradient_is_that_of_the_loss(users):
    inputs, labels = (part[:20] for part in softmax.examples(users, 0))
    draw = np.random.default_rng(0)
    weights = draw.normal(0, 0.1, softmax.zero_weights().shape)
    direction = draw.normal(size=weights.shape)
    inputs = inputs.astype(float)
    step = 1e-5
    slope = (
        softmax.loss(weights + step * direction, inputs, labels)
        - softmax.loss(weights - step * direction, inputs, labels)
    ) / (2 * step)
    assert (softmax.gradient(weights, inputs, labels) * direction).sum() == pytest.approx(slope, rel=1e-6)


def test_a_first_step_is_the_sum_of_images(users):
    """At zero weights every class has probability 0.1, so the step is known in closed form."""
    inputs, labels = softmax.examples(users, 5)
    found = softmax.update(softmax.zero_weights(), inputs, labels, learning_rate=0.5, batch_size=len(labels))
    expected = 0.5 * inputs.T @ (np.eye(10)[labels] - 0.1) / len(labels)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_epoch_has_a_step_for_each_batch_and_ends_where_the_update_does(users):
    inputs, labels = softmax.examples(users, 1)
    how = {"learning_rate": 0.01, "batch_size": 8}
    steps = softmax.local_sgd(softmax.zero_weights(), inputs, labels, **how)
    assert len(steps) == -(-len(labels) // 8)
    np.testing.assert_array_equal(softmax.update(softmax.zero_weights(), inputs, labels, **how), steps[-1])


def test_an_update_is_a_picture_in_the_hand_of_who_sent_it(users):
    for user in range(5):
        told = leakage.leakage(users, user)
        # The first half: it is this update that is matched with one of the second half.
        inputs, labels = (part[: len(part) // 2] for part in softmax.examples(users, user))
        assert (labels == told.digit).sum() == np.bincount(labels).max()
        # As long as little is learnt: their images of the class, less a tenth of all that they wrote.
        picture = inputs[labels == told.digit].sum(axis=0) - 0.1 * inputs.sum(axis=0)
        assert np.corrcoef(told.steps[-1].ravel(), picture[:-1])[0, 1] > 0.9
        sent = softmax.update(softmax.zero_weights(), inputs, labels, learning_rate=0.01, batch_size=8)
        np.testing.assert_array_equal(told.steps[-1].ravel(), sent[:-1, told.digit])
        np.testing.assert_array_equal(told.own[0].ravel(), inputs[labels == told.digit][0, :-1])


def test_most_updates_are_traced_to_their_users(users):
    found = leakage.matched_users(users)
    assert (found == np.arange(24)).sum() >= 12  # by chance it would be one
