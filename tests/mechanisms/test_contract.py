"""What every kind of a part of a plan must answer. A new kind is one more in the tuple of its module."""

import json
import math
from contextlib import suppress
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest
from scipy.linalg import toeplitz

from dpcore import rng
from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.mechanisms import matrices
from dpcore.mechanisms.clipping import BY_KIND, CLIPPINGS, FixedClipping, chosen
from dpcore.mechanisms.events import Event
from dpcore.mechanisms.noise import NOISES, Banded, Independent, SquareRoot, Tree
from dpcore.mechanisms.participation import (
    ADJACENCIES,
    PARTICIPATIONS,
    REPLACE,
    CyclicPoisson,
    FixedSize,
    Fleet,
    Full,
    Schedule,
)
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, curves
from dpcore.privacy.precision import Precision

SHAPES = [(3, 4), (5,)]
of_kind = {"ids": lambda kind: kind.kind}
every_clipping = pytest.mark.parametrize("kind", CLIPPINGS, **of_kind)
every_participation = pytest.mark.parametrize("kind", PARTICIPATIONS, **of_kind)
every_noise = pytest.mark.parametrize("kind", NOISES, **of_kind)
PAIRS = [
    *((participation, Independent) for participation in PARTICIPATIONS),
    *((Schedule, noise) for noise in (Tree, Banded, SquareRoot)),
    *((Full, noise) for noise in (Tree, SquareRoot)),  # bands are at most the separation, one round
    (CyclicPoisson, Banded),
]
every_pair = pytest.mark.parametrize(("participation", "noise"), PAIRS, **of_kind)


def fleet(kind) -> Fleet:
    return Fleet(60, 60 if kind.kind == "full" else 12, 5)


def small(kind, **given) -> PrivacyPlan:
    numbers = {**fleet(kind)._asdict(), "noise_multiplier": 1.1}
    return PrivacyPlan(**numbers | {"participation": kind()} | given)


def noise_of(kind, bands=3):
    return kind(bands=bands) if kind.knobs else kind()


def streams(name, number):
    return rng.stream(7, name, number)


@every_participation
def test_a_cohort_is_of_users_each_once_and_follows_its_streams(kind):
    first, again, other = (kind().cohort(streams, number, fleet(kind)) for number in (1, 1, 2))
    assert first.dtype == np.int64
    assert (np.diff(first) > 0).all()
    assert set(first) <= set(range(60))
    assert first.tolist() == again.tolist()
    assert kind.kind == "full" or first.tolist() != other.tolist()


@every_participation
def test_cohorts_are_of_the_expected_size_on_the_average(kind):
    def of_run(seed):
        return lambda name, number: rng.stream(seed, name, number)

    sizes = [len(kind().cohort(of_run(seed), 1, fleet(kind))) for seed in range(2000)]
    assert np.mean(sizes) == pytest.approx(fleet(kind).clients_per_round, abs=5 * 3.1 / 2000**0.5)


@every_participation
def test_nobody_takes_part_more_often_or_closer_together_than_is_accounted(kind):
    rounds = 23
    many = Fleet(fleet(kind).population, fleet(kind).clients_per_round, rounds)
    pattern = kind().pattern(many)
    cohorts = [kind().cohort(streams, number, many) for number in range(1, rounds + 1)]
    for user in range(many.population):
        came = np.array([number for number, cohort in enumerate(cohorts, start=1) if user in cohort])
        assert len(came) <= pattern.participations
        assert (np.diff(came) >= pattern.separation).all()


@every_participation
def test_an_event_is_of_plain_numbers_and_grows_with_the_rounds(kind):
    plan = small(kind, rounds=5)
    event = plan.event
    assert isinstance(event, Event)
    assert [type(number) for number in (*event.mechanism[:2], event.rounds)] == [float, float, int]
    plans = [small(kind, rounds=rounds) for rounds in (0, 1, 5, 9)]
    epsilons = [accounting.epsilon(plan, Precision.PREVIEW).value for plan in plans]
    assert epsilons == sorted(epsilons)
    assert epsilons[0] == 0


@every_pair
def test_the_rounds_of_a_run_cost_ever_more_and_all_of_them_what_the_run_does(participation, noise):
    plan = small(participation, rounds=9, noise=noise_of(noise), clipping=FixedClipping())
    spent = [accounting.epsilon_by_round(plan, [number])[0].value for number in range(10)]
    assert spent == sorted(spent)
    assert spent[0] == 0 < spent[1]
    assert plan.event_after(9) == plan.event
    assert spent[-1] == accounting.account(plan).rdp.value


@every_pair
def test_what_goes_together_is_one_plan_whose_name_no_other_has(participation, noise):
    privacy = small(participation, noise=noise_of(noise), clipping=FixedClipping())
    plan = Plan(privacy=privacy)
    assert Plan.from_json(plan.to_json()) == plan
    others = [Plan(privacy=small(kind, clipping=FixedClipping())) for kind in PARTICIPATIONS]
    assert sum(other.fingerprint == plan.fingerprint for other in others) == (noise.kind == "independent")


@pytest.mark.parametrize(
    ("participation", "noise"),
    [(one, other) for one in PARTICIPATIONS for other in NOISES if (one, other) not in PAIRS],
    ids=lambda kind: kind.kind,
)
def test_what_nobody_can_account_for_together_is_refused(participation, noise):
    with pytest.raises(InvalidValueError, match=r"^Expected .*, found .*: .*\.$") as refused:
        small(participation, noise=noise_of(noise), clipping=FixedClipping())
    assert refused.value.field in ("noise", "bands")


@every_participation
def test_many_runs_at_once_cost_what_each_costs_alone(kind):
    plan = small(kind)
    noise, rounds = np.array([0.7, 1.1]), np.array([3, 40])
    together = curves.epsilons(**curves.plan_arguments(plan, noise_multiplier=noise, rounds=rounds))
    alone = [
        float(curves.epsilons(**curves.plan_arguments(replace(plan, noise_multiplier=z, rounds=t))))
        for z, t in zip(noise.tolist(), rounds.tolist(), strict=True)
    ]
    assert together.tolist() == alone


@every_participation
def test_replacing_a_user_is_refused_with_a_reason_or_accounted(kind):
    if kind in (Full, FixedSize):
        assert 0 < accounting.epsilon(small(kind, adjacency=REPLACE)).value < math.inf
        return
    with pytest.raises(
        InvalidValueError, match=r"^Expected adjacency add-or-remove-one, found replace-one: "
    ) as refused:
        small(kind, adjacency=REPLACE)
    assert refused.value.field == "adjacency"


@every_participation
def test_replacing_a_user_never_costs_less_than_adding_one(kind):
    both = []
    for adjacency in ADJACENCIES:
        with suppress(InvalidValueError):
            both.append(accounting.epsilon(small(kind, adjacency=adjacency)).value)
    assert both == sorted(both)


@every_participation
def test_a_guarantee_says_how_cohorts_are_formed(kind):
    for language in ("en", "ja"):
        with speaking(language):
            said = [kind().condition(fleet(kind)), kind().assumption(fleet(kind))]
            said += [kind().conduct(seeded=seeded) for seeded in (False, True)]
        assert all(len(sentence) > 10 for sentence in said)
        assert "{" not in "".join(said)


@every_participation
def test_a_way_to_form_cohorts_is_a_value_that_json_carries(kind):
    plan = Plan(privacy=small(kind))
    assert Plan.from_json(plan.to_json()) == plan
    stored = json.loads(plan.to_json())
    if kind.kind in ("poisson", "full"):  # full is Poisson sampling of everybody
        assert stored["version"] == 2
        assert "participation" not in stored["privacy"]
    else:
        assert stored["version"] == 3
        assert stored["privacy"]["participation"] == {"kind": kind.kind, **asdict(kind())}


@every_clipping
def test_a_way_to_clip_is_a_value_that_json_carries(kind):
    clipping = kind()
    with pytest.raises(FrozenInstanceError):
        setattr(clipping, kind.begins_at, 1.0)
    plan = Plan(privacy=PrivacyPlan(clipping=clipping))
    assert Plan.from_json(plan.to_json()) == plan
    assert json.loads(plan.to_json())["privacy"]["clipping"] == asdict(clipping)
    assert BY_KIND[kind.kind] is kind
    assert chosen(kind.kind, **{knob.name: knob.default for knob in kind.knobs}) == clipping


@every_clipping
def test_clipping_shares_the_noise_so_that_all_of_it_costs_the_whole(kind):
    clipping, clients = kind(), 120
    on_the_sum, on_the_count = clipping.value_noise_multiplier(1.2, clients), clipping.count_stddev(clients)
    precision = on_the_sum**-2 + ((2 * on_the_count) ** -2 if on_the_count else 0)
    assert precision**-0.5 == pytest.approx(1.2, rel=1e-12)
    assert clipping.value_noise_multiplier(0, clients) == 0
    most = clipping.most_noise(clients)
    clipping.check_noise(min(most, 1e6) * 0.999, clients)
    if math.isfinite(most):
        with pytest.raises(InvalidValueError, match="noise_multiplier to be below"):
            clipping.check_noise(most, clients)


@every_clipping
def test_a_clip_norm_begins_where_it_says_and_what_it_counts_can_be_read_back(kind):
    clipping = kind(**{kind.begins_at: 0.3})
    assert clipping.initial_clip_norm == 0.3
    after = clipping.next_clip_norm(0.3, num_clients=10, num_unclipped=4, clients_per_round=10, count_noise=0.0)
    assert (after != 0.3) == clipping.releases_clip_norm
    told = clipping.fraction_clipped(0.3, after)
    assert told == (pytest.approx(0.6) if clipping.releases_clip_norm else None)


@every_clipping
def test_a_query_is_plain_data_and_says_the_noise(kind):
    plan = PrivacyPlan(clipping=kind(), noise_multiplier=1.2)
    name, arguments = plan.query
    assert name.startswith("Bounded")
    assert {type(value) for value in arguments.values()} == {float}
    assert arguments["clip_norm"] == kind().initial_clip_norm
    stddev = arguments.get("stddev", arguments.get("noise_multiplier", 0) * arguments["clip_norm"])
    assert stddev == plan.value_noise_multiplier * kind().initial_clip_norm


@every_clipping
def test_a_way_to_clip_is_put_into_words(kind):
    for language in ("en", "ja"):
        with speaking(language):
            said = [kind().label, kind().details, kind().sentence(value_noise_multiplier=1.2, count_stddev=6.0)]
        assert all(said)
        assert "{" not in "".join(said)


@every_noise
def test_noise_follows_its_stream_and_is_the_same_whenever_it_is_asked_for(kind):
    def stream(round_num):
        return rng.stream(3, "update_noise", round_num)

    source = noise_of(kind).source(stream, 5, SHAPES)
    once = [source(number) for number in range(1, 6)]
    assert {part.dtype for parts in once for part in parts} == {np.dtype(np.float32)}
    assert [part.shape for part in once[0]] == SHAPES
    fresh = noise_of(kind).source(stream, 5, SHAPES)
    for number in (4, 2, 2, 5):  # out of turn, twice, after a gap
        for one, other in zip(once[number - 1], fresh(number), strict=True):
            assert (one == other).all()
    assert not (once[0][0] == once[1][0]).all()


@every_noise
def test_noise_is_of_the_covariance_that_it_is_accounted_for(kind):
    """Over rounds, of many coordinates at once: against (C^T C)^-1, and of the prefix sums against what a chart shows."""
    rounds, noise = 12, noise_of(kind, bands=4)
    source = noise.source(lambda round_num: rng.stream(3, "noise", round_num), rounds, [(40_000,)])
    drawn = np.array([source(number)[0] for number in range(1, rounds + 1)], float)
    sums = np.cumsum(drawn, axis=0)
    found, sampling = sums @ sums.T / 40_000, 5 * (2 / 40_000) ** 0.5
    errors = noise.prefix_errors(rounds)
    assert np.diag(found) == pytest.approx(errors, rel=sampling)
    assert abs(drawn.mean()) < 5 * drawn.std() / 40_000**0.5
    expected = covariance(kind, noise, rounds)
    assert noise.round_errors(rounds) == pytest.approx(np.diag(expected), rel=1e-9)
    assert np.abs(drawn @ drawn.T / 40_000 - expected).max() < sampling * expected.max()


def covariance(kind, noise, rounds):
    """Of the noise in each round, by dense matrices, none of which the product makes."""
    if kind.kind == "independent":
        return np.eye(rounds)
    if kind.kind == "tree":
        return of_a_tree(rounds)
    if kind.kind == "square-root":
        c = np.cumprod([1, *((2 * k - 1) / (2 * k) for k in range(1, rounds))])
        C = toeplitz(c, np.zeros(rounds))
    else:
        C = toeplitz(
            [*matrices.optimal_bands(rounds, noise.bands), *np.zeros(rounds - noise.bands)], np.zeros(rounds)
        )
        C = C / np.linalg.norm(C, axis=0)
        assert np.linalg.norm(C, axis=0) == pytest.approx(1)
    inverse = np.linalg.inv(C)
    return inverse @ inverse.T


def of_a_tree(rounds):
    """Each node estimated by least squares from itself and all below it, and prefixes added up from them."""
    nodes = [(level, place) for level in range(rounds.bit_length()) for place in range(rounds >> level)]
    at = {node: number for number, node in enumerate(nodes)}

    def leaves(node):
        level, place = node
        return range(place << level, (place + 1) << level)

    weights = np.zeros((rounds, len(nodes)))
    for t in range(1, rounds + 1):
        begin = 0
        for level in reversed(range(t.bit_length())):
            if t >> level & 1:
                top = (level, begin >> level)
                below = [node for node in nodes if set(leaves(node)) <= set(leaves(top))]
                sees = np.array([[leaf in leaves(node) for leaf in leaves(top)] for node in below], float)
                estimate = np.ones(1 << level) @ np.linalg.pinv(sees)
                for node, weight in zip(below, estimate, strict=True):
                    weights[t - 1, at[node]] += weight
                begin += 1 << level
    steps = np.diff(weights, axis=0, prepend=0)
    return steps @ steps.T


@every_noise
def test_a_kind_of_noise_is_a_value_that_json_carries(kind):
    noise = noise_of(kind)
    plan = Plan(privacy=small(Schedule, noise=noise, clipping=FixedClipping()))
    assert Plan.from_json(plan.to_json()) == plan
    stored = json.loads(plan.to_json())["privacy"].get("noise")
    assert stored == (None if kind.kind == "independent" else {"kind": kind.kind, **asdict(noise)})
    for language in ("en", "ja"):
        with speaking(language):
            assert len(noise.sentence) > 10
            assert noise.label
            assert "{" not in noise.label + noise.sentence


@every_noise
def test_correlated_noise_needs_one_clip_norm(kind):
    if kind.is_correlated:
        with pytest.raises(InvalidValueError, match="Use fixed clipping"):
            small(Schedule, noise=noise_of(kind))
    else:
        small(Schedule, noise=noise_of(kind))
