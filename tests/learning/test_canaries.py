"""Canaries: their directions, their coins, their place beside users, and what is refused."""

import numpy as np
import pytest

from dpcore.errors import InvalidValueError
from dpcore.learning import canaries, directions, sampling
from dpcore.learning.canaries import Canaries
from dpcore.mechanisms.clipping import MARGIN
from dpcore.mechanisms.noise import Banded, SquareRoot, Tree
from dpcore.mechanisms.participation import CyclicPoisson, FixedSize, Full, Poisson, Schedule
from dpcore.plan import AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, TrainingPlan, identity
from dpcore.rng import Streams, stream

COUNT, SHAPES = 64, [(784, 20), (20,), (20, 10), (10,)]
STREAMS = Streams(0, "a run")


@pytest.mark.parametrize("size", [64, 7850, 199_210])
def test_directions_are_orthonormal(size):
    ways = directions.drawn(stream(0, "directions"), size)
    assert ways.count == min(1 << size.bit_length() - 1, 8192)
    looked_at = sorted({0, 1, 2, 7, 63, ways.count // 2, ways.count - 1} & set(range(ways.count)))
    units = np.eye(ways.count, dtype=np.float32)[looked_at]
    rows = np.array([ways.sum(unit) for unit in units], np.float64)
    assert np.abs(rows @ rows.T - np.eye(len(rows))).max() < 1e-6
    assert (
        np.abs(
            [ways.projections(row.astype(np.float32)) - unit for row, unit in zip(rows, units, strict=True)]
        ).max()
        < 1e-6
    )
    vector = stream(0, "vector").standard_normal(size, np.float32)
    assert ways.projections(vector)[looked_at] == pytest.approx(rows @ vector, abs=1e-4)


def test_directions_reach_every_layer_and_differ_from_run_to_run():
    few, others = (directions.drawn(stream(seed, "directions"), 7850) for seed in (0, 1))
    unit = np.eye(1, few.count, 5, dtype=np.float32)[0]
    assert np.count_nonzero(few.sum(unit)) == 4096
    assert abs(float(few.sum(unit) @ others.sum(unit))) < 0.1


def test_the_sum_of_canaries_is_that_of_their_clipped_rows():
    of_run, draw = Canaries(COUNT, SHAPES, STREAMS), stream(0, "sum")
    sending = of_run.sending(np.array([3, 5, 5, 40]), 1)
    factors = np.full(canaries.ROWS, (1 - MARGIN) / canaries.LENGTH, np.float32)
    users = [draw.standard_normal(shape, np.float32) for shape in SHAPES]
    total = [part.copy() for part in users]
    of_run.add(total, sending, 0.2, factors)
    explicit = np.zeros(sum(part.size for part in users))
    for number, times in enumerate(sending):
        row = of_run.directions.sum(np.eye(1, of_run.directions.count, number, dtype=np.float32)[0]).astype(float)
        sent = 3 * 0.2 * row
        explicit += times * sent * min(1.0, 0.2 * (1 - MARGIN) / np.linalg.norm(sent))
    added = np.concatenate([(a - b).ravel() for a, b in zip(total, users, strict=True)])
    assert added == pytest.approx(explicit, abs=1e-6)
    assert np.linalg.norm(explicit) > 0.2  # more than nothing


def test_coins_are_fair_and_those_of_the_run_hold_for_all_of_it():
    of_run = Canaries(COUNT, SHAPES, STREAMS)
    everybody = np.arange(COUNT)
    rounds = np.array([of_run.sending(everybody, number) for number in range(1, 401)])
    assert (rounds[:, :COUNT] == of_run.run_coins).all()
    assert abs(of_run.run_coins.mean() - 0.5) < 0.25
    of_rounds = rounds[:, COUNT:]
    assert abs(of_rounds.mean() - 0.5) < 5 * 0.5 / np.sqrt(of_rounds.size)
    assert np.abs(of_rounds.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(400)
    again = Canaries(COUNT, SHAPES, STREAMS)  # in a process that goes on
    assert (again.sending(everybody, 7) == rounds[6]).all()
    assert (again.run_coins == of_run.run_coins).all()
    assert (Canaries(COUNT, SHAPES, Streams(0, "another")).run_coins != of_run.run_coins).any()


def test_what_is_kept_is_of_the_release_and_says_what_was_added():
    of_run, draw, clip_norm = Canaries(COUNT, SHAPES, STREAMS), stream(0, "trace"), 0.05
    sending = of_run.sending(np.arange(COUNT), 1)
    noise = [draw.standard_normal(shape, np.float32) for shape in SHAPES]
    total = [np.float32(2.0 * clip_norm) * part for part in noise]
    of_run.add(total, sending, clip_norm, np.full(8, 1 / canaries.LENGTH, np.float32))
    kept = of_run.trace([part / 50 for part in total], 50, clip_norm, sending)
    assert (kept.joined == (sending > 0)).all()
    assert kept.clip_norm == clip_norm
    assert kept.projections[: 2 * COUNT][kept.joined].mean() == pytest.approx(
        1, abs=5 * 2 / np.sqrt(kept.joined.sum())
    )
    assert kept.projections[2 * COUNT :].std() == pytest.approx(2.0, rel=0.05)
    # Without what canaries send: each layer has the noise alone.
    differences = [(part.ravel()[0::2] - part.ravel()[1::2]) / np.sqrt(2) for part in noise]
    assert kept.layer_scale == pytest.approx([2 * np.sqrt(np.mean(d**2)) for d in differences], rel=1e-4)
    assert of_run.layer_sizes == [7840, 10, 100, 5]


KINDS = (
    {"participation": Poisson()},
    {"clients_per_round": 60},
    {"participation": Schedule(min_separation=3), "clipping": FixedClipping()},
    {"participation": CyclicPoisson(min_separation=4), "clipping": FixedClipping()},
)


@pytest.mark.parametrize("kind", KINDS)
def test_users_come_to_the_last_bit_as_without_canaries(kind):
    """And canaries come as often as users do."""
    plan = Plan(
        privacy=PrivacyPlan(
            **{"population": 60, "clients_per_round": 12, "rounds": 300, "noise_multiplier": 0.5} | kind
        )
    )
    shares = []
    for round_num in range(1, 301):
        alone = sampling.cohort(plan, round_num, STREAMS)
        drawn = sampling.cohort(plan, round_num, STREAMS, canaries=1000)
        assert drawn[drawn < 60].tolist() == alone.tolist()
        assert drawn.max(initial=0) < 1060
        shares.append(np.count_nonzero(drawn >= 60) / 1000)
    planned = plan.privacy.clients_per_round / 60
    assert np.mean(shares) == pytest.approx(
        planned, abs=5 * np.sqrt(planned / 1000)
    )  # groups are one draw for the run


@pytest.mark.parametrize("noise", [Tree(), Banded(bands=4), SquareRoot()])
def test_innovations_make_correlated_noise_independent(noise):
    rounds, size = 21, 20_000
    source = noise.source(lambda number: stream(0, "noise", number), rounds, [(size,)])
    drawn = np.array([source(number)[0] for number in range(1, rounds + 1)], np.float64)
    back = noise.innovations(rounds)
    assert np.triu(back, 1) == pytest.approx(0)
    assert back @ drawn @ (back @ drawn).T / size == pytest.approx(np.eye(rounds), abs=5 * np.sqrt(2 / size))
    assert (np.linalg.inv(back) ** 2).sum(axis=1) == pytest.approx(noise.round_errors(rounds))


REFUSED = [
    ({}, "tff", 1000, "Expected the engine vectorized for an audit, found tff"),
    ({"participation": FixedSize()}, "vectorized", 1000, "found fixed: a canary would take a user's place"),
    ({"zeroing": True}, "vectorized", 1000, "Expected no zeroing for an audit"),
    (
        {"noise_multiplier": 0.0},
        "vectorized",
        1000,
        "Expected a plan with a finite epsilon for an audit, found none",
    ),
    ({"delta": 0.0}, "vectorized", 1000, "Expected a plan with a finite epsilon for an audit, found none"),
    ({"rounds": 5001}, "vectorized", 1000, "Expected at most 5,000 rounds for an audit, found 5,001"),
    ({}, "vectorized", 15, r"Expected canaries to be a whole number in \[16, 2,?048\], found 15"),
    ({}, "vectorized", 10**6, "Expected canaries to be a whole number"),
    ({}, "vectorized", True, "Expected canaries to be a whole number"),
]


@pytest.mark.parametrize(("privacy", "engine", "count", "words"), REFUSED)
def test_what_cannot_be_audited_is_refused_with_its_reason(privacy, engine, count, words):
    with pytest.raises(InvalidValueError, match=words):
        canaries.check(Plan(privacy=PrivacyPlan(**privacy)), count, engine)


def test_what_can_be_audited():
    for kind in (*KINDS, {"participation": Schedule(), "clipping": FixedClipping(), "noise": Tree()}):
        plan = Plan(
            privacy=PrivacyPlan(
                **{"population": 60, "clients_per_round": 12, "rounds": 20, "noise_multiplier": 0.5} | kind
            )
        )
        assert canaries.check(plan, 1000, "vectorized") == 1000
    assert Full.draws_alone


def test_a_model_with_too_few_coordinates_is_refused():
    canaries.check_model(1000, 7850)
    with pytest.raises(
        InvalidValueError,
        match=r"at least 4,096 coordinates for 1,000 canaries, found 2,010, of which a power of two is used, 1,024\. "
        "Use at most 256 canaries",
    ):
        canaries.check_model(1000, 2010)
    with pytest.raises(InvalidValueError, match="coordinates"):
        Canaries(1000, [(200, 10), (10,)], STREAMS)


def test_an_audited_run_shares_no_stream_with_its_plans_other_runs():
    """Else their models differ after the first round, their noise does not, and what is left is that of users' sums."""
    plan = Plan(privacy=PrivacyPlan(population=60, clients_per_round=20, noise_multiplier=1.0))
    names = {identity.of_run(plan.fingerprint, count) for count in (None, 16, 1000, 1001)}
    assert len(names) == 4
    assert identity.of_run(plan.fingerprint, None) == plan.fingerprint
    noises = [
        sampling.streams_of(plan, count)("update_noise", 1).standard_normal(1000) for count in (None, 16, 1000)
    ]
    assert np.abs(np.corrcoef(noises) - np.eye(3)).max() < 0.15
    cohorts = [sampling.cohort(plan, 1, sampling.streams_of(plan, count)).tolist() for count in (None, 16, 1000)]
    assert cohorts[0] != cohorts[1] != cohorts[2] != cohorts[0]


@pytest.mark.slow
class TestOnTheEngine:
    """With TensorFlow: the clipping that users pass through, and rounds."""

    @pytest.fixture(params=[AdaptiveClipping(), FixedClipping(clip_norm=0.3)])
    def plan(self, request, small_plan, with_privacy):
        return with_privacy(small_plan, clipping=request.param, noise_multiplier=0.4)

    def test_canaries_are_clipped_by_the_code_that_clips_users(self, small_plan, few_writers, monkeypatch):
        from dpcore.learning.clients import Clients
        from dpcore.learning.vectorized import VectorizedEngine

        passed = []
        clip = Clients._clipping_factor

        def watched(self, norm, clip_norm):
            passed.append(float(norm / clip_norm))
            return clip(self, norm, clip_norm)

        monkeypatch.setattr(Clients, "_clipping_factor", watched)
        engine = VectorizedEngine(small_plan, few_writers, canaries=COUNT)
        engine.next(engine.initialize(), np.array([3, 7]), 1)
        assert len(passed) == 2 + canaries.ROWS  # the users', and those canaries'
        assert passed[2:] == pytest.approx([canaries.LENGTH] * canaries.ROWS, rel=1e-6)
        factors = engine._clients.clip_factors(engine.canaries.rows, 0.2)
        assert factors == pytest.approx((1 - MARGIN) / canaries.LENGTH, rel=1e-6)
        beyond = [part * np.float32(1e20) for part in engine.canaries.rows]
        assert engine._clients.clip_factors(beyond, 0.2).tolist() == [0.0] * canaries.ROWS  # as those of users

    def test_they_change_nothing_that_users_are_counted_by(self, plan, few_writers):
        from dpcore.learning.vectorized import VectorizedEngine

        with_them, without = (
            VectorizedEngine(plan, few_writers, streams=STREAMS, canaries=count) for count in (COUNT, None)
        )
        users = np.array([3, 7, 11, 40])
        cohort = np.append(users, 60 + np.arange(COUNT))
        state, metrics = with_them.next(with_them.initialize(), cohort, 1)
        other, plain = without.next(without.initialize(), users, 1)
        assert (state.clip_norm, plain.trace) == (other.clip_norm, None)
        added = np.concatenate([(a - b).ravel() for a, b in zip(state.weights, other.weights, strict=True)])
        came = metrics.trace.joined
        planned = with_them.canaries.directions.sum(np.pad(came.astype(np.float32), (0, 8192 - len(came))))
        clip_norm = plan.privacy.clipping.initial_clip_norm
        assert came[:COUNT].tolist() == with_them.canaries.run_coins.tolist()
        assert added == pytest.approx(planned * clip_norm / plan.privacy.clients_per_round, abs=1e-6)

    def test_a_round_without_users_is_noise_and_canaries_alone(self, plan, few_writers):
        from dpcore.learning.vectorized import VectorizedEngine

        engine = VectorizedEngine(plan, few_writers, canaries=COUNT)
        _state, metrics = engine.next(engine.initialize(), np.array([], np.int64), 1)
        kept = metrics.trace
        assert not kept.joined[:COUNT].any()
        assert kept.projections[2 * COUNT :].std() == pytest.approx(plan.privacy.value_noise_multiplier, rel=0.04)

    def test_rounds_give_a_record_that_can_be_judged(self, few_writers):
        from dpcore.learning import training
        from dpcore.learning.vectorized import VectorizedEngine
        from dpcore.privacy.auditing.ingredients import ingredients

        plan = Plan(
            privacy=PrivacyPlan(population=60, clients_per_round=20, rounds=6, noise_multiplier=1.0),
            training=TrainingPlan(model="linear"),
        )
        engine = VectorizedEngine(plan, few_writers, canaries=500)
        reports = list(training.run(plan, few_writers, engine, lambda _: (0.5, 1.0), eval_every=9, canaries=500))
        plain = training.run(
            *(
                plan,
                few_writers,
                VectorizedEngine(plan, few_writers, streams=engine._streams),
                lambda _: (0.5, 1.0),
            ),
            eval_every=9,
            streams=engine._streams,
        )
        assert [report.cohort_size for report in reports] == [report.cohort_size for report in plain]
        record = canaries.trace_of(
            plan.privacy,
            engine.canaries.run_coins,
            engine.canaries.layer_sizes,
            [report.trace for report in reports[1:]],
        )
        found = ingredients(record, plan.privacy)
        assert not [row for row in found if row.alarms]
        (step,) = [row for row in found if row.name == "step_of_round_canaries"]
        assert step.low < 1 < step.high


def test_the_record_of_the_first_rounds_is_undone_by_the_first_part_of_the_matrix():
    plan = PrivacyPlan(
        population=60,
        clients_per_round=5,
        rounds=8,
        participation=Schedule(),
        clipping=FixedClipping(),
        noise=Tree(),
    )
    kept = canaries.RoundTrace(
        projections=np.ones(256, np.float32), joined=np.zeros(128, bool), clip_norm=0.1, layer_scale=np.ones(2)
    )
    record = canaries.trace_of(plan, np.zeros(64, bool), [4, 2], [kept] * 3)
    assert (record.innovations == Tree().innovations(8)[:3, :3]).all()
    assert record.noise == plan.value_noise_multiplier
    with pytest.raises(InvalidValueError, match="at least one round"):
        canaries.trace_of(plan, np.zeros(64, bool), [4, 2], [])
