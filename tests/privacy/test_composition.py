"""The program's own composition: between bounds that are computed in other ways, over the whole range of the sliders."""

import functools
import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import fft, special, stats

from dpcore.privacy import composition, curves, gaussian
from tests.privacy.test_losses import exact_delta

CASES = {
    case["id"]: case
    for case in json.loads(Path(__file__).with_name("golden.json").read_text())["cases"]
    if case["accountant"] == "PLD"
}


def epsilon(*runs, delta, closeness=3e-5):
    return composition.epsilon(runs, delta, closeness=closeness)[0]


def draws(count, *, seed, rounds=(0, 6), delta=(-30, -2)):
    """So many runs of one kind and a delta, evenly on logarithmic scales over all that a plan may have."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        noise, prob = 10 ** rng.uniform(-1.7, 2), 10 ** rng.uniform(-9, -0.002)
        yield (float(noise), float(prob), int(10 ** rng.uniform(*rounds))), float(10 ** rng.uniform(*delta))


@pytest.mark.parametrize("seed", range(4))
def test_one_round_against_its_closed_form(seed):
    """The delta at the epsilon is the one that was asked for; the largest of both sides, and down to 1e-150."""
    for (noise, prob, _), delta in draws(30, seed=seed, delta=(-30, -2) if seed % 2 else (-150, -2)):
        found = epsilon((noise, prob, 1), delta=delta)

        def reached(at, noise=noise, prob=prob):
            return max(exact_delta(noise, prob, side, mpmath.mpf(at)) for side in (1, -1))

        assert reached(found) <= delta, (noise, prob, delta)
        # The last tenth of a percent is for the grid; where losses are rare and large, for the rounding of the transform.
        assert found == 0 or reached(found / 1.001) > delta or reached(found / 1.2) > 1.5 * delta, (
            noise,
            prob,
            delta,
        )


@functools.cache
def convolved(run, side, *, losses=400):
    """The lowest loss of a few rounds, a step, probabilities of losses that are rounded down, and that of infinity.

    By direct convolution: all terms are positive, so that the smallest tail keeps its digits. What is cut off below is
    left out.
    """
    noise, prob, rounds = run
    far = 40.0 if prob < 1e-3 else 25.0
    with mpmath.workdps(50):

        def loss(output):
            ratio = mpmath.mpf(output) / noise - mpmath.mpf(0.5) / mpmath.mpf(noise) ** 2
            return float(mpmath.log(1 - mpmath.mpf(prob) + prob * mpmath.exp(ratio)))

        low, high = loss(-far / 2), loss(far / 2 + (1 / noise if side == 1 else 0))
        step = (high - low) / losses
        grid = [low + step * place for place in range(losses + 1)]
        outputs = [-far / 2] + [
            float(noise * mpmath.log(max(1 + mpmath.expm1(mpmath.mpf(one)) / prob, 1e-300)) + 0.5 / noise)
            for one in grid[1:]
        ]
    outputs = np.array(outputs)

    def between(ends):
        lower, upper = special.ndtr(ends), special.ndtr(-ends)
        return np.where(ends[:-1] > 0, upper[:-1] - upper[1:], np.diff(lower))

    absent, present = between(outputs), between(outputs - 1 / noise)
    if side == 1:
        masses, lowest = (1 - prob) * absent + prob * present, low
        beyond = (1 - prob) * special.ndtr(-outputs[-1]) + prob * special.ndtr(1 / noise - outputs[-1])
    else:
        masses, lowest, beyond = absent[::-1], -high, special.ndtr(outputs[0])
    together = masses
    for _ in range(rounds - 1):
        together = np.convolve(together, masses)
    return rounds * lowest, step, together, rounds * beyond


def bracket(run, delta):
    """An epsilon below the true one and one above it, by rounding all losses down, and all of them up."""
    found = []
    for up in (0, 1):
        sides = [0.0]
        for side in (1, -1):
            lowest, step, masses, beyond = convolved(run, side)
            losses = lowest + step * (np.arange(len(masses)) + up * run[2])

            def reached(at, losses=losses, masses=masses, beyond=up * beyond):
                return float((masses * -np.expm1(np.minimum(at - losses, 0))).sum()) + beyond

            low, high = 0.0, max(losses[-1], 0.0)
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if reached(middle) > delta else (low, middle)
            sides.append(high if reached(0.0) > delta else 0.0)
        found.append(max(sides))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_few_rounds_are_between_losses_rounded_down_and_up(seed):
    for run, delta in draws(5, seed=seed, rounds=(0, 1.2)):
        low, high = bracket(run, delta)
        assert low * (1 - 1e-9) <= epsilon(run, delta=delta) <= high * (1 + 1e-4) + 1e-12, (run, delta)


@given(
    noise=st.floats(-2.5, 3), prob=st.floats(-9, -1e-4), rounds=st.floats(0, 6), delta=st.floats(-60, -0.5)
)  # powers of ten
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_above_what_an_attack_achieves_and_below_what_others_prove(noise, prob, rounds, delta):
    """The attack counts the rounds whose output lies beyond a threshold, and accuses from a number of them on."""
    noise, prob, rounds, delta = 10**noise, 10**prob, int(10**rounds), 10**delta
    found = epsilon((noise, prob, rounds), delta=delta, closeness=1e-3)
    setting = {"noise_multiplier": noise, "sampling_prob": prob, "rounds": rounds, "delta": delta}
    assert found <= float(curves.rdp_epsilons(**setting))
    known = gaussian.epsilons(np.array(noise / math.sqrt(rounds)), np.array(delta))  # who took part
    assert found <= 1.005 * float(known) + 1e-6
    best = 0.0
    for threshold in np.linspace(0, min(1 / noise + 8, 37), 30):
        absent = special.ndtr(-threshold)
        present = (1 - prob) * absent + prob * special.ndtr(1 / noise - threshold)
        top = stats.binom.isf(delta / 2, rounds, present)
        counts = np.unique(np.linspace(0, max(top, 0), 200).astype(int))
        with np.errstate(all="ignore"):
            achieved = np.log(stats.binom.sf(counts, rounds, present) - delta)
            achieved -= np.log(stats.binom.sf(counts, rounds, absent))
        best = max(best, achieved[np.isfinite(achieved)].max(initial=0))
    assert found >= best * (1 - 1e-9) - 1e-12


@pytest.mark.parametrize("rounds", [1, 1_000, 1_000_000])
def test_nearly_everybody_is_the_gaussian_of_the_closed_form(rounds):
    """With all but one in 1e9 sampled the epsilon is everybody's in all shown digits; tails as small as a float's."""
    for delta in (0.1, 1e-5, 1e-12, 1e-30, 1e-100, 1e-190):
        exact = float(gaussian.epsilons(1.0, delta))
        found = epsilon((math.sqrt(rounds), 1 - 1e-9, rounds), delta=delta)
        assert exact * (1 - 3e-9 * math.sqrt(rounds)) <= found <= exact * (1 + 1e-4)
        assert exact <= epsilon((math.sqrt(rounds), 1.0, rounds), delta=delta) <= exact * (1 + 1e-4)


@pytest.mark.parametrize(
    "case", [case for case in CASES.values() if case["group"] == "epsilon"], ids=lambda case: case["id"]
)
def test_golden_epsilons(case):
    inputs = case["inputs"]
    run = inputs["noise_multiplier"], inputs["sampling_prob"], inputs["rounds"]
    expected = case["expected"]
    assert abs(epsilon(run, delta=inputs["delta"]) - expected) <= max(case["tol_abs"], 2e-4 * expected)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if isinstance(case["inputs"].get("runs"), list)]
)
def test_golden_ledgers(name):
    inputs = CASES[name]["inputs"]
    runs = [(noise, clients / 3383, rounds) for clients, noise, rounds in inputs["runs"]]
    if "epsilon" in inputs:
        (found,) = composition.deltas(runs, np.array([inputs["epsilon"]]))
        assert found == pytest.approx(CASES[name]["expected"], rel=2e-3)
    else:
        assert epsilon(*runs, delta=inputs["delta"]) == pytest.approx(CASES[name]["expected"], rel=2e-4)


def test_runs_of_several_kinds():
    """A kind that hardly counts, one that is split in two, and rounds without sampling."""
    one, other = (0.1, 0.03, 40), (1.2, 0.0355, 100)
    alone, both = epsilon(one, delta=1e-12), epsilon(one, other, delta=1e-12)
    assert alone < both <= alone + epsilon(other, delta=1e-13)
    assert epsilon((0.1, 0.03, 10), other, (0.1, 0.03, 30), delta=1e-12) == pytest.approx(both, rel=1e-4)
    assert epsilon(one, (1e6, 0.5, 3), delta=1e-12) == pytest.approx(alone, rel=1e-4)
    exact = float(gaussian.epsilons((3 / 2.0**2 + 5 / 3.0**2) ** -0.5, 1e-40))
    assert exact <= epsilon((2.0, 1.0, 3), (3.0, 1.0, 5), delta=1e-40) <= exact * (1 + 1e-4)
    mixed = epsilon(other, (30.0, 1.0, 100), delta=1e-12)
    assert max(epsilon(other, delta=1e-12), float(gaussian.epsilons(3.0, 1e-12))) < mixed


@pytest.mark.parametrize("run", [(0.1, 0.03, 12), (0.5, 0.2, 3), (0.02, 1e-4, 5)])
def test_profiles_are_between_losses_rounded_down_and_up(run):
    epsilons = np.array([0.0, 1e-3, 0.5, 3.0, 9.0, 38.0])
    found = composition.deltas([run], epsilons)
    for up in (0, 1):
        sides = []
        for side in (1, -1):
            lowest, step, masses, beyond = convolved(run, side)
            losses = lowest + step * (np.arange(len(masses)) + up * run[2])
            sides.append((masses * -np.expm1(np.minimum(epsilons[:, None] - losses, 0))).sum(1) + up * beyond)
        bound = np.maximum(*sides)
        assert (found >= bound * (1 - 1e-9)).all() if not up else (found <= bound * 1.001 + 1e-9).all()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("noise", np.geomspace(0.02, 3, 60)),
        ("prob", np.geomspace(1e-7, 0.99, 40)),
        ("rounds", np.unique(np.geomspace(1, 30_000, 40).astype(int))),
        ("delta", np.geomspace(0.3, 1e-60, 60)),
    ],
)
def test_epsilon_runs_one_way_and_does_not_jump(name, values):
    """Between neighbours it changes by no more than the number does, to the power of four."""
    given = {"noise": 0.12, "prob": 0.03, "rounds": 100, "delta": 1e-9}
    found = []
    for value in values:
        now = given | {name: value}
        found.append(epsilon((now["noise"], now["prob"], int(now["rounds"])), delta=now["delta"]))
    changes = np.diff(found) * (-1 if name == "noise" else 1)
    assert (changes > 0).all()
    found, values = np.array(found), np.array(values)
    known = found > 1
    relative = np.abs(np.diff(np.log(found[known])) / np.diff(np.log(values[known])))
    assert relative.max() < 4


def test_rounding_is_below_what_is_added_for_it(monkeypatch):
    """The same transforms in 80-bit floats: no tail is off by more than a part of what is added, round by round."""
    power, worst = composition._power, []

    def both(parts, first, last):
        length, spectrum, centre = fft.next_fast_len(last - first + 1, real=True), 0, 0
        for part in parts:
            masses, middle = part.masses.astype(np.longdouble), round(part.mean)
            folded = np.zeros(length, np.longdouble)
            np.add.at(folded, (np.arange(len(masses)) - middle) % length, masses / masses.sum())
            spectrum = spectrum + part.rounds * np.log(fft.rfft(folded).astype(np.clongdouble))
            centre += part.rounds * middle
        exact = fft.irfft(np.where(spectrum.real > -90, np.exp(spectrum), 0), length)
        exact = np.roll(exact, centre % length - first % length)[: last - first + 1]
        found = power(parts, first, last)
        off = np.abs(np.cumsum((found - exact)[::-1])).max()
        worst.append(float(off) / (1 + sum(part.rounds for part in parts)))
        return found

    monkeypatch.setattr(composition, "_power", both)
    for run, delta in [*draws(12, seed=9, delta=(-60, -2)), ((0.8, 0.01, 1_000_000), 1e-6)]:
        epsilon(run, delta=delta, closeness=1e-2)
    assert len(worst) > 20
    assert 0 < max(worst) < composition._FFT_ERROR / 4


def by_participation(noise, prob, rounds, delta):
    """The epsilon of the closed form for each number of rounds that a user can be in, by how probable that is.

    Whoever is told which rounds those are knows more. With so little noise, everybody sees it.
    """
    counts = np.arange(1, rounds + 1)
    low, high = 0.0, 1e9
    for _ in range(100):
        middle = (low + high) / 2
        found = stats.binom.pmf(counts, rounds, prob) @ gaussian.deltas(noise / np.sqrt(counts), middle)
        low, high = (middle, high) if found > delta else (low, middle)
    return high


def test_the_ends_of_the_ranges():
    assert epsilon((1e9, 1e-9, 1), delta=1e-5) == 0
    assert 0 < epsilon((1e6, 0.5, 1_000_000), delta=1e-5) < 1e-3
    assert epsilon((0.001, 0.03, 100), delta=1e-5) == pytest.approx(
        by_participation(0.001, 0.03, 100, 1e-5), rel=1e-3
    )
    # Losses that are rare and large beside the epsilon: the library says 1.8e-4.
    assert 0 < epsilon((0.4255, 1.77e-9, 33_195), delta=2e-6) < 1e-6
    # All that can be told is whether one took part at all.
    assert epsilon((0.03, 1e-9, 1_000_000), delta=1.001e-3) == 0
    never = 1 - (1 - 1e-6) ** 1_000_000
    assert composition.deltas([(0.001, 1e-6, 1_000_000)], np.array([0.0]))[0] == pytest.approx(never, rel=1e-6)
