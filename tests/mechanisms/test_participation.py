"""Who takes part: drawn as said, refused where it cannot be, and accounted as whole runs."""

import importlib.metadata
import itertools
import json
import math

import numpy as np
import pytest

from dpcore import rng
from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.language import speaking
from dpcore.mechanisms import choices, matrices, trees
from dpcore.mechanisms.noise import Banded, Independent, SquareRoot, Tree
from dpcore.mechanisms.participation import CyclicPoisson, FixedSize, Fleet, Full, Poisson, Schedule
from dpcore.plan import REPLACE, AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, codec
from dpcore.privacy import accounting, assumptions, calibration, curves, ledger
from dpcore.runs.studies import mechanisms

FLEET = Fleet(60, 12, 10)


def of_seed(seed):
    return lambda name, number: rng.stream(seed, name, number)


def private(**given) -> PrivacyPlan:
    return PrivacyPlan(**{"clipping": FixedClipping()} | given)


@pytest.mark.parametrize("kind", [Poisson, Schedule])
def test_adding_a_user_moves_nobody_else(kind):
    """Where the probability stays: of a population one larger, with the same expected share of it in a round."""
    for number in range(1, 8):
        cohort, with_one_more = (
            kind().cohort(of_seed(3), number, Fleet(population, population / 5, 10)) for population in (60, 61)
        )
        assert cohort.tolist() == [user for user in with_one_more if user < 60]


def test_adding_a_user_moves_nobody_to_another_group_of_a_cyclic_schedule():
    groups = CyclicPoisson(min_separation=5)
    for number in range(1, 6):
        before, after = (groups.cohort(of_seed(3), number, Fleet(size, size / 5, 10)) for size in (60, 61))
        assert before.tolist() == [user for user in after if user < 60]


def test_groups_of_a_schedule_take_turns_and_share_nobody():
    cohorts = [Schedule().cohort(of_seed(0), number, FLEET).tolist() for number in range(1, 11)]
    assert cohorts[:5] == cohorts[5:]
    members = list(itertools.chain(*cohorts[:5]))
    assert len(set(members)) == len(members) <= 60


def test_groups_are_dealt_by_independent_coins():
    """Sizes are binomial, and two users are as seldom in one group as coins are alike."""
    fleet = Fleet(60, 10, 10)  # six groups
    came = np.zeros((3000, 60), bool)
    for seed in range(3000):
        came[seed, Schedule().cohort(of_seed(seed), 1, fleet)] = True
    sizes = came.sum(axis=1)
    assert sizes.mean() == pytest.approx(10, abs=5 * math.sqrt(60 / 6 * 5 / 6 / 3000))
    assert sizes.var() == pytest.approx(60 / 6 * 5 / 6, rel=0.15)  # 0 for groups of one size
    assert np.abs(came.mean(axis=0) - 1 / 6).max() < 5 * math.sqrt(5 / 36 / 3000)
    assert abs(np.corrcoef(came[:, 0], came[:, 1])[0, 1]) < 5 / math.sqrt(3000)


def test_users_for_whom_there_is_no_group_stay_out():
    cohorts = [Schedule(min_separation=2).cohort(of_seed(0), number, FLEET) for number in range(1, 11)]
    assert len(set(np.concatenate(cohorts).tolist())) == pytest.approx(24, abs=5 * math.sqrt(60 * 0.4 * 0.6))


def test_cyclic_poisson_draws_its_coins_anew_in_every_turn():
    groups = CyclicPoisson(min_separation=2)
    fleet = Fleet(2000, 400, 100)
    turns = [groups.cohort(of_seed(1), number, fleet) for number in range(1, 101, 2)]
    dealt = set(np.concatenate(turns).tolist())
    assert len(dealt) == pytest.approx(1000, abs=5 * math.sqrt(500))  # half of them are in this group
    assert np.mean([len(turn) for turn in turns]) == pytest.approx(400 * len(dealt) / 1000, rel=0.03)
    assert turns[0].tolist() != turns[1].tolist()


def test_a_fixed_cohort_has_exactly_so_many_and_everybody_as_often():
    came = np.zeros((2000, 60), bool)
    for number in range(1, 2001):
        came[number - 1, FixedSize().cohort(of_seed(0), number, FLEET)] = True
    assert set(came.sum(axis=1)) == {12}
    assert np.abs(came.mean(axis=0) - 0.2).max() < 5 * math.sqrt(0.16 / 2000)


def brute_force(matrix, participations, separation):
    """The most that a user moves what is released, over all ways to take part: matrix [nodes, rounds], not negative."""
    rounds, most = matrix.shape[1], 0.0
    for count in range(1, participations + 1):
        for chosen in itertools.combinations(range(rounds), count):
            if all(j - i >= separation for i, j in itertools.pairwise(chosen)):
                most = max(most, float((matrix[:, chosen].sum(axis=1) ** 2).sum()))
    return most


@pytest.mark.parametrize(("rounds", "participations", "separation"), [(9, 3, 3), (12, 4, 2), (11, 2, 5), (7, 7, 1)])
def test_sensitivities_are_the_most_over_all_ways_to_take_part(rounds, participations, separation):
    nodes = [
        [place << level <= leaf < (place + 1) << level for leaf in range(rounds)]
        for level in range(rounds.bit_length())
        for place in range(rounds >> level)
    ]
    tree = brute_force(np.array(nodes, float), participations, separation)
    assert trees.sensitivity_squared(rounds, participations, separation) == tree
    column = matrices.square_root(rounds)
    dense = np.array([[column[i - j] if i >= j else 0 for j in range(rounds)] for i in range(rounds)])
    found = SquareRoot().sensitivity_squared(rounds, rounds, participations, separation)
    assert found == pytest.approx(brute_force(dense, participations, separation), rel=1e-12)
    bands = matrices.optimal_bands(rounds, separation)
    T = np.array([[bands[i - j] if 0 <= i - j < separation else 0 for j in range(rounds)] for i in range(rounds)])
    C = T / matrices.column_norms(bands, rounds)
    found = Banded(bands=separation).sensitivity_squared(rounds, rounds, participations, separation)
    assert found == pytest.approx(brute_force(C, participations, separation), rel=1e-9)


NOT_POISSON = "independent noise with"


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"participation": Schedule(min_separation=29)}, "min_separation", "29 x 120: there are not so many users"),
        ({"participation": CyclicPoisson(min_separation=29)}, "min_separation", "29 x 120"),
        ({"participation": Schedule(max_participations=3)}, "max_participations", "at least 4, found 3"),
        (
            {"participation": Schedule(max_participations=9, min_separation=10)},
            "max_participations",
            "least 10, found 9",
        ),
        ({"participation": Schedule(min_separation=14), "noise": Banded(bands=15)}, "bands", "14 rounds, found 15"),
        ({"participation": Schedule(), "noise": Banded(bands=29)}, "bands", "28 rounds, found 29"),
        (
            {"participation": CyclicPoisson(min_separation=4), "noise": Banded(bands=5)},
            "bands",
            "4 rounds, found 5",
        ),
        ({"participation": CyclicPoisson(min_separation=4), "noise": Tree()}, "noise", "proven for bands alone"),
        ({"noise": Tree()}, "noise", NOT_POISSON),
        ({"noise": Banded(bands=1)}, "noise", NOT_POISSON),
        ({"participation": FixedSize(), "noise": SquareRoot()}, "noise", NOT_POISSON),
        ({"adjacency": REPLACE}, "adjacency", "Poisson sampling"),
        ({"participation": Schedule(), "adjacency": REPLACE}, "adjacency", "added or removed"),
        ({"participation": CyclicPoisson(), "adjacency": REPLACE}, "adjacency", "added or removed"),
        (
            {"participation": FixedSize(), "clients_per_round": 3384},
            "clients_per_round",
            "in [1, 3383], found 3384",
        ),
        ({"participation": Full()}, "clients_per_round", "the population, 3,383, found 120"),
        ({"participation": Schedule(), "noise": Tree(), "clipping": AdaptiveClipping()}, "noise", "fixed clipping"),
        ({"participation": Schedule(), "noise": SquareRoot(), "rounds": 1001}, "rounds", "at most 1,000 rounds"),
        ({"participation": Schedule(), "noise": Tree(), "rounds": 2049}, "rounds", "at most 2,048 rounds"),
        ({"participation": "schedule"}, "participation", "cyclic-poisson, found 'schedule'"),
        ({"noise": "tree"}, "noise", "square-root, found 'tree'"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_sentence_with_what_to_change(given, field, words):
    with pytest.raises(InvalidValueError) as refused:
        private(**given)
    assert refused.value.field == field
    assert words in str(refused.value)
    assert str(refused.value).startswith("Expected ")


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Banded(bands=0), "bands"),
        (lambda: Banded(bands=2.5), "bands"),
        (lambda: Banded(bands=True), "bands"),
        (lambda: Banded(bands=1001), "bands"),
        (lambda: Schedule(min_separation=0), "min_separation"),
        (lambda: Schedule(max_participations=0), "max_participations"),
        (lambda: Schedule(max_participations="4"), "max_participations"),
        (lambda: CyclicPoisson(min_separation=math.nan), "min_separation"),
        (lambda: choices.chosen("allocation", "independent", FLEET), "participation"),
        (lambda: choices.chosen("round-robin", "independent", FLEET), "participation"),
        (lambda: choices.chosen("schedule", "blt", FLEET), "noise"),
        (lambda: choices.chosen("poisson", "independent", FLEET, bands=3), "bands"),
        (lambda: choices.chosen("schedule", "tree", FLEET, bands=3), "bands"),
        (lambda: choices.chosen("fixed", "independent", FLEET, min_separation=3), "min_separation"),
        (lambda: choices.chosen("full", "independent", FLEET, max_participations=3), "max_participations"),
        (lambda: choices.chosen("cyclic-poisson", "independent", FLEET, bands=4, min_separation=5), "bands"),
    ],
)
def test_numbers_of_no_meaning_are_refused(make, field):
    with pytest.raises(InvalidValueError, match=r"^Expected ") as refused:
        make()
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("participation", "schedule"),
        ("participation", {}),
        ("participation", {"kind": "allocation"}),
        ("participation", {"kind": ["schedule"]}),
        ("participation", {"kind": "schedule", "min_separation": "28"}),
        ("participation", {"kind": "schedule", "groups": 28}),
        ("participation", {"kind": "poisson", "min_separation": 28}),
        ("noise", {"kind": "banded", "bands": 0}),
        ("noise", {"kind": "banded", "bands": 29}),
        ("noise", {"kind": "tree", "bands": 4}),
        ("noise", {"kind": "blt"}),
        ("noise", None),
        ("noise", []),
    ],
)
def test_a_plan_file_that_says_what_there_is_not_is_refused(part, value):
    plan = Plan(privacy=private(participation=Schedule(), noise=Tree()))
    values = json.loads(plan.to_json())
    values["privacy"][part] = value
    with pytest.raises(InvalidValueError, match=r"^Expected "):
        Plan.from_json(json.dumps(values))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "ask",
    [
        lambda: choices.chosen("allocation", "independent", FLEET),
        lambda: mechanisms.combined(["poisson", "allocation"], ["independent"], FLEET),
        lambda: codec.read_part("participation", {"kind": "allocation"}),
    ],
)
def test_random_allocation_is_refused_with_its_reason_wherever_it_is_named(ask, language):
    """The reason is true of the packages that are installed here, or the library may well be used."""
    scipy = next(one for one in importlib.metadata.requires("tensorflow-federated") if one.startswith("scipy"))
    assert scipy.replace(" ", "") == "scipy~=1.9.3"
    with speaking(language), pytest.raises(InvalidValueError, match=r"PLD_accounting 2\.0") as refused:
        ask()
    assert ("Expected" in str(refused.value)) == (language == "en")
    assert refused.value.field == "participation"


def test_plans_of_before_are_read_and_what_is_as_before_is_written_as_before():
    plan = Plan()
    assert '"version": 2' in plan.to_json()
    assert "participation" not in plan.to_json()
    everybody = Plan(privacy=private(clients_per_round=3383))
    assert Plan(privacy=private(clients_per_round=3383, participation=Full())) == everybody
    assert everybody.privacy.cohorts == Full()


def test_a_number_that_is_not_given_follows_from_the_others():
    fleet = Fleet(3383, 120, 100)
    assert choices.chosen("schedule", "banded", fleet) == (Schedule(), Banded(bands=28))
    assert choices.chosen("schedule", "banded", fleet, min_separation=10)[1] == Banded(bands=10)
    assert choices.chosen("cyclic-poisson", "banded", fleet, bands=4)[0] == CyclicPoisson(min_separation=4)
    assert choices.chosen("cyclic-poisson", "banded", fleet) == (CyclicPoisson(min_separation=16), Banded(bands=16))
    assert choices.chosen("cyclic-poisson", "independent", fleet, bands=4)[0] == CyclicPoisson(min_separation=4)
    assert private(participation=Schedule()).participations == 4


@pytest.mark.parametrize("noise", [Independent(), Tree(), Banded(bands=14), SquareRoot()], ids=lambda one: one.kind)
def test_the_ledger_takes_a_scheduled_run_as_one_gaussian_whole(noise):
    plan = private(participation=Schedule(min_separation=14), noise=noise, noise_multiplier=5.0)
    event = plan.event
    assert (event.rounds, event.mechanism.sampling_prob) == (1, 1.0)
    assert event.mechanism.noise_multiplier == pytest.approx(5 / plan.sensitivity)
    twice = ledger.compose([plan, plan], 1e-5).headline.value
    one_gaussian = float(
        curves.epsilons(noise_multiplier=5 / plan.sensitivity, sampling_prob=1.0, rounds=2, delta=1e-5)
    )
    assert twice == pytest.approx(one_gaussian, rel=1e-9)
    assert ledger.compose([plan], 1e-5).headline.value == accounting.epsilon(plan).value


def test_each_assumption_has_its_own_epsilon_and_the_plans_own_is_among_them():
    plan = private(participation=Schedule(), noise=Banded(bands=28))
    found = assumptions.of(plan)
    by_kind = {(one.plan.cohorts.kind, one.plan.adjacency): one for one in found}
    assert len(by_kind) == len(found) == 7
    assert {one.plan.cohorts.kind for one in found} == {"poisson", "cyclic-poisson", "fixed", "schedule", "full"}
    own = by_kind["schedule", "add-or-remove-one"]
    assert own.plan == plan
    assert own.epsilon == accounting.epsilon(plan).value
    epsilon = {key: one.epsilon for key, one in by_kind.items()}
    assert epsilon["poisson", "add-or-remove-one"] == pytest.approx(1.7075, rel=1e-3)
    assert epsilon["fixed", "add-or-remove-one"] == pytest.approx(8.8121, rel=1e-3)
    assert epsilon["fixed", "replace-one"] == pytest.approx(14.0941, rel=1e-3)
    assert epsilon["full", "add-or-remove-one"] == pytest.approx(69.457, rel=1e-4)
    assert len({one.asks for one in found}) == 5
    replaced = assumptions.of(private(participation=FixedSize(), adjacency=REPLACE))
    assert next(one.plan.adjacency for one in replaced if one.plan.cohorts.kind == "fixed") == REPLACE


def test_how_often_a_user_may_take_part_is_solved_for():
    plan = private(participation=Schedule(), noise_multiplier=3.0, population=30_000)
    found = calibration.solve(plan, "max_participations", target_epsilon=3.0)
    assert found.participations == 4
    assert accounting.epsilon(found).value <= 3.0
    more = private(
        participation=Schedule(max_participations=5, min_separation=20), noise_multiplier=3.0, population=30_000
    )
    assert accounting.epsilon(more).value > 3.0
    with pytest.raises(UnattainableTargetError, match="with the 4 rounds a user"):
        calibration.solve(private(participation=Schedule()), "max_participations", target_epsilon=2.0)
    with pytest.raises(InvalidValueError, match="Expected a known schedule"):
        calibration.solve(PrivacyPlan(), "max_participations", target_epsilon=2.0)


def test_epsilon_against_participations_and_population_is_that_of_each_plan():
    plan = private(participation=Schedule(), noise_multiplier=3.0, population=30_000)
    epsilons = curves.epsilons(**curves.arguments_by_participations(plan, [1, 4, 100]))
    for k, epsilon in zip([1, 4, 100], epsilons, strict=True):
        assert epsilon == math.inf or epsilon == pytest.approx(
            accounting.epsilon(private(participation=Schedule(max_participations=k, min_separation=-(-100 // k)),
                                       noise_multiplier=3.0, population=30_000)).value, rel=1e-6)  # fmt: skip
    small = private(participation=Schedule(min_separation=28), noise_multiplier=3.0)
    sizes = np.array([3000.0, 3360.0, 9000.0])
    epsilons = curves.epsilons(**curves.plan_arguments(small, population=sizes))
    assert epsilons[0] == math.inf  # there are not so many users
    assert epsilons[1] == epsilons[2] == pytest.approx(accounting.epsilon(small).value, rel=1e-6)


def test_what_a_solver_finds_is_a_plan_that_can_be_formed():
    plan = private(participation=Schedule(), noise=Banded(bands=8), noise_multiplier=3.0)
    found = calibration.solve(plan, "population", target_epsilon=2.0)
    assert found.cohorts.pattern(found.fleet).separation >= 8
    assert accounting.epsilon(found).value <= 2.0
    found = calibration.solve(plan, "clients", target_epsilon=6.0)
    assert found.cohorts.pattern(found.fleet).separation >= 8
    assert accounting.epsilon(found).value <= 6.0
