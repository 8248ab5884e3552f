"""The tutorial's model: its shapes, and its initial weights."""

import itertools
import math

import numpy as np

from dpcore import rng
from dpcore.datasets.federated import FederatedDataset
from dpcore.datasets.importing import images
from dpcore.learning.engine import Weights
from dpcore.plan import Plan

Shapes = list[tuple[int, ...]]


def is_dense(plan: Plan) -> bool:
    """Returns whether the plan's model has dense layers only."""
    return plan.training.model != "cnn"


def shapes(plan: Plan, dataset: FederatedDataset) -> Shapes:
    """Returns the shapes of the weights of the plan's model for a data set.

    Raises:
        InvalidValueError: If the model takes images and the data are none.
    """
    name, shape = plan.training.model, dataset.image_shape
    images.check_model(name, shape, dataset.name)
    return shapes_of(name, dataset.num_features, dataset.num_classes, shape)


def shapes_of(name: str, width: int, classes: int, image_shape: tuple[int, ...] | None) -> Shapes:
    """Returns those of `layers.keras_model`, without TensorFlow; arguments as there.

    >>> shapes_of("linear", 784, 10, None)
    [(784, 10), (10,)]
    """
    found: Shapes = []
    if name == "cnn" and image_shape is not None:
        height, side, channels = (*image_shape, 1)[:3]
        for filters in (32, 64):
            found += [(5, 5, channels, filters), (filters,)]
            height, side, channels = (height - 4) // 2, (side - 4) // 2, filters
        width = height * side * channels
    hidden = {"mlp": (200, 200), "linear": (), "cnn": (128,)}[name]
    for before, after in itertools.pairwise((width, *hidden, classes)):
        found += [(before, after), (after,)]
    return found


def initial_weights(shapes: Shapes, seed: int | None) -> Weights:
    """Returns Glorot-uniform kernels [..., inputs, outputs] and zero biases [outputs], the same whenever the seed is.

    Source: Glorot and Bengio (2010) <https://proceedings.mlr.press/v9/glorot10a.html>, equation 16.
    """
    draw = rng.stream(seed, "initialisation")
    weights = []
    for shape in shapes:
        receptive_field = math.prod(shape[:-2])  # 1 for dense layers
        bound = math.sqrt(6 / (receptive_field * sum(shape[-2:]))) if len(shape) > 1 else 0.0
        weights.append(draw.uniform(-bound, bound, shape).astype(np.float32))
    return weights
