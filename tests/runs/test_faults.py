"""Workers that are killed: what comes of the run is what would have come without.

`EPSILON_LAB_KILLS=100` kills so many workers instead of a few.
"""

import io
import itertools
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dpcore import datasets
from dpcore.datasets.importing.table import Mapping
from dpcore.locks import lock
from dpcore.mechanisms.noise import Banded, SquareRoot, Tree
from dpcore.mechanisms.participation import CyclicPoisson, FixedSize, Schedule
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan, identity
from dpcore.privacy import accounting
from dpcore.runs.audit import alone, recorded, trace_file
from dpcore.runs.process import processes, runner, supervisor
from dpcore.runs.store import Store, folders

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("EPSILON_LAB_KILLS", "1"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    draw = np.random.default_rng(0)
    people = np.repeat([f"p{number}" for number in range(80)], 25)
    table = {
        "who": people,
        "kind": draw.choice(["ant", "bee"], 2000),
        "x": draw.normal(size=2000),
        "y": draw.random(2000),
    }
    pd.DataFrame(table).to_csv(folder / "people.csv", index=False)
    mapping = Mapping(user="who", label="kind")
    datasets.import_table(folder / "people.csv", mapping, folder, name="people")
    return folder


def plan(home, seed=0, rounds=60):
    return Plan(
        privacy=PrivacyPlan(population=80, clients_per_round=20, rounds=rounds, noise_multiplier=0.8),
        training=TrainingPlan(
            dataset="people", dataset_fingerprint=datasets.fingerprint("people", home), seed=seed
        ),
    )


def released(store, run_id):
    """All that a run tells, but for the time that it took."""
    return [replace(row, seconds=0.0) for row in store.rounds(run_id)]


def work(store, monkeypatch, engine="vectorized", *, fragile):
    """Works the queue off in this process, with workers that are killed or with those that are not."""
    network = ["dpcore.isolated"] if engine == "tff" else []
    module = "tests.runs.fragile_worker" if fragile else "dpcore.runs.process.worker"
    monkeypatch.setattr(runner, "_MODULE_FOR", {engine: [*network, module]})
    watched = runner.StartedWorkers()
    with lock(processes.runner_lock(store), wait=True):
        while runner.step(store, watched):
            time.sleep(0.05)
    for worker in watched.values():
        worker.wait()


def killed(store, run_id, monkeypatch, engine="vectorized", *, times):
    """Lets a queued run's worker be killed so often, each time queueing it again; returns how each left the run."""
    left = []
    for _ in range(times):
        work(store, monkeypatch, engine, fragile=True)
        run = supervisor.current(store, run_id)
        if run.status == "finished":
            break
        assert (run.status, "SIGKILL" in run.message) == ("interrupted", True), run.message
        left.append(run)
        supervisor.resume(store, run_id)
    return left


@pytest.fixture
def store(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)  # only the workers that a test starts
    return Store(home)


def begun(store, plan):
    """Queues a run as a version did whose names were of a plan's text: it keeps that name."""
    run_id = supervisor.start(store, plan, engine="vectorized", eval_every=7)
    (store.folder(run_id) / folders.FILE).unlink()
    with closing(sqlite3.connect(store.home / "runs.sqlite")) as db:
        db.execute("UPDATE runs SET identity = NULL, seal = NULL WHERE run_id = ?", (run_id,))
        db.commit()
    assert store.run(run_id).identity == identity.of_format_2(plan.to_json())
    return run_id


def test_a_run_that_was_killed_ends_with_the_same_bits(home, store, monkeypatch):
    references = {}
    for kills in [min(10, KILLS - done) for done in range(0, KILLS, 10)]:
        run_id = begun(store, plan(home))
        done = len(killed(store, run_id, monkeypatch, times=kills))
        reference = begun(store, plan(home))
        work(store, monkeypatch, fragile=False)  # both in one process, one after the other
        assert done
        assert store.run(run_id).status == store.run(reference).status == "finished"
        assert store.run(run_id).redrawn == 0
        assert released(store, run_id) == released(store, reference)
        weights = {(store.folder(name) / "weights.npz").read_bytes() for name in (run_id, reference)}
        assert len(weights) == 1
        assert not list(store.folder(run_id).glob("checkpoint*"))
        references |= {run_id: done}
    print(f"{sum(references.values())} workers killed in {len(references)} runs")


@pytest.mark.parametrize("seed", [0, None])
def test_an_audited_run_that_was_killed_keeps_the_same_record(home, store, monkeypatch, seed):
    """To the last byte; without a seed it follows from the run's key."""
    ids = []
    for fragile in (True, False):
        run_id = supervisor.start(store, plan(home, seed, 40), engine="vectorized", eval_every=7, audit=64)
        if seed is None:
            (store.folder(run_id) / folders.KEY).write_text(f"{7:032x}")
        if fragile:
            assert killed(store, run_id, monkeypatch, times=1)
        work(store, monkeypatch, fragile=False)
        ids.append(run_id)
    runs = [store.run(run_id) for run_id in ids]
    assert [run.status for run in runs] == ["finished"] * 2
    assert released(store, ids[0]) == released(store, ids[1])
    first, second = ((store.folder(run.run_id) / trace_file.FILE).read_bytes() for run in runs)
    assert first == second
    assert {recorded.trace(store, run).rounds for run in runs} == {40}
    for name in (alone.MANIFEST, alone.INITIAL):
        assert len({(store.folder(run.run_id) / name).read_bytes() for run in runs}) == 1
    assert alone.export(runs[0], store.folder(ids[0]), home / "out")
    manifest, *weights = (
        io.BytesIO((home / "out" / name).read_bytes()) for name in (alone.MANIFEST, alone.INITIAL, alone.FINAL)
    )
    shown = alone.analysis(alone.read_manifest(manifest), *weights)
    assert (shown.canaries, shown.alarms, shown.rounds) == (64, (), 40)
    assert runs[0].identity == identity.of_run(runs[0].plan.fingerprint, 64) != runs[0].plan.fingerprint


MECHANISMS = [
    {"participation": CyclicPoisson(min_separation=3), "noise": Banded(bands=3)},
    {"participation": Schedule(), "noise": Tree()},
    {"participation": Schedule(), "noise": SquareRoot()},
    {"participation": FixedSize()},
]


@pytest.mark.parametrize("mechanism", MECHANISMS if KILLS > 1 else MECHANISMS[:1], ids=str)
def test_a_run_without_a_seed_is_drawn_once_whoever_is_killed(home, store, monkeypatch, mechanism):
    """What it draws follows from its key alone: with the same key, a run that nobody killed ends with the same bits."""
    unseeded = plan(home, seed=None)
    unseeded = replace(unseeded, privacy=replace(unseeded.privacy, clipping=FixedClipping(), **mechanism))
    run_id = supervisor.start(store, unseeded, engine="vectorized", eval_every=7)
    assert killed(store, run_id, monkeypatch, times=1)
    key = store.folder(run_id) / folders.KEY
    assert key.stat().st_mode & 0o077 == 0
    kept = key.read_bytes()
    killed(store, run_id, monkeypatch, times=min(KILLS, 10) - 1)
    reference = supervisor.start(store, unseeded, engine="vectorized", eval_every=7)
    (store.folder(reference) / folders.KEY).write_bytes(kept)
    work(store, monkeypatch, fragile=False)
    assert store.run(run_id).status == store.run(reference).status == "finished"
    assert store.run(run_id).charged == unseeded.privacy
    assert released(store, run_id) == released(store, reference)
    assert len({(store.folder(name) / "weights.npz").read_bytes() for name in (run_id, reference)}) == 1
    assert not any((store.folder(name) / folders.KEY).exists() for name in (run_id, reference))


def test_rounds_that_cannot_be_repeated_are_charged_when_they_are_drawn_again(home, store, monkeypatch):
    run_id = supervisor.start(store, plan(home, rounds=20), engine="tff", eval_every=7)
    lost = [run.drawing for run in killed(store, run_id, monkeypatch, "tff", times=1) if run.drawing is not None]
    work(store, monkeypatch, "tff", fragile=False)
    run, rows = store.run(run_id), store.rounds(run_id)
    assert run.status == "finished"
    assert [row.round for row in rows] == list(range(21))
    assert run.redrawn == len(lost)
    assert run.charged.rounds == 20 + run.redrawn
    assert rows[-1].epsilon == accounting.epsilon(run.charged).value
    assert all(a.epsilon <= b.epsilon for a, b in itertools.pairwise(rows))


def test_a_worker_is_seen_to_be_gone_within_a_second_and_the_run_goes_on_at_a_click(home):
    store = Store(home)  # and the real runner
    run_id = supervisor.start(store, plan(home, rounds=100_000), engine="vectorized", eval_every=1000)
    for _, rows in supervisor.follow(store, run_id):
        if rows:
            break
    processes.kill_worker(store, run_id)
    give_up = time.monotonic() + 120
    while store.run(run_id).status == "running":  # as it is stored: the runner has seen it too
        assert time.monotonic() < give_up
        time.sleep(0.05)
    run = store.run(run_id)
    assert run.status == "interrupted"
    seen = run.last_round
    supervisor.resume(store, run_id)
    for _, rows in supervisor.follow(store, run_id):
        if rows and rows[-1].round > seen:
            supervisor.stop(store, run_id)
    assert store.run(run_id).status == "stopped"
