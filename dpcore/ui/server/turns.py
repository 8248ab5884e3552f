"""Whose turn it is, where many compute at once in one process.

Python computes for one session at a time: so on a shared dashboard they go one after another, in the order in which
they came. The first number that a page shows is there in milliseconds; its pictures take ten times as long, and the
number to keep a hundred times. So each has a line of its own, which lets those before it go first, for a while; and the
last is computed only once its visitor has let the controls be for a moment.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dpcore.privacy.precision import Precision
from dpcore.ui.server import keeping, visitors
from dpcore.ui.server.keeping import Number

_LOOK_SECONDS = 0.1
_GIVE_WAY_SECONDS = 5.0
_PAINT_SECONDS = 0.3


class _Line:
    """Who waits, the first of whom computes, but for a while not before those of other lines."""

    def __init__(self, *others: _Line):
        self._others = others
        self._waiting: deque[object] = deque()
        self._moved = threading.Condition()

    @contextmanager
    def place(self, number: Number | None) -> Iterator[None]:
        me = object()
        with self._moved:
            self._waiting.append(me)
        until = time.monotonic() + _GIVE_WAY_SECONDS
        try:
            while not self._first(me) or (self._gives_way() and time.monotonic() < until):
                _look_for_a_move(number)
            yield
        finally:
            with self._moved:
                self._waiting.remove(me)
                self._moved.notify_all()

    def _gives_way(self) -> bool:
        if busy := any(other._waiting for other in self._others):
            time.sleep(_LOOK_SECONDS)
        return busy

    def _first(self, me: object) -> bool:
        with self._moved:
            return self._moved.wait_for(lambda: self._waiting[0] is me, timeout=_LOOK_SECONDS)


AT_ONCE = _Line()
SOON = _Line(AT_ONCE)
TO_KEEP = _Line(AT_ONCE, SOON)

# What a page composes of many runs: an upper bound soon, then the number to keep.
PRECISIONS = ((Precision.PREVIEW, SOON), (Precision.REPORTED, TO_KEEP))


@contextmanager
def turn(line: _Line, number: Number | None = None) -> Iterator[None]:
    """Waits, on a shared dashboard, until this session may compute; a move of a control ends the wait.

    Args:
        line: That of what is computed.
        number: What accountants are asked meanwhile. It is shown as soon as it is there, and what is computed `TO_KEEP`
            waits for it.
    """
    if line is SOON and "plotly.graph_objects" not in sys.modules:
        # The very first page: what draws pictures is imported now, on the cores on which a browser paints the number.
        time.sleep(_PAINT_SECONDS)
    if not visitors.hosted():
        yield
        return
    until = time.monotonic() + keeping.LET_BE_SECONDS
    while line is TO_KEEP and not (number.look() if number else time.monotonic() >= until):
        time.sleep(_LOOK_SECONDS)
        _look_for_a_move(number)
    with line.place(number):
        yield


def _look_for_a_move(number: Number | None) -> None:
    # Where a page touches its state, Streamlit looks whether to begin it anew; and nothing is sent, as by an element.
    _ = "turn" in st.session_state
    if number:
        number.look()
