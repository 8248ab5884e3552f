"""Accountants in processes of their own: what they find is kept in the home, where whoever asks then finds it.

Python computes for one session at a time, so a server that draws pages for many has no time for a fine account. A small
pool is started for the first visitor. All who ask the same wait for one answer, and what nobody waits for any more is
not begun.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dpcore.errors import InvalidValueError
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration
from dpcore.privacy.many import kept
from dpcore.runs.store.answers import Answers

_NICENESS = 5  # between the pages and the runs
_PROCESSES = 2


@dataclass(frozen=True)
class Question:
    """An epsilon, or the number with which a plan reaches a target.

    Attributes:
        given: The plan, with a placeholder for the number that is looked for.
        unknown: One of `calibration.UNKNOWNS`; `None` where epsilon is what is looked for.
        target: Keywords of `calibration.solution` with their values.
    """

    given: PrivacyPlan
    unknown: str | None = None
    target: tuple[tuple[str, Any], ...] = ()


class Accountants:
    """The pool of a server.

    Args:
        home: Where they keep what they find.
    """

    def __init__(self, home: Path):
        self._home = home
        self._lock = threading.Lock()
        self._asked: dict[Question, tuple[Future[None], int]] = {}  # with how many wait
        self._threads = ThreadPoolExecutor(_PROCESSES, "accountant")  # each has a process at a time
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Lets the processes load what they need, if they have not begun to."""
        with self._lock:
            while len(self._all) < _PROCESSES:
                self._idle.put(self._begun())

    def ask(self, question: Question) -> Future[None]:
        """Returns what is done as soon as the answer is kept; also where there is none, for whatever reason."""
        self.start()
        with self._lock:
            future, waiting = self._asked.get(question) or (self._threads.submit(self._have_answered, question), 0)
            self._asked[question] = future, waiting + 1
            return future

    def leave(self, question: Question) -> None:
        """Tells that one of those who have asked does not wait any more."""
        with self._lock:
            future, waiting = self._asked.pop(question)
            if waiting > 1:
                self._asked[question] = future, waiting - 1
            else:
                future.cancel()

    def close(self) -> None:
        """Ends the processes, and whatever they do."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._all:
            process.kill()
        self._threads.shutdown()
        for process in self._all:
            _forget(process)

    def _begun(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", __name__, str(self._home)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._all.append(process)
        return process

    def _have_answered(self, question: Question) -> None:
        process = self._idle.get()
        if process.poll() is not None:  # it was killed
            _forget(process)
            self._all.remove(process)
            process = self._begun()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(OSError):  # it is killed now: whoever asks computes it
            pickle.dump(question, process.stdin)
            process.stdin.flush()
            process.stdout.readline()
        self._idle.put(process)


def _forget(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError), process:  # what was not read of a question is lost with who was to answer
        pass


def answer(question: Question) -> None:
    """Computes what an answer takes, and has it kept; a refusal is for whoever shows it."""
    found = question.given
    with suppress(InvalidValueError):
        if question.unknown is not None:
            found, _short = calibration.solution(found, question.unknown, **dict(question.target))
        accounting.account(found)


def main(home: Path) -> None:
    """Answers what comes in by standard input, an empty line for each, and ends with it."""
    # What takes long to load.
    import dp_accounting.rdp  # noqa: F401

    from dpcore.privacy.many import points  # noqa: F401

    os.nice(_NICENESS)
    kept.keep_in(Answers(home))
    with suppress(EOFError):
        while True:
            answer(pickle.load(sys.stdin.buffer))
            print(flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
