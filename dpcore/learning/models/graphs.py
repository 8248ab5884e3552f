"""The models in TensorFlow."""

import math
from pathlib import Path

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import model
from dpcore.learning.engine import Weights
from dpcore.learning.loading import tf
from dpcore.learning.models import layers
from dpcore.plan import Plan


def build(plan: Plan, dataset: FederatedDataset) -> tf.keras.Model:
    """Returns the plan's model for a data set, untrained.

    Raises:
        InvalidValueError: If the model takes images and the data are none.
    """
    model.shapes(plan, dataset)
    return layers.keras_model(plan.training.model, dataset.num_features, dataset.num_classes, dataset.image_shape)


def scale_features(features):
    """Returns features as models see them, float32 [examples, num_features], as by `federated.scale`, in a graph."""
    return tf.cast(features, tf.float32) * (1 / 255) if features.dtype == tf.uint8 else features


def logits(name, weights, features, image_shape):
    """Returns logits, float32 [examples, num_classes], of scaled features [examples, num_features] by `build`'s model."""
    weights, x = list(weights), features
    if name == "cnn":
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


def save(plan: Plan, dataset: FederatedDataset, weights: Weights, path: Path) -> None:
    """Writes a model as a Keras SavedModel: from features [examples, num_features] as in the data set to logits."""
    trained = build(plan, dataset)
    for variable, value in zip(trained.trainable_variables, weights, strict=True):
        variable.assign(value)
    kind = dataset.train.features.dtype
    features = tf.keras.Input(shape=(dataset.num_features,), dtype=kind)
    whole = tf.keras.Model(features, trained(tf.keras.layers.Lambda(scale_features)(features)))
    whole.save(path, save_format="tf")
