"""The rule of the clip norm, against a count by hand."""

import math

import numpy as np
import pytest

from dpcore.mechanisms.clipping import AdaptiveClipping


def step(norms, *, count_noise=0.0, clients=4, **clipping):
    norms = np.array(norms)
    return AdaptiveClipping(**clipping).next_clip_norm(
        2.0,
        num_clients=len(norms),
        num_unclipped=int((norms <= 2.0).sum()),
        clients_per_round=clients,
        count_noise=count_noise,
    )


@pytest.mark.parametrize(
    ("norms", "fraction"),
    [
        ([1, 1, 3, 3], 0.5),
        ([1, 1, 1, 2], 1.0),  # at the clip norm is below it
        ([3, 3, 3, 3], 0.0),
        ([], 0.5),  # an empty cohort says nothing
        ([1, 1], 0.75),  # centred on those that came, divided by those expected
        ([1] * 9, 1.0),  # more than expected: held to [0, 1]
    ],
)
def test_the_rule(norms, fraction):
    assert step(norms) == pytest.approx(2.0 * math.exp(-0.2 * (fraction - 0.5)), rel=1e-12)


@pytest.mark.parametrize(
    ("clip_norm", "unclipped", "end"),
    [(1.0001e-6, 4, 1e-6), (1e-6, 4, 1e-6), (1e-20, 4, 1e-6), (999_999.0, 0, 1e6)],
)
def test_the_clip_norm_ends_where_plans_may_begin(clip_norm, unclipped, end):
    found = AdaptiveClipping().next_clip_norm(
        clip_norm, num_clients=4, num_unclipped=unclipped, clients_per_round=4, count_noise=0.0
    )
    assert found == end
    AdaptiveClipping(initial_clip_norm=found)


def test_noise_quantile_and_rate_count():
    assert step([], count_noise=1.0) == pytest.approx(2.0 * math.exp(-0.2 * 0.25), rel=1e-12)
    moved = step([1, 1, 3, 3], target_unclipped_quantile=0.9, learning_rate=1.0)
    assert moved == pytest.approx(2.0 * math.exp(0.4), rel=1e-12)
