"""Noise that is correlated from round to round, as queries of TensorFlow Privacy, for TFF's DP aggregator.

Noise that is known after the run is over tells nothing; before that, a query's state is as secret as the noise itself.
"""

import collections
import secrets

import dp_accounting
import tensorflow_privacy as tfp

from dpcore.learning.loading import tf
from dpcore.learning.tff.bounded_query import BoundedSumQuery


class FilteredSumQuery(BoundedSumQuery):
    """A `BoundedSumQuery` whose noise in a round takes back part of that of the rounds before.

    Round t gets `scales[t]` times row t of the inverse of a lower triangular Toeplitz matrix, on fresh noise: Choquette-
    Choo et al. (2023) <https://arxiv.org/abs/2306.08153>. Its state has that noise in it, and is as secret as the noise.

    Args:
        column: The first of the matrix, as far as it is not 0.
        scales: One for each round; after the last one there is no other.
        specs: The `tf.TensorSpec`s of a record, of full shapes.
    """

    _FilterState = collections.namedtuple("_FilterState", ["sum_state", "before", "round"])

    def __init__(self, clip_norm, stddev, *, margin, largest_norm, column, scales, specs):
        super().__init__(clip_norm, stddev, margin=margin, largest_norm=largest_norm)
        self._first, self._rest, self._scales, self._specs = column[0], column[1:], scales, specs

    def initial_global_state(self):
        before = [tf.zeros([len(self._rest), *spec.shape]) for spec in tf.nest.flatten(self._specs)]
        return self._FilterState(super().initial_global_state(), before, tf.constant(0))

    def derive_sample_params(self, global_state):
        return super().derive_sample_params(global_state.sum_state)

    def get_noised_result(self, sample_state, global_state):
        sum_state, before, at = global_state
        rest, scale = tf.constant(self._rest, tf.float32), tf.gather(tf.constant(self._scales, tf.float32), at)
        fresh = [tf.random.normal(part.shape[1:]) for part in before]
        drawn = [(z - tf.tensordot(rest, part, 1)) / self._first for z, part in zip(fresh, before, strict=True)]
        parts = [
            part + sum_state.stddev * scale * noise
            for part, noise in zip(tf.nest.flatten(sample_state), drawn, strict=True)
        ]
        after = [
            tf.concat([noise[None], part], 0)[: len(self._rest)] for noise, part in zip(drawn, before, strict=True)
        ]
        result = tf.nest.pack_sequence_as(sample_state, parts)
        return result, self._FilterState(sum_state, after, at + 1), dp_accounting.UnsupportedDpEvent()


class TreeSumQuery(tfp.TreeResidualSumQuery):
    """`tfp.TreeResidualSumQuery` that clips as `BoundedSumQuery` does; its state is as secret as its noise.

    Args:
        specs: The `tf.TensorSpec`s of a record, of full shapes.
    """

    def __init__(self, clip_norm, stddev, *, margin, largest_norm, specs):
        bounded = BoundedSumQuery(clip_norm, stddev, margin=margin, largest_norm=largest_norm)
        # Seeds that are near each other have noise in common, and without one the clock is taken.
        noise = tfp.tree_aggregation.GaussianNoiseGenerator(stddev, specs, secrets.randbits(62))
        super().__init__(specs, noise, lambda *record: bounded.preprocess_record(*record[::-1]), clip_norm)
