import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.risk import risk

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]


def of(group):
    return [case for case in CASES if case["group"] == group and case["accountant"] in ("RDP", "PLD")]


def epsilon(plan, accountant):
    return accounting.account(plan).by(accountant).value


@pytest.mark.parametrize("case", of("calibrate_clients"), ids=lambda case: case["id"])
def test_golden_clients(case):
    inputs = case["inputs"]
    given = PrivacyPlan(population=inputs["population"], rounds=inputs["rounds"], delta=inputs["delta"])
    wanted = {
        "target_epsilon": inputs["target_epsilon"],
        "noise_to_clients_ratio": inputs["noise_per_client"],
        "accountant": case["accountant"].lower(),
    }
    if case["expected"] == "unattainable":
        with pytest.raises(UnattainableTargetError, match="at least"):
            calibration.solve(given, "clients", **wanted)
    else:
        assert calibration.solve(given, "clients", **wanted).clients_per_round == case["expected"]


@pytest.mark.parametrize("case", of("calibrate_noise"), ids=lambda case: case["id"])
def test_golden_noise(case):
    given, accountant = PrivacyPlan(noise_multiplier=0), case["accountant"].lower()
    target = case["inputs"]["target_epsilon"]
    found = calibration.solve(given, "noise", target_epsilon=target, accountant=accountant)
    assert abs(found.noise_multiplier - case["expected"]) <= case["tol_abs"]
    assert epsilon(found, accountant) <= target


@pytest.mark.parametrize("case", of("max_rounds"), ids=lambda case: case["id"])
def test_golden_rounds(case):
    accountant = case["accountant"].lower()
    found = calibration.solve(PrivacyPlan(), "rounds", target_epsilon=2.0, accountant=accountant)
    assert found.rounds == case["expected"]


@pytest.mark.parametrize("case", [c for c in CASES if c["group"] == "floor"], ids=lambda case: case["id"])
def test_golden_floor(case):
    accountant = "rdp" if "RDP" in case["accountant"] else "pld"
    found = calibration.floor(PrivacyPlan(), "clients", accountant=accountant)
    assert abs(found - case["expected"]) <= max(case["tol_abs"], case["tol_rel"] * case["expected"], 1e-5)


# How far the next less private answer is from each.
NEXT = {
    "clients": lambda p: replace(
        p, clients_per_round=p.clients_per_round - 1, noise_multiplier=0.01 * (p.clients_per_round - 1)
    ),
    "clients_at_noise": lambda p: replace(p, clients_per_round=p.clients_per_round + 1),
    "noise": lambda p: replace(p, noise_multiplier=p.noise_multiplier * (1 - 1.1e-4)),
    "rounds": lambda p: replace(p, rounds=p.rounds + 1),
    "delta": lambda p: replace(p, delta=p.delta * (1 - 1.1e-4)),
    "population": lambda p: replace(p, population=p.population - 1),
}


@pytest.mark.parametrize("accountant", accounting.ACCOUNTANTS)
@pytest.mark.parametrize("unknown", calibration.UNKNOWNS)
def test_the_answer_reaches_the_target_and_the_next_does_not(unknown, accountant):
    given = PrivacyPlan(rounds=60, **calibration.PLACEHOLDERS.get(unknown, {}))
    found = calibration.solve(given, unknown, target_epsilon=1.7, accountant=accountant)
    assert epsilon(found, accountant) <= 1.7 < epsilon(NEXT[unknown](found), accountant)


@pytest.mark.parametrize(
    ("unknown", "plan", "advice"),
    [
        ("clients", PrivacyPlan(rounds=10_000), "all 3,383 users"),
        ("clients_at_noise", PrivacyPlan(noise_multiplier=0.5, rounds=1000), "needs at least"),
        ("noise", PrivacyPlan(clients_per_round=10, noise_multiplier=0, rounds=1000), "use fixed clipping"),
        ("rounds", PrivacyPlan(noise_multiplier=0.2), "single round"),
        ("delta", PrivacyPlan(noise_multiplier=0), "at any delta"),
        ("population", PrivacyPlan(noise_multiplier=0.2), "1,000,000,000 users"),
        ("noise", PrivacyPlan(rounds=1_000_000, delta=1e-20, clipping=FixedClipping()), "even with noise 1e+09"),
        *((unknown, PrivacyPlan(delta=0), "Raise delta") for unknown in calibration.UNKNOWNS if unknown != "delta"),
        ("noise", PrivacyPlan(delta=0, clipping=FixedClipping()), "Raise delta"),
    ],
)
def test_what_is_out_of_reach_is_said_with_the_least(unknown, plan, advice):
    plan = replace(plan, **calibration.PLACEHOLDERS.get(unknown, {}))
    with pytest.raises(UnattainableTargetError, match="that is the least") as refusal:
        calibration.solve(plan, unknown, target_epsilon=0.0001)
    assert advice in str(refusal.value)
    assert "fixed clipping" not in str(refusal.value) or plan.clipping != FixedClipping()


@pytest.mark.parametrize("population", [3000, 3383, 1000])
def test_the_least_ratio_that_is_named_is_one(population):
    plan = PrivacyPlan(population=population, **calibration.PLACEHOLDERS["clients"])
    with pytest.raises(InvalidValueError, match="at least") as refusal:
        calibration.floor(plan, "clients", noise_to_clients_ratio=1e-9)
    least = float(re.search(r"at least (\S+)", str(refusal.value))[1])
    assert calibration.floor(plan, "clients", noise_to_clients_ratio=least) > 0
    assert least * population == pytest.approx(0.001, rel=0.01)


def test_fixed_clipping_has_room_for_any_noise():
    given = PrivacyPlan(clients_per_round=10, noise_multiplier=0, rounds=1000, clipping=FixedClipping())
    assert calibration.solve(given, "noise", target_epsilon=0.1).noise_multiplier > 1


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("target_epsilon", {"target_epsilon": 0}),
        ("noise_to_clients_ratio", {"target_epsilon": 2, "noise_to_clients_ratio": 0}),
        ("noise_to_clients_ratio", {"target_epsilon": 2, "noise_to_clients_ratio": 0.1}),
        ("accountant", {"target_epsilon": 2, "accountant": "gdp"}),
    ],
)
def test_bad_input_is_refused_by_name(field, values):
    with pytest.raises(InvalidValueError, match=field) as refusal:
        calibration.solve(PrivacyPlan(), "clients", **values)
    assert refusal.value.field == field


def test_nothing_to_train_needs_one_client():
    found = calibration.solve(PrivacyPlan(rounds=0), "clients", target_epsilon=1)
    assert found.clients_per_round == 1


def test_the_noise_for_a_wanted_attack():
    given = PrivacyPlan(noise_multiplier=0)
    found = calibration.noise_for_risk(given, true_positive_rate=0.05, false_positive_rate=0.01)
    rates = [
        float(risk(replace(found, noise_multiplier=noise)).true_positive_rate(0.01))
        for noise in (found.noise_multiplier, found.noise_multiplier * (1 - 1e-4))
    ]
    assert rates[0] <= 0.05 < rates[1]
    with pytest.raises(InvalidValueError, match="accuses at random"):
        calibration.noise_for_risk(given, true_positive_rate=0.01, false_positive_rate=0.01)
