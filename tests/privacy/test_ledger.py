import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from dpcore.plan import REPLACE, PrivacyPlan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.precision import Precision

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
LEDGERS = [case for case in CASES if case["group"] == "ledger" and "delta" in case["inputs"]]


@pytest.mark.parametrize("case", LEDGERS, ids=lambda case: case["id"])
def test_golden_ledgers(case):
    plans = [
        PrivacyPlan(clients_per_round=clients, noise_multiplier=noise, rounds=rounds)
        for clients, noise, rounds in case["inputs"]["runs"]
    ]
    account = ledger.compose(plans, case["inputs"]["delta"])
    got = account.rdp.value if case["accountant"] == "RDP" else account.pld.value
    expected = math.inf if case["expected"] == "inf" else case["expected"]
    assert got == expected or abs(got - expected) <= max(case["tol_abs"], case["tol_rel"] * expected)


def test_there_are_ledgers():
    assert len(LEDGERS) > 5


def test_runs_that_are_alike_are_one_longer_run():
    plan = PrivacyPlan()
    twice = ledger.compose([plan, plan], plan.delta, Precision.PREVIEW)
    assert twice == accounting.account(replace(plan, rounds=200), Precision.PREVIEW)


def test_nothing_spends_nothing():
    assert ledger.compose([], 1e-5).headline.value == 0
    assert ledger.compose([PrivacyPlan(rounds=0)], 1e-5).headline.value == 0


@pytest.mark.parametrize("values", [{"noise_multiplier": 0}, {"zeroing": True}])
def test_one_run_without_a_guarantee_leaves_none(values):
    plan = PrivacyPlan(**values)
    assert ledger.why_uncovered(plan)
    assert math.isinf(ledger.compose([PrivacyPlan(), plan], 1e-5).headline.value)


def test_a_run_accounted_for_replacing_counts_as_what_it_is_for_adding():
    everybody = PrivacyPlan(clients_per_round=3383, noise_multiplier=40.0)
    found = ledger.compose([replace(everybody, adjacency=REPLACE)], 1e-5)
    assert found == accounting.account(everybody)


def test_more_rounds_than_one_plan_may_have():
    plan = PrivacyPlan(rounds=1_000_000, clients_per_round=100, population=10**7, noise_multiplier=5.0)
    assert ledger.compose([plan] * 3, 1e-5).headline.value > accounting.epsilon(plan).value
