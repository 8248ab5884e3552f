"""The tutorial's model, its initial weights and its evaluation."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dpcore import rng
from dpcore.datasets.federated import FederatedDataset
from dpcore.datasets.importing import images
from dpcore.learning import layers
from dpcore.learning.engine import Weights
from dpcore.learning.loading import tf
from dpcore.plan import Plan


def is_dense(plan: Plan) -> bool:
    """Returns whether the plan's model has dense layers only."""
    return plan.training.model != "cnn"


def build(plan: Plan, dataset: FederatedDataset) -> tf.keras.Model:
    """Returns the plan's model for a data set, untrained.

    Raises:
        InvalidValueError: If the model takes images and the data are none.
    """
    name, shape = plan.training.model, dataset.image_shape
    images.check_model(name, shape, dataset.name)
    return layers.keras_model(name, dataset.num_features, dataset.num_classes, shape)


def scale_features(features):
    """Returns features as models see them, float32 [examples, num_features], as by `federated.scale`, in a graph."""
    return tf.cast(features, tf.float32) * (1 / 255) if features.dtype == tf.uint8 else features


def logits(plan: Plan, weights, features, image_shape):
    """Returns logits, float32 [examples, num_classes], of scaled features [examples, num_features] by `build`'s model."""
    weights, x = list(weights), features
    if plan.training.model == "cnn":
        height, width = image_shape[:2]
        x = tf.reshape(x, [-1, height, width, weights[0].shape[2]])
        while len(weights[0].shape) == 4:
            kernel, bias, *weights = weights
            x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "VALID") + bias), 2, 2, "VALID")
        x = tf.reshape(x, [-1, math.prod(x.shape[1:])])
    while len(weights) > 2:
        kernel, bias, *weights = weights
        x = tf.nn.relu(x @ kernel + bias)
    return x @ weights[0] + weights[1]


def initial_weights(model: tf.keras.Model, seed: int | None) -> Weights:
    """Returns Glorot-uniform kernels [..., inputs, outputs] and zero biases [outputs], the same whenever the seed is.

    Source: Glorot and Bengio (2010) <https://proceedings.mlr.press/v9/glorot10a.html>, equation 16.
    """
    draw = rng.stream(seed, "initialisation")
    weights = []
    for variable in model.trainable_variables:
        shape = tuple(variable.shape)
        receptive_field = math.prod(shape[:-2])  # 1 for dense layers
        bound = math.sqrt(6 / (receptive_field * sum(shape[-2:]))) if len(shape) > 1 else 0.0
        weights.append(draw.uniform(-bound, bound, shape).astype(np.float32))
    return weights


def save(plan: Plan, dataset: FederatedDataset, weights: Weights, path: Path) -> None:
    """Writes a model as a Keras SavedModel: from features [examples, num_features] as in the data set to logits."""
    trained = build(plan, dataset)
    for variable, value in zip(trained.trainable_variables, weights, strict=True):
        variable.assign(value)
    kind = dataset.train.features.dtype
    features = tf.keras.Input(shape=(dataset.num_features,), dtype=kind)
    whole = tf.keras.Model(features, trained(tf.keras.layers.Lambda(scale_features)(features)))
    whole.save(path, save_format="tf")


class Evaluation:
    """Accuracy and loss of weights on a data set's whole test split."""

    _PART = 2048  # examples that one thread takes at a time: their hidden layers stay in its cache

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._plan = plan
        self._split, self._image_shape = dataset.test, dataset.image_shape
        self._labels = np.asarray(dataset.test.labels, np.int32)
        shapes = [tf.TensorSpec(variable.shape) for variable in build(plan, dataset).trainable_variables]
        features = tf.TensorSpec((None, dataset.num_features), dataset.test.features.dtype)
        self._measure = tf.function(
            self._measure_part, input_signature=[shapes, features, tf.TensorSpec((None,), tf.int32)]
        )
        self._pool = ThreadPoolExecutor(os.cpu_count())

    def __call__(self, weights: Weights) -> tuple[float, float]:
        """Returns accuracy in [0, 1], and the mean cross-entropy (infinite where it is not a number)."""
        constants = [tf.constant(part) for part in weights]

        def measure(start: int) -> tuple[float, float]:
            rows = slice(start, start + self._PART)
            features, labels = tf.constant(self._split.features[rows]), tf.constant(self._labels[rows])
            right, loss = self._measure(constants, features, labels)
            return float(right), float(loss)

        parts = list(self._pool.map(measure, range(0, len(self._labels), self._PART)))
        right, loss = (sum(values) / len(self._labels) for values in zip(*parts, strict=True))
        return right, loss if math.isfinite(loss) else math.inf

    def _measure_part(self, weights, features, labels):
        said = logits(self._plan, weights, scale_features(features), self._image_shape)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, said)
        right = tf.argmax(said, axis=1, output_type=tf.int32) == labels
        return tf.reduce_sum(tf.cast(right, tf.float32)), tf.reduce_sum(loss)
