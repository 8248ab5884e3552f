"""Turns: one session after another, and nobody holds one for good."""

import threading
import time

import pytest

from dpcore.ui.server import keeping, turns, visitors


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setenv(visitors.HOSTED, "on")
    monkeypatch.setattr(keeping, "LET_BE_SECONDS", 0.2)


@pytest.mark.parametrize("line", [turns.AT_ONCE, turns.SOON, turns.TO_KEEP])
def test_one_session_computes_at_a_time_and_all_of_them_do(line):
    inside, most, done = 0, 0, []

    def compute(number):
        nonlocal inside, most
        with turns.turn(line):
            inside += 1
            most = max(most, inside)
            time.sleep(0.02)
            inside -= 1
            done.append(number)

    threads = [threading.Thread(target=compute, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, sorted(done)) == (1, list(range(5)))


def test_a_session_that_is_begun_anew_gives_its_turn_back():
    for _ in range(3):
        with pytest.raises(KeyError), turns.turn(turns.TO_KEEP):
            raise KeyError


def test_a_number_to_keep_waits_until_the_controls_are_let_be():
    began = time.monotonic()
    with turns.turn(turns.TO_KEEP):
        assert time.monotonic() - began >= 0.2


def test_what_takes_long_lets_the_first_number_go_first_but_not_for_ever(monkeypatch):
    done, inside, leave = [], threading.Event(), threading.Event()

    def first_number():
        with turns.turn(turns.AT_ONCE):
            inside.set()
            leave.wait(60)
            done.append("number")

    def pictures():
        with turns.turn(turns.SOON):
            done.append("pictures")

    for give_way, wait, expected in ((60, 0.3, ["number", "pictures"]), (0.5, 60, ["pictures", "number"])):
        monkeypatch.setattr(turns, "_GIVE_WAY_SECONDS", give_way)
        done.clear(), inside.clear(), leave.clear()
        threads = [threading.Thread(target=first_number)]
        threads[0].start()
        inside.wait(60)
        threads.append(threading.Thread(target=pictures))
        threads[1].start()
        threads[1].join(wait)
        leave.set()
        for thread in threads:
            thread.join(60)
        assert done == expected


def test_on_ones_own_machine_nobody_waits(monkeypatch):
    monkeypatch.delenv(visitors.HOSTED)
    monkeypatch.setattr(keeping, "LET_BE_SECONDS", 30.0)
    began = time.monotonic()
    with turns.turn(turns.TO_KEEP), turns.turn(turns.TO_KEEP):
        assert time.monotonic() - began < 20


def test_a_number_to_keep_lets_pictures_go_first(monkeypatch):
    done, inside = [], threading.Event()

    def pictures():
        with turns.turn(turns.SOON):
            inside.set()
            time.sleep(0.6)
            done.append("pictures")

    thread = threading.Thread(target=pictures)
    thread.start()
    inside.wait(60)
    with turns.turn(turns.TO_KEEP):
        done.append("number to keep")
    thread.join(60)
    assert done == ["pictures", "number to keep"]
