"""What a worker takes in: data that are what was sent, once, whoever else has them open."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from dpcore.cluster import work
from dpcore.cluster.work import Job
from dpcore.errors import ClusterError, DatasetError
from dpcore.learning import shards


@pytest.fixture
def job(few_writers, tmp_path, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(work, "_datasets", {})
    monkeypatch.setattr(work, "get_worker", lambda: SimpleNamespace(listeners=[]))
    return Job(plan="{}", dataset="few", fingerprint=few_writers.fingerprint, code=work.code_digest())


def parts(dataset, part=100_000, spoil=lambda name, content: content):
    for path in Path(dataset.train.features.filename).parent.iterdir():
        content = spoil(path.name, path.read_bytes())
        for offset in range(0, len(content), part):
            yield path.name, offset, content[offset : offset + part]
    yield "", 0, None


def send(job, dataset, **how):
    for one in parts(dataset, **how):
        work.receive(job, "one", *one)


def test_data_that_are_sent_are_mapped_by_their_content(job, few_writers, tmp_path):
    assert work._dataset(job) is None
    send(job, few_writers)
    found = work._dataset(job)
    assert found.fingerprint == few_writers.fingerprint
    assert (found.train.features == few_writers.train.features).all()
    assert work._dataset(job) is found


def test_two_that_are_sent_the_same_do_not_wait_for_each_other(job, few_writers, tmp_path):
    """The first has them open, and so holds their lock, when the second is told that all is there."""
    send(job, few_writers)
    found = work._dataset(job)
    send(job, few_writers)
    assert [path.name for path in (tmp_path / "datasets" / "received").iterdir() if path.is_dir()] == [
        found.fingerprint
    ]


@pytest.mark.parametrize("lag", [0, 1, 5])
def test_two_runs_that_send_the_same_to_one_worker_do_not_break_each_other(job, few_writers, tmp_path, lag):
    one, other = list(parts(few_writers)), list(parts(few_writers))
    for step in range(len(one) + lag):
        for sender, steps, late in (("one", one, 0), ("other", other, lag)):
            if 0 <= step - late < len(steps):
                work.receive(job, sender, *steps[step - late])
    assert work._dataset(job).fingerprint == few_writers.fingerprint
    assert len([path for path in (tmp_path / "datasets" / "received").iterdir() if path.is_dir()]) == 1


def test_what_was_changed_on_the_way_is_no_data_set(job, few_writers, tmp_path):
    def spoil(name, content):
        return content[:-1] + bytes([content[-1] ^ 1]) if name == "train_labels.npy" else content

    with pytest.raises(DatasetError, match="not what was written"):
        send(job, few_writers, spoil=spoil)
    assert work._dataset(job) is None
    assert not [path for path in (tmp_path / "datasets" / "received").iterdir() if path.is_dir()]


def test_what_a_lost_server_began_to_send_does_not_stay(job, few_writers, tmp_path):
    work.receive(job, "lost", *next(parts(few_writers)))
    (partial,) = (tmp_path / "datasets" / "received").glob("*.lost.partial")
    work.receive(job, "alive", *next(parts(few_writers)))
    for path in (*partial.iterdir(), partial):
        os.utime(path, (time.time() - 7200,) * 2)
    send(job, few_writers)
    assert not partial.exists()
    assert list((tmp_path / "datasets" / "received").glob("*.alive.partial"))


def test_a_part_that_does_not_fit_on_the_disk_leaves_nothing(job, few_writers, tmp_path, monkeypatch):
    first, second, *_ = parts(few_writers)
    work.receive(job, "one", *first)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DatasetError):
        work.receive(job, "one", *second)
    assert not list((tmp_path / "datasets" / "received").glob("*.partial"))


def test_data_that_were_damaged_are_lacked_and_sent_again(job, few_writers, tmp_path):
    send(job, few_writers)
    file = tmp_path / "datasets" / "received" / few_writers.fingerprint / "train_labels.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert work._dataset(job) is None
    send(job, few_writers)
    assert work._dataset(job).fingerprint == few_writers.fingerprint


def test_a_worker_takes_a_name_and_never_a_path(job, tmp_path):
    work.receive(job, "../../../sender", "../../../outside.npy", 0, b"x")
    assert [path.name for path in tmp_path.rglob("outside.npy")] == ["outside.npy"]
    partial = next(tmp_path.rglob("outside.npy")).parent
    assert partial.name.endswith(".sender.partial")
    assert partial.parent == tmp_path / "datasets" / "received"


def test_another_process_refuses_what_it_was_not_prepared_for():
    with pytest.raises(work.NotPreparedError):
        work.compute("unknown", None, [])


@pytest.fixture
def jobs(monkeypatch):
    """A worker's preparing without TensorFlow; the test's jobs differ in their plans."""
    made = []

    class Clients:
        def __init__(self, plan, dataset):
            made.append(plan)
            time.sleep(0.01)

        def bits_digest(self):
            return "p"

        def shard_sum(self, broadcast, shard):
            return shard

    monkeypatch.setitem(sys.modules, "dpcore.learning.clients", SimpleNamespace(Clients=Clients))
    monkeypatch.setattr(work, "Plan", SimpleNamespace(from_json=lambda text: text))
    monkeypatch.setattr(work, "_dataset", lambda job: SimpleNamespace(fingerprint="d"))
    monkeypatch.setattr(work, "_prepared", {})
    monkeypatch.setattr(work, "get_worker", lambda: SimpleNamespace(listeners=[]))
    return lambda number: Job(plan=f"{number}", dataset="", fingerprint="d", code=work.code_digest()), made


def test_plans_stay_prepared_as_long_as_they_are_used(jobs, monkeypatch):
    job, _ = jobs
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
    monkeypatch.setattr(work, "time", clock)
    for number in range(20):  # of as many servers: none pushes another out
        work.prepare(job(number))
    for number in range(20):
        now[0] += 20.0
        assert work.compute(job(number % 5).key, None, [number])[0] == [number]
    assert set(work._prepared) == {job(number).key for number in range(5)}
    with pytest.raises(work.NotPreparedError):
        work.compute(job(7).key, None, [])


def test_several_threads_of_a_worker_prepare_a_plan_once(jobs):
    job, made = jobs
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda number: work.prepare(job(number % 2)), range(40)))
        done = list(pool.map(lambda number: work.compute(job(number % 2).key, None, [number])[0], range(40)))
    assert sorted(made) == ["0", "1"]
    assert {one.probe for one in told} == {"p"}
    assert done == [[number] for number in range(40)]


def test_other_code_is_another_job():
    one = Job(plan="{}", dataset="few", fingerprint="d", code="c")
    assert one.key != replace(one, code="other").key


@pytest.mark.parametrize("function", [work.prepare, work.receive, work.compute])
def test_trouble_with_a_file_is_the_tasks_own_and_no_lost_line(function, job, monkeypatch):
    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied: /data/home")

    for name in ("_dataset", "_received", "_used"):
        monkeypatch.setattr(work, name, forbidden)
    arguments = {work.prepare: [job], work.receive: [job, "s", "a", 0, b""], work.compute: ["key", None, []]}
    with pytest.raises(ClusterError, match=r"PermissionError.*/data/home"):
        function(*arguments[function])


@pytest.mark.parametrize(
    "answer",
    [None, [], ([], 1.0), ([None], 1.0), ([shards.ShardSum.__new__(shards.ShardSum)], 1.0), ([{}], "soon")],
)
def test_an_answer_of_any_shape_has_a_fault_and_raises_nothing(answer):
    told = shards.Broadcast(weights=[], clip_norm=1.0, ceiling=1.0, estimate=1.0, round_num=1)
    assert "something else than a sum for each shard" in work.problem_with(answer, told, [[]])
    nothing = shards.ShardSum(total=[], num_clients=0, num_unclipped=0, num_below=0)
    assert work.problem_with(([nothing], 0.1), told, [[]]) == ""
