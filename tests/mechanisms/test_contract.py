"""What every kind of a part of a plan must answer. A new kind is one more in the tuple of its module."""

import json
import math
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest

from dpcore import rng
from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.mechanisms.clipping import BY_KIND, CLIPPINGS, chosen
from dpcore.mechanisms.events import Event
from dpcore.mechanisms.noise import NOISES
from dpcore.mechanisms.participation import ADJACENCIES, PARTICIPATIONS
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, curves

FLEET = {"population": 60, "clients_per_round": 12}
SHAPES = [(3, 4), (5,)]
of_kind = {"ids": lambda kind: kind.kind}
every_clipping = pytest.mark.parametrize("kind", CLIPPINGS, **of_kind)
every_participation = pytest.mark.parametrize("kind", PARTICIPATIONS, **of_kind)
every_noise = pytest.mark.parametrize("kind", NOISES, **of_kind)


def fleet(kind) -> dict[str, int]:
    return FLEET | ({"clients_per_round": 60} if kind.kind == "full" else {})


def small(kind, **given) -> PrivacyPlan:
    return PrivacyPlan(noise_multiplier=0.7, **fleet(kind), **given)


@every_participation
def test_a_cohort_is_of_users_each_once_and_follows_its_stream(kind):
    draws = [rng.stream(7, "client_sampling", number) for number in (1, 1, 2)]
    first, again, other = (kind().cohort(draw, **fleet(kind)) for draw in draws)
    assert first.dtype == np.int64
    assert (np.diff(first) > 0).all()
    assert set(first) <= set(range(60))
    assert first.tolist() == again.tolist()
    assert kind.kind == "full" or first.tolist() != other.tolist()


@every_participation
def test_cohorts_are_of_the_expected_size_on_the_average(kind):
    sizes = [len(kind().cohort(rng.stream(1, "sizes", number), **fleet(kind))) for number in range(2000)]
    assert np.mean(sizes) == pytest.approx(fleet(kind)["clients_per_round"], abs=5 * 3.1 / 2000**0.5)


@every_participation
def test_an_event_is_of_plain_numbers_and_grows_with_the_rounds(kind):
    event = kind().event(noise_multiplier=1.2, rounds=5, **fleet(kind))
    assert isinstance(event, Event)
    assert [type(number) for number in (*event.mechanism, event.count)] == [float, float, int]
    assert event.is_sampled == (kind.kind != "full")
    plans = [small(kind, rounds=rounds) for rounds in (0, 1, 5)]
    epsilons = [accounting.epsilon(plan).value for plan in plans]
    assert epsilons == sorted(epsilons)
    assert epsilons[0] == 0


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
@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_an_adjacency_is_refused_with_a_reason_or_accounted(kind, adjacency):
    reason = kind().refusal(adjacency)
    if not reason:
        assert 0 < accounting.epsilon(small(kind, adjacency=adjacency)).value < math.inf
    else:
        with pytest.raises(InvalidValueError, match=reason[:30]):
            small(kind, adjacency=adjacency)


@every_participation
def test_a_guarantee_says_how_cohorts_are_formed(kind):
    for language in ("en", "ja"):
        with speaking(language):
            said = [kind().condition(**fleet(kind)), kind().assumption(**fleet(kind))]
            said += [kind().conduct(seeded=seeded) for seeded in (False, True)]
        assert all(len(sentence) > 10 for sentence in said)
        assert "{" not in "".join(said)


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
def test_noise_follows_its_stream_is_of_unit_variance_and_centred(kind):
    def stream(round_num):
        return rng.stream(3, "update_noise", round_num)

    first, again, other = (list(kind().of_round(stream, number, SHAPES)) for number in (1, 1, 2))
    assert [part.shape for part in first] == SHAPES
    assert {part.dtype for part in first} == {np.dtype(np.float32)}
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))
    (many,) = kind().of_round(stream, 1, [(100_000,)])
    assert many.std() == pytest.approx(1, abs=0.012)
    assert abs(many.mean()) < 0.016
