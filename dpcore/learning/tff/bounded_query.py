"""TensorFlow Privacy's queries behind TFF's DP aggregator, with a clip norm that no update exceeds.

Theirs take the norm as a float32 sum of squares. Of entries below 1e-19 it is 0, so such an update is neither clipped nor
counted, whatever its length; and rounding makes others longer than the clip norm, by up to a percent if somebody wants it
to. A script that trains on TFF alone has all that follows the imports in it: nothing there may need `dpcore`.
"""

import tensorflow_federated as tff
import tensorflow_privacy as tfp

from dpcore.learning.loading import tf


class BoundedSumQuery(tfp.GaussianSumQuery):
    """`tfp.GaussianSumQuery`, with norms in float64, in which the square of a float32 is exact.

    Args:
        margin: The part of the clip norm that is left to the rounding of float32; a millionth would do.
        largest_norm: An update with a larger norm, or one that is not finite, becomes zero: a public bound.
    """

    def __init__(self, clip_norm, stddev, *, margin, largest_norm):
        super().__init__(clip_norm, stddev)
        self._share, self._largest_norm = 1 - margin, largest_norm

    def preprocess_record_impl(self, params, record):
        parts = tf.nest.flatten(record)
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(tf.cast(part, tf.float64))) for part in parts]))
        usable = norm <= self._largest_norm  # false for what is not a number
        norm = tf.where(usable, norm, 0.0)
        bound = self._share * tf.cast(params, tf.float64)
        factor = tf.cast(tf.minimum(bound / tf.maximum(norm, 1e-300), 1.0), tf.float32)
        clipped = [factor * tf.where(usable, part, 0.0) for part in parts]
        return tf.nest.pack_sequence_as(record, clipped), tf.cast(norm, tf.float32)


class BoundedAdaptiveQuery(tfp.QuantileAdaptiveClipSumQuery):
    """`tfp.QuantileAdaptiveClipSumQuery` on a `BoundedSumQuery`, with the clip norm held to [lowest, highest]."""

    def __init__(self, clip_norm, noise_multiplier, *, lowest, highest, margin, largest_norm, **adaptation):
        super().__init__(clip_norm, noise_multiplier, **adaptation)
        self._lowest, self._highest = lowest, highest
        self._sum_query = BoundedSumQuery(
            clip_norm, noise_multiplier * clip_norm, margin=margin, largest_norm=largest_norm
        )

    def get_noised_result(self, sample_state, global_state):
        result, after, event = super().get_noised_result(sample_state, global_state)
        held = tf.clip_by_value(after.sum_state.l2_norm_clip, self._lowest, self._highest)
        after = after._replace(
            sum_state=self._sum_query.make_global_state(held, held * after.noise_multiplier),
            quantile_estimator_state=after.quantile_estimator_state._replace(current_estimate=held),
        )
        return result, after, event


def averaged(query, clients_per_round):
    """Returns a query's sum over the expected number of clients, as TFF aggregates it."""
    return tff.aggregators.DifferentiallyPrivateFactory(tfp.NormalizedQuery(query, clients_per_round))
