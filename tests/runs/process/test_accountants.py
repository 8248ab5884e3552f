"""Accountants in processes of their own: what they find is what this process would, and whoever asks finds it kept."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.many import kept
from dpcore.runs.process.accountants import Accountants, Question
from dpcore.runs.store.answers import Answers

PLAN = PrivacyPlan(noise_multiplier=1.37, clients_per_round=77, rounds=41)


@pytest.fixture(scope="module")
def accountants(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    kept.keep_in(Answers(home))
    pool = Accountants(home)
    yield pool
    pool.close()
    kept.keep_in(None)


def test_what_they_find_is_kept_and_is_what_this_process_would_find(accountants, monkeypatch):
    accountants.ask(Question(PLAN)).result(60)
    accounting._compose.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(accounting, "_whole_pld", None)  # nothing is computed here
        found = accounting.account(PLAN)
    accounting._compose.cache_clear()
    monkeypatch.setattr(kept, "_keeper", kept._Nowhere())
    assert found == accounting.account(PLAN)


def test_a_search_is_found_by_whoever_searches_then(accountants, monkeypatch):
    accountants.ask(Question(PLAN, "noise", (("target_epsilon", 1.5), ("accountant", "pld")))).result(60)
    accounting._compose.cache_clear()
    monkeypatch.setattr(accounting, "_whole_pld", None)
    found, _short = calibration.solution(PLAN, "noise", target_epsilon=1.5, accountant="pld")
    assert accounting.epsilon(found).value <= 1.5


def test_a_target_that_nothing_reaches_is_an_answer_too(accountants):
    impossible = Question(PLAN, "delta", (("target_epsilon", 1e-3), ("accountant", "pld")))
    assert accountants.ask(impossible).result(60) is None
    accountants.ask(Question(PLAN)).result(60)


def test_all_who_ask_the_same_wait_for_one_answer_and_what_nobody_waits_for_is_not_begun(accountants):
    busy = [Question(PrivacyPlan(noise_multiplier=1 + number / 50)) for number in range(3)]
    futures = [accountants.ask(one) for one in busy]
    wanted, left = Question(PLAN), Question(PrivacyPlan(noise_multiplier=3.3))
    assert accountants.ask(wanted) is accountants.ask(wanted)
    nobody = accountants.ask(left)
    accountants.leave(left)
    accountants.leave(wanted)
    assert nobody.cancelled()
    assert accountants.ask(wanted).result(60) is None
    assert all(one.result(60) is None for one in futures)


def test_who_is_killed_is_replaced(accountants):
    accountants.ask(Question(PLAN)).result(60)
    for process in list(accountants._all):
        process.kill()
        process.wait()
    found = [accountants.ask(Question(PrivacyPlan(noise_multiplier=noise))) for noise in (1.11, 1.12)]
    assert [one.result(60) for one in found] == [None, None]
    assert all(process.poll() is None for process in accountants._all)


def test_they_end_with_a_server_that_is_killed(tmp_path):
    serving = (
        "import sys, time; from pathlib import Path\n"
        "from dpcore.runs.process.accountants import Accountants\n"
        "pool = Accountants(Path(sys.argv[1])); pool.start()\n"
        "print(*(process.pid for process in pool._all), flush=True); time.sleep(600)"
    )
    server = subprocess.Popen([sys.executable, "-c", serving, tmp_path], stdout=subprocess.PIPE, text=True)
    with server:
        children = [int(pid) for pid in server.stdout.readline().split()]
        server.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while any(is_alive(pid) for pid in children):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert len(children) == 2


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_they_give_way_to_pages_and_go_before_runs(accountants):
    accountants.ask(Question(PLAN)).result(60)
    assert {os.getpriority(os.PRIO_PROCESS, one.pid) for one in accountants._all} == {os.nice(0) + 5}
