"""The audit of a final model, on simulated ones whose epsilon is known: sums of all rounds, as a server weighs them."""

import numpy as np
import pytest

from dpcore.language import speaking
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import gaussian
from dpcore.privacy.auditing import attacks, final_model, result

# Everybody in each round: without momentum, the final model is one Gaussian that is exactly as private as claimed.
PLAN = PrivacyPlan(population=100, clients_per_round=100, rounds=20, noise_multiplier=6.0, clipping=FixedClipping())
SAMPLED = PrivacyPlan(clients_per_round=1_000, noise_multiplier=5.0)


def simulated(seed, plan=PLAN, *, momentum=0.0, noise=None, step=1.0, canaries=400, bystanders=1_000):
    """Coins, and how far the model has moved along canaries' directions and along others."""
    draw = np.random.default_rng(seed)
    weight = 1 - momentum ** np.arange(plan.rounds, 0, -1) if momentum else np.ones(plan.rounds)
    coins = draw.random(canaries) < 0.5
    sends = (draw.random((plan.rounds, canaries)) < plan.sampling_prob) & coins
    scale = plan.value_noise_multiplier if noise is None else noise
    moved = scale * np.linalg.norm(weight) * draw.standard_normal(canaries + bystanders)
    moved[:canaries] += step * weight @ sends
    return coins, moved[:canaries], moved[canaries:]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_bound_of_an_honest_model_is_above_its_epsilon_as_often_as_it_says(momentum):
    truth = float(gaussian.epsilons(PLAN.noise_multiplier / np.sqrt(PLAN.rounds), PLAN.delta))
    found = [final_model.of(*simulated(seed, momentum=momentum), PLAN) for seed in range(25)]
    assert found[0].claim == pytest.approx(truth, rel=1e-3)
    for method in range(2):
        assert sum(one.bounds[method].epsilon > truth for one in found) <= 1
    assert not any(one.alarms for one in found)
    assert np.mean([one.most for one in found]) > 0.3 * truth  # and yet the attack is none that sees nothing


def test_a_model_without_noise_has_a_high_bound_and_an_alarm():
    shown = final_model.of(*simulated(0, noise=0.2), PLAN)
    assert shown.alarms == (result.CLAIM,)
    assert min(bound.epsilon for bound in shown.bounds) > 3.0
    assert "ALARM: attacks were right more often than the plan's epsilon allows." in final_model.sentence(shown)


def test_a_sampled_run_is_held_to_its_own_trade_off():
    shown = final_model.of(*simulated(0, SAMPLED), SAMPLED)
    assert [bound.method for bound in shown.bounds] == [attacks.ONE_RUN, attacks.PLAN_F_DP]
    assert 0 < shown.most < shown.claim
    assert shown.moved > 3


def test_canaries_that_sent_nothing_are_said_to_be_unseen_and_no_sign_of_safety():
    shown = final_model.of(*simulated(3, step=0.0), PLAN)
    said = final_model.sentence(shown)
    assert "left no trace that can be told from noise" in said
    assert "or they were not sent" in said
    assert "A low bound says that these attacks found little" in final_model.limits_sentence()


def test_canaries_that_pull_the_other_way_are_said_to():
    shown = final_model.of(*simulated(0, step=-1.0), PLAN)
    assert shown.most == 0
    assert "sent as gradients" in final_model.sentence(shown)


def test_guesses_hang_on_no_scale():
    coins, scores, outside = simulated(0)
    one, other = (final_model.of(coins, scale * scores, scale * outside, PLAN) for scale in (1.0, 1e-9))
    assert one.bounds == other.bounds
    assert one.cosine == pytest.approx(other.cosine, abs=1e-6)


@pytest.mark.parametrize("coin", [False, True])
def test_coins_that_all_fell_alike_give_no_number_that_is_none(coin):
    _coins, scores, outside = simulated(0)
    shown = final_model.of(np.full(len(scores), coin), scores, outside, PLAN)
    assert np.isfinite([shown.most, shown.cosine, shown.moved, shown.claim_p]).all()


def test_directions_that_did_not_move_at_all_are_no_crash():
    coins, scores, outside = simulated(0)
    shown = final_model.of(coins, scores, np.zeros_like(outside), PLAN)
    assert (shown.cosine, shown.moved) == (0.0, 0.0)


def test_it_is_told_in_the_readers_language():
    shown = final_model.of(*simulated(0), PLAN)
    english = final_model.sentence(shown), final_model.limits_sentence()
    with speaking("ja"):
        assert not {final_model.sentence(shown), final_model.limits_sentence()} & set(english)
