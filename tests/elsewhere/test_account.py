"""What a run elsewhere guarantees: the tables of docs/PEERS.md, and every reason for none."""

import math

import numpy as np
import pytest
from scipy import signal, stats

from dpcore.elsewhere import account, faults, mechanism
from dpcore.errors import InvalidValueError
from tests.elsewhere import logs


def holds(*, accountant=None, **parts):
    """The smallest epsilon of a run by adjacency, or that of one accountant."""
    found = {}
    verdict = account.verdict(logs.run(**parts))
    assert verdict.because == ()
    for one in verdict.holds:
        if accountant in (None, one.accountant):
            found[one.adjacency] = min(one.epsilon, found.get(one.adjacency, math.inf))
    return found


def because(**parts):
    verdict = account.verdict(logs.run(**parts))
    assert not verdict.guarantee
    assert verdict.holds == ()
    assert all(reason.startswith("No guarantee, because ") for reason in verdict.because)
    return " ".join(verdict.because)


ALL = {"sampling": {"kind": "all", "cohort": 1000}, "rounds": [{"repeat": 50}]}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("poisson", {"zero-out": 5.148, "add-or-remove-one": 5.148}),
        ("fixed-size", {"add-or-remove-one": 22.62, "replace-one": 47.03}),
        ("round-robin", {"zero-out": 11.48, "replace-one": 28.37}),
        ("unknown", {"zero-out": 54.38, "replace-one": 159.44}),
    ],
)
def test_how_cohorts_are_formed_decides_the_number(kind, expected):
    found = holds(sampling={"kind": kind})
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=5e-4)


def test_adding_a_user_has_no_number_where_nobody_knows_whom_that_moves():
    assert set(holds(sampling={"kind": "unknown"})) == {"zero-out", "replace-one"}
    assert set(holds(sampling={"kind": "round-robin"})) == {"zero-out", "replace-one"}


def test_everybody_in_every_round_is_one_gaussian():
    found = holds(**ALL)
    assert found == pytest.approx({"zero-out": 54.38, "add-or-remove-one": 54.38, "replace-one": 159.44}, rel=5e-4)


def attained(with_user, without, rounds, delta):
    """A lower bound of epsilon: what two mixtures of Gaussians of deviation 1 attain, losses rounded down."""
    outputs = np.linspace(-30, 40, 400_001)

    def density(mixture):
        return sum(weight * stats.norm.pdf(outputs, mean) for mean, weight in mixture)

    one, other = density(with_user), density(without)
    seen = one > 1e-30
    losses = np.floor(np.log(one[seen] / other[seen]) / 0.005).astype(int)
    masses = np.bincount(losses - losses.min(), one[seen] * (outputs[1] - outputs[0]))
    whole, low, power, base, lowest = np.ones(1), 0, rounds, masses, losses.min()
    while power:
        if power & 1:
            whole, low = np.maximum(signal.fftconvolve(whole, base), 0), low + lowest
        base, lowest, power = np.maximum(signal.fftconvolve(base, base), 0), 2 * lowest, power >> 1
    values = (low + np.arange(len(whole))) * 0.005

    def delta_at(epsilon):
        above = values > epsilon
        return float((whole[above] * -np.expm1(epsilon - values[above])).sum())

    bottom, top = 0.0, 200.0
    for _step in range(40):
        middle = (bottom + top) / 2
        bottom, top = (middle, top) if delta_at(middle) > delta else (bottom, middle)
    return bottom


def test_zero_out_of_draws_that_displace_others_is_no_poisson_sampling():
    """Others send -C, the user +C or, zeroed, nothing: who is drawn takes somebody's place, and that shows.

    Poisson sampling says 5.148 for a cohort of a fixed size, and 7.02 for draws with replacement: both are refuted.
    """
    fixed = attained([(0, 0.9), (2, 0.1)], [(0, 0.9), (1, 0.1)], 50, 1e-5)
    times = [(count, stats.binom.pmf(count, 100, 1e-3)) for count in range(9)]
    replaced = attained([(2 * count, mass) for count, mass in times], times, 50, 1e-5)
    assert fixed == pytest.approx(12.7, abs=0.15)
    assert replaced == pytest.approx(17.3, abs=0.15)
    assert fixed <= holds(sampling={"kind": "fixed-size"})["zero-out"] < 16.1
    assert replaced <= holds(sampling={"kind": "with-replacement"})["zero-out"] < 21.3


def test_adding_a_user_to_a_cohort_of_a_fixed_size_is_attained():
    fixed = attained([(0, 0.9), (4, 0.1)], [(0, 1.0)], 1, 1e-5)  # at noise 1/2: shifts in its deviations
    rounds = [{"sampled": 100, "online": 1000, "replied": 100}]
    found = holds(noise={"multiplier": 0.5}, rounds=rounds)["add-or-remove-one"]
    assert fixed <= found < fixed * 1.01


def test_a_poisson_cohort_that_is_divided_by_who_came_is_seen():
    averaged = holds(sampling={"kind": "poisson"}, average={"divisor": "replies"})
    assert set(averaged) == {"zero-out", "replace-one"}
    assert averaged["zero-out"] > 16


@pytest.mark.parametrize(("replied", "multiplier"), [(50, 0.5), (100, 1.0), (200, 2.0)])
def test_flowers_noise_follows_who_replied(replied, multiplier):
    """Noise z C / n on a mean over m is z m / n on the sum."""
    rounds = [{"repeat": 50, "sampled": max(replied, 100), "online": 1000, "replied": replied}]
    flower = holds(noise={"of": "average"}, average={"divisor": "replies"}, rounds=rounds)
    plain = [{"repeat": 50, "sampled": max(replied, 100), "online": 1000}]
    assert flower == pytest.approx(holds(noise={"multiplier": multiplier}, rounds=plain), rel=1e-9)


def test_a_large_part_of_the_population_costs_more_than_flower_says():
    rounds = [{"sampled": 100, "online": 110, "replied": 100}]
    assert holds(population={"size": 110}, rounds=rounds)["add-or-remove-one"] == pytest.approx(9.858, abs=1e-3)


def test_rounds_that_were_not_released_cost_nothing_and_those_of_which_nothing_is_said_do():
    one = {"sampled": 100, "online": 1000, "replied": 100}
    half = [{**one, "repeat": 25}, {**one, "repeat": 25, "released": False}]
    assert holds(rounds=half) == holds(rounds=[{**one, "repeat": 25}])
    unsaid = [{**one, "repeat": 25}, {**one, "repeat": 25, "released": None}]
    assert holds(rounds=unsaid) == holds()


def test_nothing_released_costs_nothing():
    found = holds(rounds=[{"repeat": 50, "released": False}])
    assert found == {"zero-out": 0, "add-or-remove-one": 0, "replace-one": 0}


def test_a_population_that_varies_counts_where_it_is_smallest():
    rounds = [{"sampled": 100, "online": online, "repeat": 25} for online in (1000, 500)]
    mixed = holds(rounds=rounds, population={"size": None})
    assert holds()["add-or-remove-one"] < mixed["add-or-remove-one"]
    alone = holds(rounds=[{"sampled": 100, "online": 500, "repeat": 50}], population={"size": None})
    assert mixed["add-or-remove-one"] < alone["add-or-remove-one"]


@pytest.mark.parametrize("kind", ["poisson", "fixed-size", "with-replacement", "round-robin"])
def test_without_a_number_of_users_nothing_is_gained_by_sampling(kind):
    rounds = [{"repeat": 50, "sampled": 100, "replied": 100}]
    for population in ({"size": None}, {"size": 1000, "varies": True}):
        found = holds(sampling={"kind": kind}, population=population, rounds=rounds)
        assert found == holds(sampling={"kind": "unknown"})


def test_a_poisson_probability_is_not_who_happened_to_come():
    few = [{"repeat": 50, "sampled": 3, "online": 1000, "replied": 3}]
    assert holds(sampling={"kind": "poisson"}, rounds=few) == holds(sampling={"kind": "poisson"})


def test_round_robin_counts_turns_also_of_rounds_that_were_not_released():
    rounds = [{"repeat": 45, "sampled": 100, "released": True}, {"repeat": 10, "sampled": 100, "released": False}]
    verdict = logs.run(sampling={"kind": "round-robin"}, rounds=rounds)
    assert mechanism.participations(verdict) == 6


def test_round_robin_takes_the_rounds_with_the_least_noise():
    rounds = [{"repeat": count, "sampled": 100, "multiplier": noise} for count, noise in ((45, 1.0), (5, 0.5))]
    worst = holds(sampling={"kind": "round-robin"}, rounds=rounds, noise={"multiplier": None})["zero-out"]
    alike = [{"repeat": 50, "sampled": 100, "multiplier": 0.5}]
    assert worst == holds(sampling={"kind": "round-robin"}, rounds=alike, noise={"multiplier": None})["zero-out"]


def test_adaptive_clipping_pays_for_its_count():
    adaptive = {"kind": "adaptive", "count_noise": 10.0}
    assert holds(clipping=adaptive, noise={"multiplier": (1 - 0.01) ** -0.5}) == pytest.approx(holds(), rel=1e-6)


def test_noise_over_a_clip_that_moves_is_by_round():
    rounds = [{"repeat": 25, "sampled": 100, "online": 1000, "clip": clip, "noise": clip} for clip in (0.5, 2.0)]
    assert holds(rounds=rounds) == pytest.approx(holds(), rel=1e-9)


def test_local_noise_is_not_amplified():
    local = {"where": "client", "multiplier": None, "optimizer_inside": None}
    rounds = [{"repeat": 50, "sampled": 100, "online": 1000, "noise": 2.0, "clip": 2.0}]
    clipping = {"where": "client"}
    found = holds(noise=local, clipping=clipping, rounds=rounds, average={"weights": None, "kind": "median"})
    assert found == pytest.approx({"zero-out": 54.38, "replace-one": 159.44}, rel=5e-4)


def test_a_mechanism_that_states_its_cost_adds_it_up():
    found = holds(
        noise={"kind": "pure", "where": "client"}, rounds=[{"epsilon": 10.1}, {"epsilon": 0.1, "repeat": 2}]
    )
    assert found == pytest.approx({"replace-one": 10.3, "zero-out": 10.3}, rel=1e-9)


NO_NOISE = [{"sampled": 100, "noise": 0.0}]


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ({"unit": "example"}, "unit is an example"),
        ({"average": {"weights": "examples"}}, "weighted by their number of examples"),
        ({"average": {"weights": None}}, "whether all updates weigh the same"),
        ({"noise": {"optimizer_inside": "FedAdam"}}, "server optimiser FedAdam"),
        ({"noise": {"optimizer_inside": None}}, "whether a server optimiser"),
        ({"average": {"kind": "median"}}, "by median instead of a mean"),
        ({"average": {"kind": "trimmed-mean"}}, "by trimmed-mean"),
        ({"clipping": {"covers": "example"}}, "examples are clipped while updates"),
        ({"clipping": {"covers": "part"}}, "part of the update"),
        ({"clipping": {"kind": "none"}}, "nothing is clipped"),
        ({"clipping": {"kind": "adaptive"}}, "no noise on that count"),
        ({"clipping": {"kind": "adaptive", "count_noise": 0.0}}, "no noise on that count"),
        (
            {"clipping": {"kind": "adaptive", "count_noise": 9.0}, "framework": {"name": "flower"}},
            "Flower's adaptive clipping",
        ),
        ({"noise": {"seed": 0}}, "fixed seed 0"),
        ({"noise": {"seed": -7}}, "fixed seed -7"),
        ({"also_released": ["norms"]}, "exact norms"),
        ({"also_released": ["loss", "clip-bits"]}, "how many updates were clipped"),
        ({"also_released": ["updates"]}, "updates of single users"),
        ({"also_released": ["scalars"]}, "scalars pass through"),
        ({"noise": {"kind": "none"}}, "no noise is added"),
        ({"noise": {"kind": "correlated"}}, "correlated from round to round"),
        ({"noise": {"multiplier": 0.0}}, "no noise to speak of"),
        ({"noise": {"multiplier": 1e-5}}, "no noise to speak of"),
        ({"rounds": NO_NOISE, "noise": {"multiplier": None}}, "no noise to speak of"),
        ({"rounds": [{"sampled": 100, "noise": 0.5}]}, "less noise than was configured: 0.5"),
        ({"rounds": [{"sampled": 100}, {"sampled": 100, "multiplier": 0.9}]}, "round 2 has less noise"),
        ({"noise": {"multiplier": None}}, "how much noise round 1"),
        (
            {"noise": {"of": "average"}, "average": {"divisor": "replies"}, "rounds": [{"sampled": 9}]},
            "how much noise",
        ),
        ({"rounds": None}, "how many rounds"),
        ({"rounds": []}, "how many rounds"),
        (
            {"noise": {"kind": "pure"}, "rounds": [{"epsilon": 1e15, "repeat": 10}]},
            "bounds no epsilon at delta 1e-05",
        ),
        ({"noise": {"kind": "pure"}}, "what it cost"),
    ],
)
def test_what_leaves_no_guarantee_is_said_with_its_fact(parts, word):
    assert word in because(**parts)


def test_all_reasons_are_said_and_not_the_first_alone():
    assert len(faults.of(logs.run(unit="example", average={"weights": None}, noise={"seed": 3}))) == 3


@pytest.mark.parametrize(
    "parts",
    [
        {"rounds": [{"sampled": 1001, "online": 1000}]},
        {"rounds": [{"sampled": 10, "replied": 11}]},
        {"sampling": {"kind": "all"}},
        {"population": {"size": 50}},
    ],
)
def test_a_record_that_contradicts_itself_is_refused(parts):
    with pytest.raises(InvalidValueError, match="round 1"):
        account.verdict(logs.run(**parts))


def test_what_else_was_released_takes_no_guarantee_by_itself():
    assert account.verdict(logs.run(also_released=["training loss"])).guarantee


@pytest.mark.parametrize("delta", [0.0, 1.0, 1e-300])
def test_an_extreme_delta_is_answered_or_refused(delta):
    try:
        verdict = account.verdict(logs.run(delta=delta))
    except InvalidValueError:
        assert delta == 1.0
    else:
        assert all(one.epsilon > 22.6 for one in verdict.holds if one.adjacency == "add-or-remove-one")


def test_many_kinds_of_rounds_are_brought_to_few_and_never_cheaper():
    rounds = [
        {"sampled": 100, "online": 1000, "replied": 90 + at % 10, "multiplier": 1 + at / 997} for at in range(300)
    ]
    many = holds(rounds=rounds, noise={"multiplier": None})["add-or-remove-one"]
    most = holds(rounds=[{"sampled": 100, "online": 1000, "repeat": 300}])["add-or-remove-one"]
    least = holds(rounds=[{"sampled": 100, "online": 1000, "repeat": 300}], noise={"multiplier": 1.31})
    assert least["add-or-remove-one"] < many < most
