import itertools

import numpy as np
import pytest

from dpcore.plan import PrivacyPlan
from dpcore.privacy import composition, ledger
from dpcore.privacy.many import kept, together

SWEEP = [(0.5, 50 / 3383, 100), (0.75, 50 / 3383, 100), (1.0, 50 / 3383, 100), (1.2, 120 / 3383, 100)]
ODD = [(1.2, 0.03, 100), (40.0, 1e-3, 7), (0.9, 1.0, 3), (300.0, 0.5, 1000), (0.2, 1e-4, 2)]
MANY = [(float(noise), 0.03, 10) for noise in np.geomspace(0.6, 4, 40)]


@pytest.fixture(autouse=True)
def _nothing_known():
    together._memory.clear()
    kept.keep_in(None)
    yield
    together._memory.clear()
    kept.keep_in(None)


class InMemory(dict):
    """A keeper that counts what it is asked for."""

    def find(self, name):
        return self.get(name)

    def keep(self, answers):
        self.update(answers)


@pytest.mark.parametrize("runs", [SWEEP, ODD, MANY, SWEEP[:2]], ids=["sweep", "odd", "many", "two"])
@pytest.mark.parametrize(("delta", "most"), [(1e-5, 1.5e-4), (1e-10, 1e-3)])
def test_it_is_hardly_above_another_composition(runs, delta, most):
    # All at once, by other losses, under a tilt, on finer and finer grids: an upper bound too, by up to `closeness`.
    other, _step = composition.epsilon(runs, delta, closeness=1e-5)
    found, _step = together.epsilon(runs, delta)
    assert other * (1 - 2e-5) <= found <= other * (1 + most)


def rounded_down(noise, prob, side, step):
    """A round's losses by their closed-form tails, each mass on the loss below: never above the true ones."""
    from scipy import special

    losses = np.arange(-6000, 6001) * step
    # The output at which a loss is reached, and how probable more of it is with the user and without.
    with np.errstate(divide="ignore", invalid="ignore"):
        output = noise * np.log1p(np.maximum(np.expm1(side * losses) / prob, -1)) + 0.5 / noise
    absent = special.ndtr(-side * output)
    present = (1 - prob) * absent + prob * special.ndtr(side * (1 / noise - output))
    tails = present if side == 1 else absent
    return -np.diff(np.append(tails, 0))


def test_it_is_never_below_losses_that_are_rounded_down():
    kinds, step, delta = [(0.8, 0.2, 1), (1.5, 0.1, 2), (2.0, 0.3, 1)], 1e-3, 1e-5
    least = []
    for side in (1, -1):
        masses, lowest = np.ones(1), 0
        for noise, prob, rounds in kinds:
            for _round in range(rounds):
                masses, lowest = np.convolve(masses, rounded_down(noise, prob, side, step)), lowest - 6000
                keep = np.flatnonzero(masses > 1e-30)
                masses, lowest = masses[keep[0] : keep[-1] + 1], lowest + keep[0]
        losses = (lowest + np.arange(len(masses))) * step
        profile = [float(masses[losses > one] @ -np.expm1(one - losses[losses > one])) for one in losses]
        least.append(losses[np.array(profile) > delta].max())
    found, _step = together.epsilon(kinds, delta)
    assert max(least) < found < max(least) + 5 * step


def test_the_order_in_which_runs_came_does_not_matter():
    found = {together.epsilon(runs, 1e-5) for runs in itertools.permutations(SWEEP[:3])}
    assert len(found) == 1
    before = together.epsilon(MANY, 1e-5)
    together.epsilon(MANY[::2], 1e-5)
    assert together.epsilon(MANY[::-1], 1e-5) == before


def test_one_kind_more_makes_few_parts_and_the_same_number_as_all_anew():
    made = InMemory()
    kept.keep_in(made)
    together.epsilon(MANY[1:], 1e-5)
    count = len(made)
    found = together.epsilon(MANY, 1e-5)
    assert 2 <= len(made) - count <= 14
    together._memory.clear()
    kept.keep_in(None)
    assert together.epsilon(MANY, 1e-5) == found


def test_what_is_kept_gives_the_same_number_in_another_process():
    made = InMemory()
    kept.keep_in(made)
    found = together.epsilon(SWEEP, 1e-5)
    count = len(made)
    together._memory.clear()
    assert together.epsilon(SWEEP, 1e-5) == found
    assert len(made) == count


def test_memory_is_bounded():
    memory = together._Memory(3 * 2 * 4 * 100)
    part = together.Part(-5, 0, np.ones(100, np.float32), 0.0)
    for number in range(10):
        memory.add(bytes([number]), (part, part))
    assert [number for number in range(10) if memory.find(bytes([number]))] == [7, 8, 9]


def test_more_runs_cost_more():
    plans = [PrivacyPlan(noise_multiplier=noise) for noise in (1.0, 1.1, 1.3, 1.7)]
    spent = [ledger.compose(plans[:count], 1e-5).headline.value for count in range(1, 5)]
    assert spent == sorted(set(spent))


def test_whose_number_it_is_is_said():
    found = ledger.compose([PrivacyPlan(noise_multiplier=1.0), PrivacyPlan()], 1e-5)
    assert "several kinds" in found.pld.note
