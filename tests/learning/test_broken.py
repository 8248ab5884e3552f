"""The engine broken on purpose: what the audit of a short real run sees of it; and that the whole one rings no alarm."""

import pytest

from dpcore.errors import InvalidValueError
from dpcore.learning import broken, canaries
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy.auditing.ingredients import (
    ACROSS_DIRECTIONS,
    CORRELATION,
    NOISE_OF_A_LAYER,
    RATE,
    ROUND_STEP,
    RUN_STEP,
    STEP_BY_ROUND,
    ingredients,
)

# By the break: the alarm that has to ring.
RINGS = {
    "clip-off": ROUND_STEP,
    "clip-twice": ROUND_STEP,
    "noise-half": ACROSS_DIRECTIONS,
    "noise-reused": CORRELATION,
    "value-noise-not-split": ACROSS_DIRECTIONS,
    "user-twice": RUN_STEP,
    "with-replacement": RATE,  # who is in a round twice is in no other: seen where users are in many rounds, as here
    "divided-by-who-came": STEP_BY_ROUND,
    "no-noise-on-biases": NOISE_OF_A_LAYER,
}
SILENT = ("no-noise-on-count", "clip-off-for-users")  # what an audit says that it cannot see


def plan(clients_per_round=12, **privacy) -> Plan:
    privacy = PrivacyPlan(
        population=60, clients_per_round=clients_per_round, rounds=24, noise_multiplier=1.0, **privacy
    )
    return Plan(privacy=privacy, training=TrainingPlan(model="linear"))


def test_every_break_has_words_and_a_name():
    assert {*RINGS, *SILENT} == set(broken.BREAKS)
    assert set(broken.CHOICES) == {broken.NONE, *broken.BREAKS}
    with pytest.raises(InvalidValueError, match=r"Expected break to be one of none, clip-off, .*, found 'clip'"):
        broken.check("clip")


def alarms(record):
    return {row.name for row in ingredients(record, plan().privacy) if row.alarms}


def alarms_of_the_engine(dataset):
    from dpcore.learning import training
    from dpcore.learning.vectorized import VectorizedEngine

    engine = VectorizedEngine(plan(), dataset, canaries=1000)
    of_run = engine.canaries
    reports = training.run(plan(), dataset, engine, lambda _: (0.0, 0.0), eval_every=99, canaries=1000)
    rounds = [report.trace for report in reports if report.round]
    return alarms(canaries.trace_of(plan().privacy, of_run.run_coins, of_run.layer_sizes, rounds))


@pytest.mark.slow
class TestRounds:
    @pytest.mark.parametrize("name", RINGS)
    def test_what_is_broken_rings(self, few_writers, name):
        from dpcore.learning.broken import engine

        told = []
        record = engine.trace(name, plan(), few_writers, canaries=1000, tell=told.append)
        assert told == list(range(25))
        assert RINGS[name] in alarms(record)

    @pytest.mark.parametrize("name", SILENT)
    def test_what_an_audit_cannot_see_does_not_ring(self, few_writers, name):
        from dpcore.learning.broken import engine

        assert alarms(engine.trace(name, plan(), few_writers, canaries=1000)) == set()

    def test_few_that_are_drawn_with_replacement_do_not_ring(self, few_writers):
        """As those of the demonstration, who are in one round of seventy; here in one of sixty."""
        from dpcore.learning.broken import engine

        few = plan(clients_per_round=1, clipping=FixedClipping())
        record = engine.trace("with-replacement", few, few_writers, canaries=1000)
        assert {row.name for row in ingredients(record, few.privacy) if row.alarms} == set()
        assert (
            record.joined[:, :1000].sum(axis=1) < 30
        ).all()  # so many in each round, of a thousand, one in sixty

    def test_the_engine_as_it_is_can_be_shown_beside(self, few_writers):
        from dpcore.learning.broken import engine

        assert alarms(engine.trace(broken.NONE, plan(), few_writers, canaries=1000)) == set()

    def test_the_engine_that_is_not_broken_does_not(self, few_writers):
        assert alarms_of_the_engine(few_writers) == set()

    def test_what_is_broken_by_hand_in_the_engines_own_code_rings(self, few_writers, monkeypatch):
        from dpcore.learning import clients

        monkeypatch.setattr(clients, "MARGIN", -1.0)  # twice the clip norm
        assert ROUND_STEP in alarms_of_the_engine(few_writers)
