"""One cohort, many workers: the same bits, whoever is killed, missing, late, or refused. Over TLS on the loopback."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from dpcore.cluster import certificates, status
from dpcore.cluster.configuration import TLS_FILES, ClusterConfiguration
from dpcore.errors import ClusterError, RoundAbandonedError
from dpcore.learning import shards
from tests.ports import free_port

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
_PATIENCE = 400  # seconds: other tests use the same cores
COHORTS = [np.array(users, np.int64) for users in (range(60), [], [5], range(20, 47))]


class Cluster:
    """A scheduler and workers in processes of their own, as an operator starts them."""

    def __init__(self, folder: Path):
        self.folder, self.processes, self.workers = folder, [], {}
        certificates.make(folder / "tls")
        authority, certificate, key = (str(folder / "tls" / name) for name in TLS_FILES)
        self._tls = ["--tls-ca-file", authority, "--tls-cert", certificate, "--tls-key", key, "--protocol", "tls"]
        self._local = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"]
        told = folder / "scheduler.json"
        self.port = str(free_port())
        self.scheduler = self.start("scheduler", "--port", self.port, "--scheduler-file", str(told))
        until(lambda: told.exists() and told.read_text().endswith("}"))  # it is written a moment after it is there
        address = json.loads(told.read_text())["address"]
        self.configuration = ClusterConfiguration(address=address, tls=str(folder / "tls"))

    def start(self, *arguments: str, cwd: Path = ROOT) -> subprocess.Popen:
        environment = os.environ | {"EPSILON_LAB_HOME": str(self.folder / "home"), "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-m", "dask", *arguments, *self._tls, *self._local]
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT)
            )
        return self.processes[-1]

    def worker(self, name: str, *more: str, cwd: Path = ROOT) -> subprocess.Popen:
        self.workers[name] = self.start(
            "worker", self.configuration.address, "--name", name, "--nthreads", "1", "--no-nanny", *more, cwd=cwd
        )
        return self.workers[name]

    def only(self, *names: str) -> list[subprocess.Popen]:
        """Ends all other workers, and returns these: those that run go on, since each takes seconds to start."""
        for name in list(self.workers):
            if name not in names or self.workers[name].poll() is not None:
                process = self.workers.pop(name)
                process.kill()
                process.wait()
        return [self.workers[name] if name in self.workers else self.worker(name) for name in names]

    def close(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def plan():
    from dpcore.plan import Plan, PrivacyPlan

    return Plan(
        privacy=PrivacyPlan(population=60, clients_per_round=30, rounds=4, noise_multiplier=0.3, zeroing=True)
    )


@pytest.fixture(scope="module")
def engine(plan, few_writers):
    from dpcore.learning.vectorized import VectorizedEngine

    return VectorizedEngine(plan, few_writers)


@pytest.fixture
def on(cluster, plan, few_writers, tmp_path):
    """Makes an engine on the cluster; what it said is in `said`."""
    from dpcore.cluster.cohorts import ClusterCohorts
    from dpcore.cluster.connection import Opener
    from dpcore.learning.vectorized import VectorizedEngine

    made = []

    def make(said=None, stop_requested=lambda: False, folder=tmp_path):
        connect = Opener(cluster.configuration)
        until(lambda: answers(connect))  # within seconds, or it is asked again: the machine may be busy

        def computes(clients):
            cohorts = ClusterCohorts(
                open_connection=connect,
                configuration=cluster.configuration,
                plan=plan,
                dataset=few_writers,
                clients=clients,
                folder=folder,
                say=[].append if said is None else said.append,
                stop_requested=stop_requested,
            )
            made.append((cohorts, connect))
            return cohorts

        return VectorizedEngine(plan, few_writers, computes)

    yield make
    for cohorts, connect in made:
        cohorts.close()
        connect.close()


@pytest.fixture(scope="module")
def expected(engine):
    """The states after each cohort, on the threads of this process."""
    states = [engine.initialize()]
    for round_num, cohort in enumerate(COHORTS, start=1):
        states.append(engine.next(states[-1], cohort, round_num)[0])
    return states


def same(engine, one, other) -> bool:
    pairs = zip(engine.to_arrays(one), engine.to_arrays(other), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


def until(happens, seconds=_PATIENCE, what=lambda: ""):
    give_up = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < give_up, what()
        time.sleep(0.05)


def answers(connect) -> bool:
    with suppress(ClusterError):
        connect()
        return True
    return False


def test_a_round_without_any_worker_waits_says_so_and_can_be_stopped(on, expected):
    """Nothing of the round took place: the state is what it was."""
    said = []
    waiting = on(said, stop_requested=lambda: bool(said))
    with pytest.raises(RoundAbandonedError):
        waiting.next(expected[0], COHORTS[0], 1)
    assert "no worker" in said[0]
    assert "tls://127.0.0.1" in said[0]


def test_lost_hung_killed_and_late_workers_change_no_bit(on, cluster, expected, engine, tmp_path, few_writers):
    """From no worker to two, one of which is killed in the middle of its batch, then none, then a new one."""
    said, state, threads = [], expected[0], []
    shared = on(said)

    def begin(round_num):
        box = []
        threads.append(
            threading.Thread(target=lambda: box.append(shared.next(state, COHORTS[round_num - 1], round_num)[0]))
        )
        threads[-1].start()
        return box

    box = begin(1)
    until(lambda: any("no worker" in words for words in said))
    first, second = cluster.worker("first"), cluster.worker("second")  # they lack the data, and are sent them
    threads[-1].join(_PATIENCE)
    assert same(engine, box[0], expected[1])
    home = cluster.folder / "home" / "datasets" / "received" / few_writers.fingerprint
    assert (home / "manifest.json").exists()

    state = expected[1]
    for round_num in (2, 3):
        box = begin(round_num)
        threads[-1].join(_PATIENCE)
        assert same(engine, box[0], expected[round_num])
        state = box[0]
    until(lambda: len(ready(shared, tmp_path, state)) == 2, what=lambda: status.read(tmp_path))

    state, before = expected[0], {one.name: one.shards for one in status.read(tmp_path).workers}
    for process in (first, second):  # it has its batch, and does not get on with it
        process.send_signal(signal.SIGSTOP)
    box = begin(1)
    until(lambda: len(tasks(shared)) >= 2)
    second.kill()
    time.sleep(1.0)
    first.send_signal(signal.SIGCONT)
    threads[-1].join(_PATIENCE)
    assert same(engine, box[0], expected[1])
    after = status.read(tmp_path)
    gone = {one.name: one for one in after.workers}
    assert gone["second"].state == "gone"
    assert gone["second"].shards == before["second"]  # it had begun, and is not counted
    assert after.again >= 4
    until(lambda: not tasks(shared), what=lambda: tasks(shared))  # those that went with a worker, and all others
    assert gone["first"].shards - before["first"] == len(shards.cut(COHORTS[0], np.zeros(60)))

    first.send_signal(signal.SIGSTOP)
    box = begin(1)
    until(lambda: tasks(shared))
    first.kill()
    until(lambda: "no worker" in said[-1])
    cluster.worker("late")
    threads[-1].join(_PATIENCE)
    assert same(engine, box[0], expected[1])
    assert said[-1] == ""
    assert next(one for one in status.read(tmp_path).workers if one.name == "late").shards == 8


def tasks(shared):
    """What the scheduler keeps for the client of an engine."""
    return shared._computer._client.run_on_scheduler(
        lambda dask_scheduler: [(task.state, task.key) for task in dask_scheduler.tasks.values()]
    )


def ready(shared, folder, state):
    shared.next(state, COHORTS[1], 2)  # nobody: only looks
    time.sleep(0.2)
    return [one for one in status.read(folder).workers if one.state == "ready"]


def test_a_worker_with_other_code_is_refused_and_gets_nothing(on, cluster, expected, engine, tmp_path):
    """A tree that differs in one comment; it is named, and the round is done by the one that is right."""
    other = tmp_path / "other"
    shutil.copytree(ROOT / "dpcore", other / "dpcore", ignore=shutil.ignore_patterns("__pycache__"))
    with (other / "dpcore" / "rng.py").open("a") as file:
        file.write("# another version\n")
    cluster.only("late")
    process = cluster.worker("wrong", cwd=other)
    said, state = [], expected[0]
    shared = on(said)

    def refused():
        shared.next(state, COHORTS[0], 1)
        return [one for one in status.read(tmp_path).workers if one.state == "refused"]

    until(refused)
    (wrong,) = refused()
    assert wrong.name == "wrong"
    assert wrong.reason.startswith("other code of Epsilon Lab")
    assert wrong.shards == 0
    assert "wrong was refused: other code" in said[-1]
    assert same(engine, shared.next(state, COHORTS[0], 1)[0], expected[1])
    process.kill()


def test_two_threads_of_one_worker_and_two_runs_on_it_compute_the_same_bits(
    on, cluster, expected, engine, tmp_path, monkeypatch
):
    """And a run beats while results come: it is not taken for hung when its rounds grow longer."""
    monkeypatch.setattr("dpcore.cluster.cohorts._BEAT_SECONDS", 0.0)
    cluster.only()
    cluster.worker("one", "--nthreads", "2")
    said, boxes = [], [[], []]
    beside = tmp_path / "beside"
    beside.mkdir()
    runs = [on(said), on(folder=beside)]
    threads = [
        threading.Thread(target=lambda run=run, box=box: box.append(run.next(expected[0], COHORTS[0], 1)[0]))
        for run, box in zip(runs, boxes, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE)
    for (state,) in boxes:
        assert same(engine, state, expected[1])
    (worker,) = [one for one in status.read(tmp_path).workers if one.state != "gone"]
    assert worker.name == "one"
    assert said[-2:] == ["", ""]


def test_a_sum_that_is_too_long_is_refused_with_its_worker_and_moves_nothing(
    on, cluster, expected, engine, monkeypatch
):
    """As a faulty machine may answer: more than clipped updates can be would not be hidden by the noise."""
    cluster.only("one")
    said, stop = [], []
    shared = on(said, stop_requested=lambda: bool(stop))

    def faulty(key, broadcast, batch):
        from dpcore.cluster import work

        sums, seconds = work.compute(key, broadcast, batch)
        for one in sums:
            one.total[0] *= 1000
        return sums, seconds

    monkeypatch.setattr("dpcore.cluster.cohorts.work.compute", faulty)
    box = []
    thread = threading.Thread(target=lambda: box.append(shared.next(expected[0], COHORTS[0], 1)[0]))
    thread.start()
    until(lambda: said and "one was refused: it answered with a sum that" in said[-1])
    monkeypatch.undo()
    cluster.worker("two")
    thread.join(_PATIENCE)
    assert same(engine, box[0], expected[1])


def test_a_worker_that_fails_is_left_out_and_a_shard_that_fails_everywhere_ends_the_run(
    on, cluster, expected, engine, monkeypatch, tmp_path
):
    cluster.only("one", "two")

    def fails(everywhere):
        def compute(key, broadcast, batch):
            from distributed import get_worker

            from dpcore.cluster import work

            if everywhere or get_worker().name == "one":
                raise MemoryError("no room")
            return work.compute(key, broadcast, batch)

        return compute

    monkeypatch.setattr("dpcore.cluster.cohorts.work.compute", fails(everywhere=False))
    shared = on()
    until(lambda: len(ready(shared, tmp_path, expected[0])) == 2)
    for _ in range(3):
        assert same(engine, shared.next(expected[0], COHORTS[0], 1)[0], expected[1])
    (bad,) = [one for one in status.read(tmp_path).workers if one.name == "one"]
    assert (bad.state, bad.reason, bad.shards) == ("refused", "it could not compute: MemoryError: no room", 0)
    monkeypatch.setattr("dpcore.cluster.cohorts.work.compute", fails(everywhere=True))
    with pytest.raises(ClusterError, match="found an error 3 times, at last from two: MemoryError"):
        shared.next(expected[0], COHORTS[0], 1)


def test_a_worker_that_hangs_is_waited_for_once_and_not_in_every_round(on, cluster, expected, engine, tmp_path):
    hangs, _ = cluster.only("one", "two")
    shared = on()
    until(lambda: len(ready(shared, tmp_path, expected[0])) == 2)
    for _ in range(3):
        shared.next(expected[0], COHORTS[0], 1)
    hangs.send_signal(signal.SIGSTOP)
    again = []
    for _ in range(3):
        assert same(engine, shared.next(expected[0], COHORTS[0], 1)[0], expected[1])
        again.append(status.read(tmp_path).again)
    assert 0 < again[0] == again[1] == again[2]  # what it had was done elsewhere, and it was given nothing more
    (seen,) = [one for one in status.read(tmp_path).workers if one.name == "one"]
    assert (seen.state, seen.reason) == ("preparing", "it takes far longer than the others")
    hangs.send_signal(signal.SIGCONT)
    until(lambda: len(ready(shared, tmp_path, expected[0])) == 2)


def test_clients_that_kill_every_worker_end_the_run(on, cluster, expected, monkeypatch):
    monkeypatch.setattr("dpcore.cluster.cohorts._MOST_LOST", 2)
    monkeypatch.setattr(
        "dpcore.cluster.cohorts.work.compute", lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
    )
    (first,) = cluster.only("one")

    def follow():  # one after the other: each is given every shard
        first.wait()
        cluster.worker("two")

    threading.Thread(target=follow, daemon=True).start()
    shared = on()
    with pytest.raises(ClusterError, match="lost 2 workers"):
        shared.next(expected[0], COHORTS[0], 1)
    until(lambda: not tasks(shared), what=lambda: tasks(shared))


def test_nobody_has_to_wait_for_a_worker_or_a_scheduler_that_hangs(on, cluster, expected, monkeypatch):
    monkeypatch.setattr("dpcore.cluster.cohorts._SILENT_SECONDS", 1.0)
    (worker,) = cluster.only("hangs")
    said, stop = [], []
    shared = on(said, stop_requested=lambda: bool(stop))
    shared.next(expected[0], COHORTS[0], 1)
    for process in (worker, cluster.scheduler):
        stop.clear()
        process.send_signal(signal.SIGSTOP)
        threading.Timer(2.0, stop.append, [True]).start()
        started = time.monotonic()
        with pytest.raises(RoundAbandonedError):
            shared.next(expected[0], COHORTS[0], 1)
        assert time.monotonic() - started < 20
        assert "nothing has come" in said[-1]
        if process is worker:
            process.send_signal(signal.SIGCONT)
            until(lambda: not tasks(shared), what=lambda: tasks(shared))
    started = time.monotonic()
    shared._computer.close()
    assert time.monotonic() - started < 20
    cluster.scheduler.send_signal(signal.SIGCONT)


def test_a_scheduler_that_is_lost_is_waited_for(on, cluster, expected, engine):
    """Killed in the middle of a round, and started again at its address; its workers end with it, new ones come."""
    said, box = [], []
    shared = on(said)
    cluster.only("before")  # one that is there may be about to leave a scheduler that hung
    assert same(engine, shared.next(expected[0], COHORTS[0], 1)[0], expected[1])
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    thread = threading.Thread(target=lambda: box.append(shared.next(expected[0], COHORTS[0], 1)[0]))
    thread.start()
    until(lambda: "scheduler" in said[-1])
    cluster.scheduler = cluster.start("scheduler", "--port", cluster.port)
    cluster.worker("after")
    thread.join(_PATIENCE)
    assert same(engine, box[0], expected[1])
    assert said[-1] == ""


def test_a_wrong_address_and_a_stranger_without_certificates_are_told_within_seconds(cluster, tmp_path):
    from dpcore.cluster.connection import connect

    certificates.make(tmp_path / "strangers")
    strangers = [
        ClusterConfiguration(address="tcp://127.0.0.1:1"),
        ClusterConfiguration(address=f"tcp://127.0.0.1:{cluster.port}"),
        ClusterConfiguration(address=cluster.configuration.address, tls=str(tmp_path / "strangers")),
        ClusterConfiguration(address=cluster.configuration.address),
    ]
    for configuration in strangers:
        started = time.monotonic()
        with pytest.raises(ClusterError, match=f"Expected .*{configuration.address}"):
            connect(configuration)
        assert time.monotonic() - started < 30  # by itself 5; the machine may be busy
