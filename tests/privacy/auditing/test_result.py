"""What is said of a run, beside what its plan claims."""

import dataclasses

import pytest

from dpcore.mechanisms.participation import Full
from dpcore.plan import PrivacyPlan
from dpcore.privacy import gaussian
from dpcore.privacy.auditing import result
from tests.privacy.auditing.simulated import trace


@pytest.mark.parametrize(("adjacency", "moved"), [("add-or-remove-one", 1), ("replace-one", 2)])
def test_a_round_is_claimed_for_the_neighbours_of_its_plan(adjacency, moved):
    """A user who is replaced moves a sum by twice the clip norm."""
    plan = PrivacyPlan(
        population=500,
        clients_per_round=500,
        rounds=3,
        noise_multiplier=10.0,
        participation=Full(),
        adjacency=adjacency,
    )
    found = result.of(trace(0, plan=plan, run_canaries=50, round_canaries=50, directions=512), plan)
    assert found.claim_of_a_round == pytest.approx(float(gaussian.epsilons(10.0 / moved, plan.delta)))
    assert found.claim_of_a_round <= found.claim


def test_a_run_that_is_not_whole_says_of_how_many_rounds_it_speaks():
    plan = PrivacyPlan(clients_per_round=50, noise_multiplier=1.0, rounds=6)
    whole = trace(0, plan=plan, run_canaries=50, round_canaries=50, directions=512)
    begun = dataclasses.replace(
        whole,
        **{name: getattr(whole, name)[:4] for name in ("projections", "joined", "clip_norms", "layer_scale")},
    )
    assert "So far 4 of 6 rounds" in result.sentence(result.of(begun, plan))
    assert "So far" not in result.sentence(result.of(whole, plan))
