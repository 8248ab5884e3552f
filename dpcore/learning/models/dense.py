"""Dense ReLU layers: what they say, and the local SGD of a group of clients at once, in NumPy."""

from collections.abc import Iterator

import numpy as np
from scipy import special

from dpcore.learning.engine import Weights
from dpcore.learning.models import blas  # noqa: F401  (a thread a product)

# Of a client: so many are kept in factored form before its weights are written out.
_EXAMPLES_A_BLOCK = 320


def logits(weights: Weights, features: np.ndarray) -> np.ndarray:
    """Returns logits, float32 [examples, num_classes], of scaled features, float32 [examples, num_features]."""
    *hidden, kernel, bias = weights
    for one, moved in zip(hidden[::2], hidden[1::2], strict=True):
        features = np.maximum(features @ one + moved, 0)
    return features @ kernel + bias


def updates(
    weights: Weights,
    features: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    learning_rate: float,
    batch_size: int,
    epochs: int = 1,
) -> Iterator[Weights]:
    """Yields each client's update (trained minus server weights), in arrays that the next one is written into.

    A layer's weights after k steps are W + x_1' e_1 + ... + x_k' e_k, x_j the inputs and e_j the errors of batch j: the
    gradients at its outputs, times minus the rate. So a later batch needs no new weights, its outputs are
    x W + (x x_j') e_j, products of matrices as small as a batch. That saves writing and reading every client's weights
    at every step. After `_EXAMPLES_A_BLOCK` examples the factors are multiplied out, and the next block starts there.

    Args:
        weights: The server's.
        features: Scaled, float32 [clients, examples, num_features], of all epochs in turn, each of which begins with a
            batch; those beyond a client's count are padding.
        labels: int [clients, examples].
        counts: Examples in an epoch, int [clients].
        learning_rate: Of a step.
        batch_size: Examples in a step; the last of a client's epoch may be short.
        epochs: How often a client goes through its examples.
    """
    rates = np.float32(-learning_rate) * _shares(counts, labels.shape[1], batch_size, epochs)
    span = max(1, _EXAMPLES_A_BLOCK // batch_size) * batch_size
    own, moved = weights, [np.zeros((), np.float32)] * len(weights)
    for start in range(0, max(1, labels.shape[1]), span):
        block = np.s_[:, start : start + span]
        inputs, errors = _train(own, features[block], labels[block], rates[block], batch_size)
        if start + span < labels.shape[1]:
            factors = zip(inputs, errors, strict=True)
            steps = [part for x, error in factors for part in (x.swapaxes(1, 2) @ error, error.sum(1))]
            moved = [before + step for before, step in zip(moved, steps, strict=True)]
            own = [weight + part for weight, part in zip(weights, moved, strict=True)]
    update = [np.empty_like(part, order="F") for part in weights]  # the product below is a third faster so
    for client in range(len(counts)):
        for x, error, kernel, bias in zip(inputs, errors, update[::2], update[1::2], strict=True):
            np.matmul(error[client].T, x[client], out=kernel.T)
            error[client].sum(0, out=bias)
        if own is not weights:
            for part, before in zip(update, moved, strict=True):
                part += before[client]
        yield update


def _shares(counts: np.ndarray, examples: int, batch_size: int, epochs: int) -> np.ndarray:
    """Returns by what a batch averages over the examples that are there: float32 [clients, examples], 0 for padding."""
    apart = -(-counts.max(initial=1) // batch_size) * batch_size if epochs > 1 else max(1, examples)
    position = np.arange(examples) % apart
    in_batch = np.clip(counts[:, None] - position // batch_size * batch_size, 1, batch_size)
    return np.where(position < counts[:, None], 1 / in_batch, 0).astype(np.float32)


def _train(
    weights: Weights, features: np.ndarray, labels: np.ndarray, rates: np.ndarray, batch_size: int
) -> tuple[Weights, Weights]:
    """Returns each layer's inputs and errors, [clients, examples, width], of a block of steps.

    Args:
        weights: Of the server, or [clients, ...] of their own.
        features: As of `updates`.
        labels: As of `updates`.
        rates: By what the gradient at each example's outputs is multiplied, float32 [clients, examples].
        batch_size: As of `updates`.
    """
    kernels, biases = weights[::2], [bias[:, None] if bias.ndim == 2 else bias for bias in weights[1::2]]
    (clients, examples), last = labels.shape, len(kernels) - 1
    inputs = [features, *(np.empty((clients, examples, kernel.shape[-1]), np.float32) for kernel in kernels[:-1])]
    errors = [np.empty((clients, examples, kernel.shape[-1]), np.float32) for kernel in kernels]
    # Of the first layer all inputs are known beforehand: one product each for all steps.
    outputs, overlaps = _times(features, kernels[0]) + biases[0], features @ features.swapaxes(1, 2) + np.float32(1)
    for start in range(0, examples, batch_size):
        now, past = np.s_[:, start : start + batch_size], np.s_[:, :start]
        out, overlap = outputs[now], overlaps[now][:, :, :start]
        for layer in range(last + 1):
            if layer > 0:
                hidden = inputs[layer][now] = np.maximum(out, 0)
                out = _times(hidden, kernels[layer]) + biases[layer]
                overlap = hidden @ inputs[layer][past].swapaxes(1, 2) + np.float32(1)
            if start:  # + 1: the bias has moved too, as a weight whose input is always 1
                out += overlap @ errors[layer][past]
        error = special.softmax(out, axis=-1)
        error[np.arange(clients)[:, None], np.arange(out.shape[1]), labels[now]] -= 1
        error *= rates[now][:, :, None]
        errors[last][now] = error
        for layer in range(last, 0, -1):
            back = _times(error, kernels[layer].swapaxes(-1, -2))
            if start:
                back += (error @ errors[layer][past].swapaxes(1, 2)) @ inputs[layer][past]
            error = errors[layer - 1][now] = back * (inputs[layer][now] > 0)
    return inputs, errors


def _times(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """x [clients, examples, a] times a kernel [a, b] that clients share, or [clients, a, b] of their own."""
    if kernel.ndim == 3:
        return x @ kernel
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], kernel.shape[-1])  # one large product
