"""Curves against dp-accounting over the whole range of the sliders: never below it, and hardly above."""

import functools
import json
import math
from pathlib import Path

import dp_accounting
import mpmath
import numpy as np
import pytest
from dp_accounting.pld.privacy_loss_distribution import from_gaussian_mechanism
from dp_accounting.rdp import RdpAccountant, compute_epsilon

from dpcore.mechanisms.events import SampledGaussian
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, composition, curves
from dpcore.privacy.bounds import FFT_ERROR, LOG_A_ERROR, RDP_ORDERS

CASES = json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
GOLDEN = {
    accountant: [case for case in CASES if case["group"] == "epsilon" and case["accountant"] == accountant]
    for accountant in ("RDP", "PLD", "analytic Gaussian (q=1)")
}
TUTORIAL = {"noise_multiplier": 1.2, "sampling_prob": 120 / 3383, "rounds": 100, "delta": 1e-5}


def values(case: dict) -> dict:
    return {name: case["inputs"][name] for name in TUTORIAL}


def draw(rng: np.random.Generator, *, noise: tuple[float, float], prob: tuple[float, float] = (1e-9, 1)) -> dict:
    """One setting, evenly on logarithmic scales."""
    ranges = [noise, prob, (1, 1e6), (1e-10, 1e-2)]
    noise, prob, rounds, delta = (math.exp(rng.uniform(math.log(low), math.log(high))) for low, high in ranges)
    return {"noise_multiplier": noise, "sampling_prob": prob, "rounds": int(rounds), "delta": delta}


def library_rdp(noise_multiplier: float, sampling_prob: float, rounds: int, delta: float) -> float:
    event = dp_accounting.GaussianDpEvent(noise_multiplier)
    if sampling_prob < 1:
        event = dp_accounting.PoissonSampledDpEvent(sampling_prob, event)
    rdp = RdpAccountant(RDP_ORDERS).compose(event).rdp + LOG_A_ERROR / (np.array(RDP_ORDERS) - 1)
    return float(compute_epsilon(RDP_ORDERS, rounds * rdp, delta)[0])


@functools.lru_cache(maxsize=4)
def library_pld(noise_multiplier: float, sampling_prob: float, rounds: int, grid: float = 1e-4):
    if sampling_prob == 1:
        return from_gaussian_mechanism(noise_multiplier / math.sqrt(rounds), value_discretization_interval=grid)
    return from_gaussian_mechanism(
        noise_multiplier, sampling_prob=sampling_prob, value_discretization_interval=grid
    ).self_compose(rounds)


def affordable(
    noise_multiplier: float, sampling_prob: float, rounds: int, delta: float, grid: float = 1e-4
) -> bool:
    """Whether the library needs no more than seconds."""
    exponent = 10 / noise_multiplier + 0.5 / noise_multiplier**2
    rms = sampling_prob * math.sqrt(math.expm1(1 / noise_multiplier**2))
    few = math.log1p(sampling_prob * math.expm1(exponent)) / grid < 7e4
    return few and min(rms, 10) * math.sqrt(rounds) / grid < 3e4


@pytest.mark.parametrize("case", GOLDEN["RDP"], ids=lambda case: case["id"])
def test_golden_rdp(case):
    assert case["inputs"]["orders"] == "tutorial"
    got = curves.rdp_epsilons(**values(case))
    assert abs(got - case["expected"]) <= max(case["tol_abs"], case["tol_rel"] * case["expected"])


@pytest.mark.parametrize("case", GOLDEN["PLD"], ids=lambda case: case["id"])
def test_golden_pld(case):
    got = curves.pld_epsilons(**values(case))
    # Without sampling, the library composed round by round there, which is a ten-millionth above one Gaussian.
    assert case["expected"] * (1 - 2e-7) <= got <= 1.002 * case["expected"] + 1e-4


@pytest.mark.parametrize("case", GOLDEN["analytic Gaussian (q=1)"], ids=lambda case: case["id"])
def test_golden_gaussian(case):
    got = curves.pld_epsilons(**values(case))
    assert abs(got - case["expected"]) <= max(case["tol_abs"], case["tol_rel"] * case["expected"])


@pytest.mark.parametrize("noise", [(0.15, 1), (1, 30), (30, 1000)])
def test_rdp_is_never_below_the_library_and_hardly_above(noise):
    rng = np.random.default_rng(1)
    settings = [draw(rng, noise=noise) for _ in range(40)]
    settings += [setting | {"sampling_prob": 1 - setting["sampling_prob"]} for setting in settings[:20]]
    expected = np.array([library_rdp(**setting) for setting in settings])
    got = curves.rdp_epsilons(**{name: [setting[name] for setting in settings] for name in TUTORIAL})
    assert (got >= expected).all()
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_rdp_with_hardly_any_noise():
    for noise in (0.001, 0.01, 0.1):
        got = curves.rdp_epsilons(**TUTORIAL | {"noise_multiplier": noise})
        expected = library_rdp(**TUTORIAL | {"noise_multiplier": noise})
        assert expected <= got <= expected * (1 + 1e-6)


@pytest.mark.parametrize(("q", "z"), [(1e-6, 30.0), (0.035, 1.2), (0.5, 100.0), (0.9, 0.5)])
def test_renyi_divergences_against_quadrature(q, z):
    """E over x ~ N(0, z^2) of the ratio of densities to the power of the order, with 50 digits.

    (1e-6, 30) is where dp-accounting 0.4.3 answers 0 by cancellation.
    """
    orders = [1.25, 2.5, 4.5, 2, 8, 63]
    got = curves.round_rdp(np.array([z]), np.array([q]))[0][[RDP_ORDERS.index(order) for order in orders]]
    for order, divergence in zip(orders, got, strict=True):
        with mpmath.workdps(50):

            def moment(t, order=order):
                return mpmath.npdf(t) * (1 + q * mpmath.expm1(t / z - mpmath.mpf(1) / (2 * z * z))) ** order

            peak, middle = order / z, z * mpmath.log(1 / mpmath.mpf(q) - 1) + 0.5 / z
            points = sorted({-20, 0, float(middle), peak, peak + 20})
            points = [p for p in points if -20 <= p <= peak + 20]
            exact = float(mpmath.log(mpmath.quad(moment, points)) / (order - 1))
        assert exact <= got[orders.index(order)] <= exact * (1 + 1e-8) + 1.6 * LOG_A_ERROR / (order - 1), divergence


def held_to_the_library(setting: dict, grid: float = 1e-4) -> None:
    got = curves.pld_epsilons(**setting)
    if got > 700 or setting["delta"] < max(1e-10, 10 * FFT_ERROR * setting["rounds"]):
        return  # where the library does not reach: `test_composition.py`
    rounds, delta = setting["rounds"], setting["delta"]
    pld = library_pld(setting["noise_multiplier"], setting["sampling_prob"], rounds, grid)
    # `accounting` asks for the smaller delta: the library's own rounding may be of that size.
    expected = pld.get_epsilon_for_delta(delta - FFT_ERROR * rounds)
    assert got >= max(expected, pld.get_epsilon_for_delta(delta)), setting
    assert got <= (1.002 if delta > 3e-13 * rounds else 1.02) * expected + 1e-4, setting
    close = curves.pld_epsilons(**setting, step=curves.NUMBER)
    assert close >= max(expected, pld.get_epsilon_for_delta(delta)), setting
    assert close <= (1.0002 if delta > 3e-13 * rounds else 1.02) * expected + 1e-5, setting


@pytest.mark.parametrize(("noise", "times"), [((0.3, 0.8), 8), ((0.8, 3), 20), ((3, 1000), 40)])
def test_pld_is_never_below_the_library_and_hardly_above(noise, times):
    rng = np.random.default_rng(2)
    settings = [setting for setting in (draw(rng, noise=noise) for _ in range(8 * times)) if affordable(**setting)]
    assert len(settings) >= times
    for setting in settings[:times]:
        held_to_the_library(setting)


def test_profiles_are_held_to_the_librarys():
    rng = np.random.default_rng(5)
    settings = [draw(rng, noise=(0.3, 30)) | {"delta": 1e-6} for _ in range(60)]
    settings = [setting for setting in settings if affordable(**setting, grid=4e-4)][:3]
    assert len(settings) == 3
    for setting in settings:
        delta, rounds = setting.pop("delta"), setting["rounds"]
        pld = library_pld(*setting.values(), 1e-4)
        epsilons = np.linspace(0, 1.2 * pld.get_epsilon_for_delta(delta), 20)
        got = curves.pld_deltas(**setting, epsilons=epsilons)
        # Not the added user's side: on its finest grid, clipping at 0 in each round adds up to 1e-4 of a large delta.
        assert (got >= pld._pmf_remove.get_delta_for_epsilon(epsilons)).all(), setting
        near = pld.get_delta_for_epsilon(np.maximum(epsilons * (1 - 2e-4) - 1e-5, 0))
        assert (got <= 1.001 * near + 3e-15 * rounds + 1e-10).all(), setting


def test_pld_on_the_librarys_own_grid():
    """Where losses are small, both use the same grid, and only the treatment of tails and rounding is left."""
    rng = np.random.default_rng(3)
    settings = [draw(rng, noise=(1, 1000), prob=(1e-7, 1)) for _ in range(300)]
    fine = [s for s in settings if s["sampling_prob"] / s["noise_multiplier"] < 1e-3 and affordable(**s)]
    for setting in fine[:30]:
        for delta in (setting["delta"], 1e-5, 1e-2):
            held_to_the_library(setting | {"delta": max(delta, 3e-13 * setting["rounds"])})


def test_pld_with_little_noise():
    """The library's coarser grid will do: the curve's own is coarser still."""
    rng = np.random.default_rng(4)
    settings = [draw(rng, noise=(0.15, 0.3), prob=(1e-2, 0.99)) for _ in range(40)]
    settings = [s | {"rounds": 1 + s["rounds"] % 30} for s in settings]
    for setting in settings[:3]:
        held_to_the_library(setting, grid=1e-3)


@pytest.mark.parametrize(
    ("noise", "prob", "rounds"), [(0.8, 0.01, 30), (3.0, 0.2, 100), (50.0, 0.02, 1), (20.0, 0.9, 9)]
)
def test_each_side_is_held_to_the_librarys(noise, prob, rounds):
    """The larger side is nearly always the removed user's, so the other would not be missed in an epsilon."""
    pld = library_pld(noise, prob, rounds)
    deltas = np.array([1e-9, 1e-5, 1e-2])
    with np.errstate(all="ignore"):
        sides = list(curves._sides(noise, prob, 1e-6 * deltas[0] / rounds, curves.CHART))
        got = [curves._composed(side, rounds, 1e-6 * deltas[0]) for side in sides]
    for profile, library in zip(got, (pld._pmf_remove, pld._pmf_add), strict=True):
        found = profile.epsilons_at(deltas)
        expected = np.array([library.get_epsilon_for_delta(delta) for delta in deltas])
        assert (found >= expected * (1 - 1e-7)).all()
        assert (found <= 1.01 * expected + 1e-4).all()
        finite = found > 0
        assert profile.deltas_at(found[finite]) == pytest.approx(deltas[finite], rel=1e-9)
    _, _, masses, infinity, _ = sides[1]
    assert masses.sum() + infinity == pytest.approx(1, abs=1e-9)


def test_both_sides_count(monkeypatch):
    expected, in_order = curves.pld_epsilons(**TUTORIAL), curves._sides
    monkeypatch.setattr(curves, "_sides", lambda *setting: reversed(list(in_order(*setting))))
    assert curves.pld_epsilons(**TUTORIAL) == expected


def test_the_mass_at_infinity_adds_up_over_rounds():
    with np.errstate(all="ignore"):
        step, lowest, masses, _, log_mgf = next(curves._sides(1.2, 0.1, 1e-12, curves.CHART))
        got = curves._composed((step, lowest, 0.99 * masses, 0.01, log_mgf), 10, 1e-7)
    assert np.isinf(got.epsilons_at(np.array([0.095, 0.096]))).tolist() == [True, False]  # 1 - 0.99^10 = 0.0956


@pytest.mark.parametrize(
    "plan",
    [
        PrivacyPlan(noise_multiplier=1.2, clients_per_round=120),
        # Losses are large and rare: `accounting` takes a coarser grid there than the library.
        PrivacyPlan(
            noise_multiplier=0.245,
            clients_per_round=11,
            population=10**9,
            rounds=271_500,
            delta=3.3e-4,
            clipping=FixedClipping(),
        ),
    ],
    ids=["tutorial", "rare"],
)
def test_the_headlines_pld_is_not_above_the_curve(plan):
    setting = {"noise_multiplier": plan.noise_multiplier, "sampling_prob": plan.sampling_prob}
    got = curves.pld_epsilons(**setting, rounds=plan.rounds, delta=plan.delta)
    pld = accounting.account(plan).pld.value
    assert 0 < pld <= got <= 1.5 * pld


@pytest.mark.parametrize(("noise", "prob"), [(0.7, 0.01), (1.2, 0.0355), (12.0, 0.4)])
@pytest.mark.parametrize("delta", [1e-9, 1e-6, 1e-4])
def test_one_round_against_its_closed_form(noise, prob, delta):
    """The delta of the removed user's side at the epsilon that was found, with 40 digits: it is delta or less."""

    def reached(epsilon):
        with mpmath.workdps(40):
            output = -noise * mpmath.log1p(mpmath.expm1(epsilon) / mpmath.mpf(prob)) - mpmath.mpf(0.5) / noise
            without, with_user = mpmath.ncdf(output), mpmath.ncdf(output + mpmath.mpf(1) / noise)
            return (1 - prob) * without + prob * with_user - mpmath.exp(epsilon) * without

    got = curves.pld_epsilons(noise_multiplier=noise, sampling_prob=prob, rounds=1, delta=delta)
    assert reached(float(got)) <= delta < reached(float(got) / 1.002 - 1e-4)
    (at_most,) = curves.pld_deltas(noise_multiplier=noise, sampling_prob=prob, rounds=1, epsilons=np.array([got]))
    assert reached(float(got)) <= at_most <= 1.0005 * delta


@pytest.mark.parametrize("bound", [curves.rdp_epsilons, curves.pld_epsilons])
def test_the_ends_of_the_ranges(bound):
    assert np.isinf(bound(**TUTORIAL | {"noise_multiplier": 0}))
    assert bound(**TUTORIAL | {"rounds": 0}) == 0
    assert bound(**TUTORIAL | {"noise_multiplier": 0, "rounds": 0}) == 0
    everybody, nearly, few = bound(**TUTORIAL | {"sampling_prob": [1, 1 - 1e-9, 0.99]})
    assert few < everybody
    assert everybody * (1 - 1e-6) < nearly < everybody * 1.002  # PLD needs no grid for everybody
    assert bound(**TUTORIAL | {"rounds": 1, "delta": 0.9}) == 0
    for noise in (1e3, 1e9):
        assert 0 <= bound(**TUTORIAL | {"noise_multiplier": noise, "sampling_prob": 1e-9, "rounds": 10**6}) < 0.1


def test_what_overflows_is_infinite():
    """dp-accounting answers 0 there, hangs, or fails."""
    tiny = curves.rdp_epsilons(**TUTORIAL | {"noise_multiplier": [1e-152, 3e-154, 1e-200, 1e-320]})
    assert (tiny > 1e300).all()
    assert np.isinf(tiny[1:]).all()


def test_where_the_librarys_pld_has_no_answer():
    noise, rounds, delta = (
        [0.14, 1.2, 1.2, 0.2, 0.2],
        [100, 100, 10**6, 10**5, 100],
        [1e-5, 1e-11, 1e-9, 1e-5, 1e-250],
    )
    got = curves.pld_epsilons(noise_multiplier=noise, rounds=rounds, sampling_prob=0.1, delta=delta)
    for value, *run, at in zip(got[:4], noise, [0.1] * 4, rounds, delta, strict=False):
        exact = composition.epsilon([tuple(run)], at, closeness=1e-4)[0]
        assert exact <= value <= 1.01 * exact
    assert np.isnan(got[4])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("noise_multiplier", np.geomspace(0.13, 0.2, 40)),
        ("rounds", np.geomspace(1e3, 1e6, 40).astype(int)),
        ("delta", np.geomspace(1e-11, 1e-8, 40)),
    ],
)
def test_curves_do_not_jump_where_the_library_ends(name, values):
    """Slopes in logarithms, but for what the coarser of the two grids adds."""
    steps = np.diff(np.log(curves.pld_epsilons(**TUTORIAL | {name: values})))
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.abs(np.diff(steps)).max() < 0.01 + 0.15 * np.abs(steps).max()


@pytest.mark.parametrize("bound", [curves.rdp_epsilons, curves.pld_epsilons])
def test_arguments_are_broadcast(bound):
    noise, rounds = np.array([[1.2], [3.0]]), np.array([0, 1, 100])
    got = bound(noise_multiplier=noise, sampling_prob=[0.02, 0.04, 1], rounds=rounds, delta=1e-5)
    assert (got.shape, got.dtype) == ((2, 3), float)
    for row, z in enumerate([1.2, 3.0]):
        for column, (prob, count) in enumerate(zip([0.02, 0.04, 1], [0, 1, 100], strict=True)):
            alone = bound(noise_multiplier=z, sampling_prob=prob, rounds=count, delta=1e-5)
            assert alone.shape == ()
            assert got[row, column] == alone
    assert bound(noise_multiplier=np.zeros((0, 4)), sampling_prob=0.1, rounds=1, delta=1e-5).shape == (0, 4)


@pytest.mark.parametrize("bound", [curves.rdp_epsilons, curves.pld_epsilons])
@pytest.mark.parametrize(
    ("name", "values", "sign"),
    [
        ("noise_multiplier", np.geomspace(0.5, 900, 40), -1),
        ("sampling_prob", np.append(np.geomspace(1e-4, 0.95, 40), 1), 1),
        ("rounds", np.unique(np.geomspace(1, 20000, 40).astype(int)), 1),
        ("delta", np.geomspace(1e-9, 0.5, 40), -1),
    ],
)
def test_curves_run_one_way(bound, name, values, sign):
    got = bound(**TUTORIAL | {name: values})
    assert (sign * np.diff(got) >= 0).all()
    assert got.min() < got.max() / 3


def test_points_that_share_a_round_are_as_they_are_alone():
    rounds, deltas = np.array([[1], [50], [3000]]), np.array([1e-9, 1e-5, 1e-2])
    got = curves.pld_epsilons(**TUTORIAL | {"rounds": rounds, "delta": deltas})
    alone = [[curves.pld_epsilons(**TUTORIAL | {"rounds": r, "delta": d}) for d in deltas] for r in rounds[:, 0]]
    assert got == pytest.approx(np.array(alone), rel=1e-5)


@pytest.mark.parametrize(
    ("noise", "prob"), [(0.6, 0.035), (1.7, 0.035), (0.3, 0.5), (0.001, 0.5), (5, 0.001), (50, 0.2), (500, 0.01)]
)
def test_replacing_a_user_of_a_cohort_of_a_fixed_size_is_as_the_accountant_has_it(noise, prob):
    """Where differences cancel to their rounding, at much noise and few rounds, it may be above."""
    rounds, replaced = np.array([1, 100, 10_000]), SampledGaussian(noise, prob, replaces=True)
    found = curves.rdp_epsilons(
        noise_multiplier=noise, sampling_prob=prob, rounds=rounds, delta=1e-5, replaces=True
    )
    rdp = accounting.round_rdp(replaced)
    library = np.array([compute_epsilon(RDP_ORDERS, count * rdp, 1e-5)[0] for count in rounds])
    assert (found >= library).all()
    assert (found[1:] <= library[1:] * (1 + 1e-6)).all()
