"""One local epoch of SGD for a group of clients at once.

All take a plan, the server's weights, features uint8 or float32 [clients, examples, num_features], labels
int32 [clients, examples] and counts int32 [clients]; the examples beyond a client's count are padding. All
return each client's update (trained minus server weights): float32 [clients, ...], in the order of the weights.
"""

from dpcore.learning import model
from dpcore.learning.loading import tf
from dpcore.plan import Plan

# Steps of SGD that are kept in factored form before the weights of each client are written out.
_STEPS_A_BLOCK = 4


def group_updates(plan: Plan, weights, features, labels, counts, image_shape):
    """Returns the updates of a group; see the module. Only models with convolutions heed the image's shape."""
    batch = plan.training.batch_size
    position = tf.range(tf.shape(features)[1])[None]
    # A batch averages over the examples that are there: the last of a client may be short.
    in_batch = tf.clip_by_value(counts[:, None] - position // batch * batch, 1, batch)
    share = tf.where(position < counts[:, None], 1 / tf.cast(in_batch, tf.float32), 0.0)
    scaled = model.scale_features(features)
    if model.is_dense(plan):
        return _train_dense(plan, weights, scaled, labels, share)
    return _train_by_tape(plan, weights, scaled, labels, share, image_shape)


def _train_dense(plan: Plan, weights, features, labels, share):
    """Dense ReLU layers, with a step's gradient kept as its two factors.

    A layer's weights after k steps are W - rate * (x_1' g_1 + ... + x_k' g_k), x_j the inputs and g_j the
    gradients at the outputs of batch j. So a later batch needs no new weights: its outputs are
    x W - rate * (x x_j') g_j, products of matrices as small as a batch. That saves writing and reading
    every client's weights at every step, which is what takes the time. After `_STEPS_A_BLOCK` steps the
    factors are multiplied out, once, as wide as the block; the next block starts from there.
    """
    clients, examples = features.shape[0], tf.shape(features)[1]
    span = _STEPS_A_BLOCK * plan.training.batch_size
    first = tf.minimum(span, examples)
    # The first block starts from the server's weights, which all clients share.
    deltas = _dense_block(plan, weights, features[:, :first], labels[:, :first], share[:, :first])
    start = span
    while start < examples:
        end = tf.minimum(start + span, examples)
        own = [weight + delta for weight, delta in zip(weights, deltas, strict=True)]
        more = _dense_block(plan, own, features[:, start:end], labels[:, start:end], share[:, start:end])
        deltas = [delta + part for delta, part in zip(deltas, more, strict=True)]
        start = end
    return [tf.ensure_shape(delta, [clients, *weight.shape]) for delta, weight in zip(deltas, weights, strict=True)]


def _dense_block(plan: Plan, weights, features, labels, share):
    rate, batch = plan.training.client_learning_rate, plan.training.batch_size
    kernels, biases = weights[::2], weights[1::2]
    layers, classes, examples = len(kernels), kernels[-1].shape[-1], tf.shape(features)[1]
    # Per client [clients, width] or shared [width]; either way one row for all examples of a client.
    biases = [bias[:, None] if bias.shape.rank == 2 else bias for bias in biases]
    inputs: list[list[tf.Tensor]] = [[] for _ in kernels]
    errors: list[list[tf.Tensor]] = [[] for _ in kernels]
    # Of the first layer all inputs are known beforehand: one product each for all steps.
    outputs_of_first = _times(features, kernels[0]) + biases[0]
    overlaps_of_first = tf.matmul(features, features, transpose_b=True) + 1.0
    for step in range(_STEPS_A_BLOCK):
        start, end = tf.minimum(step * batch, examples), tf.minimum((step + 1) * batch, examples)
        past_inputs = [tf.concat(parts, 1) for parts in inputs[1:]] if step else []
        past_errors = [tf.concat(parts, 1) for parts in errors] if step else []
        hidden: list[tf.Tensor] = []
        for layer in range(layers):
            if layer == 0:
                out = outputs_of_first[:, start:end]
            else:
                out = _times(hidden[-1], kernels[layer]) + biases[layer]
            if step:  # + 1: the bias has moved too, as a weight whose input is always 1
                if layer == 0:
                    overlap = overlaps_of_first[:, start:end, :start]
                else:
                    overlap = tf.matmul(hidden[-1], past_inputs[layer - 1], transpose_b=True) + 1.0
                out -= rate * tf.matmul(overlap, past_errors[layer])
            hidden.append(tf.nn.relu(out) if layer < layers - 1 else out)
        wrong = tf.nn.softmax(hidden[-1]) - tf.one_hot(labels[:, start:end], classes)
        error = wrong * share[:, start:end, None]
        errors[-1].append(error)
        for layer in reversed(range(1, layers)):
            back = _times(error, kernels[layer], transpose_b=True)
            if step:
                overlap = tf.matmul(error, past_errors[layer], transpose_b=True)
                back -= rate * tf.matmul(overlap, past_inputs[layer - 1])
            error = tf.raw_ops.ReluGrad(gradients=back, features=hidden[layer - 1])
            errors[layer - 1].append(error)
            inputs[layer].append(hidden[layer - 1])
    deltas = []
    for layer in range(layers):
        x = features if layer == 0 else tf.concat(inputs[layer], 1)
        error = -rate * tf.concat(errors[layer], 1)
        deltas += [tf.matmul(x, error, transpose_a=True), tf.reduce_sum(error, 1)]
    return deltas


def _times(x, kernel, transpose_b=False):
    """x [clients, examples, a] times a kernel [a, b] that clients share, or [clients, a, b] of their own."""
    if kernel.shape.rank == 3:
        return tf.matmul(x, kernel, transpose_b=transpose_b)
    flat = tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), kernel, transpose_b=transpose_b)  # one large product
    return tf.reshape(flat, [x.shape[0], -1, flat.shape[-1]])


def _train_by_tape(plan: Plan, weights, features, labels, share, image_shape):
    """Any model, with the gradient that TensorFlow derives, a client after the other."""
    clients, examples = features.shape[0], tf.shape(features)[1]
    rate, batch = plan.training.client_learning_rate, plan.training.batch_size
    trained = []
    for client in range(clients):
        own, start = [tf.identity(weight) for weight in weights], 0
        while start < examples:
            end = tf.minimum(start + batch, examples)
            with tf.GradientTape() as tape:
                tape.watch(own)
                logits = model.logits(plan, own, features[client, start:end], image_shape)
                losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[client, start:end], logits)
                loss = tf.reduce_sum(losses * share[client, start:end])
            own = [weight - rate * step for weight, step in zip(own, tape.gradient(loss, own), strict=True)]
            start = end
        trained.append([new - old for new, old in zip(own, weights, strict=True)])
    return [tf.stack(parts) for parts in zip(*trained, strict=True)]
