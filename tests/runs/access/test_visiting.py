"""What a visitor can do to the store, whatever a page would offer."""

import inspect
import re
import shutil
from collections import namedtuple
from dataclasses import replace

import pytest

from dpcore import hosting, language, limits
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import InvalidValueError, NotAllowedError
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.access.visiting import Visited
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study

HERS, HIS, THIRD = (hosting.owner_by_browser(letter * 64) for letter in "abc")


@pytest.fixture(autouse=True)
def nobody_trains(monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)


@pytest.fixture
def hers(store):
    return Visited(store, HERS)


@pytest.fixture
def his(store):
    return Visited(store, HIS)


def start(store, plan=None):
    return supervisor.start(store, plan or Plan(), engine="vectorized", eval_every=5)


def study(seeds=(0,), rounds=(10,), **values):
    plan = Plan(privacy=PrivacyPlan(noise_multiplier=0.0, clients_per_round=1))
    return Study(plan=plan, seeds=seeds, rounds=rounds, **values)


def methods(of):
    return {name: what for name, what in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}


OF_WORKERS = {"append", "begin", "draw", "say", "unbegin"}
FOR_EVERYBODY = {
    "empty_bin",
    "forget_recovered",
    "move",
    "set_cluster",
    "set_parallel_runs",
    "set_policy",
    "set_rules",
}


def test_every_method_of_the_store_is_sorted():
    asked = methods(StoreAccess).keys()
    assert methods(Store).keys() - asked == OF_WORKERS
    assert methods(Visited).keys() - asked == {"check"}
    assert asked <= methods(Visited).keys() & methods(Store).keys()
    assert not any(hasattr(Visited, name) for name in OF_WORKERS)


@pytest.mark.parametrize("name", sorted(methods(StoreAccess)))
def test_what_is_asked_is_asked_of_every_store_in_the_same_way(name):
    """The checker of types reads this too; but a default that differs is no error to it."""

    def parameters(of):
        return {one.name: one for one in inspect.signature(methods(of)[name]).parameters.values()}

    asked, whole = parameters(StoreAccess), parameters(Store)
    assert parameters(Visited) == asked
    assert {one: whole[one] for one in asked} == asked
    assert all(whole[one].default is not inspect.Parameter.empty for one in whole.keys() - asked.keys())


@pytest.mark.parametrize("name", sorted(FOR_EVERYBODY))
def test_what_is_decided_for_everybody_is_refused_in_words_that_are_translated(hers, name):
    asked = list(inspect.signature(getattr(hers, name)).parameters.values())
    values = {one.name: "anything" for one in asked if one.kind is one.KEYWORD_ONLY}
    said = {}
    for code in language.LANGUAGES:
        with language.speaking(code), pytest.raises(NotAllowedError) as refused:
            getattr(hers, name)(*["anything"] * (len(asked) - len(values)), **values)
        said[code] = str(refused.value)
    assert "found a visitor" in said["en"]
    assert not re.search("[a-z]{3}", said["ja"])


def test_a_visitors_run_is_theirs_in_the_store_and_in_its_folder(store, hers):
    run_id = start(hers)
    assert store.run(run_id).owner == HERS
    assert store.run(start(store)).owner == ""
    (store.home / "runs.sqlite").unlink()  # what its folder says is all that is left
    assert {run.owner for run in Store(store.home).runs(deleted=None)} == {HERS, ""}


@pytest.mark.parametrize("which", ["his", "nobody"])
def test_nobody_but_its_owner_changes_a_run(store, hers, his, which):
    other = his if which == "his" else Visited(store, "")
    run_id = start(hers)
    refused = [
        lambda: supervisor.stop(other, run_id),
        lambda: supervisor.stop(other, run_id, now=True),
        lambda: supervisor.move(other, run_id, before=None),
        lambda: other.describe(run_id, name="mine now"),
        lambda: other.end(run_id, "failed"),
    ]
    for attempt in refused:
        with pytest.raises(NotAllowedError):
            attempt()
    before = store.run(run_id)
    store.begin(run_id)
    store.end(run_id, "stopped")
    for attempt in (
        lambda: supervisor.delete(other, run_id),
        lambda: supervisor.resume(other, run_id),
        lambda: other.restore(run_id),
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    assert (before.status, before.name, store.run(run_id).status) == ("queued", "", "stopped")
    assert store.run(run_id).deleted is None
    with pytest.raises(NotAllowedError, match="of the administrator"):
        supervisor.stop(other, start(store))


def test_its_owner_may_and_so_may_whoever_has_the_machine(store, hers):
    for who in (hers, store):
        run_id = start(hers)
        who.describe(run_id, name="first")
        supervisor.stop(who, run_id)
        supervisor.delete(who, run_id)
        assert store.run(run_id).deleted
        who.restore(run_id)
        store.begin(run_id)
        assert (store.run(run_id).status, store.run(run_id).name) == ("cancelled", "first")


def test_a_worker_is_not_ended_for_a_stranger(store, hers, his, monkeypatch):
    killed = []
    monkeypatch.setattr(supervisor.processes, "kill_worker", lambda _, run_id: killed.append(run_id))
    run_id = start(hers)
    with pytest.raises(NotAllowedError):
        supervisor.stop(his, run_id, now=True)
    assert killed == []
    supervisor.stop(hers, run_id, now=True)
    assert killed == [run_id]


def test_nobody_without_a_name_queues_anything(store):
    nobody = Visited(store, "")
    for attempt in (
        lambda: start(nobody),
        lambda: schedule.start(nobody, study()),
        lambda: supervisor.retry(nobody, start(store)),
    ):
        with pytest.raises(NotAllowedError, match="a visitor that is known"):
            attempt()
    assert [run.owner for run in store.runs()] == [""]
    assert store.studies() == []


def test_a_visitor_runs_anothers_plan_again_as_a_run_of_their_own(store, hers, his):
    again = supervisor.retry(his, start(hers))
    assert store.run(again).owner == HIS


def test_a_visitor_gets_neither_another_runs_cluster_nor_its_engine(store, his):
    of_its_own = ClusterConfiguration(workers=64)
    theirs = supervisor.start(store, Plan(), engine="vectorized", eval_every=5, cluster=of_its_own)
    assert store.cluster(supervisor.retry(store, theirs), own=True) == of_its_own
    assert store.cluster(supervisor.retry(his, theirs), own=True) is None
    slow = supervisor.start(store, Plan(), engine="tff", eval_every=5)
    with pytest.raises(NotAllowedError, match="training on the engine tff is done at the machine's command line"):
        supervisor.retry(his, slow)


def test_a_visitor_keeps_only_so_many_studies(store, hers, monkeypatch):
    monkeypatch.setattr(limits, "MOST_STUDIES_KEPT", 2)
    for rounds in (10, 20):
        schedule.pause(hers, schedule.start(hers, study(rounds=(rounds,))))
    with pytest.raises(NotAllowedError, match="at most 2 studies of one visitor, found 2"):
        schedule.start(hers, study(rounds=(30,)))
    schedule.start(store, study(rounds=(30,)))


def test_what_was_purged_does_not_come_back(store, hers):
    run_id = start(hers)
    store.begin(run_id)
    store.append(run_id, round_of(0))
    store.append(run_id, round_of(1))
    store.end(run_id, "stopped")
    supervisor.delete(hers, run_id)
    store.empty_bin()
    hers.restore(run_id)  # by an Undo that was still on their page
    assert store.runs() == []
    assert [run.run_id for run in store.runs(deleted=None)] == [run_id]  # the ledger's


def test_the_share_counts_own_runs_that_wait_or_train_and_resuming_is_asking(store, hers, his, with_privacy):
    store.set_rules(hosting.Rules(most_queued=2, most_rounds=100))
    ids = [start(hers), start(hers)]
    with pytest.raises(NotAllowedError, match="at most 2 runs of one visitor"):
        start(hers)
    start(his)
    start(store, with_privacy(Plan(), rounds=1000))  # the machine's own person has no bounds
    store.begin(ids[0])
    store.end(ids[0], "stopped")
    start(hers)
    with pytest.raises(NotAllowedError, match="at most 2 runs of one visitor"):
        supervisor.resume(hers, ids[0])
    with pytest.raises(NotAllowedError, match="at most 2"):
        supervisor.retry(hers, ids[0])
    supervisor.stop(hers, ids[1])
    supervisor.resume(hers, ids[0])
    assert store.run(ids[0]).status == "queued"


def test_what_was_longer_before_the_limit_is_not_run_again(store, hers, with_privacy):
    run_id = start(hers, with_privacy(Plan(), rounds=200))
    store.set_rules(hosting.Rules(most_rounds=100))
    with pytest.raises(InvalidValueError, match="rounds to be at most 100"):
        supervisor.retry(hers, run_id)


def test_a_visitor_does_not_make_the_machine_fetch_data_or_fill_its_disk(store, hers, monkeypatch):
    far = Plan(training=TrainingPlan(dataset="federated_emnist"))
    with pytest.raises(NotAllowedError, match="fetching the data set"):
        start(hers, far)
    usage = namedtuple("usage", "free")(10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(NotAllowedError, match="free disk"):
        start(hers)
    assert store.runs() == []


def test_a_visitor_trains_on_what_is_built_in_or_named_by_the_rules(store, hers):
    (store.home / "datasets" / "imported" / "people").mkdir(parents=True)
    own = Plan(training=TrainingPlan(dataset="people"))
    with pytest.raises(NotAllowedError, match=r"may train on \(writers, .*\), found people"):
        start(hers, own)
    with pytest.raises(NotAllowedError, match="found people"):
        schedule.start(hers, replace(study(), plan=own))
    store.set_rules(hosting.Rules(data=("people",)))
    with pytest.raises(NotAllowedError, match=r"may train on \(people\), found writers"):
        start(hers)
    assert store.runs() == []
    start(hers, own)
    start(store)  # whoever has the machine, on anything
    assert len(store.runs()) == 2


def test_a_visitor_decides_nothing_for_all(store, hers):
    for attempt in (
        lambda: hers.set_policy(Policy(name="writers", public=True)),
        lambda: hers.set_parallel_runs(8),
        lambda: hers.set_rules(hosting.Rules(most_rounds=1000)),
        hers.empty_bin,
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    assert (store.policy("writers").public, store.rules()) == (False, hosting.Rules())


def test_a_study_is_its_owners_and_looking_goes_on_with_it_as_them(store, hers, his):
    study_id = schedule.start(hers, study())
    assert {run.owner for run in store.runs()} == {HERS}
    for attempt in (
        lambda: schedule.pause(his, study_id),
        lambda: schedule.go_on(his, study_id),
        lambda: his.detach(study_id, store.runs()[0].run_id),
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    assert schedule.current(his, study_id).status == "going"
    for run in store.runs():  # one is thrown away, and another's look brings back nothing
        supervisor.stop(hers, run.run_id)
    assert schedule.current(his, study_id).owner == HERS
    schedule.go_on(hers, study_id)
    assert {run.owner for run in store.runs()} == {HERS}


def finish(store, run, accuracy=0.5):
    """Ends a queued run as its worker would."""
    store.begin(run.run_id)
    for number in (0, run.plan.privacy.rounds):
        store.append(run.run_id, round_of(number, accuracy=accuracy))
    store.end(run.run_id, "finished")


def round_of(number, **values):
    told = {"accuracy": None, "loss": 1.0, "clip_norm": 0.1, "cohort_size": 3, "epsilon": 1.0, "seconds": 0.1}
    return Round(round=number, **told | values)


def test_two_visitors_who_ask_the_same_have_a_study_and_runs_each_until_some_have_finished(store, hers, his):
    one, two = schedule.start(hers, study()), schedule.start(his, study())
    assert one != two
    assert [run.owner for run in store.queue()].count(HIS) == len(store.queue()) / 2 == 4
    schedule.pause(hers, one)  # what is his goes on
    assert schedule.current(his, two).status == "going"
    for run in store.queue():
        finish(store, run)
    schedule.current(his, two)
    for run in store.queue():
        finish(store, run)
    assert schedule.current(his, two).status == "finished"
    schedule.go_on(hers, one)  # she takes his
    now = schedule.current(hers, one)
    assert (now.status, {run.owner for run in now.runs}) == ("finished", {HIS})


def test_what_another_throws_away_stays_what_a_study_has_read(store, hers, his):
    accuracy = {0.0: 0.8, 0.5: 0.78, 0.75: 0.5, 1.0: 0.79}
    schedule.start(hers, study())
    for run in store.queue():
        finish(store, run, accuracy[run.plan.privacy.noise_multiplier])
    done = {run.plan.privacy.noise_multiplier: run.run_id for run in store.runs()}
    two = schedule.start(his, study())
    supervisor.delete(hers, done[0.75])
    for _ in range(2):
        now = schedule.current(his, two)
        assert now.outcome.tolerable.plan.privacy.noise_multiplier == 0.5
        assert len(now.sweep) == 4
        store.empty_bin()  # nor does it matter when it is gone for good
    schedule.go_on(his, two)
    assert [run.plan.privacy.noise_multiplier for run in store.queue()] == [
        now.final[0].plan.privacy.noise_multiplier
    ]


def test_a_study_without_one_of_its_own_runs_reads_nothing_and_says_why(store, hers):
    accuracy = {0.0: 0.8, 0.5: 0.78, 0.75: 0.5, 1.0: 0.79}
    study_id = schedule.start(hers, study())
    first, *others = store.queue()[::-1]
    for run in (first, *others[1:]):
        finish(store, run, accuracy[run.plan.privacy.noise_multiplier])
    supervisor.stop(hers, others[0].run_id)  # the noise 0.75, which is not tolerable
    supervisor.delete(hers, others[0].run_id)
    now = schedule.current(hers, study_id)
    assert (now.status, now.outcome.complete, now.outcome.tolerable, now.final) == ("stuck", False, None, [])
    assert f"{others[0].run_id} is in the bin" in now.message
    assert store.queue() == []
    schedule.go_on(hers, study_id)
    assert [run.plan for run in store.queue()] == [others[0].plan]


def test_who_comes_second_does_not_wait_for_all_of_the_first(store, hers, his):
    def owners():
        return [run.owner for run in store.queue()]

    many = [start(hers) for _ in range(4)]
    mine = [start(his) for _ in range(2)]
    assert owners() == [HERS, HIS, HERS, HIS, HERS, HERS]
    assert [run.run_id for run in store.queue() if run.owner == HERS] == many
    store.begin(many[0])
    start(Visited(store, THIRD))
    assert owners() == [HIS, THIRD, HERS, HIS, HERS, HERS]  # hers that trains is one of her turns
    store.move(many[3], before=mine[0])  # by whoever has the machine
    assert store.queue()[0].run_id == many[3]
    store.move(mine[0], before=None)
    assert store.queue()[-1].run_id == mine[0]


def test_runs_of_whoever_has_the_machine_stand_where_they_stood(store, hers, his):
    first = start(store)
    theirs = [start(hers) for _ in range(2)]
    second, third = start(store), start(store)
    his_own = start(his)
    order = [run.run_id for run in store.queue()]
    assert order == [first, theirs[0], second, third, his_own, theirs[1]]  # his is before her second, and no other


def test_who_resumes_waits_again_and_what_was_interrupted_does_not(store, hers, his):
    hoard = []
    for _ in range(3):
        hoard.append(start(hers))
        store.begin(hoard[-1])
        store.append(hoard[-1], round_of(0))
        store.end(hoard[-1], "stopped")
    waiting = [start(his) for _ in range(2)]
    for run_id in hoard:
        supervisor.resume(hers, run_id)
    assert [run.owner for run in store.queue()] == [HIS, HERS, HIS, HERS, HERS]
    first = store.queue()[0].run_id
    assert first == waiting[0]
    store.begin(first)
    assert supervisor.resume_interrupted(store) == [first]  # nobody has its lock
    assert store.queue()[0].run_id == first


def test_who_has_all_their_runs_may_resume_one_whose_worker_is_gone(store, hers):
    store.set_rules(hosting.Rules(most_queued=2))
    ids = [start(hers), start(hers)]
    store.begin(ids[0])  # and nobody has its lock
    supervisor.resume(hers, ids[0])
    assert store.run(ids[0]).status == "queued"


def test_a_run_that_has_had_its_minutes_is_not_resumed_by_a_visitor(store, hers):
    store.set_rules(hosting.Rules(most_minutes=2))
    run_id = start(hers)
    store.begin(run_id)
    store.append(run_id, round_of(0, seconds=121.0))
    store.end(run_id, "stopped")
    with pytest.raises(NotAllowedError, match="less than 2 minutes"):
        supervisor.resume(hers, run_id)
    supervisor.resume(store, run_id)  # whoever has the machine may
    assert store.run(run_id).status == "queued"


def test_a_visitor_has_so_many_studies_that_go_on_and_no_more(store, hers, his):
    asked = [study(tolerance=0.05 + number / 1000) for number in range(limits.MOST_STUDIES + 1)]
    ids = [schedule.start(hers, one) for one in asked[:-1]]
    with pytest.raises(NotAllowedError, match=f"at most {limits.MOST_STUDIES} studies of one visitor"):
        schedule.start(hers, asked[-1])
    assert len(store.studies()) == limits.MOST_STUDIES
    assert schedule.start(hers, asked[0]) == ids[0]  # it is there already
    schedule.start(his, asked[-1])
    schedule.pause(hers, ids[0])
    schedule.start(hers, asked[-1])
    with pytest.raises(NotAllowedError, match="studies of one visitor"):
        schedule.go_on(hers, ids[0])


@pytest.mark.parametrize(
    "asked", [study(seeds=tuple(range(20))), study(rounds=(1000,)), study(clients_per_round=(501,))]
)
def test_a_study_beyond_a_visitors_share_is_refused_whole(store, hers, asked):
    with pytest.raises((NotAllowedError, InvalidValueError), match="Expected"):
        schedule.start(hers, asked)
    assert (store.runs(), store.studies()) == ([], [])


def test_a_study_that_is_gone_on_with_by_a_worker_keeps_to_its_owners_share(store, hers):
    study_id = schedule.start(hers, study())
    store.set_rules(hosting.Rules(most_queued=1))
    store.request_stop(store.queue()[0].run_id)
    schedule.advance(store, study_id, again=True)
    (row,) = store.studies()
    assert (row.going, "at most 1 runs of one visitor" in row.message) == (False, True)
