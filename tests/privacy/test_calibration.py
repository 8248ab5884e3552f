import json
from pathlib import Path

import pytest

from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration

CASES = [
    case
    for case in json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
    if case["group"] == "calibrate_clients" and case["accountant"] == "RDP"
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_golden_clients(case):
    inputs = case["inputs"]
    given = PrivacyPlan(population=inputs["population"], rounds=inputs["rounds"], delta=inputs["delta"])
    wanted = {"target_epsilon": inputs["target_epsilon"], "noise_to_clients_ratio": inputs["noise_per_client"]}
    if case["expected"] == "unattainable":
        with pytest.raises(UnattainableTargetError, match="at least"):
            calibration.clients_per_round(given, **wanted)
    else:
        assert calibration.clients_per_round(given, **wanted).clients_per_round == case["expected"]


@pytest.mark.parametrize("target", [0.7, 1.4, 3.0, 8.0])
def test_the_answer_reaches_the_target_and_one_client_less_does_not(target):
    given, ratio = PrivacyPlan(population=50_000, rounds=400), 0.01
    found = calibration.clients_per_round(given, target_epsilon=target, noise_to_clients_ratio=ratio)
    fewer = PrivacyPlan(
        population=50_000,
        rounds=400,
        clients_per_round=found.clients_per_round - 1,
        noise_multiplier=(found.clients_per_round - 1) * ratio,
    )
    assert accounting.epsilon(found).value <= target < accounting.epsilon(fewer).value


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("target_epsilon", {"target_epsilon": 0, "noise_to_clients_ratio": 0.01}),
        ("noise_to_clients_ratio", {"target_epsilon": 2, "noise_to_clients_ratio": 0}),
        ("noise_to_clients_ratio", {"target_epsilon": 2, "noise_to_clients_ratio": 0.1}),
    ],
)
def test_bad_input_is_refused_by_name(field, values):
    with pytest.raises(InvalidValueError, match=field) as refusal:
        calibration.clients_per_round(PrivacyPlan(), **values)
    assert refusal.value.field == field


def test_nothing_to_train_needs_one_client():
    found = calibration.clients_per_round(PrivacyPlan(rounds=0), target_epsilon=1, noise_to_clients_ratio=0.01)
    assert found.clients_per_round == 1
