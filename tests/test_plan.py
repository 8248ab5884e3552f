import json
import math

import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from dpcore.plan import REPLACE, FixedClipping, Plan, PrivacyPlan, TrainingPlan


def test_plan_survives_json_and_keeps_its_fingerprint():
    plan = Plan(privacy=PrivacyPlan(noise_multiplier=0.75, clients_per_round=50), training=TrainingPlan(seed=7))
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.fingerprint == plan.fingerprint
    assert Plan().fingerprint != plan.fingerprint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("noise_multiplier", -0.1),
        ("noise_multiplier", math.nan),  # dp-accounting 0.4.3 loops for ever on it
        ("noise_multiplier", math.inf),
        ("noise_multiplier", "much"),
        ("clients_per_round", 0),
        ("clients_per_round", 10**400),
        ("clients_per_round", 3384),
        ("clients_per_round", 10.5),
        ("rounds", -1),
        ("rounds", 1.5),
        ("population", 0),
        ("adjacency", "add"),
        ("delta", 1.0),
        ("delta", 2.0),  # dp-accounting answers epsilon 0
        ("delta", -1e-5),
    ],
)
def test_bad_values_are_refused_by_name(field, value):
    with pytest.raises(InvalidValueError, match=f"Expected {field} to be .*found") as refusal:
        PrivacyPlan(**{field: value})
    assert refusal.value.field == field


def test_numbers_become_plain():
    plan = PrivacyPlan(noise_multiplier=np.float32(0.5), clients_per_round=np.int64(50), rounds=20.0)
    assert [type(v) for v in (plan.noise_multiplier, plan.clients_per_round, plan.rounds)] == [float, int, int]


def test_noise_that_the_adaptive_clip_cannot_share_is_refused():
    with pytest.raises(InvalidValueError, match="below 1 "):
        PrivacyPlan(noise_multiplier=1.0, clients_per_round=10)
    PrivacyPlan(noise_multiplier=0.99, clients_per_round=10)
    with pytest.raises(InvalidValueError, match="adaptive clipping"):
        PrivacyPlan(noise_multiplier=0.3, clients_per_round=3)  # 0.1 * 3 is a little more than 0.3 in floats


def test_fixed_clipping_takes_any_noise():
    plan = PrivacyPlan(noise_multiplier=3.0, clients_per_round=10, clipping=FixedClipping(clip_norm=0.5))
    assert (plan.value_noise_multiplier, plan.clipped_count_stddev) == (3.0, 0.0)
    with pytest.raises(InvalidValueError, match="clip_norm to be a number in"):
        FixedClipping(clip_norm=0)


def test_replacing_a_user_needs_everybody_in_each_round():
    with pytest.raises(InvalidValueError, match="cannot analyse Poisson sampling"):
        PrivacyPlan(adjacency=REPLACE)
    plan = PrivacyPlan(adjacency=REPLACE, clients_per_round=3383)
    assert not plan.is_sampled
    assert plan.accounted_noise_multiplier == 0.6


def test_delta_zero_is_no_guarantee():
    assert "delta 0" in PrivacyPlan(delta=0).warnings[0]


def test_delta_at_one_over_population_is_a_warning():
    assert not PrivacyPlan(delta=1e-5).warnings
    assert "at or above 1/population" in PrivacyPlan(delta=1 / 3383).warnings[0]


def test_no_noise_and_zeroing_are_warnings():
    assert "no privacy" in PrivacyPlan(noise_multiplier=0).warnings[0]
    assert "does not cover" in PrivacyPlan(zeroing=True).warnings[0]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 99}', '{"version": 1, "privacy": {"x": 1}}'])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(InvalidValueError):
        Plan.from_json(text)


@pytest.mark.parametrize(
    "values", [{"model": "x"}, {"batch_size": 0}, {"client_learning_rate": math.nan}, {"seed": -1}], ids=str
)
def test_bad_training_is_refused(values):
    with pytest.raises(InvalidValueError, match=f"Expected {next(iter(values))} "):
        TrainingPlan(**values)


def test_a_plan_may_have_no_seed():
    plan = Plan(training=TrainingPlan(seed=None))
    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_of_version_1_means_what_it_meant():
    data = json.loads(Plan().to_json())
    data["version"] = 1
    del data["privacy"]["adjacency"]
    assert Plan.from_json(json.dumps(data)) == Plan()


@pytest.mark.parametrize("clipping", [FixedClipping(clip_norm=0.7), AdaptiveClipping(initial_clip_norm=0.2)])
def test_either_clipping_survives_json(clipping):
    plan = Plan(privacy=PrivacyPlan(clipping=clipping))
    assert Plan.from_json(plan.to_json()) == plan
