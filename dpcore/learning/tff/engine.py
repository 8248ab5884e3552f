"""The reference engine, on TensorFlow Federated: its aggregator, server optimiser and runtime as they ship.

Only a client's local epochs are written out here, as a plain loop in a graph; and in `bounded_query`, how an update is
clipped.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_federated as tff

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning import model, sampling
from dpcore.learning.engine import RoundMetrics, Weights, l2_norm
from dpcore.learning.loading import tf
from dpcore.learning.models import graphs
from dpcore.learning.tff import bounded_query, correlated_query, process
from dpcore.learning.tff.bounded_query import averaged
from dpcore.mechanisms import zeroing
from dpcore.plan import Plan
from dpcore.rng import Streams


def aggregator(plan: Plan, specs: Sequence[tf.TensorSpec] = ()) -> tff.aggregators.UnweightedAggregationFactory:
    """TFF's DP aggregator: clips, sums, adds noise, divides by the expected clients.

    Source: Andrew et al. (2021) <https://arxiv.org/abs/1905.03871> where the clip norm adapts, else McMahan et
    al. (2018) <https://arxiv.org/abs/1710.06963>. With `zeroing`, updates above a quantile estimate without
    noise become zero first, as `tff.learning.dp_aggregator` does by default.
    """
    name, arguments = plan.privacy.query
    # Noise that is correlated is kept from round to round, in the shapes of the model.
    kept = {"specs": list(specs)} if plan.privacy.noise.is_correlated else {}
    queries = correlated_query if kept else bounded_query
    factory = averaged(getattr(queries, name)(**arguments, **kept), float(plan.privacy.clients_per_round))
    if plan.privacy.zeroing:
        # The estimate of `tff.learning.dp_aggregator`, which cannot be given the other settings.
        estimate = tff.aggregators.PrivateQuantileEstimationProcess.no_noise(**zeroing.TFF_ARGUMENTS)
        return tff.aggregators.zeroing_factory(estimate, factory)
    return factory


class TffEngine:
    """`dpcore.learning.engine.Engine` on TFF, which draws its own noise: a run cannot be replayed exactly.

    Cohorts are int64 [cohort_size], weights float32 [inputs, outputs] and [outputs] of each layer in turn.

    Make one per process, on a thread that lives as long as the engine.
    """

    def __init__(self, plan: Plan, dataset: FederatedDataset, streams: Streams | None = None):
        self._plan = plan
        self._dataset = dataset
        self._streams = streams or sampling.streams_of(plan)
        self._runtime = process.start()
        self._process = _learning_process(plan, dataset)

    def initialize(self) -> Any:
        weights = model.initial_weights(model.shapes(self._plan, self._dataset), self._streams.seed)
        return self._process.set_model_weights(
            self._process.initialize(), tff.learning.models.ModelWeights(trainable=weights, non_trainable=[])
        )

    def next(self, state: Any, cohort: np.ndarray, round_num: int) -> tuple[Any, RoundMetrics]:
        output = self._process.next(state, [self._examples(int(user), round_num) for user in cohort])
        self._runtime.forget(len(cohort))
        metrics = RoundMetrics(
            clip_norm=self._clip_norm(output), update_norm=self._update_norm(state, output.state)
        )
        return output.state, metrics

    def _clip_norm(self, output: Any) -> float:
        metrics = output.metrics["aggregator"]
        if self._plan.privacy.zeroing:
            metrics = metrics["zeroing"]
        # A query whose clip norm stays does not tell it.
        return float(metrics["dp_query_metrics"].get("clip", self._plan.privacy.clipping.initial_clip_norm))

    def _update_norm(self, before: Any, after: Any) -> float:
        """TFF does not tell the average, but the optimiser's velocity has it: new = momentum * old + average."""
        training = self._plan.training
        if training.server_momentum:
            old, new = (state.finalizer["accumulator"] for state in (before, after))
            return l2_norm([b - np.float32(training.server_momentum) * a for a, b in zip(old, new, strict=True)])
        old, new = self.model_weights(before), self.model_weights(after)
        return l2_norm([b - a for a, b in zip(old, new, strict=True)]) / training.server_learning_rate

    def to_arrays(self, state: Any) -> list[np.ndarray]:
        return [np.asarray(leaf) for leaf in tf.nest.flatten(state)]

    def from_arrays(self, arrays: list[np.ndarray]) -> Any:
        return tf.nest.pack_sequence_as(self.initialize(), arrays)

    def model_weights(self, state: Any) -> Weights:
        return list(state.global_model_weights.trainable)

    def _examples(self, user: int, round_num: int) -> list[OrderedDict]:
        """Where a user's examples begin, and the order in which to take them, int64 [local_epochs * count]."""
        rows = self._dataset.train.rows(user)
        order = sampling.shuffled_examples(self._plan, round_num, user, rows.stop - rows.start)
        return [OrderedDict(first=np.int64(rows.start), order=order)]


def _learning_process(plan: Plan, dataset: FederatedDataset) -> tff.learning.templates.LearningProcess:
    """`tff.learning.algorithms.build_unweighted_fed_avg`, but for the clients' local work."""
    training = plan.training

    @tff.tensorflow.computation
    def initial_model_weights_fn():
        return tff.learning.models.ModelWeights.from_model(graphs.build(plan, dataset))

    weights_type = initial_model_weights_fn.type_signature.result
    specs = [tf.TensorSpec(shape) for shape in model.shapes(plan, dataset)]
    finalizer = tff.learning.templates.build_apply_optimizer_finalizer(
        tff.learning.optimizers.build_sgdm(training.server_learning_rate, momentum=training.server_momentum),
        weights_type,
    )
    return tff.learning.templates.compose_learning_process(
        initial_model_weights_fn,
        tff.learning.templates.build_broadcast_process(weights_type),
        _client_work(plan, dataset, weights_type),
        tff.aggregators.as_weighted_aggregator(aggregator(plan, specs)).create(
            weights_type.trainable, tff.TensorType(np.float32)
        ),
        finalizer,
    )


def _client_work(plan: Plan, dataset: FederatedDataset, weights_type):
    """Local training, fed from the data set's file, which TFF's process maps into its memory.

    Handing it `tf.data` sets instead, each written out and read in again every round, takes most of a round.
    """
    # TFF wants a sequence: of one element, which says it all.
    examples_type = tff.SequenceType(
        OrderedDict(first=tff.TensorType(np.int64), order=tff.TensorType(np.int64, [None]))
    )

    @tff.federated_computation
    def initialize():
        return tff.federated_value((), tff.SERVER)

    @tff.tensorflow.computation(weights_type, examples_type)
    def train(weights, examples):
        element = examples.get_single_element()
        first, order = element["first"], element["order"]
        count = tf.size(order) // plan.training.local_epochs
        features = _mapped_rows(dataset.train.features, first, count)
        labels = _mapped_rows(dataset.train.labels, first, count)
        start = trained = list(weights.trainable)
        for epoch in range(plan.training.local_epochs):
            own = order[epoch * count : (epoch + 1) * count]
            trained = _local_epoch(plan, trained, features, labels, own, dataset.image_shape)
        update = [old - new for old, new in zip(start, trained, strict=True)]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(part)) for part in update])
        update = [tf.where(finite, part, 0.0) for part in update]
        return tff.learning.templates.ClientResult(update=update, update_weight=1.0)

    @tff.federated_computation(
        initialize.type_signature.result,
        tff.FederatedType(weights_type, tff.CLIENTS),
        tff.FederatedType(examples_type, tff.CLIENTS),
    )
    def next_fn(state, weights, examples):
        result = tff.federated_map(train, (weights, examples))
        return tff.templates.MeasuredProcessOutput(state, result, tff.federated_value((), tff.SERVER))

    return tff.learning.templates.ClientWorkProcess(initialize, next_fn)


@tf.function
def _local_epoch(plan: Plan, weights, features, labels, order, image_shape):
    """Returns the weights after one epoch of SGD, a batch after the other; the last may be short."""
    start = tf.constant(0)
    while start < tf.size(order):
        rows = order[start : start + plan.training.batch_size]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            said = graphs.logits(
                plan.training.model, weights, graphs.scale_features(tf.gather(features, rows)), image_shape
            )
            expected = tf.cast(tf.gather(labels, rows), tf.int32)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(expected, said))
        steps = tape.gradient(loss, weights)
        weights = [w - plan.training.client_learning_rate * step for w, step in zip(weights, steps, strict=True)]
        start += plan.training.batch_size
    return weights


def _mapped_rows(array: np.memmap, first, count):
    """Rows first:first + count of a memory-mapped array, as a tensor of whatever process runs the graph."""
    width = int(np.prod(array.shape[1:]))
    header = array.offset // array.itemsize  # NumPy aligns what follows its header to 64 bytes
    flat = tf.raw_ops.ImmutableConst(
        dtype=array.dtype, shape=[header + array.size], memory_region_name=str(array.filename)
    )
    rows = tf.slice(flat, [header + first * width], [tf.cast(count, tf.int64) * width])
    return tf.reshape(rows, [-1, *array.shape[1:]])
