"""Whether two runs share noise: what is the same is found, and nothing that users do in both rings."""

import numpy as np
import pytest
from scipy import stats

from dpcore.learning import directions
from dpcore.privacy.auditing import sharing
from dpcore.privacy.auditing.sharing import CANNOT_TELL, NO_SIGN, SHARED, compare, sentence
from dpcore.rng import stream

ROUNDS, DIRECTIONS = 20, 1_000


def noise(number, rounds=ROUNDS):
    return np.random.default_rng(number).standard_normal((rounds, DIRECTIONS))


def users(rounds=ROUNDS, size=1.0):
    """What users add in both runs alike: they learn the same."""
    return size * np.random.default_rng(99).standard_normal((rounds, DIRECTIONS))


def test_noise_that_is_the_same_is_told_from_other_noise():
    same, other = compare(noise(1), noise(1) + 0.05 * noise(2)), compare(noise(1), noise(2))
    assert (same.verdict, other.verdict) == (SHARED, NO_SIGN)
    assert same.correlation == pytest.approx(0.999, abs=0.001)
    assert abs(other.correlation) < 3 * np.sqrt(2 / ROUNDS / DIRECTIONS)
    assert other.low < 0 < other.high
    assert (same.p, same.closest[0]) == (1e-300, same.closest[1])
    assert "ALARM: the two runs share noise" in sentence(same)
    assert "p < 1e-300" in sentence(same)
    assert "as it must be" in sentence(same, by_design=True)
    assert sentence(other).startswith("No sign that the two runs share noise. That is no proof")


@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_users_who_are_alike_in_both_runs_do_not_ring_and_do_not_hide_it(size):
    """However much of a release they are: their correlation would be 0.9."""
    alike = users(size=size)
    assert compare(noise(1) + alike, noise(2) + alike).verdict == NO_SIGN
    assert compare(noise(1) + alike, noise(1) + alike + 0.1 * noise(3)).verdict == SHARED


def test_what_users_hide_is_not_said_to_be_absent():
    found = compare(noise(1) + 3 * noise(3), noise(2) + 3 * noise(4))
    assert (found.verdict, found.p) == (CANNOT_TELL, 1)
    assert "cannot be told" in sentence(found)
    assert "Correlation" not in sentence(found)
    assert compare(noise(1) + 3 * noise(3), noise(1) + 3 * noise(4)).verdict == CANNOT_TELL


def test_one_round_that_is_the_same_as_another_ones_is_found():
    second = noise(2)
    second[3] = noise(1)[11]
    found = compare(noise(1), second)
    assert (found.verdict, found.closest) == (SHARED, (12, 4))
    assert found.closest_correlation == pytest.approx(1)
    assert "Closest are round 12 of the first run and round 4 of the second: correlation 1." in sentence(found)
    assert compare(noise(1)[:15], second).closest == (12, 4)  # other numbers of rounds
    assert compare(noise(1)[:15], second).rounds == 15


def test_more_rounds_than_are_compared_at_once(monkeypatch):
    whole = compare(noise(1), noise(1)[::-1])
    monkeypatch.setattr(sharing, "_BLOCK", 7)
    parts = compare(noise(1), noise(1)[::-1])
    assert (parts.closest[0] + parts.closest[1], parts.verdict) == (ROUNDS + 1, SHARED)
    assert parts.correlation == pytest.approx(whole.correlation)


def test_a_part_that_is_the_same_is_found():
    half = noise(1) * np.sqrt(0.5)
    assert compare(noise(1), half + np.sqrt(0.5) * noise(2)).correlation == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert compare(noise(1), half + np.sqrt(0.5) * noise(2)).verdict == SHARED


def test_alarms_are_as_seldom_as_they_say():
    ps = []
    for seed in range(300):
        draw = np.random.default_rng([5, seed])
        ps.append(compare(draw.standard_normal((8, 200)), draw.standard_normal((5, 200))).p)
    for level in (0.2, 0.05):
        count = sum(p <= level for p in ps)
        assert 0 < count <= stats.binom.ppf(1 - 1e-4, len(ps), level)


class TestOtherDirections:
    """Of two runs with other canaries: what the one saw is carried over to where the other looked."""

    SIZE, FIRST, SECOND = 5_000, 1_500, 2_000  # coordinates, and bystanders of each run

    def looks(self, first, second):
        one, two = (directions.drawn(stream(seed, "directions"), self.SIZE) for seed in (0, 1))
        carried = []
        for row in first.astype(np.float32):
            seen = one.projections(row)
            seen[: -self.FIRST] = 0
            carried.append(two.projections(one.sum(seen))[-self.SECOND :])
        seen = np.array([two.projections(row.astype(np.float32))[-self.SECOND :] for row in second])
        return compare(np.array(carried, float), seen.astype(float), overlap=self.FIRST / self.SIZE)

    def noise(self, number):
        return np.random.default_rng([7, number]).standard_normal((12, self.SIZE))

    def test_noise_that_is_the_same_is_told_from_other_noise(self):
        same, other = self.looks(self.noise(1), self.noise(1)), self.looks(self.noise(1), self.noise(2))
        assert (same.verdict, other.verdict) == (SHARED, NO_SIGN)
        assert same.low < 1
        assert same.correlation == pytest.approx(1, abs=0.1)
        assert abs(other.correlation) < 4 * 0.021  # its spread
        assert other.high - other.low == pytest.approx(2 * 1.96 * 0.021, rel=0.05)
        assert not same.same_directions

    def test_users_who_are_alike_do_not_ring(self):
        alike = 2 * self.noise(9)
        assert self.looks(self.noise(1) + alike, self.noise(2) + alike).verdict != SHARED

    def test_too_few_rounds_cannot_tell(self):
        small = np.random.default_rng(3).standard_normal((1, 4_000)) * 0.1
        own = np.random.default_rng(4).standard_normal((1, 4_000))
        assert compare(small, own, overlap=0.01).verdict == CANNOT_TELL
