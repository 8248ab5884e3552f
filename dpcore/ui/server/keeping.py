"""The number to keep, which on a shared dashboard comes from accountants in processes of their own."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from dpcore import home
from dpcore.runs.process.accountants import Accountants, Question
from dpcore.ui.server import visitors

# An answer is for who lets the controls be: whoever moves them every second asks for none.
LET_BE_SECONDS = 0.5
pool = functools.cache(lambda: Accountants(home.folder()))


class Number:
    """One number to keep: asked for once the controls are let be, shown as soon as it is there, and once.

    Args:
        question: What is asked.
        show: Shows the answer; where nobody has computed it, by computing it.
    """

    def __init__(self, question: Question, show: Callable[[], None]):
        self._question, self._show = question, show
        self._from = time.monotonic() + LET_BE_SECONDS
        self._answer: Future[None] | None = None
        self._shown = False
        if visitors.hosted():
            pool().start()

    def look(self) -> bool:
        """Asks, or shows, if it is time to; returns whether the number is shown."""
        if self._answer is None and time.monotonic() >= self._from:
            self._answer = pool().ask(self._question)
        if self._answer is not None and self._answer.done():
            self.show()
        return self._shown

    def show(self) -> None:
        """Shows the number, if it is not shown yet."""
        if not self._shown:
            self._shown = True
            self._show()

    def leave(self) -> None:
        """Does not wait any more."""
        if self._answer is not None:
            pool().leave(self._question)


@contextmanager
def number(question: Question, show: Callable[[], None]) -> Iterator[Number]:
    """The number to keep, as long as this run of the page lasts; arguments as of `Number`."""
    asked = Number(question, show)
    try:
        yield asked
    finally:
        asked.leave()
