"""What is measured of a run: honest ones ring no alarm, and each way to break one rings that which is there for it."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from dpcore import rounding
from dpcore.mechanisms import matrices
from dpcore.mechanisms.clipping import MARGIN
from dpcore.mechanisms.noise import Banded
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy.auditing.dispersion import Dispersion
from dpcore.privacy.auditing.ingredients import (
    ACROSS_DIRECTIONS,
    ACROSS_ROUNDS,
    CORRELATION,
    NOISE_OF_A_LAYER,
    NOISE_OF_A_ROUND,
    RATE,
    RATE_BY_CANARY,
    RATE_BY_ROUND,
    ROUND_STEP,
    RUN_STEP,
    STEP_BY_ROUND,
    ingredients,
)
from tests.privacy.auditing.simulated import BREAKS, PLAN, trace

STEPS, SAMPLING = {RUN_STEP, ROUND_STEP}, {RATE, RATE_BY_ROUND, RATE_BY_CANARY}
ALL = {
    ACROSS_DIRECTIONS,
    ACROSS_ROUNDS,
    NOISE_OF_A_ROUND,
    NOISE_OF_A_LAYER,
    CORRELATION,
    STEP_BY_ROUND,
    *STEPS,
    *SAMPLING,
}
RINGS = {
    "noise 2% less": {ACROSS_DIRECTIONS, ACROSS_ROUNDS, NOISE_OF_A_LAYER},
    "noise half": {ACROSS_DIRECTIONS, ACROSS_ROUNDS, NOISE_OF_A_ROUND, NOISE_OF_A_LAYER},
    "noise reused": {ACROSS_ROUNDS},
    "noise of two rounds": {CORRELATION},
    "noise of one round": {NOISE_OF_A_ROUND},
    "value noise not split": {ACROSS_DIRECTIONS, ACROSS_ROUNDS, NOISE_OF_A_LAYER},
    "clip off": STEPS,
    "clip twice": STEPS,
    "user drawn twice": {RATE},
    "drawn together": {RATE_BY_ROUND},
    "divided by who came": {STEP_BY_ROUND},
    "no noise on biases": {NOISE_OF_A_LAYER},
}


def table(*args, plan=PLAN, **given):
    return {row.name: row for row in ingredients(trace(*args, plan=plan, **given), plan)}


def alarms(*args, **given):
    return {name for name, row in table(*args, **given).items() if row.alarms}


def test_an_honest_run_is_what_its_plan_says():
    rows = table(1)
    assert set(rows) == ALL
    assert not any(row.alarms for row in rows.values())
    for name in (ACROSS_DIRECTIONS, ACROSS_ROUNDS):
        assert rows[name].planned == PLAN.value_noise_multiplier
        assert rows[name].measured == pytest.approx(rows[name].planned, rel=0.003)
        assert rows[name].high / rows[name].low < 1.006
    assert rows[ROUND_STEP].high - rows[ROUND_STEP].low < 0.03
    assert rows[RUN_STEP].high - rows[RUN_STEP].low < 0.16
    assert rows[RATE].planned == PLAN.sampling_prob
    assert all(row.low <= row.measured <= row.high for row in rows.values())


@pytest.mark.parametrize("breaks", BREAKS)
def test_what_is_broken_rings(breaks):
    assert RINGS[breaks] <= alarms(0, breaks=breaks)


@pytest.mark.parametrize("breaks", ["noise half", "noise reused", "clip off", "drawn together"])
def test_no_p_value_is_nothing(breaks):
    """What is less than floats can say is at most the least that is told, in JSON a positive number."""
    found = {name: row.p for name, row in table(0, breaks=breaks).items() if row.alarms}
    assert min(found.values()) == 1e-300
    assert {rounding.p_value(p) for p in found.values() if p < 1e-290} == {"< 1e-300"}


def test_half_of_the_breaks_leave_the_rest_alone():
    assert alarms(0, breaks="noise of two rounds") == {CORRELATION}
    assert alarms(0, breaks="noise of one round") == {NOISE_OF_A_ROUND}
    assert alarms(0, breaks="clip twice") == STEPS
    assert alarms(0, breaks="no noise on biases") == {NOISE_OF_A_LAYER}


@pytest.mark.parametrize("leak", [3.0, 10.0, 100.0])
@pytest.mark.parametrize("rounds", [3, 30])
def test_users_that_are_alike_do_not_ring_however_few_coordinates_there_are(rounds, leak):
    """On a small model, or of many users, their updates are as large as the noise along every direction."""
    plan = dataclasses.replace(PLAN, rounds=rounds)
    assert alarms(0, plan=plan, directions=4_096, leak=leak) == set()


def test_noise_that_was_used_twice_rings_behind_users_that_are_alike():
    assert alarms(0, breaks="noise of two rounds", directions=4_096, leak=3.0) == {CORRELATION}


@pytest.mark.slow  # two hundred runs
def test_no_alarm_is_false():
    """In each honest run, users' updates leak into the projections; p-values are as small as they say."""
    runs, level, small = 200, 0.05, dict.fromkeys(ALL, 0)
    for seed in range(runs):
        rows = table(seed, directions=4_096)
        assert not [name for name, row in rows.items() if row.alarms]
        for name, row in rows.items():
            small[name] += row.p <= level * len(rows)
    assert max(small.values()) <= stats.binom.ppf(1 - 1e-4, runs, level), small
    assert small[RATE] > 0  # not one of them is always 1
    assert small[ROUND_STEP] > 0


@pytest.mark.slow  # twenty runs each
@pytest.mark.parametrize(
    ("breaks", "least"),
    [("noise 2% less", 20), ("step 1.25", 19), ("clip twice", 17), ("value noise not split", 20)],
)
def test_what_is_broken_rings_nearly_always(breaks, least):
    """Of twenty runs with run canaries alone, whose step shows least."""
    rung = [alarms(seed, breaks=breaks, directions=4_096, round_canaries=0) for seed in range(20)]
    assert sum(bool(one & RINGS.get(breaks, {RUN_STEP})) for one in rung) >= least


def test_what_no_canary_sends_is_not_measured():
    without_rounds = set(table(0, round_canaries=0, directions=4_096))
    assert without_rounds == ALL - {ROUND_STEP, STEP_BY_ROUND}
    assert set(table(0, run_canaries=0, directions=4_096)) == ALL - {RUN_STEP} - SAMPLING
    none = table(0, run_canaries=0, round_canaries=0, directions=4_096)
    assert set(none) == {ACROSS_DIRECTIONS, ACROSS_ROUNDS, NOISE_OF_A_ROUND, NOISE_OF_A_LAYER, CORRELATION}


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_the_first_rounds_are_judged_as_well(rounds):
    plan = dataclasses.replace(PLAN, rounds=rounds)
    rows = table(1, plan=plan, directions=4_096)
    assert {ACROSS_DIRECTIONS, NOISE_OF_A_ROUND, NOISE_OF_A_LAYER, RATE} <= set(rows)
    assert all(math.isfinite(value) for row in rows.values() for value in (row.measured, row.low, row.high, row.p))
    assert not any(row.alarms for row in rows.values())
    assert ACROSS_DIRECTIONS in alarms(1, plan=plan, directions=4_096, breaks="noise half")


def test_one_noise_in_all_rounds_is_seen_to_the_last_bit():
    honest = trace(0, directions=4_096)
    same = np.broadcast_to(honest.projections[:1], honest.projections.shape)
    rows = ingredients(dataclasses.replace(honest, projections=same), PLAN)
    across = next(row for row in rows if row.name == ACROSS_ROUNDS)
    assert across.measured == 0
    assert across.alarms


def scheduled(seed, *, rounds=60, separation=10, leak=3.0, run_canaries=500, directions=2_048):
    """An honest run of a known schedule: a group's users are alike whenever its turn comes, and so are its canaries."""
    plan = dataclasses.replace(
        PLAN, rounds=rounds, clipping=FixedClipping(), participation=Schedule(min_separation=separation)
    )
    honest, draw = (
        trace(seed, plan=plan, directions=directions, run_canaries=0, leak=0),
        np.random.default_rng([seed]),
    )
    turns = np.arange(rounds) % separation
    coins, groups = draw.random(run_canaries) < 0.5, draw.integers(0, separation, run_canaries)
    came = (turns[:, None] == groups) & coins
    sent = np.concatenate([came, honest.joined], axis=1)
    projections = honest.projections - np.pad(honest.joined, ((0, 0), (0, directions - honest.joined.shape[1])))
    projections += leak * draw.standard_normal((separation, directions))[turns]
    projections[:, : sent.shape[1]] += (1 - MARGIN) * sent
    honest = dataclasses.replace(
        honest, run_canaries=run_canaries, run_coins=coins, joined=sent, projections=projections.astype(np.float32)
    )
    return {row.name: row for row in ingredients(honest, plan)}


def test_users_who_come_again_with_the_canaries_of_their_group_ring_no_alarm():
    """Along a canary's direction they move all rounds of its group alike, which is no noise that averages out."""
    runs, level, planned = 60, 0.05, 1 - MARGIN
    rows = [scheduled(seed) for seed in range(runs)]
    assert not [name for one in rows for name, row in one.items() if row.alarms and name in {*STEPS, STEP_BY_ROUND}]
    small = sum(one[RUN_STEP].p <= level * len(one) for one in rows)
    assert 0 < small <= stats.binom.ppf(1 - 1e-4, runs, level)
    inside = sum(one[RUN_STEP].low <= planned <= one[RUN_STEP].high for one in rows)
    assert inside >= stats.binom.ppf(1e-4, runs, 0.95)


BANDS = 16
BANDED = PrivacyPlan(
    clients_per_round=120,
    clipping=FixedClipping(),
    participation=Schedule(min_separation=28),
    noise=Banded(bands=BANDS),
)


def innovations(plan=BANDED):
    column = matrices.optimal_bands(plan.rounds, BANDS)
    toeplitz = sum(np.diag(np.full(plan.rounds - at, one), -at) for at, one in enumerate(column))
    return toeplitz / matrices.column_norms(column, plan.rounds)


def test_correlated_noise_is_judged_by_its_innovations():
    rows = table(0, plan=BANDED, directions=4_096, innovations=innovations())
    assert set(rows) == ALL - SAMPLING
    assert not any(row.alarms for row in rows.values())
    assert rows[ROUND_STEP].measured == pytest.approx(1, abs=0.05)
    unaware = table(0, plan=BANDED, directions=4_096, innovations=innovations(), forget=True)
    assert unaware[CORRELATION].alarms


@pytest.mark.parametrize(
    "breaks", ["noise half", "noise 2% less", "clip off", "noise of two rounds", "no noise on biases"]
)
def test_broken_correlated_noise_rings(breaks):
    rung = alarms(0, plan=BANDED, directions=4_096, innovations=innovations(), breaks=breaks)
    assert rung & RINGS[breaks]


def test_the_innovations_are_those_of_the_mechanism():
    noise = BANDED.noise.source(lambda number: np.random.default_rng(number), 100, [(200,)])
    drawn = np.array([noise(number)[0] for number in range(1, 101)])
    fresh = innovations() @ drawn
    expected = np.array(
        [np.random.default_rng(number).standard_normal(200, np.float32) for number in range(1, 101)]
    )
    assert fresh == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("trials", "prob", "number"), [(500, 0.0148, 100), (100, 0.0148, 500), (10, 0.3, 60)])
def test_the_dispersion_of_coins_is_judged_as_it_spreads(trials, prob, number):
    draws = np.random.default_rng(0).binomial(trials, prob, (3_000, number))
    found = np.array([Dispersion(counts=row, trials=trials, prob=prob).p_value() for row in draws])
    for level in (0.3, 0.05, 0.01):
        assert np.mean(found <= level) == pytest.approx(level, abs=4 * math.sqrt(level / 3_000))
