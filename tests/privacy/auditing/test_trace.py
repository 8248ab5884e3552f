"""A record of an audit whose parts do not fit each other is refused, with what is wrong."""

import dataclasses

import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from tests.privacy.auditing.simulated import PLAN, trace

SMALL = {"plan": dataclasses.replace(PLAN, rounds=3), "run_canaries": 10, "round_canaries": 10, "directions": 64}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"joined": np.zeros((3, 19), bool)}, r"an audit's joined to have the shape \(3, 20\), found \(3, 19\)"),
        ({"run_coins": np.zeros(9, bool)}, "an audit's run_coins"),
        ({"projections": np.zeros((3, 27), np.float32)}, r"the shape \(3, 28\), found \(3, 27\)"),
        ({"projections": np.zeros((2, 64), np.float32)}, "an audit's projections"),
        ({"projections": np.full((3, 64), np.nan, np.float32)}, "finite numbers"),
        ({"layer_scale": np.zeros((3, 5))}, "an audit's layer_scale"),
        ({"innovations": np.eye(4)}, "an audit's innovations"),
        ({"noise": 0.0}, "noise above 0"),
        ({"clip_norms": np.zeros(0)}, "an audit's"),
        ({"run_coins": np.zeros(10, bool), "joined": np.ones((3, 20), bool)}, "only where their coin is in"),
    ],
    ids=lambda one: ", ".join(one) if isinstance(one, dict) else "",
)
def test_what_does_not_fit_is_refused(changed, problem):
    with pytest.raises(InvalidValueError, match=problem):
        dataclasses.replace(trace(0, **SMALL), **changed)


def test_correlated_noise_is_undone():
    matrix = np.array([[1, 0, 0], [0.5, 1, 0], [0.25, 0.5, 1]])
    fresh, correlated = trace(0, **SMALL, leak=0), trace(0, **SMALL, leak=0, innovations=matrix)
    assert correlated.bystanders == pytest.approx(fresh.bystanders, abs=1e-5)
    assert correlated.projections[1:, 20:] != pytest.approx(fresh.projections[1:, 20:], abs=0.1)
    assert correlated.sent == pytest.approx(matrix @ fresh.joined)
    assert correlated.round_noise / fresh.round_noise == pytest.approx([1, np.sqrt(1.25), 1.118034], rel=1e-6)
