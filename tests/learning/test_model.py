"""The models' shapes, without TensorFlow, and what trains without it."""

import subprocess
import sys

import numpy as np
import pytest

from dpcore.learning import model

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from dpcore.datasets import federated
from dpcore.learning import engines, evaluation, training
from dpcore.plan import Plan, PrivacyPlan
dataset = federated.open_folder(Path(sys.argv[1]))
plan = Plan(privacy=PrivacyPlan(population=60, clients_per_round=10, rounds=2, noise_multiplier=0.5))
engine = engines.create("vectorized", plan, dataset)
*_, last = training.run(plan, dataset, engine, evaluation.Evaluation(plan, dataset), eval_every=1)
assert last.round == 2 and last.accuracy > 0
assert not {"tensorflow", "pandas"} & set(sys.modules)
"""


@pytest.mark.parametrize("name", ["mlp", "linear", "cnn"])
@pytest.mark.parametrize("shape", [(28, 28), (32, 30, 3)])
def test_shapes_are_those_of_keras(name, shape):
    from dpcore.learning.models import layers

    width = int(np.prod(shape))
    built = layers.keras_model(name, width, 7, shape)
    assert model.shapes_of(name, width, 7, shape) == [tuple(part.shape) for part in built.trainable_variables]


def test_dense_layers_train_without_tensorflow(few_writers):
    folder = few_writers.train.features.filename
    subprocess.run([sys.executable, "-c", PROGRAM, folder.parent], check=True, timeout=400)


@pytest.mark.parametrize("name", ["mlp", "linear"])
def test_updates_do_not_depend_on_where_they_are_written_out(name, monkeypatch):
    """In blocks of two batches and of one; a client has no examples, another ends within the first block."""
    from dpcore.learning.models import dense

    draw, counts = np.random.default_rng(0), np.array([47, 31, 9, 0])
    features = draw.random((4, 47, 30), np.float32)
    labels = draw.integers(0, 5, (4, 47))
    weights = model.initial_weights(model.shapes_of(name, 30, 5, None), seed=1)

    def updates():
        found = dense.updates(weights, features, labels, counts, learning_rate=0.5, batch_size=10)
        return [[part.copy() for part in update] for update in found]

    whole = updates()
    assert not any(part.any() for part in whole[3])
    for size in (20, 10, 1):
        monkeypatch.setattr(dense, "_EXAMPLES_A_BLOCK", size)
        for one, other in zip(updates(), whole, strict=True):
            for part, same in zip(one, other, strict=True):
                np.testing.assert_allclose(part, same, atol=1e-6)
