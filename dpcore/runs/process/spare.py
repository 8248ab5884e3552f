"""The worker that waits for a run, as the runner has it that keeps one."""

import socket
import subprocess
import time
from contextlib import suppress

from dpcore.locks import lock
from dpcore.runs.process import memory, processes
from dpcore.runs.store import Store
from dpcore.runs.store.run_rows import Run

ENGINE = "vectorized"  # TFF's runtime takes one plan per process, in a network of its own
_MODULE = "dpcore.runs.process.waiting"
READY, TAKEN = b"ready", b"taken"
LEAST_FREE_BYTES = 4 << 30
_ANSWER_SECONDS = 2.0
_LOADING_SECONDS = 20.0  # longer than that it hangs, or the machine is so busy that nothing helps
_BEGINNING_SECONDS = 3.0  # who waits for a first round goes before who may come
_MOST_PAUSE_SECONDS = 600.0


class Spare:
    """The worker that waits for a run of a store, while a dashboard is open that wants one and memory allows."""

    def __init__(self, store: Store):
        self._store = store
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._ready = False
        self._began = self._not_before = time.monotonic()
        self._pause = 1.0  # before the next one, should this one die; longer each time

    def keep(self) -> bool:
        """Starts one if there is none, and ends it if there should be none; whether there should."""
        if not self._is_wanted():
            self.end()
            return False
        now = time.monotonic()
        if self._process is None:
            if now >= self._not_before and memory.free_bytes() >= LEAST_FREE_BYTES:
                self._start()
        elif self._process.poll() is not None or self._is_late():
            self.end()
            self._not_before, self._pause = now + self._pause, min(2 * self._pause, _MOST_PAUSE_SECONDS)
        return True

    def _is_wanted(self) -> bool:
        with lock(processes.dashboards_lock(self._store), wait=False) as nobody_is_there:
            return not nobody_is_there

    def _start(self) -> None:
        home, (self._connection, theirs) = self._store.home, socket.socketpair(type=socket.SOCK_SEQPACKET)
        log = home / "spare.log"
        log.unlink(missing_ok=True)  # of the one before
        with theirs:
            self._process = processes.launch(
                _MODULE, str(home), str(theirs.fileno()), log=log, keep=[theirs.fileno()]
            )
        self._began, self._ready = time.monotonic(), False

    def _is_loading(self) -> bool:
        if self._connection is not None and not self._ready:
            with suppress(OSError):  # nothing said yet, or gone
                self._ready = self._connection.recv(16, socket.MSG_DONTWAIT) == READY
            if self._ready:
                self._pause = 1.0
        return not self._ready

    def _is_late(self) -> bool:
        return self._is_loading() and time.monotonic() > self._began + _LOADING_SECONDS

    def is_awaited(self, run: Run) -> bool:
        """Whether a run waits for what this one still has to load: that is less than all that another would."""
        here = self._process is not None and self._process.poll() is None
        return here and run.engine == ENGINE and self._is_loading() and not self._is_late()

    def take(self, run: Run, held: int) -> subprocess.Popen[bytes] | None:
        """Returns the worker, which has a run from here on; `None` where there is none, or it does not answer.

        Args:
            run: One that was begun.
            held: The descriptor that holds its lock.
        """
        if run.engine != ENGINE or self._connection is None or self._is_loading():
            return None
        try:
            socket.send_fds(self._connection, [run.run_id.encode()], [held])
            self._connection.settimeout(_ANSWER_SECONDS)
            taken = self._connection.recv(16) == TAKEN
        except OSError:
            taken = False
        if not taken:
            self.end()  # by force: it must not take the run after all
            return None
        worker, self._process = self._process, None
        self.end()
        self._not_before = time.monotonic() + _BEGINNING_SECONDS
        return worker

    def end(self) -> None:
        """Ends the worker that waits, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process, self._connection, self._ready = None, None, False
