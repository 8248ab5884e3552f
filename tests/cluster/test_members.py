"""Workers are asked until they answer: an answer that was lost is asked for again, and a bad one refuses."""

import time
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dpcore.cluster import work
from dpcore.cluster.configuration import INSECURE
from dpcore.cluster.members import Members
from dpcore.cluster.work import Job, WorkerReport
from dpcore.errors import DatasetError

OURS = WorkerReport(code="c", versions={"numpy": "1"}, data="d", probe="p")


class FakeClient:
    """A scheduler with one worker; `asked` are the questions."""

    status = "running"

    def __init__(self):
        self.asked: list[Future] = []
        self.functions: list = []
        self.there, self.hangs = ["tls://a:1"], False

    def _run_on_scheduler(self):
        raise NotImplementedError

    def sync(self, function, *arguments, **how):
        assert how["callback_timeout"] < 10
        if self.hangs:
            raise TimeoutError
        return ["tls://s:1"], {address: {"name": "a", "nthreads": 2} for address in self.there}

    def submit(self, function, *arguments, **how):
        assert how["workers"] == ["tls://a:1"]
        assert how["allow_other_workers"] is False
        self.functions.append(function)
        self.asked.append(Future())
        return self.asked[-1]


@pytest.fixture
def client():
    return FakeClient()


@pytest.fixture
def members(client, tmp_path):
    (tmp_path / "a.npy").write_bytes(b"x")
    (tmp_path / "manifest.json").write_text("{}")
    dataset = SimpleNamespace(train=SimpleNamespace(features=SimpleNamespace(filename=str(tmp_path / "a.npy"))))
    made = Members(client, Job(plan="{}", dataset="few", fingerprint="d", code="c"), dataset, OURS)
    yield made
    made.close()


def until(happens):
    give_up = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def answer(members, client, told):
    """Answers the last question, once there is one that waits; `members` hear it."""
    until(lambda: client.asked and not client.asked[-1].done())
    client.asked[-1].set_exception(told) if isinstance(told, Exception) else client.asked[-1].set_result(told)
    asked = len(client.asked)
    until(lambda: members.refresh() or len(client.asked) > asked or members.statuses(set())[0].state == "refused")


@pytest.mark.parametrize("lost", [CancelledError(), OSError("the line"), TimeoutError()])
def test_an_answer_that_was_lost_is_asked_for_again(members, client, lost):
    assert members.refresh() == []
    client.asked[0].set_exception(lost)
    assert members.refresh() == []
    client.asked[1].set_result(OURS)
    (able,) = members.refresh()
    assert (able.name, able.slots) == ("a", 2)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            WorkerReport(code="x", versions=OURS.versions, data="d", probe="p"),
            "other code of Epsilon Lab (x, expected c)",
        ),
        (
            WorkerReport(code="c", versions={"numpy": "2"}, data="d", probe="p"),
            "other versions: numpy 2, expected 1",
        ),
        (WorkerReport(code="c", versions=OURS.versions, data="e", probe="p"), "other data (e, expected d)"),
        (WorkerReport(code="c", versions=OURS.versions, data="d", probe="q"), "its processor computes other bits"),
        (DatasetError("The disk is full."), "The disk is full."),
        (ModuleNotFoundError("No module named 'dpcore'"), "it cannot run this version of Epsilon Lab"),
        ({"code": "x"}, "it cannot run this version of Epsilon Lab"),
        (None, "it cannot run this version of Epsilon Lab"),
        (WorkerReport.__new__(WorkerReport), "it cannot run this version of Epsilon Lab"),
        (replace(OURS, listens=("tls://a:1", "tcp://0.0.0.0:2")), "it speaks plain TCP to other machines"),
        (replace(OURS, versions=None), "it cannot run this version of Epsilon Lab"),
    ],
)
def test_who_differs_is_refused_with_the_reason_and_not_asked_again(members, client, answer, words):
    members.refresh()
    if isinstance(answer, Exception):
        client.asked[0].set_exception(answer)
    else:
        client.asked[0].set_result(answer)
    assert members.refresh() == []
    assert members.refresh() == []
    (seen,) = members.statuses(set())
    assert seen.state == "refused"
    assert words in seen.reason
    assert len(client.asked) == 1


def test_all_are_gone_with_the_scheduler_and_new_when_it_is_back(members, client):
    members.refresh()
    client.asked[0].set_result(OURS)
    assert len(members.refresh()) == 1
    client.status = "connecting"
    assert members.refresh() == []
    assert [one.state for one in members.statuses(set())] == ["gone"]
    client.status = "running"
    assert members.refresh() == []
    client.asked[1].set_result(OURS)
    assert len(members.refresh()) == 1


LACKS = replace(OURS, data="", probe="")


def test_data_are_sent_again_after_an_interruption_and_to_who_comes_back(members, client):
    members.refresh()
    answer(members, client, LACKS)
    answer(members, client, LACKS)  # nor has another process of its machine taken them in meanwhile
    answer(members, client, OSError("the line"))
    answer(members, client, LACKS)
    answer(members, client, LACKS)
    for _ in range(2):  # files, the first of which was sent before
        answer(members, client, None)
    client.there = []  # in the middle
    until(lambda: members.refresh() == [] and members.statuses(set())[0].state == "gone")
    until(client.asked[-1].cancelled)  # it would wait for its worker for ever
    client.there = ["tls://a:1"]
    until(lambda: members.refresh() == [] and members.statuses(set())[0].state == "preparing")
    answer(members, client, LACKS)
    answer(members, client, LACKS)
    for _ in range(3):
        answer(members, client, None)
    answer(members, client, OURS)
    assert len(members.refresh()) == 1
    assert client.functions.count(work.receive) == 1 + 3 + 3


def test_of_the_processes_of_a_machine_one_is_sent_the_data_and_the_others_find_them(members, client):
    client.there = ["tls://a:1", "tls://a:2", "tls://b:1"]
    asked = {address: [] for address in client.there}

    def submit(function, *arguments, **how):
        (address,) = how["workers"]
        asked[address].append((function, Future()))
        return asked[address][-1][1]

    client.submit = submit
    until(lambda: members.refresh() == [] and len(members.statuses(set())) == 3)
    for questions in asked.values():
        questions[0][1].set_result(LACKS)
    members.refresh()
    until(lambda: all(asked["tls://b:1"][1:]) and sum(len(asked[one]) for one in ("tls://a:1", "tls://a:2")) == 3)
    first = max(("tls://a:1", "tls://a:2"), key=lambda one: len(asked[one]))
    (second,) = {"tls://a:1", "tls://a:2"} - {first}
    for number, told in enumerate([LACKS, None, None, None, OURS], start=1):
        until(lambda number=number: len(asked[first]) > number)
        assert len(asked[second]) == 1
        asked[first][number][1].set_result(told)
    until(lambda: len(asked[second]) == 2)
    asked[second][1][1].set_result(OURS)
    until(lambda: {one.address for one in members.refresh()} == {first, second})
    assert work.receive not in [function for function, _ in asked[second]]


def test_a_worker_that_never_has_what_it_was_sent_is_refused(members, client):
    members.refresh()
    for _ in range(3):
        answer(members, client, LACKS)
        answer(members, client, OSError("the line"))
    answer(members, client, LACKS)
    assert members.statuses(set())[0].reason == "it was sent the data 3 times, in vain"


@pytest.mark.parametrize("insecure", [False, True])
def test_a_worker_on_plain_tcp_is_asked_only_on_the_loopback_or_with_the_flag(client, insecure):
    client.submit = lambda *arguments, **how: client.asked.append(Future()) or client.asked[-1]
    job = Job(plan="{}", dataset="few", fingerprint="d", code="c")
    for address in ("tcp://10.0.0.7:1", "tcp://127.0.0.1:1"):
        client.there = [address]
        made = Members(client, job, None, OURS, insecure=insecure)
        made.refresh()
        (seen,) = made.statuses(set())
        made.close()
        refused = not insecure and address == "tcp://10.0.0.7:1"
        assert (seen.state, INSECURE in seen.reason) == ("refused" if refused else "preparing", refused)
    assert len(client.asked) == (2 if insecure else 1)


def test_a_scheduler_that_hangs_is_lost_until_it_answers(members, client):
    members.refresh()
    answer(members, client, OURS)
    client.hangs = True
    until(lambda: members.lost)
    assert members.refresh() == []
    client.hangs = False
    until(lambda: not members.lost)
    members.refresh()
    answer(members, client, OURS)
    assert len(members.refresh()) == 1
