import math
from dataclasses import replace

import numpy as np
import pytest

from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.rounds import Round, divergence, fraction_clipped


def row(number, **values):
    usual = {"accuracy": None, "loss": None, "clip_norm": 0.1, "cohort_size": 5, "epsilon": 1.0, "seconds": 0.5}
    return Round(round=number, **(usual | values))


def losses(*values):
    return [row(number, loss=value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    "values", [[], [None], [2.3], [2.3, 2.4, 2.5], [2.3, 1.0, 1.4], [2.3, 0.01, 0.05], [2.3, None, 1.0]]
)
def test_a_loss_that_moves_is_no_divergence(values):
    assert divergence(losses(*values)) == ""


def test_a_loss_that_explodes_is_said_with_its_rounds():
    assert "the loss is 2.270 in round 2, after 1.100 in round 1" in divergence(losses(2.3, 1.1, 2.27))
    assert "not finite in round 1" in divergence(losses(2.3, math.inf))


def test_the_fraction_clipped_is_read_back_from_the_step_of_the_clip_norm():
    plan = PrivacyPlan()
    for unclipped in (0.0, 0.3, 0.5, 1.0):
        after = row(2, clip_norm=0.1 * math.exp(-0.2 * (unclipped - 0.5)))
        assert fraction_clipped(plan, row(1), after) == pytest.approx(1 - unclipped)
    assert fraction_clipped(PrivacyPlan(clipping=FixedClipping()), row(1), row(2)) is None
    for end in (1e-6, float(np.float32(1e-6)), 1e6):  # it was held there: how far it would have gone is not known
        assert fraction_clipped(plan, row(1), row(2, clip_norm=end)) is None


def test_signal_to_noise_leaves_the_noise_out():
    assert row(1, update_norm=5.0, noise_norm=3.0).signal_to_noise == pytest.approx(4 / 3)
    assert row(1, update_norm=2.0, noise_norm=3.0).signal_to_noise == 0
    assert row(1, update_norm=2.0, noise_norm=0.0).signal_to_noise is None
    assert row(0).signal_to_noise is None


def test_a_round_repeats_another_whatever_time_it_took():
    one = row(1, loss=2.0, accuracy=0.5, update_norm=1.0)
    assert one.repeats(replace(one, seconds=9.0, epsilon=2.0))
    assert one.repeats(replace(one, loss=None, accuracy=None))
    for change in ({"clip_norm": 0.1 + 1e-16 * 3}, {"cohort_size": 6}, {"loss": 2.1}, {"update_norm": 1.1}):
        assert not one.repeats(replace(one, **change))
