"""A plan for many users, tried out on few."""

from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError
from dpcore.mechanisms.noise import Banded
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.assumptions import rehearsal
from dpcore.privacy.assumptions.comparison import effective_noise

LARGE = PrivacyPlan(population=2_000_000, clients_per_round=4000, noise_multiplier=8.0, rounds=500, delta=1e-7)


@pytest.mark.parametrize("plan", [LARGE, replace(LARGE, clipping=FixedClipping(clip_norm=0.3))])
def test_it_has_the_effective_noise_the_rounds_and_the_clipping_and_no_better_epsilon(plan):
    few = rehearsal.of(plan, 3383)
    assert effective_noise(few) == pytest.approx(effective_noise(plan), rel=1e-9)
    assert (few.population, few.clients_per_round, few.rounds, few.clipping) == (3383, 100, 500, plan.clipping)
    assert accounting.epsilon(few).value > accounting.epsilon(plan).value


def test_correlated_noise_is_as_large_on_the_models_path():
    noise = Banded(bands=8)
    plan = replace(LARGE, clipping=FixedClipping(), participation=Schedule(min_separation=20), noise=noise)
    few = rehearsal.of(plan, 3383)
    assert few.path_noise / few.clients_per_round == pytest.approx(
        plan.path_noise / plan.clients_per_round, rel=1e-9
    )


def test_everybody_in_each_round_is_rehearsed_on_some_and_nothing_is_made_up():
    everybody = replace(LARGE, clients_per_round=LARGE.population, noise_multiplier=4000.0)
    assert rehearsal.of(everybody, 3383).cohorts.kind == "poisson"
    assert rehearsal.of(LARGE, 40).clients_per_round == 40  # as many as there are
    with pytest.raises(InvalidValueError, match=r"at least 0\.001"):
        rehearsal.of(replace(LARGE, noise_multiplier=0.01), 3383)
