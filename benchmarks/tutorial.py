"""The loop of the tutorial "Differential Privacy in TFF", from TFF's public interface."""

import collections

import tensorflow as tf
import tensorflow_federated as tff

from dpcore.datasets.federated import FederatedDataset, scale
from dpcore.learning.tff import process as tff_process
from dpcore.plan import Plan


class TutorialLoop:
    """What the notebook does in a round: a `tf.data` set a client, handed to `learning_process.next`."""

    def __init__(self, plan: Plan, dataset: FederatedDataset):
        self._dataset = dataset
        tff_process.start()  # TFF's default context, but for its worker dying with this process

        def model_fn():
            model = tf.keras.models.Sequential(
                [
                    tf.keras.layers.Reshape(input_shape=(28, 28, 1), target_shape=(28 * 28,)),
                    tf.keras.layers.Dense(200, activation=tf.nn.relu),
                    tf.keras.layers.Dense(200, activation=tf.nn.relu),
                    tf.keras.layers.Dense(10),
                ]
            )
            return tff.learning.models.from_keras_model(
                keras_model=model,
                loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                input_spec=self._client(0).element_spec,
                metrics=[tf.keras.metrics.SparseCategoricalAccuracy()],
            )

        self._process = tff.learning.algorithms.build_unweighted_fed_avg(
            model_fn,
            client_optimizer_fn=tff.learning.optimizers.build_sgdm(0.01),
            server_optimizer_fn=tff.learning.optimizers.build_sgdm(1.0, momentum=0.9),
            model_aggregator=tff.learning.dp_aggregator(
                plan.privacy.noise_multiplier, plan.privacy.clients_per_round
            ),
        )

    def initialize(self):
        return self._process.initialize()

    def next(self, state, cohort, round_num):
        output = self._process.next(state, [self._client(int(user)) for user in cohort])
        return output.state, output.metrics

    def _client(self, user: int) -> tf.data.Dataset:
        split = self._dataset.train
        rows = split.rows(user)
        raw = collections.OrderedDict(
            label=split.labels[rows].astype("int32"), pixels=scale(split.features[rows]).reshape(-1, 28, 28)
        )

        def element_fn(element):
            return collections.OrderedDict(x=tf.expand_dims(element["pixels"], -1), y=element["label"])

        data = tf.data.Dataset.from_tensor_slices(raw)
        return data.map(element_fn).shuffle(418).repeat(1).batch(32, drop_remainder=False)
