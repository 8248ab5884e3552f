"""What is said of a training is what was done, and nothing where nothing was."""

import dataclasses
import re

import pytest

from dpcore.language import speaking
from dpcore.plan import FixedClipping, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.conduct import Conduct
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk

DONE = Conduct(status="finished", engine="vectorized", seeded=True, begun=True, released=100, planned=100)
NONE = dataclasses.replace(DONE, status="queued", begun=False, released=0)
ROWS = ("Covers", "Released", "Sampling done", "Seed")


def rows(done, *, privacy=PrivacyPlan(), seed=7):  # noqa: B008
    account = accounting.account(privacy, Precision.PREVIEW)
    training = TrainingPlan(seed=seed) if done else None
    made = statement.table(privacy, account, risk(privacy), false_positive_rate=0.01, training=training, done=done)
    return dict(made)


def test_of_a_plan_that_nobody_has_trained_no_training_is_stated():
    table = rows(None)
    assert [table[name].startswith("Not stated: nothing was trained.") for name in ROWS] == [True] * 4
    assert "This training run" not in " ".join(table.values())
    assert "As assumed" not in " ".join(table.values())
    assert "The model after" not in " ".join(table.values())


@pytest.mark.parametrize(
    ("done", "why"),
    [
        (NONE, "nothing was trained. State of the run: queued."),
        (dataclasses.replace(NONE, status="cancelled"), "nothing was trained. State of the run: cancelled."),
        (
            dataclasses.replace(NONE, status="running", begun=True),
            "no round was released. State of the run: running.",
        ),
        (
            dataclasses.replace(NONE, status="failed", begun=True),
            "no round was released. State of the run: failed.",
        ),
    ],
    ids=lambda value: getattr(value, "status", ""),
)
def test_of_a_run_that_released_nothing_no_training_is_stated(done, why):
    table = rows(done)
    for name in ROWS[:3]:
        assert table[name].startswith(f"Not stated: {why}")
    assert "As assumed" not in table["Sampling done"]


def test_of_a_run_that_was_stopped_is_said_how_far_it_came():
    table = rows(dataclasses.replace(DONE, status="stopped", released=37))
    assert table["Covers"].startswith(
        "This training run (stopped, engine vectorized), with all 100 rounds of its plan."
    )
    assert "Rounds known to be released: 37 of 100." in table["Released"]


def test_a_round_that_may_have_been_seen_is_covered():
    table = rows(dataclasses.replace(DONE, status="interrupted", released=0, lost=True))
    assert table["Covers"].startswith("This training run (interrupted")
    assert "0 of 100" in table["Released"]


def test_where_the_sampling_came_from_is_said():
    assert (
        "As assumed: each user was sampled independently (Poisson sampling) by the seed"
        in rows(DONE)["Sampling done"]
    )
    unseeded = rows(dataclasses.replace(DONE, seeded=False), seed=None)
    assert "from the operating system's entropy, and a cohort" in unseeded["Sampling done"]
    assert "operating system's entropy" in unseeded["Seed"]
    tff = rows(dataclasses.replace(DONE, engine="tff", seeded=False))
    assert "from the operating system's entropy, and a cohort" in tff["Sampling done"]
    assert "On the engine tff, neither cohorts nor noise follow the seed 7" in tff["Seed"]
    everybody = PrivacyPlan(clients_per_round=3383, noise_multiplier=40.0)
    assert "all users took part" in rows(DONE, privacy=everybody)["Sampling done"]


def test_rounds_that_were_drawn_again_are_said():
    again = rows(dataclasses.replace(DONE, redrawn=3))["Sampling done"]
    assert "count as further rounds: 3." in again
    assert "further" not in rows(DONE)["Sampling done"]


def test_a_clip_norm_that_stays_is_not_released():
    fixed = PrivacyPlan(clipping=FixedClipping())
    assert "clip norm is fixed" in rows(None, privacy=fixed)["Released"]
    assert "clip norm is fixed" in rows(DONE, privacy=fixed)["Released"]


@pytest.mark.parametrize(
    "done",
    [
        None,
        NONE,
        DONE,
        dataclasses.replace(DONE, status="stopped", released=37, redrawn=2),
        dataclasses.replace(DONE, engine="tff", seeded=False),
        dataclasses.replace(NONE, status="failed", begun=True),
    ],
)
def test_in_japanese_it_has_the_same_numbers(done):
    def numbers(text):
        return sorted(re.findall(r"\d+(?:[.,]\d+)*", text))

    english = rows(done)
    with speaking("ja"):
        japanese = rows(done)
    for (name, text), (_, other) in zip(english.items(), japanese.items(), strict=True):
        assert numbers(other) == numbers(text), name
        assert not re.search("Not stated|As assumed|Planned|queued|finished|stopped|failed", other), name
