"""A run and its cluster: it waits for one that does not answer, and takes the queue with it into no failure."""

import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from dpcore.cluster import connection
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import ClusterError
from dpcore.runs.process import clusters, supervisor, worker
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study

THERE = ClusterConfiguration(address="tcp://127.0.0.1:1")


@pytest.fixture
def connections(monkeypatch):
    """What `connect` answers, in order, instead of connecting; an error is raised."""
    answers, made = [], []

    def connect(configuration):
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        closed = []
        made.append(
            SimpleNamespace(configuration=configuration, client=SimpleNamespace(status="running"), closed=closed)
        )
        made[-1].close = lambda: closed.append(True)
        return made[-1]

    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.setattr(clusters, "_opened", [])
    monkeypatch.setattr(clusters, "_AGAIN_SECONDS", 0.0)
    return answers, made


def queued(store, small_plan, cluster=THERE):
    run_id = store.create(small_plan, engine="vectorized", eval_every=1, cluster=cluster)
    store.begin(run_id)
    return run_id


@pytest.mark.slow
def test_a_scheduler_that_is_down_when_a_run_begins_is_waited_for(store, small_plan, connections):
    answers, made = connections
    answers += [ClusterError("Nobody there."), ClusterError("Nobody there.")]
    run_id, said = queued(store, small_plan), []

    def stop_requested():
        said.append(store.run(run_id).message)
        return False

    with ExitStack() as held:
        assert clusters.shard_computer(store, store.run(run_id), None, stop_requested, held) is not None
    assert len(made) == 1
    assert said == [
        "Connecting to the cluster (tcp://127.0.0.1:1)",
        "Waiting: Nobody there. The run goes on when it can.",
    ]


def test_a_run_that_is_stopped_meanwhile_is_interrupted_and_not_failed(store, small_plan, connections, monkeypatch):
    connections[0].append(ClusterError("Nobody there."))
    run_id = queued(store, small_plan)
    store.request_stop(run_id)

    def train(store, run, stop_requested, held):
        clusters.shard_computer(store, run, None, stop_requested, held)

    monkeypatch.setattr(worker, "_train", train)
    status, message = worker._outcome(store, run_id, threading.Event())
    assert status == "interrupted"
    assert message.startswith("Nobody there.")


def test_workers_of_this_machine_serve_the_runs_that_follow_until_their_number_changes(connections):
    two = clusters._opener(ClusterConfiguration(workers=2))
    assert two() is two() is clusters._opener(ClusterConfiguration(workers=2))()
    three = clusters._opener(ClusterConfiguration(workers=3))()
    assert [(one.configuration.workers, len(one.closed)) for one in connections[1]] == [(2, 1), (3, 0)]
    assert clusters._opener(ClusterConfiguration(workers=3))() is three


def test_processes_of_this_machine_end_where_a_run_follows_that_uses_none(store, small_plan, connections):
    clusters._opener(ClusterConfiguration(workers=2))()
    run_id = queued(store, small_plan, cluster=None)
    with ExitStack() as held:
        assert clusters.shard_computer(store, store.run(run_id), None, lambda: False, held) is None
    assert [len(one.closed) for one in connections[1]] == [1]


def test_only_runs_on_the_same_cluster_share_its_workers(store, small_plan):
    other = ClusterConfiguration(address="tcp://127.0.0.1:2")
    here = [queued(store, small_plan) for _ in range(2)]
    queued(store, small_plan, cluster=other)
    queued(store, small_plan, cluster=None)
    on_tff = store.create(small_plan, engine="tff", eval_every=1, cluster=THERE)
    store.begin(on_tff)
    assert [clusters._place(store, run_id, THERE.address) for run_id in sorted(here)] == [(0, 2), (1, 2)]


def test_a_study_takes_its_runs_along_to_another_cluster(store, small_plan, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    study_id = schedule.start(store, Study(plan=small_plan, noise_multipliers=(0.0, 0.5)))
    (first, *_) = store.queue()
    store.set_cluster(THERE, first.run_id)  # as begun there, which is gone for good
    store.begin(first.run_id)
    store.end(first.run_id, "interrupted")
    here = ClusterConfiguration(workers=2)
    store.set_cluster(here, study_id)
    schedule.go_on(store, study_id)
    assert store.run(first.run_id).status == "queued"
    assert store.cluster(first.run_id, own=True) == here


def test_a_study_and_a_run_anew_keep_their_own_cluster_and_pin_no_general_one(store, small_plan, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    general, own = ClusterConfiguration(workers=3), ClusterConfiguration(workers=2)
    store.set_cluster(general)
    study = Study(plan=small_plan, noise_multipliers=(0.0, 0.5))
    study_id = schedule.start(store, study)
    (first, *_) = store.queue()
    assert (store.cluster(first.run_id), store.cluster(first.run_id, own=True)) == (general, None)
    again = supervisor.retry(store, first.run_id)
    assert store.cluster(again, own=True) is None
    store.set_cluster(own, study_id)
    store.set_cluster(own, first.run_id)
    assert store.cluster(supervisor.retry(store, first.run_id), own=True) == own
