"""`verify` passes here; and would not, if the noise were wrong by a third or the engines differed."""

import dataclasses

import numpy as np
import pytest

pytestmark = pytest.mark.slow


def test_every_check_passes():
    from dpcore.learning import verification

    checks = list(verification.run_checks())
    assert len(checks) > 20
    assert not [check for check in checks if not check.passed]


@pytest.fixture(scope="module")
def plan():
    from dpcore.learning import verification

    return verification._plan(noise_multiplier=0.6, model="linear")


@pytest.fixture(scope="module")
def engine(plan, few_writers):
    from dpcore.learning import engines

    return engines.create("vectorized", plan, few_writers)


@pytest.mark.parametrize("factor", [2 / 3, 3 / 2])
@pytest.mark.parametrize("part", ["value", "count"])
def test_noise_that_is_wrong_by_a_third_is_found(plan, engine, factor, part):
    from dpcore.learning import verification

    class Wrong:
        """Runs another plan than the one that it is checked against."""

        initialize, model_weights = engine.initialize, engine.model_weights

        def next(self, state, cohort, round_num):
            after, metrics = engine.next(state, cohort, round_num)
            if part == "value":
                return _scaled(state, after, factor, plan.training.server_momentum), metrics
            clip_norm = state.clip_norm * (metrics.clip_norm / state.clip_norm) ** factor
            return dataclasses.replace(after, clip_norm=clip_norm), dataclasses.replace(
                metrics, clip_norm=clip_norm
            )

    failed = [c.name for c in verification.noise_errors("", Wrong(), plan) if not c.passed]
    assert ("noise on the sum, scale" in failed) == (part == "value")
    assert ("noise on the clip count, scale" in failed) == (part == "count")


def _scaled(before, after, factor, momentum):
    """The state after a round whose noise was `factor` times what it was."""
    velocity = [
        momentum * old + factor * (new - momentum * old)
        for old, new in zip(before.momentum, after.momentum, strict=True)
    ]
    weights = [w + v for w, v in zip(before.weights, velocity, strict=True)]
    return dataclasses.replace(
        after, momentum=[np.float32(v) for v in velocity], weights=[np.float32(w) for w in weights]
    )
