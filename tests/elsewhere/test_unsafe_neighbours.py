"""What a record says twice, or not at all, never makes a number smaller or a claim hold."""

import pytest

from dpcore.elsewhere import account, by_round, mechanism, noise_added, statement
from dpcore.errors import InvalidValueError
from tests.elsewhere import logs


@pytest.mark.parametrize("kind", ["poisson", "fixed-size", "round-robin"])
def test_a_probability_below_the_cohorts_own_is_not_taken(kind):
    known, both = (logs.run(sampling={"kind": kind, "probability": given}) for given in (None, 0.001))
    assert mechanism.bounds(both) == mechanism.bounds(known)


def test_a_probability_above_the_cohorts_own_is_taken():
    found = mechanism.bounds(logs.run(sampling={"probability": 0.2}))[0]
    assert found.events[0].mechanism.sampling_prob == 0.2


@pytest.mark.parametrize(
    ("kind", "replied"),
    [("fixed-size", 101), ("round-robin", 101), ("unknown", 101), ("poisson", 1001), ("all", 1001)],
)
def test_more_replies_than_there_can_be_are_refused(kind, replied):
    cohort = None if kind == "all" else 100
    average = {"divisor": "replies", "configured": 100}
    rounds = [{"repeat": 50, "replied": replied}]
    run = logs.run(
        sampling={"kind": kind, "cohort": cohort}, noise={"of": "average"}, average=average, rounds=rounds
    )
    with pytest.raises(InvalidValueError, match="round 1 to have at most"):
        account.check(run)


def test_noise_is_not_taken_over_the_first_norm_of_an_adaptive_clip():
    clipping, noise = {"kind": "adaptive", "count_noise": 10.0}, {"multiplier": None}
    run = logs.run(clipping=clipping, noise=noise, rounds=[{"repeat": 50, "sampled": 100, "noise": 1.0}])
    assert noise_added.of_round(run, run.rounds[0]).ratio is None
    assert not account.verdict(run).guarantee


@pytest.mark.parametrize("adjacency", ["zero-out", "add-or-remove-one"])
def test_a_stated_cost_of_one_user_taken_out_is_twice_that_of_a_replacement(adjacency):
    run = logs.run(adjacency=adjacency, noise={"kind": "pure"}, rounds=[{"repeat": 10, "epsilon": 1.0}])
    found = {one.adjacency: one.epsilon for one in account.verdict(run).holds}
    assert found == pytest.approx({"zero-out": 10.0, "replace-one": 20.0})
    assert by_round.epsilons(run, "replace-one", 0.0)[-1][1] == pytest.approx(20.0)


def test_noise_of_no_stated_kind_costs_something_after_each_round():
    run = logs.run(noise={"kind": None}, sampling={"kind": "unknown"})
    assert by_round.epsilons(run, "zero-out", 1e-5)[-1][1] == pytest.approx(54.38, rel=1e-3)


@pytest.mark.parametrize(
    "claim",
    [
        {"adjacency": "zero-out", "epsilon": 60.0, "delta": 1e-9},
        {"adjacency": "zero-out", "epsilon": 60.0},
        {"adjacency": "replace-one", "epsilon": 60.0, "delta": 1e-5},
        {"adjacency": "add-or-remove-one", "epsilon": 60.0, "delta": 1e-5},
        {"epsilon": 60.0, "delta": 1e-5},
    ],
)
def test_a_claim_of_something_else_is_not_called_large_enough(claim):
    adjacency = "zero-out" if "adjacency" in claim else None
    verdict = account.verdict(logs.run(adjacency=adjacency, sampling={"kind": "unknown"}, claimed=[claim]))
    assert "not too small" not in statement.claim_sentence(verdict)


def test_a_claim_of_the_same_is_called_large_enough():
    claim = {"adjacency": "zero-out", "epsilon": 60.0, "delta": 1e-5}
    verdict = account.verdict(logs.run(sampling={"kind": "unknown"}, claimed=[claim]))
    assert "not too small" in statement.claim_sentence(verdict)


def test_a_clients_own_noise_is_paid_for_when_it_sends():
    local = {"noise": {"where": "client"}, "clipping": {"where": "client"}}
    all_of_them, few = (
        logs.run(
            **local, rounds=[{"repeat": 5, "sampled": 100}, {"repeat": 45, "sampled": 100, "released": released}]
        )
        for released in (True, False)
    )
    assert mechanism.bounds(few) == mechanism.bounds(all_of_them)


def test_what_the_server_clips_after_clients_have_added_noise_has_no_bound():
    run = logs.run(noise={"where": "client"}, clipping={"where": "server"})
    assert "clipping.where" in " ".join(account.verdict(run).because)


def test_far_more_than_the_expected_cohort_contradicts_the_record():
    run = logs.run(sampling={"kind": "poisson", "cohort": 1}, rounds=[{"repeat": 50, "sampled": 100}])
    with pytest.raises(InvalidValueError, match="round 1 to have at most"):
        account.check(run)
    account.check(logs.run(sampling={"kind": "poisson", "cohort": 100}, rounds=[{"repeat": 50, "sampled": 130}]))


def test_a_part_that_is_not_clipped_voids_a_mechanism_of_the_clients_too():
    run = logs.run(noise={"kind": "pure"}, clipping={"covers": "part"}, rounds=[{"repeat": 10, "epsilon": 1.0}])
    assert "clipping.covers" in " ".join(account.verdict(run).because)
