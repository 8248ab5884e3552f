import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.language import speaking
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.risk import risk

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
# Each search by PLD asks the library some ten times, a second each; between these lie the others.
PLD_SEARCHES = {
    "clients.pld.eps4",
    "clients.pld.eps2.5",
    "clients.pld.eps1.3",
    "clients.pld.eps1.1",
    "clients.pld.eps1.2",
}
PLD_SEARCHES |= {"noise.pld.eps0.5", "noise.pld.eps1", "noise.pld.eps4", "rounds.pld"}


def of(group):
    cases = [case for case in CASES if case["group"] == group and case["accountant"] in ("RDP", "PLD")]
    return [case for case in cases if case["accountant"] == "RDP" or case["id"] in PLD_SEARCHES]


def epsilon(plan, accountant):
    """RDP alone, as the search asks it, or PLD on its fine grid."""
    if accountant == "rdp":
        return accounting.epsilon_by_round(plan, [plan.rounds])[0].value
    return accounting.account(plan).answer_of(accountant).value


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
    found = calibration.lowest_epsilon(PrivacyPlan(), "clients", accountant=accountant)
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
    "max_participations": lambda p: replace(
        p, participation=p.participation.at_most(p.participations + 1, p.fleet)
    ),
}
# A plan in which each number can be looked for: only of a schedule is it known how often a user takes part.
SCHEDULED = {"max_participations": {"participation": Schedule()}}
ROOMY = {"population": 100_000, "noise_multiplier": 4.0, "clipping": FixedClipping()}


@pytest.mark.parametrize("accountant", accounting.ACCOUNTANTS)
@pytest.mark.parametrize("unknown", calibration.UNKNOWNS)
def test_the_answer_reaches_the_target_and_the_next_does_not(unknown, accountant):
    others = ROOMY | SCHEDULED[unknown] if unknown in SCHEDULED else calibration.PLACEHOLDERS.get(unknown, {})
    given = PrivacyPlan(rounds=60, **others)
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
        ("noise", PrivacyPlan(rounds=1_000_000, delta=1e-320, clipping=FixedClipping()), "even with noise 1e+09"),
        *((unknown, PrivacyPlan(delta=0), "Raise delta") for unknown in calibration.UNKNOWNS if unknown != "delta"),
        ("noise", PrivacyPlan(delta=0, clipping=FixedClipping()), "Raise delta"),
    ],
)
def test_what_is_out_of_reach_is_said_with_the_least(unknown, plan, advice):
    plan = replace(plan, **calibration.PLACEHOLDERS.get(unknown, {}), **SCHEDULED.get(unknown, {}))
    with pytest.raises(UnattainableTargetError, match="that is the least") as refusal:
        calibration.solve(plan, unknown, target_epsilon=0.0001)
    assert advice in str(refusal.value)
    assert "fixed clipping" not in str(refusal.value) or plan.clipping != FixedClipping()


@pytest.mark.parametrize("population", [3000, 3383, 1000])
def test_the_least_ratio_that_is_named_is_one(population):
    plan = PrivacyPlan(population=population, **calibration.PLACEHOLDERS["clients"])
    with pytest.raises(InvalidValueError, match="at least") as refusal:
        calibration.lowest_epsilon(plan, "clients", noise_to_clients_ratio=1e-9)
    least = float(re.search(r"at least (\S+)", str(refusal.value))[1])
    assert calibration.lowest_epsilon(plan, "clients", noise_to_clients_ratio=least) > 0
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
    with pytest.raises(InvalidValueError, match="random guessing"):
        calibration.noise_for_risk(given, true_positive_rate=0.01, false_positive_rate=0.01)


@pytest.mark.parametrize(("target", "clients"), [(205, 100), (1000, 100), (300, 3), (690, 3)])
def test_targets_up_to_the_largest_are_reached(target, clients):
    """At 100 clients, noise 0.16363 and epsilon 205.4 was the answer to all of them."""
    given = PrivacyPlan(clients_per_round=clients, noise_multiplier=0)
    found, short = calibration.solution(given, "noise", target_epsilon=target)
    assert short is None
    assert 0.999 * target <= epsilon(found, "pld") <= target < epsilon(NEXT["noise"](found), "pld") * 1.0001


RARE = {"population": 10**9, "clients_per_round": 1, "clipping": FixedClipping()}
LITTLE = {"population": 1000, "noise_multiplier": 0.1, "clipping": FixedClipping()}


@pytest.mark.parametrize(
    ("unknown", "plan", "target", "name", "words"),
    [
        ("rounds", PrivacyPlan(noise_multiplier=5), 400, "most_rounds", "1,000,000 rounds are the most"),
        ("delta", PrivacyPlan(), 20, "least_delta", "1e-30 is the smallest delta"),
        ("population", PrivacyPlan(), 100, "smallest_population", "fewer users than the 120"),
        ("clients_at_noise", PrivacyPlan(), 900, "all_users", "all 3,383 users"),
        ("clients", PrivacyPlan(rounds=1), 1000, "fewest_clients", "fewer clients than 1"),
        ("clients", PrivacyPlan(rounds=0), 1, "fewest_clients", "Epsilon is 0.000"),
        ("noise", PrivacyPlan(rounds=1, **RARE), 600, "least_noise", "0.001 is the smallest noise multiplier"),
        ("clients", PrivacyPlan(), 2, "whole_clients", "clients are whole, and 6 of them would reach 2.14"),
        ("clients_at_noise", PrivacyPlan(rounds=10, **LITTLE), 100, "whole_clients", "2 of them would reach 109.7"),
        ("rounds", PrivacyPlan(noise_multiplier=1.0, rounds=9), 1.5, "whole_rounds", "rounds are whole, and "),
        ("population", PrivacyPlan(rounds=1, noise_multiplier=1.0, **RARE), 4, "whole_users", "would reach 4.37"),
        ("delta", PrivacyPlan(rounds=1, noise_multiplier=0.002, **RARE), 600, "delta_jump", "delta 1e-09 would reach"),
    ],
)  # fmt: skip
def test_what_keeps_an_answer_below_its_target_is_said(unknown, plan, target, name, words):
    plan = replace(plan, **calibration.PLACEHOLDERS.get(unknown, {}))
    ratio = {"noise_to_clients_ratio": 0.09} if unknown == "clients" else {}
    found, short = calibration.solution(plan, unknown, target_epsilon=target, **ratio)
    assert short.reached == epsilon(found, "pld") < 0.99 * target
    assert short.name == name
    assert words in short.sentence
    assert f"below the target of {target:g}: " in short.sentence
    if "beyond" in short.numbers:
        assert short.numbers["beyond"] > target


def test_rdp_alone_jumps_to_nothing_and_that_is_said():
    given = PrivacyPlan(noise_multiplier=0, clipping=FixedClipping())
    found, short = calibration.solution(given, "noise", target_epsilon=0.005, accountant="rdp")
    assert epsilon(found, "rdp") == short.reached == 0
    assert short.name == "noise_jump"
    assert short.sentence.startswith(
        "Epsilon by RDP is 0.000, below the target of 0.005: the bound jumps there, and noise "
    )
    assert short.sentence.endswith(" would reach 0.009.")


def test_an_attack_that_cannot_find_as_many_is_said():
    """Who is never drawn cannot be found, so little noise as there may be."""
    given = PrivacyPlan(noise_multiplier=0)
    found, short = calibration.solution_for_risk(given, true_positive_rate=0.999, false_positive_rate=0.01)
    assert found.noise_multiplier == 0.001
    assert short.name == "least_noise"
    assert short.sentence.startswith(
        "TPR is at most 98.3%, below the maximum TPR of 99.9%: 0.001 is the smallest noise"
    )
    found, short = calibration.solution_for_risk(given, true_positive_rate=0.98, false_positive_rate=0.01)
    assert short is None
    assert 0.1 < found.noise_multiplier < 0.2
    assert float(risk(found).true_positive_rate(0.01)) == pytest.approx(0.98, rel=1e-3)


def test_a_shortfall_speaks_to_each_reader_in_their_language():
    _found, short = calibration.solution(PrivacyPlan(noise_multiplier=5), "rounds", target_epsilon=400)
    with speaking("ja"):
        assert (
            short.sentence == "イプシロンは 55.5 で、目標の 400 を下回ります。ラウンド数の最大値は 1,000,000 です。"
        )
    assert short.sentence.startswith("Epsilon is 55.5, below the target of 400: ")


@pytest.mark.parametrize(
    ("unknown", "given"),
    [("noise", {}), ("rounds", {"noise_multiplier": 100.0}), ("population", {"noise_multiplier": 100.0})],
)
def test_a_search_at_a_small_epsilon_asks_the_accountant_a_few_times(monkeypatch, unknown, given):
    asked, epsilon = [], accounting.epsilon
    monkeypatch.setattr(accounting, "epsilon", lambda *plan: asked.append(plan) or epsilon(*plan))
    calibration.solve(PrivacyPlan(clipping=FixedClipping(), **given), unknown, target_epsilon=0.001)
    assert len(asked) <= 8  # and 29 by an estimate that is mostly the rounding of its grid


@pytest.mark.parametrize("last", [0, 1, 2, 37, 2_000_000])
@pytest.mark.parametrize("power", [0.3, 1.0, 4.0])
def test_the_step_that_is_looked_for_is_found_in_few_calls(last, power):
    asked = []

    def falling(step):
        asked.append(step)
        return (1e3 / (step + 1)) ** power

    known = {}
    for bound in (1e-3, 2.0, 2.0001, 1e30, 1e-30):
        expected = calibration._first(0, last, lambda step, bound=bound: (1e3 / (step + 1)) ** power <= bound)
        assert calibration._first_below(last, falling, bound, known) == expected
    assert len(asked) == len(set(asked)) < 150


def test_the_step_that_is_looked_for_is_found_beside_jumps_to_infinity_and_nothing():
    for jump in (0, 1, 500, 999, 1000):
        heights = [math.inf] * jump + [0.01] * 5 + [0.0] * (1001 - jump)
        assert calibration._first_below(1000, heights.__getitem__, 0.1, {}) == min(jump, 1000)
