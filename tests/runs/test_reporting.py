"""The statement of a run says what became of it, and of its data."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from dpcore import datasets
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs import reporting


def queued(store, *, engine="vectorized", seed=0, **privacy):
    plan = Plan(privacy=PrivacyPlan(**privacy), training=TrainingPlan(seed=seed))
    return store.create(plan, engine=engine, eval_every=5)


def released(store, run_id, *numbers):
    for number in numbers:
        store.append(
            run_id,
            Round(round=number, accuracy=None, loss=None, clip_norm=0.1, cohort_size=5, epsilon=1.0, seconds=1.0),
        )


def rows(store, run_id):
    return dict(reporting.rows(store, store.run(run_id)))


def test_a_run_is_stated_from_its_first_round_on(store):
    run_id = queued(store, rounds=3)
    assert "Not stated: nothing was trained. State of the run: queued." in rows(store, run_id)["Covers"]
    store.begin(run_id)
    released(store, run_id, 0)
    assert "Not stated: no round was released. State of the run: running." in rows(store, run_id)["Covers"]
    released(store, run_id, 1)
    table = rows(store, run_id)
    assert table["Covers"].startswith(
        "This training run (running, engine vectorized), with all 3 rounds of its plan."
    )
    assert "Rounds known to be released: 1 of 3." in table["Released"]
    store.end(run_id, "stopped")
    assert rows(store, run_id)["Covers"].startswith("This training run (stopped, ")
    assert store.requeue(store.run(run_id), redrawn=0)
    assert rows(store, run_id)["Covers"].startswith("This training run (queued, ")


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_run_that_ended_before_its_first_round_has_nothing_to_state(store, status):
    run_id = queued(store)
    store.begin(run_id)
    store.end(run_id, status)
    table = rows(store, run_id)
    assert f"Not stated: no round was released. State of the run: {status}." in table["Covers"]
    assert "As assumed" not in table["Sampling done"]


def test_a_run_that_was_taken_out_of_the_queue_was_not_trained(store):
    run_id = queued(store)
    store.request_stop(run_id)
    assert "Not stated: nothing was trained. State of the run: cancelled." in rows(store, run_id)["Covers"]


def test_a_round_that_was_lost_while_it_was_drawn_may_have_been_released(store):
    run_id = queued(store, engine="tff")
    store.begin(run_id)
    released(store, run_id, 0)
    store.draw(run_id, 1)
    store.end(run_id, "interrupted")
    assert rows(store, run_id)["Covers"].startswith("This training run (interrupted, engine tff)")
    with sqlite3.connect(store.home / "runs.sqlite") as db:
        db.execute("UPDATE runs SET redrawn = 2")
    table = rows(store, run_id)
    assert "count as further rounds: 2." in table["Sampling done"]
    assert "102 rounds" in table["Mechanism"]


def test_only_what_follows_the_seed_is_said_to(store):
    seeded, tff, unseeded = queued(store), queued(store, engine="tff"), queued(store, seed=None)
    for run_id in (seeded, tff, unseeded):
        store.begin(run_id)
        released(store, run_id, 0, 1)
    assert "(Poisson sampling) by the seed" in rows(store, seeded)["Sampling done"]
    for run_id in (tff, unseeded):
        assert "(Poisson sampling) from the operating system's entropy" in rows(store, run_id)["Sampling done"]


def test_data_that_have_changed_or_are_gone_are_not_described_by_what_is_there_now(store, few_writers):
    folder = datasets.entry("writers", store.home).folder
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    now = datasets.entry("writers", store.home).manifest
    same, other = queued(store), queued(store)
    store.say(same, "", now.fingerprint)
    store.say(other, "", "0123456789abcdef")
    assert rows(store, same)["Data"] == f"writers, content {now.fingerprint}. {now.description.access_note}".strip()
    assert rows(store, other)["Data"] == (
        f"writers, content 0123456789abcdef. There are others of this name now, content {now.fingerprint}: what was "
        "looked at to prepare those of the run is not known."
    )
    shutil.rmtree(folder)
    assert "not here any more" in rows(store, same)["Data"]
    assert rows(store, queued(store))["Data"] == "writers, content not read yet."


def test_data_that_were_imported_anew_before_a_run_began_are_not_its(store, few_writers):
    folder = store.home / "datasets" / "imported" / "own"
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    training = TrainingPlan(dataset="own", dataset_fingerprint="0123456789abcdef")
    plan = Plan(privacy=PrivacyPlan(population=60, clients_per_round=20), training=training)
    run_id = store.create(plan, engine="vectorized", eval_every=5)
    assert "There are others of this name now" in rows(store, run_id)["Data"]
