"""Clusters on the command line: what is refused, what is kept, and a run on two processes of this machine."""

import json
import os
import signal
import time

import numpy as np
import psutil
import pytest

from dpcore.cli import cluster
from dpcore.cli.options import out
from dpcore.cluster import status
from dpcore.cluster.configuration import INSECURE, ClusterConfiguration
from dpcore.datasets import federated
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from tests.test_cli import command, process, workers_of


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cluster", "tcp://10.0.0.7:8786"], INSECURE),
        (["--cluster", "here"], "tls://host:8786"),
        (["--cluster", "tls://a:1", "--workers", "2"], "either the address"),
        (["--cluster", "tls://a:1", "--tls", "/nowhere"], "ca.pem"),
        (["--cluster", "tcp://127.0.0.1:1", "--tls", "/nowhere"], "tls:// address"),
        (["--tls", "/nowhere"], "--cluster tls://host:8786"),
        (["--cluster", "tcp://127.0.0.1:1"], "found none that answers"),
        (["--workers", "2", "--engine", "tff"], "engine vectorized"),
        (["--workers", "65"], "workers"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused_before_anything_is_queued(arguments, words, tmp_path):
    for before in (["train", "--queue"], ["study", "run"]):
        done = command(*before, *arguments, home=tmp_path)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.split())
    assert Store(tmp_path).runs(deleted=None) == Store(tmp_path).studies() == []


def test_the_cluster_of_all_runs_is_set_shown_and_cleared(tmp_path):
    assert command("cluster", "set", home=tmp_path).returncode == 2
    assert command("cluster", "set", "--workers", "3", home=tmp_path).returncode == 0
    assert Store(tmp_path).cluster() == ClusterConfiguration(workers=3)
    (shown,) = map(json.loads, command("cluster", "show", "--json", home=tmp_path).stdout.splitlines())
    assert (shown["cluster"]["workers"], shown["workers"], shown["runs"]) == (3, [], {})
    assert "3 processes" in command("cluster", "show", home=tmp_path).stdout
    gone = ClusterConfiguration(address="tls://127.0.0.1:1", tls=str(tmp_path / "nowhere"))
    Store(tmp_path).set_cluster(gone)
    shown = command("cluster", "show", home=tmp_path)
    assert (shown.returncode, "tls://127.0.0.1:1" in shown.stdout, "ca.pem" in shown.stderr) == (1, True, True)
    assert command("cluster", "clear", home=tmp_path).returncode == 0
    assert Store(tmp_path).cluster() is None


def test_a_run_leaves_a_cluster_that_is_gone(tmp_path, small_plan):
    store, gone = Store(tmp_path), ClusterConfiguration(address="tcp://127.0.0.1:1")
    run_id = store.create(small_plan, engine="vectorized", eval_every=1, cluster=gone)
    assert command("cluster", "set", "--workers", "2", "--of", run_id, home=tmp_path).returncode == 0
    assert (store.cluster(run_id), store.cluster()) == (ClusterConfiguration(workers=2), None)
    assert command("cluster", "clear", "--of", run_id, home=tmp_path).returncode == 0
    assert store.cluster(run_id) is None
    unknown = command("cluster", "clear", "--of", "nobody", home=tmp_path)
    assert (unknown.returncode, "No run has the id 'nobody'" in unknown.stderr) == (2, True)


def test_what_workers_say_is_no_markup(capsys, monkeypatch):
    worker = status.WorkerStatus(
        name="[bold]a", address="tls://[fd00::5]:8786", state="refused", reason="OSError [/data/home]", shards=0
    )
    seen = status.ClusterStatus(where="here", written=0.0, message="", workers=[worker], again=0)
    monkeypatch.setattr(out, "width", 200)
    out.print(cluster.workers_table(seen))
    shown = capsys.readouterr().out
    for words in ("[bold]a", "tls://[fd00::5]:8786", "refused", "OSError [/data/home]"):
        assert words in shown


@pytest.mark.slow
def test_a_run_on_two_processes_is_resumed_without_them_and_they_die_with_it(tmp_path, few_writers, small_plan):
    """Killed in the middle: no process stays, and one machine goes on from the checkpoint to the same weights."""
    from dpcore.learning import engines, sampling

    home = tmp_path / "home"
    folder = home / "datasets" / "imported" / "few"
    splits = {"train": few_writers.train, "test": few_writers.test}
    arrays = {f"{name}_{kind}": getattr(one, kind) for name, one in splits.items() for kind in vars(one)}
    federated.save(folder, arrays, name="few", num_classes=10, description=few_writers.description)
    asked = ["--dataset", "few", "--clients-per-round", "30", "--noise-multiplier", "0.3", "--rounds", "400"]
    asked += ["--home", str(home), "--queue", "--json", "--workers", "2"]
    done = process("train", *asked, home=tmp_path / "default")
    assert done.returncode == 0, done.stderr
    run_id, store = json.loads(done.stdout)["run_id"], Store(home)
    try:
        give_up = time.monotonic() + 500
        while (store.run(run_id).last_round or 0) < 3:
            assert time.monotonic() < give_up, store.run(run_id).message
            time.sleep(0.1)
        (worker, *children) = workers_of(run_id)
        assert len([one for one in children if "spawn_main" in " ".join(one.cmdline())]) >= 2
        assert not (tmp_path / "default").exists()  # the processes map the data that are in the run's home
        assert not (home / "datasets" / "received").exists()
        os.kill(worker.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert not alive
        reached = store.run(run_id).last_round
        assert 3 <= reached < 400
        store.set_cluster(None, run_id)
        while supervisor.current(store, run_id).active:
            time.sleep(0.1)
        supervisor.resume(store, run_id)
        plan = store.run(run_id).plan
        until = reached + 3
        while (store.run(run_id).last_round or 0) < until and supervisor.current(store, run_id).active:
            time.sleep(0.1)
        assert store.run(run_id).last_round >= until, store.run(run_id).message
        store.request_stop(run_id)
        for _ in supervisor.follow(store, run_id):
            pass
        last = store.run(run_id).last_round
        engine = engines.create("vectorized", plan, few_writers)
        state = engine.initialize()
        for round_num in range(1, last + 1):
            state, _ = engine.next(state, sampling.cohort(plan, round_num), round_num)
        with np.load(store.folder(run_id) / "weights.npz") as kept:
            found = [kept[name].tobytes() for name in kept.files]
        assert found == [part.tobytes() for part in engine.model_weights(state)]
    finally:
        for one in workers_of(run_id):
            one.kill()
