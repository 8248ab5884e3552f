"""Epsilon against independent sources: golden figures, and a quadrature in mpmath."""

import json
import math
from dataclasses import replace
from pathlib import Path

import dp_accounting
import mpmath
import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.events import SampledGaussian
from dpcore.plan import REPLACE, FixedClipping, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
CASES = {case["id"]: case for case in GOLDEN["cases"]}
EPSILONS = [
    case
    for case in CASES.values()
    if case["group"] == "epsilon" and case["inputs"].get("orders", "tutorial") == "tutorial"
]


def plan(inputs: dict) -> PrivacyPlan:
    population = inputs.get("population", 3383)
    return PrivacyPlan(
        clients_per_round=inputs.get("clients", population),
        population=population,
        noise_multiplier=inputs["noise_multiplier"],
        rounds=inputs["rounds"],
        delta=inputs["delta"],
        clipping=FixedClipping(),  # some cases have more noise than an adaptive clip could share
    )


def close(got, case):
    expected = math.inf if case["expected"] == "inf" else case["expected"]
    return got == expected or abs(got - expected) <= max(case["tol_abs"], case["tol_rel"] * abs(expected))


def test_there_are_golden_cases():
    assert len(EPSILONS) == 35
    assert GOLDEN["meta"]["orders_tutorial"] == accounting.RDP_ORDERS


@pytest.mark.parametrize("case", EPSILONS, ids=lambda case: case["id"])
def test_golden_epsilon(case):
    # RDP has no grid, so PLD beside it may have the coarse one.
    rdp = case["accountant"] == "RDP"
    answer = accounting.account(plan(case["inputs"]), Precision.PREVIEW if rdp else Precision.REPORTED)
    if rdp:
        # Our pad against cancellation is absolute, and shows where epsilon is tiny.
        assert close(answer.rdp.value, case) or 0 < answer.rdp.value - case["expected"] < 1e-6
    else:
        assert close(answer.pld.value, case)


@pytest.mark.parametrize("name", ["edge.sigma0", "edge.rounds0", "edge.delta0", "edge.delta0.5"])
def test_golden_edges(name):
    answer = accounting.account(plan(CASES[name]["inputs"]))
    assert answer.rdp.value == answer.pld.value == answer.headline.value
    assert close(answer.headline.value, CASES[name])


@pytest.mark.parametrize(("name", "tight"), [("edge.delta1e-15", 4.6774), ("edge.sigma0.1_rdp", 655.3132)])
def test_where_the_librarys_pld_cannot_answer_the_programs_own_does(name, tight):
    """At noise 0.1 the library's PLD says 655.3132, after 22 seconds; at delta 1e-15 it says infinity."""
    answer = accounting.account(plan(CASES[name]["inputs"]))
    assert close(answer.rdp.value, CASES[name])
    assert tight <= answer.headline.value == answer.pld.value <= tight * (1 + 3e-5)
    assert answer.pld.own
    assert "Epsilon Lab" in answer.pld.note
    assert answer.pld_problem == answer.rdp.note == accounting.account(PrivacyPlan()).headline.note == ""


def test_rdp_stands_in_where_pld_cannot_answer():
    answer = accounting.account(PrivacyPlan(delta=1e-250))
    assert answer.pld is None
    assert answer.headline == answer.rdp
    assert "1e-200" in answer.pld_problem
    assert "RDP" in answer.pld_problem
    everybody = accounting.account(PrivacyPlan(delta=1e-250, clients_per_round=3383, noise_multiplier=30.0))
    assert everybody.pld.value < everybody.rdp.value  # the closed form reaches on


SWEEPS = {
    # Through the least noise of the library's PLD and through its largest epsilon, by RDP; each both ways.
    "noise": [{"clients_per_round": 100, "noise_multiplier": z} for z in np.geomspace(0.148, 0.168, 7).tolist()],
    "one round": [{"rounds": 1, "noise_multiplier": z} for z in np.geomspace(0.147, 0.153, 4).tolist()],
    "rare": [
        {"population": 10**9, "rounds": 5000, "delta": 1e-6, "noise_multiplier": z}
        for z in np.geomspace(0.145, 0.155, 4).tolist()
    ],
    "rounds": [{"noise_multiplier": 0.3, "rounds": r} for r in np.geomspace(2000, 6000, 6).astype(int).tolist()],
    # Through its least delta, also that of many rounds.
    "delta": [{"delta": d} for d in np.geomspace(3e-10, 3e-11, 9).tolist()],
    "delta of many rounds": [
        {"noise_multiplier": 9.0, "rounds": 100_000, "delta": d} for d in np.geomspace(3e-9, 3e-10, 5).tolist()
    ],
    # Epsilons that are mostly rounding on the library's grid, into where it does not reach.
    "tiny": [
        {"population": 10**8, "noise_multiplier": 5.0, "delta": d} for d in np.geomspace(1e-9, 1e-11, 7).tolist()
    ],
}


@pytest.mark.parametrize("name", SWEEPS)
def test_epsilon_does_not_jump_where_another_takes_over(name):
    """Neighbours' slopes, in logarithms, differ by hardly more than those of the curve itself do."""
    plans = [PrivacyPlan(clipping=FixedClipping(), **values) for values in SWEEPS[name]]
    for grid in (Precision.PREVIEW, Precision.REPORTED):
        accounts = [accounting.account(made, grid) for made in plans]
        values = np.log([account.headline.value for account in accounts])
        steps = np.diff(values)
        assert (steps * np.sign(steps[0]) > 0).all(), (grid, np.exp(values))
        assert (np.abs(np.diff(steps)) < 0.01 + 0.15 * np.abs(steps[1:])).all(), (grid, steps)
    assert len({account.pld.own for account in accounts}) == 2 or name == "tiny"


@pytest.mark.parametrize(
    ("values", "delta", "at_most"),
    [
        ({"population": 10**9, "clients_per_round": 1, "noise_multiplier": 1.2}, 1e-12, 1e-6),
        ({"population": 10**8, "clients_per_round": 10, "noise_multiplier": 3.0, "rounds": 10}, 1e-11, 1e-6),
        ({"population": 10**8, "clients_per_round": 100, "noise_multiplier": 9.9}, 1e-12, 1e-5),
    ],
)
def test_tiny_epsilons_are_not_rdps(values, delta, at_most):
    """RDP's conversion leaves some hundredths, whatever the noise: ten million times too much."""
    answer = accounting.account(PrivacyPlan(delta=delta, clipping=FixedClipping(), **values))
    assert answer.rdp.value > 0.03
    assert 0 < answer.headline.value < at_most


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c["expected"] == {"error": "reject input"}])
def test_golden_refusals(name):
    inputs = CASES[name]["inputs"]
    with pytest.raises(InvalidValueError):
        plan({**inputs, "noise_multiplier": float(inputs["noise_multiplier"])})


@pytest.mark.parametrize("name", ["delta.final_at_eps2"])
def test_golden_delta(name):
    found = accounting.deltas(PrivacyPlan(), np.array([2.0]))[0]
    assert close(found, CASES[name])


def test_a_composed_event_with_float32_noise_is_not_fallen_for():
    """dp-accounting 0.4.3 counts the first part alone: 1.96665 instead of 1.98888."""
    made = PrivacyPlan(noise_multiplier=np.float32(1.2), clients_per_round=np.int64(120))
    assert accounting.account(made).rdp.value == pytest.approx(1.98888, abs=1e-4)
    assert type(made.event.mechanism.noise_multiplier) is float


def test_value_and_count_share_one_sampling():
    right = CASES["event.shared_sampling_trap"]["expected"]["right_value"]
    assert accounting.account(PrivacyPlan()).rdp.value == pytest.approx(right, rel=1e-8)


def test_the_gaussian_approximation_is_below_the_truth():
    """Which is why no accountant here is one."""
    assert accounting.epsilon(PrivacyPlan()).value > CASES["gdp_clt_is_not_a_bound"]["expected"] * 1.2


@pytest.mark.parametrize("rounds", [1_000, 100_000, 1_000_000])
def test_rounding_in_a_million_rounds_makes_no_epsilon_smaller(rounds, monkeypatch):
    """Gaussian rounds have a closed form (Balle and Wang 2018). Nearly all users in each are composed by FFT, as all
    sampled rounds are. Its rounding moves delta by up to 1.6e-16 a round, either way (6.514 instead of 6.548 at a
    million rounds and delta 1e-10): so the answer must hold at a delta that is smaller by that."""
    from scipy import optimize, stats

    monkeypatch.setattr(accounting, "_one_gaussian", lambda runs: None)  # the closed form would answer better

    def exact(delta):
        def excess(epsilon):
            return stats.norm.cdf(0.5 - epsilon) - math.exp(epsilon) * stats.norm.cdf(-0.5 - epsilon) - delta

        return optimize.brentq(excess, 0, 50)

    noise, least = math.sqrt(rounds), max(1e-10, 1e-14 * rounds)
    made = PrivacyPlan(population=10**9, clients_per_round=10**9 - 1, rounds=rounds, noise_multiplier=noise)
    beyond = accounting.account(replace(made, delta=least / 2)).pld
    assert beyond.own
    assert exact(least / 2) <= beyond.value <= exact(least / 2) * 1.0001
    for delta in (1.01 * least, 1e-5):
        found = accounting.account(replace(made, delta=delta)).pld
        assert not found.own
        assert exact(delta - 1.6e-16 * rounds) <= found.value <= exact(delta) * 1.005


def test_amplification_is_what_sampling_is_worth():
    assert accounting.without_amplification(PrivacyPlan()) == pytest.approx(69.457, abs=1e-3)


def test_replacing_a_user_is_a_gaussian_of_half_the_noise():
    everybody = {"clients_per_round": 3383, "noise_multiplier": 40.0}
    replaced = accounting.epsilon(PrivacyPlan(**everybody, adjacency=REPLACE)).value
    halved = accounting.epsilon(PrivacyPlan(**{**everybody, "noise_multiplier": 20.0})).value
    assert replaced == halved


def test_the_best_order_at_the_end_of_the_grid_is_said():
    assert "1.25" in accounting.account(PrivacyPlan(rounds=1_000_000)).rdp.warning
    assert accounting.account(PrivacyPlan()).rdp.warning == ""


@pytest.mark.parametrize(
    "values",
    [
        {"noise_multiplier": 0.001},
        {"noise_multiplier": 0.16},
        {"population": 10**9, "clients_per_round": 1, "noise_multiplier": 0.09},
        {"population": 10**9, "clients_per_round": 13},
        {"rounds": 1},
        {"rounds": 1_000_000},
        {"clients_per_round": 3383, "rounds": 1_000_000},
        {"delta": 1e-300},
        {"delta": 0.999},
    ],
    ids=str,
)
def test_edges_have_an_answer(values):
    answer = accounting.account(PrivacyPlan(**values), Precision.PREVIEW)
    assert 0 <= answer.headline.value <= answer.rdp.value < math.inf
    assert answer.pld is not None or answer.pld_problem


def random_plans(count):
    draw = np.random.default_rng(5)
    for _ in range(count):
        population = int(10 ** draw.uniform(2, 7))
        yield PrivacyPlan(
            population=population,
            clients_per_round=max(1, int(population * 10 ** draw.uniform(-3, 0))),
            rounds=int(10 ** draw.uniform(0, 3)),
            noise_multiplier=10 ** draw.uniform(-0.3, 1),
            delta=10 ** draw.uniform(-9, -3),
            clipping=FixedClipping(),
        )


@pytest.mark.parametrize("made", random_plans(12), ids=lambda p: f"{p.noise_multiplier:.2g}-{p.rounds}")
def test_epsilon_falls_with_noise_delta_and_population_and_grows_with_rounds(made):
    def both(**values):
        found = accounting.account(replace(made, **values), Precision.PREVIEW)
        return np.array([found.rdp.value, found.headline.value])

    here = both()
    slack = 1e-3 + 1e-3 * here  # of the coarse grid
    assert (both(noise_multiplier=made.noise_multiplier * 1.2) <= here + slack).all()
    assert (both(delta=made.delta * 3) <= here + slack).all()
    assert (both(population=made.population * 2) <= here + slack).all()
    assert (both(rounds=made.rounds * 2) >= here - slack).all()


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
    answer = accounting.account(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120))
    assert answer.rdp.value == pytest.approx(1.98888, abs=1e-5)
    assert answer.rdp.order == 8
    assert answer.headline.value == answer.pld.value == pytest.approx(1.70747, abs=1e-4)
    assert accounting.account(PrivacyPlan(noise_multiplier=1.19, clients_per_round=119)).rdp.value > 2


def test_the_coarse_grid_is_an_upper_bound_of_the_fine_one():
    coarse, fine = (
        accounting.epsilon(PrivacyPlan(), grid).value for grid in (Precision.PREVIEW, Precision.REPORTED)
    )
    assert fine <= coarse <= fine * 1.001


def test_no_noise_is_infinite_and_no_rounds_are_free():
    assert math.isinf(accounting.epsilon(PrivacyPlan(noise_multiplier=0)).value)
    assert accounting.epsilon(PrivacyPlan(rounds=0)).value == 0
    assert accounting.epsilon(PrivacyPlan(noise_multiplier=0, rounds=0)).value == 0


def test_cancellation_is_never_a_perfect_guarantee():
    """dp-accounting 0.4.3 answers 0 here; 0.0399 is right."""
    tiny = PrivacyPlan(population=10**8, clients_per_round=100, noise_multiplier=9.9, delta=1e-12)
    library = dp_accounting.rdp.RdpAccountant(accounting.RDP_ORDERS)
    library.compose(accounting._dp_event(tiny.event.mechanism), tiny.rounds)
    assert accounting.account(tiny).rdp.value > max(0.03, library.get_epsilon(tiny.delta))


@pytest.mark.parametrize(("q", "z"), [(1e-6, 30.0), (1e-3, 1.0), (0.035, 1.2), (0.3, 5.0), (0.9, 40.0)])
def test_renyi_divergences_are_never_below_the_true_ones(q, z):
    found = accounting.round_rdp(SampledGaussian(z, q))
    for order in (2, 5, 32, 63, 512):
        exact = exact_divergence(order, q, z)
        assert exact <= found[accounting.RDP_ORDERS.index(order)] <= exact * (1 + 1e-6) + 2e-12


def exact_divergence(order, q, z):
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
        return float(mpmath.log(total) / (order - 1))


@pytest.mark.parametrize("noise", [1e-152, 3e-154, 1e-200, 1e-5, 0.0009])
def test_almost_no_noise_is_refused(noise):
    """dp-accounting overflows there: it answers 0, hangs, or fails."""
    with pytest.raises(InvalidValueError, match="use 0, which is reported as no privacy"):
        PrivacyPlan(noise_multiplier=noise)


def test_the_least_noise_has_an_epsilon():
    assert accounting.epsilon(PrivacyPlan(noise_multiplier=0.001)).value > 1e6


def test_what_overflows_is_infinite_and_not_zero(monkeypatch):
    accounting.round_rdp.cache_clear()
    accounting._compose.cache_clear()
    monkeypatch.setattr(dp_accounting.rdp, "RdpAccountant", lambda orders: Overflowed())
    assert math.isinf(accounting.epsilon(PrivacyPlan(noise_multiplier=0.7)).value)
    accounting.round_rdp.cache_clear()
    accounting._compose.cache_clear()


class Overflowed:
    rdp = np.full(len(accounting.RDP_ORDERS), np.nan)

    def compose(self, event):
        return self


def test_epsilon_never_falls_with_rounds_and_never_rises_with_noise():
    by_round = [e.value for e in accounting.epsilon_by_round(PrivacyPlan(), [0, 1, 2, 10, 100, 1000])]
    assert by_round == sorted(by_round)
    by_noise = [accounting.epsilon(PrivacyPlan(noise_multiplier=z)).value for z in (0.8, 1, 2, 5, 10)]
    assert by_noise == sorted(by_noise, reverse=True)


def test_noise_at_which_the_library_gives_up_has_an_answer():
    one = SampledGaussian(88034776.3589045, 1 / 17)
    with pytest.raises(ValueError, match="non-negative"):
        dp_accounting.rdp.RdpAccountant(accounting.RDP_ORDERS).compose(accounting._dp_event(one))
    assert (accounting.round_rdp(one) > 0).all()
    assert (accounting.round_rdp(one) < 1e-9).all()


@pytest.mark.parametrize("one", [(1.2, 120 / 3383), (1e3, 0.5), (1e5, 1e-3)])
def test_what_answers_where_the_library_gives_up_is_never_below_it(one, monkeypatch):
    library = accounting.round_rdp(SampledGaussian(*one))
    accounting.round_rdp.cache_clear()
    monkeypatch.setattr(dp_accounting.rdp, "RdpAccountant", lambda orders: GivesUp())
    own = accounting.round_rdp(SampledGaussian(*one))
    accounting.round_rdp.cache_clear()
    assert (own >= library).all()
    assert own == pytest.approx(library, rel=1e-6, abs=1e-11)


class GivesUp:
    def compose(self, event):
        raise ValueError("The result of subtraction must be non-negative.")


@pytest.mark.parametrize("grid", [Precision.PREVIEW, Precision.REPORTED])
@pytest.mark.parametrize(
    "values",
    [
        {"population": 10**9, "clients_per_round": 999_999_999, "noise_multiplier": 23_941.0},
        {"clients_per_round": 3382, "noise_multiplier": 1e6, "rounds": 100_000},
        {"clients_per_round": 3382, "noise_multiplier": 0.1, "rounds": 1},  # where PLD does not answer
        {"clients_per_round": 3382, "noise_multiplier": 40.0},
        {},
    ],
)
def test_sampling_never_costs_privacy(values, grid):
    plan = PrivacyPlan(clipping=FixedClipping(), **values)
    together = accounting.compose([plan, replace(plan, rounds=2 * plan.rounds)], plan.delta, grid)
    for account, rounds in ((accounting.account(plan, grid), 1), (together, 3)):
        whole = replace(plan, rounds=rounds * plan.rounds)
        assert account.headline.value <= accounting.without_amplification(whole)
        assert account.headline.value <= account.rdp.value


@pytest.mark.parametrize("noise", [0.05, 0.6, 30.0, 1e9])
def test_replacing_a_user_of_a_fixed_cohort_is_between_its_bounds(noise):
    """Never below Poisson sampling with twice the movement at a time, never above everybody taking part."""
    fixed = SampledGaussian(noise, 120 / 3383, True)
    found = accounting.round_rdp(fixed)
    everybody = np.array(accounting.RDP_ORDERS) / (2 * noise**2)
    assert (found <= everybody).all()
    assert (found > 0).all()
    sampled = accounting.round_rdp(fixed._replace(replaces=False))
    assert (found >= np.minimum(sampled, everybody) * (1 - 1e-9)).all()
