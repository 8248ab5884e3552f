"""The smallest model that learns digits: softmax regression, so that a weight belongs to a pixel and can be looked at.

Weights are float32 [num_pixels + 1, num_classes]; the last row is the bias.
"""

from typing import Any

import numpy as np

from dpcore.datasets import writers
from dpcore.datasets.federated import Split

SIDE, CLASSES = writers.SIDE, writers.NUM_CLASSES


def first_writers(count: int) -> Split:
    """Returns the training examples of the first Writers, made in memory: some milliseconds a writer."""
    arrays = writers.generate(count, lambda what, fraction: None)
    return Split(features=arrays["train_features"], labels=arrays["train_labels"], offsets=arrays["train_offsets"])


def examples(users: Split, user: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a user's inputs, float32 [examples, pixels + 1], ink 1 and paper 0; and their labels, [examples].

    The last input is always 1, for the bias.
    """
    rows = users.rows(user)
    inputs = np.ones((rows.stop - rows.start, users.features.shape[1] + 1), np.float32)
    inputs[:, :-1] = 1 - users.features[rows] / np.float32(255)
    return inputs, users.labels[rows]


def zero_weights() -> np.ndarray:
    """Returns the weights of a server that has learnt nothing yet."""
    return np.zeros((SIDE * SIDE + 1, CLASSES), np.float32)


def loss(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean cross-entropy."""
    return float(-np.log(_probabilities(weights, inputs)[np.arange(len(labels)), labels]).mean())


def gradient(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the gradient of `loss`, of the shape of the weights.

    That of a class is a sum of images: those of the class with minus signs, the others with the probabilities that the
    model gives the class. So a step of it is a picture.
    """
    wrong = _probabilities(weights, inputs)
    wrong[np.arange(len(labels)), labels] -= 1
    return inputs.T @ (wrong / len(labels))


def local_sgd(
    weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray, *, learning_rate: float, batch_size: int
) -> list[np.ndarray]:
    """Returns the weights after each step of one local epoch; the last batch may be short."""
    steps = []
    for start in range(0, len(labels), batch_size):
        batch = slice(start, start + batch_size)
        weights = weights - np.float32(learning_rate) * gradient(weights, inputs[batch], labels[batch])
        steps.append(weights)
    return steps


def update(weights: np.ndarray, inputs: np.ndarray, labels: np.ndarray, **how: Any) -> np.ndarray:
    """Returns what a user sends after one local epoch, as `local_sgd` has it: the difference to the server's weights."""
    return local_sgd(weights, inputs, labels, **how)[-1] - weights


def _probabilities(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    logits = inputs @ weights
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
