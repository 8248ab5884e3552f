"""Local SGD with the gradients that TensorFlow derives: for models that have convolutions."""

import functools
from collections.abc import Callable, Iterator

import numpy as np

from dpcore.learning.engine import Weights
from dpcore.learning.loading import tf
from dpcore.learning.models import graphs


def updates(
    weights: Weights,
    features: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    learning_rate: float,
    batch_size: int,
    image_shape: tuple[int, ...] | None,
    epochs: int = 1,
) -> Iterator[Weights]:
    """Yields each client's update, float32 [shape of its weights], as `dense.updates` does; images have this shape."""
    train = _graph(tuple(part.shape for part in weights), features.shape[-1], image_shape)
    constants = [tf.constant(part) for part in weights]
    rate, batch = tf.constant(learning_rate, tf.float32), tf.constant(batch_size, tf.int32)
    apart = -(-counts.max(initial=0) // batch_size) * batch_size  # as `dense.updates` has the epochs
    for client, count in enumerate(counts):
        own = constants
        for start in range(0, epochs * apart, apart) if apart else ():
            rows, said = features[client, start:][:count], labels[client, start:][:count].astype(np.int32)
            own = train(own, tf.constant(rows), tf.constant(said), rate, batch)
        yield [new.numpy() - old for new, old in zip(own, weights, strict=True)]


@functools.cache
def logits_of(image_shape: tuple[int, ...] | None) -> Callable[[Weights, np.ndarray], np.ndarray]:
    """Returns what gives float32 [examples, num_classes] as `dense.logits` does, for images of this shape."""
    graph = tf.function(
        lambda weights, features: graphs.logits("cnn", weights, features, image_shape), reduce_retracing=True
    )
    return lambda weights, features: graph(list(map(tf.constant, weights)), tf.constant(features)).numpy()


@functools.cache
def _graph(shapes, width, image_shape):
    """What trains one client for an epoch: traced once for all runs of a process on such a model."""

    def train(weights, features, labels, rate, batch):
        own, start = [tf.identity(weight) for weight in weights], 0
        while start < tf.shape(features)[0]:
            with tf.GradientTape() as tape:
                tape.watch(own)
                said = graphs.logits("cnn", own, features[start : start + batch], image_shape)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[start : start + batch], said)
                loss = tf.reduce_mean(losses)
            own = [weight - rate * step for weight, step in zip(own, tape.gradient(loss, own), strict=True)]
            start += batch
        return own

    signature = [
        [tf.TensorSpec(shape) for shape in shapes],
        tf.TensorSpec((None, width)),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec(()),
        tf.TensorSpec((), tf.int32),
    ]
    return tf.function(train, input_signature=signature)
