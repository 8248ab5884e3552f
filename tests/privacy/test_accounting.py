"""Epsilon against independent sources: golden figures, and a quadrature in mpmath."""

import json
import math
from pathlib import Path

import dp_accounting
import mpmath
import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, statement

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
CASES = {case["id"]: case for case in GOLDEN["cases"]}
RDP = [
    case
    for case in CASES.values()
    if case["group"] == "epsilon"
    and case["accountant"] == "RDP"
    and case["inputs"]["orders"] == "tutorial"
    # One client of noise 1.2 is no plan of ours: the adaptive clip could not share that noise.
    and case["inputs"]["noise_multiplier"] < 0.1 * case["inputs"]["clients"]
]


def plan(inputs: dict) -> PrivacyPlan:
    return PrivacyPlan(
        clients_per_round=inputs["clients"],
        population=inputs["population"],
        noise_multiplier=inputs["noise_multiplier"],
        rounds=inputs["rounds"],
        delta=inputs["delta"],
    )


def test_there_are_golden_cases():
    assert len(RDP) == 14
    assert GOLDEN["meta"]["orders_tutorial"] == accounting.RDP_ORDERS


@pytest.mark.parametrize("case", RDP, ids=lambda case: case["id"])
def test_golden_epsilon(case):
    got = accounting.epsilon(plan(case["inputs"])).value
    tolerance = max(case["tol_abs"], case["tol_rel"] * case["expected"], 1e-6)
    assert abs(got - case["expected"]) <= tolerance


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c["group"] == "adaptive_clip_split"])
def test_golden_split_of_the_noise(name):
    inputs, expected = CASES[name]["inputs"], CASES[name]["expected"]
    values = {key: inputs[key] for key in ("noise_multiplier", "clients_per_round")}
    if "error" in expected:
        with pytest.raises(InvalidValueError, match="adaptive clipping"):
            PrivacyPlan(**values)
        return
    made = PrivacyPlan(**values)
    assert made.value_noise_multiplier == pytest.approx(expected["value_noise_multiplier"], rel=1e-9)
    assert made.clipped_count_stddev == pytest.approx(expected["clipped_count_stddev"], rel=1e-9)


def test_the_tutorials_numbers():
    answer = accounting.epsilon(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120))
    assert answer.value == pytest.approx(1.98888, abs=1e-5)
    assert answer.order == 8
    assert accounting.epsilon(PrivacyPlan(noise_multiplier=1.19, clients_per_round=119)).value > 2


def test_no_noise_is_infinite_and_no_rounds_are_free():
    assert math.isinf(accounting.epsilon(PrivacyPlan(noise_multiplier=0)).value)
    assert accounting.epsilon(PrivacyPlan(rounds=0)).value == 0
    assert accounting.epsilon(PrivacyPlan(noise_multiplier=0, rounds=0)).value == 0


def test_cancellation_is_never_a_perfect_guarantee():
    """dp-accounting 0.4.3 answers 0 here; 0.0399 is right."""
    tiny = PrivacyPlan(population=10**8, clients_per_round=100, noise_multiplier=9.9, delta=1e-12)
    library = dp_accounting.rdp.RdpAccountant(accounting.RDP_ORDERS)
    event = accounting.round_event(noise_multiplier=9.9, clients_per_round=100, population=10**8)
    library.compose(event, tiny.rounds)
    assert accounting.epsilon(tiny).value > max(0.03, library.get_epsilon(tiny.delta))


@pytest.mark.parametrize("order", [2, 5, 32, 63, 512])
@pytest.mark.parametrize(("q", "z"), [(1e-6, 30.0), (1e-3, 1.0), (0.035, 1.2), (0.3, 5.0), (0.9, 40.0)])
def test_renyi_divergences_are_never_below_the_true_ones(order, q, z):
    """The binomial sum of Mironov et al. (2019), section 3.3, with 60 digits."""
    with mpmath.workdps(60):
        exact_q, exact_z = mpmath.mpf(q), mpmath.mpf(z)
        total = mpmath.fsum(
            mpmath.binomial(order, k)
            * (1 - exact_q) ** (order - k)
            * exact_q**k
            * mpmath.exp((k * k - k) / (2 * exact_z**2))
            for k in range(order + 1)
        )
        exact = float(mpmath.log(total) / (order - 1))
    rdp = dp_accounting.rdp.RdpAccountant([order])
    event = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(z))
    padded = rdp.compose(event).rdp[0] + accounting._LOG_A_ERROR / (order - 1)
    assert exact <= padded <= exact * (1 + 1e-6) + 2e-12


@pytest.mark.parametrize("noise", [1e-152, 3e-154, 1e-200, 1e-5, 0.0009])
def test_almost_no_noise_is_refused(noise):
    """dp-accounting overflows there: it answers 0, hangs, or fails."""
    with pytest.raises(InvalidValueError, match="use 0, which says so"):
        PrivacyPlan(noise_multiplier=noise)


def test_the_least_noise_has_an_epsilon():
    assert accounting.epsilon(PrivacyPlan(noise_multiplier=0.001)).value > 1e6


def test_what_overflows_is_infinite_and_not_zero(monkeypatch):
    accounting._round_rdp.cache_clear()
    monkeypatch.setattr(accounting, "RdpAccountant", lambda orders: Overflowed())
    assert math.isinf(accounting.epsilon(PrivacyPlan(noise_multiplier=0.7)).value)
    accounting._round_rdp.cache_clear()


class Overflowed:
    rdp = np.full(len(accounting.RDP_ORDERS), np.nan)

    def compose(self, event):
        return self


def test_epsilon_never_falls_with_rounds_and_never_rises_with_noise():
    by_round = [e.value for e in accounting.epsilon_by_round(PrivacyPlan(), [0, 1, 2, 10, 100, 1000])]
    assert by_round == sorted(by_round)
    by_noise = [accounting.epsilon(PrivacyPlan(noise_multiplier=z)).value for z in (0.3, 0.5, 1, 2, 5, 10)]
    assert by_noise == sorted(by_noise, reverse=True)


def test_text_is_rounded_up():
    assert statement.epsilon_text(1.98801) == "1.989"
    assert statement.epsilon_text(2.0) == "2.000"
    assert statement.epsilon_text(13.61) == "13.7"
    assert statement.epsilon_text(math.inf) == "∞"
    assert statement.epsilon_text(1e308) == "∞"
    sentence = statement.sentence(PrivacyPlan(delta=1.2345678e-5, zeroing=True), 1.0)
    assert all(words in sentence for words in ("1.2345678e-05", "120 / 3,383", "outside this claim"))
    assert "rehearsal" in statement.rehearsal(0)
    assert statement.rehearsal(None) == ""
    assert "No privacy" in statement.sentence(PrivacyPlan(noise_multiplier=0), math.inf)
