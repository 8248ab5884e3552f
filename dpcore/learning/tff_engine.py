"""The reference engine: the algorithm as TensorFlow Federated and TensorFlow Privacy ship it."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from dpcore.datasets.federated import FederatedDataset, scale
from dpcore.learning import model, sampling, tff_process, zeroing
from dpcore.learning.engine import LARGEST_NORM, RoundMetrics, Weights
from dpcore.plan import Plan


def aggregator(plan: Plan) -> tff.aggregators.UnweightedAggregationFactory:
    """TFF's DP aggregator with adaptive clipping: clips, sums, adds noise, divides by the expected clients.

    Source: Andrew et al. (2021) <https://arxiv.org/abs/1905.03871>. With `zeroing`, updates above a
    quantile estimate without noise become zero first, as `tff.learning.dp_aggregator` does by default.
    """
    privacy, clipping = plan.privacy, plan.privacy.clipping
    factory = tff.aggregators.DifferentiallyPrivateFactory.gaussian_adaptive(
        noise_multiplier=float(privacy.noise_multiplier),
        clients_per_round=float(privacy.clients_per_round),
        initial_l2_norm_clip=clipping.initial_clip_norm,
        target_unclipped_quantile=clipping.target_unclipped_quantile,
        learning_rate=clipping.learning_rate,
        clipped_count_stddev=float(privacy.clipped_count_stddev),
    )
    # A finite update whose squares overflow would come out of clipping as not-a-number, for everybody.
    factory = tff.aggregators.zeroing_factory(LARGEST_NORM, factory, norm_order=2.0)
    if privacy.zeroing:
        # The estimate of `tff.learning.dp_aggregator`, which cannot be given the other settings.
        estimate = tff.aggregators.PrivateQuantileEstimationProcess.no_noise(
            initial_estimate=zeroing.INITIAL_ESTIMATE,
            target_quantile=zeroing.TARGET_QUANTILE,
            learning_rate=zeroing.LEARNING_RATE,
            multiplier=zeroing.MULTIPLIER,
            increment=zeroing.INCREMENT,
        )
        return tff.aggregators.zeroing_factory(estimate, factory)
    return factory


class TffEngine:
    """`dpcore.learning.engine.Engine` on TFF. TFF draws its own noise, so a run cannot be replayed exactly.

    Make one per process, on a thread that lives as long as the engine.
    """

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._plan = plan
        self._dataset = dataset
        self._runtime = tff_process.start()
        spec = (
            tf.TensorSpec([None, dataset.num_features], tf.float32),
            tf.TensorSpec([None], tf.int32),
        )
        training = plan.training

        def model_fn() -> tff.learning.models.VariableModel:
            return tff.learning.models.from_keras_model(
                model.build(plan, dataset),
                input_spec=spec,
                loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            )

        self._process = tff.learning.algorithms.build_unweighted_fed_avg(
            model_fn,
            client_optimizer_fn=tff.learning.optimizers.build_sgdm(training.client_learning_rate),
            server_optimizer_fn=tff.learning.optimizers.build_sgdm(
                training.server_learning_rate, momentum=training.server_momentum
            ),
            model_aggregator=aggregator(plan),
        )

    def initialize(self) -> Any:
        weights = model.initial_weights(model.build(self._plan, self._dataset), self._plan.training.seed)
        return self._process.set_model_weights(
            self._process.initialize(), tff.learning.models.ModelWeights(trainable=weights, non_trainable=[])
        )

    def next(self, state: Any, cohort: np.ndarray, round_num: int) -> tuple[Any, RoundMetrics]:
        output = self._process.next(state, [self._batches(int(user), round_num) for user in cohort])
        self._runtime.forget(len(cohort))
        metrics = output.metrics["aggregator"]
        while "zeroing" in metrics:
            metrics = metrics["zeroing"]
        return output.state, RoundMetrics(clip_norm=float(metrics["dp_query_metrics"]["clip"]))

    def model_weights(self, state: Any) -> Weights:
        return list(state.global_model_weights.trainable)

    def _batches(self, user: int, round_num: int) -> tf.data.Dataset:
        split = self._dataset.train
        rows = split.rows(user)
        order = sampling.shuffled_examples(self._plan, round_num, user, rows.stop - rows.start)
        features, labels = scale(split.features[rows][order]), split.labels[rows][order].astype(np.int32)
        return tf.data.Dataset.from_tensor_slices((features, labels)).batch(self._plan.training.batch_size)
