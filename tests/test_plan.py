import json
import math

import numpy as np
import pytest

from dpcore import limits
from dpcore.errors import InvalidValueError
from dpcore.plan import REPLACE, AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, TrainingPlan


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
    assert not plan.event.is_sampled
    assert plan.event.mechanism.noise_multiplier == 0.6


def test_delta_zero_is_no_guarantee():
    assert "delta 0" in PrivacyPlan(delta=0).warnings[0]


def test_delta_at_one_over_population_is_a_warning():
    assert not PrivacyPlan(delta=1e-5).warnings
    assert "at or above 1/population" in PrivacyPlan(delta=1 / 3383).warnings[0]


def test_no_noise_and_zeroing_are_warnings():
    assert "no privacy" in PrivacyPlan(noise_multiplier=0).warnings[0]
    assert "does not cover" in PrivacyPlan(zeroing=True).warnings[0]


def test_of_no_rounds_no_epsilon_is_said_to_be_infinite():
    """It is 0: nothing is released."""
    assert not PrivacyPlan(rounds=0, noise_multiplier=0, zeroing=True).warnings
    assert not PrivacyPlan(rounds=0, delta=0).warnings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '"plan"',
        '{"version": 99}',
        '{"version": true}',
        '{"version": "2"}',
        '{"version": 1, "privacy": {"x": 1}}',
        "[" * 100_000,
        '{"version": ' * 100_000,
        '{"version": 2, "version": 2}',
    ],
    ids=lambda text: text[:40] or "nothing",
)
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(InvalidValueError, match=r"^Expected") as refusal:
        Plan.from_json(text)
    assert len(str(refusal.value)) < 300


TRAINING = {
    "model": ["x", 5, None, ["mlp"], "mlp" * 10_000],
    "dataset": [5, "", None, True, ["writers"]],
    "dataset_fingerprint": [5, False],
    "batch_size": [0, 32.5, 0.5, 1e9, True, "32", math.nan, None, [32], 10**400],
    "local_epochs": [0, 6, 1.5, True, "2", math.nan, None],
    "client_learning_rate": [math.nan, 0, -0.1, 1e-25, 1e-7, 1e38, 1001, True, "0.01", None],
    "server_learning_rate": [math.inf, 0, 1e-25, 1e30, 1001, True, "1", None],
    "server_momentum": [1, 0.9999999, -0.1, math.nan, False, "0.9", None],
    "seed": [-1, 1.5, True, "0", 2**32],
}
CLIPPING = {
    "initial_clip_norm": [0, 1e-30, 9.9e-7, 1.1e6, 1e300, math.inf, math.nan, True, "0.1", None],
    "learning_rate": [0, 400, 10.1, 1e-4, math.nan, True, "0.2", None],
    "target_unclipped_quantile": [-0.1, 1.1, math.nan, True, "0.5", None],
    "clipped_count_stddev_per_client": [0, 1e-9, 11, math.inf, True, "0.05", None],
}
PRIVACY = {
    "rounds": [True, "120", 1.5, math.nan, None, [[[[[[[[[[1]]]]]]]]]]],
    "population": [True, "3383", None],
    "clients_per_round": [True, "120"],
    "noise_multiplier": [True, "1.2", None, [1.2]],
    "delta": [False, "1e-5", math.nan],
    "zeroing": ["no", 0, 1, None, "false"],
    "adjacency": [3, None, True, ["add-or-remove-one"]],
    "clipping": [None, 5, "fixed", [], {}, {"clip_norm": 0.1, "initial_clip_norm": 0.1}, {"norm": 1}],
}


def each(fields):
    return [pytest.param(name, value, id=f"{name} {str(value)[:20]}") for name in fields for value in fields[name]]


def part_of(data, part):
    """Where a part of a plan stands in its JSON."""
    return data["privacy"]["clipping"] if part == "clipping" else data[part]


def plan_with(part, name, value):
    """The JSON of a plan in which one field of a part is another."""
    data = json.loads(Plan(training=TrainingPlan(local_epochs=2)).to_json())
    assert name in part_of(data, part)
    part_of(data, part)[name] = value
    return json.dumps(data)


@pytest.mark.parametrize(("name", "value"), each(TRAINING))
def test_bad_training_is_refused(name, value):
    for make in (lambda: TrainingPlan(**{name: value}), lambda: Plan.from_json(plan_with("training", name, value))):
        with pytest.raises(InvalidValueError, match=f"^Expected {name} to be .*found ") as refusal:
            make()
        assert refusal.value.field == name
        assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(("name", "value"), each(CLIPPING))
def test_bad_adaptive_clipping_is_refused(name, value):
    for make in (
        lambda: AdaptiveClipping(**{name: value}),
        lambda: Plan.from_json(plan_with("clipping", name, value)),
    ):
        with pytest.raises(InvalidValueError, match=f"^Expected {name} to be a number in .*found ") as refusal:
            make()
        assert refusal.value.field == name


@pytest.mark.parametrize("value", [0, 1e-30, 9.9e-7, 1.1e6, 1e300, math.nan, True, "0.1", None])
def test_a_clip_norm_beyond_what_clipping_takes_is_refused(value):
    with pytest.raises(
        InvalidValueError, match=r"^Expected clip_norm to be a number in \[1e-06, 1000000\], found "
    ):
        FixedClipping(clip_norm=value)


@pytest.mark.parametrize(("name", "value"), each(PRIVACY))
def test_bad_privacy_is_refused_when_it_is_read(name, value):
    with pytest.raises(InvalidValueError, match=f"^Expected {name} to .*found ") as refusal:
        Plan.from_json(plan_with("privacy", name, value))
    assert refusal.value.field == name


@pytest.mark.parametrize("part", ["privacy", "training", "clipping"])
def test_a_plan_has_all_its_fields_and_no_others(part):
    for name in part_of(json.loads(Plan().to_json()), part):
        data = json.loads(Plan().to_json())
        value = part_of(data, part).pop(name)
        if name != "dataset_fingerprint":  # older plans have none
            with pytest.raises(InvalidValueError, match=f"^Expected {part} to have {name}, found none.$"):
                Plan.from_json(json.dumps(data))
        part_of(data, part).update({name: value, f"{name}s": value})
        with pytest.raises(InvalidValueError, match=f"^Expected {part} to have nothing but .*, found '{name}s'.$"):
            Plan.from_json(json.dumps(data))


@pytest.mark.parametrize("extreme", ["minimum", "maximum"])
def test_the_ends_of_every_range_are_taken(extreme):
    """As far as they fit together: cohorts no larger than the population, a count that has noise to share."""
    end = lambda knob: getattr(knob, extreme)  # noqa: E731
    training = TrainingPlan(
        client_learning_rate=end(limits.CLIENT_LEARNING_RATE),
        server_learning_rate=end(limits.SERVER_LEARNING_RATE),
        server_momentum=end(limits.SERVER_MOMENTUM),
        batch_size=end(limits.BATCH_SIZE),
        local_epochs=end(limits.LOCAL_EPOCHS),
        seed=end(limits.SEED),
    )
    adaptive = AdaptiveClipping(
        initial_clip_norm=end(limits.INITIAL_CLIP_NORM),
        target_unclipped_quantile=end(limits.TARGET_UNCLIPPED_QUANTILE),
        learning_rate=end(limits.CLIP_LEARNING_RATE),
        clipped_count_stddev_per_client=end(limits.CLIPPED_COUNT_STDDEV),
    )
    for clipping in (adaptive, FixedClipping(clip_norm=end(limits.CLIP_NORM))):
        plan = Plan(privacy=PrivacyPlan(clipping=clipping, noise_multiplier=0), training=training)
        assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_may_have_no_seed():
    plan = Plan(training=TrainingPlan(seed=None))
    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_of_version_1_means_what_it_meant():
    data = json.loads(Plan().to_json())
    data["version"] = 1
    del data["privacy"]["adjacency"]
    assert Plan.from_json(json.dumps(data)) == Plan()


def test_a_plan_of_one_local_epoch_is_the_text_that_it_was():
    """So that what runs were called by their text is found, and older programs read the plan."""
    assert "local_epochs" not in Plan().to_json()
    assert json.loads(Plan().to_json())["version"] == 2
    three = Plan(training=TrainingPlan(local_epochs=3))
    assert json.loads(three.to_json())["version"] == 4
    assert Plan.from_json(three.to_json()) == three
    assert three.fingerprint != Plan().fingerprint


@pytest.mark.parametrize("clipping", [FixedClipping(clip_norm=0.7), AdaptiveClipping(initial_clip_norm=0.2)])
def test_either_clipping_survives_json(clipping):
    plan = Plan(privacy=PrivacyPlan(clipping=clipping))
    assert Plan.from_json(plan.to_json()) == plan
