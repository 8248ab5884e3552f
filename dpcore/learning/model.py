"""The tutorial's model, its initial weights and its evaluation."""

import numpy as np
import tensorflow as tf

from dpcore import rng
from dpcore.datasets.federated import FederatedDataset, scale
from dpcore.errors import InvalidValueError
from dpcore.learning.engine import Weights
from dpcore.plan import Plan

# The widths of the hidden layers, by the model's name in a plan.
_HIDDEN = {"mlp": (200, 200)}


def build(plan: Plan, dataset: FederatedDataset) -> tf.keras.Model:
    """Returns the plan's model: ReLU layers and one logit a class.

    Raises:
        InvalidValueError: If there is no model of this name.
    """
    name = plan.training.model
    if name not in _HIDDEN:
        raise InvalidValueError("model", f"Expected model to be one of {', '.join(_HIDDEN)}, found {name!r}.")
    layers = [tf.keras.layers.Input(shape=(dataset.num_features,))]
    layers += [tf.keras.layers.Dense(width, activation="relu") for width in _HIDDEN[name]]
    return tf.keras.Sequential([*layers, tf.keras.layers.Dense(dataset.num_classes)])


def initial_weights(model: tf.keras.Model, seed: int) -> Weights:
    """Returns Glorot-uniform kernels and zero biases, the same for every engine with the same seed.

    Source: Glorot and Bengio (2010) <https://proceedings.mlr.press/v9/glorot10a.html>, equation 16.
    """
    draw = rng.stream(seed, "initialisation")
    weights = []
    for shape in (variable.shape.as_list() for variable in model.trainable_variables):
        bound = np.sqrt(6 / sum(shape)) if len(shape) == 2 else 0.0
        weights.append(draw.uniform(-bound, bound, shape).astype(np.float32))
    return weights


class Evaluation:
    """Accuracy and loss of weights on a data set's whole test split."""

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._model = build(plan, dataset)
        self._features = tf.constant(scale(dataset.test.features))
        self._labels = tf.constant(dataset.test.labels.astype(np.int32))

    def __call__(self, weights: Weights) -> tuple[float, float]:
        """Returns accuracy in [0, 1], and the mean cross-entropy (infinite where it is not a number)."""
        self._model.set_weights(weights)
        accuracy, loss = (float(value) for value in self._measure())
        return accuracy, loss if np.isfinite(loss) else float("inf")

    @tf.function
    def _measure(self):
        logits = self._model(self._features, training=False)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(self._labels, logits)
        right = tf.argmax(logits, axis=1, output_type=tf.int32) == self._labels
        return tf.reduce_mean(tf.cast(right, tf.float32)), tf.reduce_mean(loss)
