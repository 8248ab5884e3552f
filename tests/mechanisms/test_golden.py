"""Participation schedules and correlated noise against numbers that two other programs agree on."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from dpcore.mechanisms import matrices, trees
from dpcore.mechanisms.events import SampledGaussian
from dpcore.mechanisms.noise import Banded, Independent, SquareRoot, Tree
from dpcore.mechanisms.participation import REPLACE, CyclicPoisson, FixedSize, Poisson, Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting, calibration, gaussian

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text())
OF_PARTICIPATIONS = GOLDEN["one_gaussian_of_k_participations"]
MU = 0.5015516892  # of one Gaussian at (2, 1e-5)


def scheduled(rounds=100, separation=28, **given):
    numbers = {"population": 3383, "clients_per_round": 120, "rounds": rounds, "clipping": FixedClipping()}
    return PrivacyPlan(**numbers | {"participation": Schedule(min_separation=separation)} | given)


@pytest.mark.parametrize(("k", "epsilon"), OF_PARTICIPATIONS["epsilon_by_k"].items())
def test_a_schedule_is_one_gaussian_of_its_participations(k, epsilon):
    plan = scheduled(rounds=int(k), separation=1)
    assert accounting.epsilon(plan).value == pytest.approx(epsilon, rel=OF_PARTICIPATIONS["rtol"])
    assert plan.sensitivity == math.sqrt(int(k))


@pytest.mark.parametrize("case", OF_PARTICIPATIONS["noise_for_epsilon"], ids=str)
def test_the_noise_for_an_epsilon_is_found(case):
    plan = scheduled(rounds=case["k"], separation=1)
    found = calibration.solve(plan, "noise", target_epsilon=case["epsilon"])
    assert found.noise_multiplier == pytest.approx(case["noise"], rel=1e-3)
    assert found.noise_multiplier >= case["noise"] * (1 - 1e-9)


@pytest.mark.parametrize("case", GOLDEN["square_root_toeplitz_sensitivity_squared"]["cases"], ids=str)
def test_the_sensitivity_of_the_square_root(case):
    rounds, separation, k = case["rounds"], case["min_sep"], case["k"]
    found = SquareRoot().sensitivity_squared(rounds, rounds, k, separation)
    assert found == pytest.approx(case["value"], rel=1e-10)


@pytest.mark.parametrize("case", GOLDEN["optimal_banded_toeplitz"]["cases"], ids=lambda case: case["bands"])
def test_bands_are_as_good_as_can_be(case):
    rounds, bands = case["rounds"], case["bands"]
    column = matrices.optimal_bands(rounds, bands)
    assert np.linalg.norm(column) == pytest.approx(1, rel=1e-12)
    mean = matrices.prefix_errors(column, rounds, np.ones(rounds)).mean()
    assert case["mean_squared_error"] * (1 - 1e-9) <= mean <= case["mean_squared_error"] * (1 + 1e-4)
    assert column == pytest.approx(case.get("c", column), rel=1e-3)
    assert (np.diff(column) <= 0).all()  # what the sensitivity of overlapping columns would rest on
    assert (column > 0).all()


@pytest.mark.parametrize("case", GOLDEN["cyclic_poisson_banded"]["cases"], ids=lambda case: case["bands"])
def test_cyclic_poisson_sampling(case):
    bands = case["bands"]
    for noise in (Independent(), Banded(bands=bands)):
        plan = scheduled(
            participation=CyclicPoisson(min_separation=bands),
            noise_multiplier=case["noise_multiplier"],
            noise=noise,
        )
        assert accounting.epsilon(plan).value == pytest.approx(case["epsilon"], rel=2e-4)


@pytest.mark.parametrize(
    "case", [one for one in GOLDEN["published"] if "zcdp" in one], ids=lambda case: case["zcdp"]
)
def test_published_guarantees(case):
    noise = 1 / math.sqrt(2 * case["zcdp"])
    assert float(gaussian.epsilons(noise, case["delta"])) == pytest.approx(case["epsilon"], rel=case["rtol"])


@pytest.mark.parametrize(
    "case",
    [one for one in GOLDEN["published"] if "exact_epsilon" in one],
    ids=lambda case: case["noise_multiplier"],
)
def test_published_trees(case):
    # One participation in 1,600 rounds, as each round has a group of its own.
    plan = PrivacyPlan(
        population=1600, clients_per_round=1, rounds=1600, noise_multiplier=case["noise_multiplier"],
        delta=case["delta"], clipping=FixedClipping(), participation=Schedule(), noise=Tree(),
    )  # fmt: skip
    both = accounting.account(plan)
    assert both.pld.value == pytest.approx(case["exact_epsilon"], rel=case["rtol"])
    assert case["rdp_epsilon"] * (1 - 1e-3) <= both.rdp.value <= case["rdp_epsilon"] * 1.15  # the tutorial's orders


def test_tree_sensitivities():
    (published,) = (one["values"] for one in GOLDEN["published"] if "values" in one)
    for key, squared in published.items():
        participations, separation, steps = map(int, key.split(","))
        assert trees.sensitivity_squared(steps, participations, separation + 1) == squared  # it counts one less
    for rounds, squared in GOLDEN["tree_sensitivity_by_rounds"]["values"].items():
        assert trees.sensitivity_squared(int(rounds), 4, 28) == squared
    for row in GOLDEN["tree_one_participation"]["rows"]:
        assert trees.sensitivity_squared(row["steps"], 1, row["steps"]) == row["height"]
        assert float(gaussian.epsilons(row["noise"] / row["height"] ** 0.5, row["delta"])) == pytest.approx(
            row["exact"], rel=1e-3
        )


REGIME = {row["noise"]: row for row in GOLDEN["one_regime"]["rows"]}


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("tree, Honaker (TFF's default)", Tree()),
        ("square-root", SquareRoot()),
        ("the same, columns normalised", Banded(bands=28)),
        ("independent", Independent()),
    ],
)
def test_one_regime_through_all_kinds_of_noise(name, noise):
    row, plan = REGIME[name], scheduled(noise=noise)
    errors = noise.prefix_errors(100)
    assert errors.mean() == pytest.approx(row["mean"], rel=1e-4)
    assert errors.max() == pytest.approx(row["max"], rel=1e-3)
    assert plan.sensitivity**2 == pytest.approx(row["sensitivity_squared"], rel=1e-6)
    multiplier = plan.sensitivity / MU
    assert multiplier == pytest.approx(row["noise_multiplier"], rel=1e-4)
    assert math.sqrt(errors.mean()) * multiplier == pytest.approx(row["rmse"], rel=1e-4)
    found = calibration.solve(plan, "noise", target_epsilon=2.0)
    assert found.noise_multiplier == pytest.approx(multiplier, rel=1e-3)


@pytest.mark.parametrize("case", GOLDEN["fixed_size_cohorts"]["cases"], ids=lambda case: case["population"])
def test_fixed_size_cohorts(case):
    names = ("population", "clients_per_round", "rounds", "noise_multiplier")
    plan = PrivacyPlan(**{name: case[name] for name in names}, clipping=FixedClipping(), participation=FixedSize())
    both = accounting.account(plan)
    assert both.pld.value == pytest.approx(case["add_or_remove_one_pld"], rel=1e-3)
    assert case["add_or_remove_one_rdp"] <= both.rdp.value <= case["add_or_remove_one_rdp"] * 1.01
    replaced = accounting.account(PrivacyPlan(**vars(plan) | {"adjacency": REPLACE}))
    assert replaced.pld is None
    assert replaced.headline.value == pytest.approx(case["replace_one_rdp"], rel=1e-3)


def test_a_fixed_size_cohort_is_poisson_sampling_at_half_the_noise_with_another_neighbour():
    fixed = PrivacyPlan(participation=FixedSize())
    assert fixed.event == PrivacyPlan(noise_multiplier=0.6, participation=Poisson()).event
    replaced = PrivacyPlan(participation=FixedSize(), adjacency=REPLACE)
    assert replaced.event.mechanism == SampledGaussian(0.6, 120 / 3383, True)
