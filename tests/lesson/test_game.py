"""The game: its evidence is the likelihood ratio, and its best attacker reaches the guarantee and does not pass it."""

import numpy as np
import pytest
from scipy import stats

from dpcore import rng
from dpcore.lesson import game
from dpcore.plan import PrivacyPlan
from dpcore.privacy.risk import risk

GAMES = 40_000  # about 20,000 of each kind


def rates(plan, false_positive_rate, name="test"):
    """What an attack with a threshold at that rate finds, and its standard error; the threshold's as well."""
    took_part, evidence = game.play_many(plan, rng.stream(1, name), GAMES)
    others, members = evidence[~took_part], evidence[took_part]
    threshold = np.quantile(others, 1 - false_positive_rate)
    found = float((members > threshold).mean())
    # How far the threshold's own rate may be off moves what is found by the slope of the curve there.
    around = risk(plan).true_positive_rate(false_positive_rate * np.array([0.9, 1.1]))
    slope = float(np.diff(around)[0]) / (0.2 * false_positive_rate)
    off = np.hypot(
        np.sqrt(found * (1 - found) / len(members)),
        slope * np.sqrt(false_positive_rate * (1 - false_positive_rate) / len(others)),
    )
    return found, float(off)


@pytest.mark.parametrize("noise", [0.3, 0.5, 0.8, 1.2])
@pytest.mark.parametrize("false_positive_rate", [0.01, 0.1])
def test_the_best_attacker_reaches_the_guarantee_and_does_not_pass_it(noise, false_positive_rate):
    plan = PrivacyPlan(noise_multiplier=noise)
    most = float(risk(plan).true_positive_rate(false_positive_rate))
    found, off = rates(plan, false_positive_rate)
    assert found < most + 4 * off
    # It is an attack that comes close, so that a guarantee that says too little would be found out.
    assert found > 0.9 * most - 4 * off
    assert most > 1.5 * false_positive_rate


def test_an_attack_on_less_noise_than_was_accounted_for_passes_the_guarantee():
    claimed = float(risk(PrivacyPlan(noise_multiplier=0.6)).true_positive_rate(0.01))
    found, off = rates(PrivacyPlan(noise_multiplier=0.5), 0.01)
    assert found > claimed + 4 * off


def test_evidence_is_the_ratio_of_the_densities():
    plan, seen = PrivacyPlan(noise_multiplier=0.7), np.linspace(-3, 4, 50)
    q, without = plan.sampling_prob, stats.norm(0, 0.7).pdf(seen)
    expected = np.log(((1 - q) * without + q * stats.norm(1, 0.7).pdf(seen)) / without)
    assert game.log_likelihood_ratio(plan, seen) == pytest.approx(expected, abs=1e-12)


def test_evidence_without_sampling_and_with_hardly_any_noise():
    everybody = PrivacyPlan(population=120, noise_multiplier=0.5)
    assert game.log_likelihood_ratio(everybody, np.array([0.5, 1.0])) == pytest.approx([0, 2])
    clear = game.log_likelihood_ratio(PrivacyPlan(noise_multiplier=0.01), np.array([0.0, 1.0]))
    assert clear[0] == pytest.approx(np.log1p(-120 / 3383))
    assert 4_000 < clear[1] < 5_000  # and it has not overflowed


def test_a_game_is_what_a_training_would_release():
    plan = PrivacyPlan(noise_multiplier=0.8, rounds=50)
    games = [game.play(plan, rng.stream(3, "game", number)) for number in range(800)]
    taken = [one for one in games if one.took_part]
    assert abs(len(taken) - 400) < 4 * np.sqrt(200)
    assert not any(one.joined.any() for one in games if not one.took_part)
    joined = np.stack([one.joined for one in taken])
    assert joined.mean() == pytest.approx(plan.sampling_prob, abs=4 * np.sqrt(0.035 / joined.size))
    noise = np.stack([one.seen - one.joined for one in games])
    assert noise.std() == pytest.approx(0.8, rel=0.02)
    assert abs(noise.mean()) < 4 * 0.8 / np.sqrt(noise.size)
    assert games[0].evidence[-1] == pytest.approx(game.log_likelihood_ratio(plan, games[0].seen).sum())


def test_scores_count_and_add_up():
    truth, said = np.array([True, True, False, False, False]), np.array([True, False, True, False, False])
    one = game.score(truth, said)
    assert one == game.Score(members=2, true_positives=1, others=3, false_positives=1)
    assert (one.games, one.right) == (5, 3)
    assert one + game.score(True, True) == game.Score(members=3, true_positives=2, others=3, false_positives=1)


def test_intervals_cover_as_often_as_they_say():
    draw = rng.stream(0, "intervals")
    hits = [game.confidence_interval(int(draw.binomial(20, 0.1)), 20) for _ in range(400)]
    assert np.mean([low <= 0.1 <= high for low, high in hits]) > 0.95
    assert game.confidence_interval(0, 0) == (0, 1)
    assert game.confidence_interval(0, 10) == (0, pytest.approx(1 - 0.025**0.1))


def test_few_games_tell_no_rate_of_wrong_accusations_and_none_in_many_is_not_0():
    def rate(accused, others):
        return game.Score(members=1, others=others, false_positives=accused).accused_rate

    assert [rate(*few) for few in ((0, 0), (0, 1), (1, 2), (9, 19))] == [None] * 4
    assert rate(10, 500) == 0.02
    assert rate(0, 20) == pytest.approx(1 - 0.025 ** (1 / 20))
    assert 9 / 500 < rate(9, 500) < 0.04
    guaranteed = risk(PrivacyPlan()).true_positive_rate
    assert float(guaranteed(0 / 2)) < 1e-9  # what would be said of none in two
    assert float(guaranteed(rate(0, 20))) > 0.2
