"""The processes behind runs: how they are started, known to live, and ended.

A run's worker, and the runner that starts workers, each hold a lock as long as they live. The kernel drops it
however they end, so a run that is running while nobody holds its lock has lost its worker.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dpcore.locks import is_held, take
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store import Store, folders
from dpcore.runs.store.run_rows import Run

_ROOT = Path(__file__).parents[3]
_STARTING_SECONDS = 1800.0  # a worker may read its data, load what trains and do its first round for so long
_ROUND_SECONDS = 120.0  # and work on a round for so long, or for so many times as long as its longest:
_TIMES_LONGEST = 20.0


def worker_lock(store: StoreAccess, run_id: str) -> Path:
    """The file that a run's worker holds locked while it lives; it says the worker's process id."""
    return store.folder(run_id) / folders.WORKER_LOCK


def runner_lock(store: StoreAccess) -> Path:
    """The file that the one runner of a store holds locked while it lives."""
    return store.home / "runner.lock"


def resident_lock(store: StoreAccess) -> Path:
    """The file that the runner that stays while a dashboard is open holds locked while it lives."""
    return store.home / "resident.lock"


def dashboards_lock(store: StoreAccess) -> Path:
    """The file whose lock is shared by all open dashboards for which a worker is to wait."""
    return store.home / "dashboards.lock"


def worker_log(store: StoreAccess, run_id: str) -> Path:
    """What a run's worker printed."""
    return store.folder(run_id) / "worker.log"


def launch(module: str, *arguments: str, log: Path, keep: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Starts a module as a session of its own: it outlives page, server and terminal.

    Args:
        module: What `python -m` is to run.
        *arguments: Its arguments.
        log: Where its output goes, behind what is there.
        keep: File descriptors that it inherits.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # no signal of the terminal or the server reaches it
            pass_fds=keep,
            cwd=_ROOT,
        )


def has_worker(store: StoreAccess, run: Run) -> bool:
    """Whether a worker of this run lives."""
    return is_held(worker_lock(store, run.run_id))


def is_stuck(store: StoreAccess, run: Run) -> bool:
    """Whether a run's worker lives but has said nothing for far longer than its rounds take.

    By the machine's monotonic clock, which a jump of the time of day does not move.
    """
    if run.beat is None:
        return False
    silent = time.monotonic() - run.beat
    if run.attempts:  # no new round since it began: it may still be starting
        return silent > _STARTING_SECONDS
    if silent <= _ROUND_SECONDS:
        return False
    return silent > _TIMES_LONGEST * max((row.seconds for row in store.rounds(run.run_id)), default=_ROUND_SECONDS)


def claim(store: Store, run: Run) -> int | None:
    """Begins a queued run; returns the descriptor that holds its lock, `None` if it is not to be had any more."""
    held = take(worker_lock(store, run.run_id))
    if held is None:
        return None
    os.ftruncate(held, 0)  # what is signed there is another process by now, and must not be killed for this one
    if not store.begin(run.run_id):
        os.close(held)
        return None
    return held


def write_worker_pid(store: StoreAccess, run_id: str, pid: int) -> None:
    """Notes beside a run's lock whose it is."""
    worker_lock(store, run_id).write_text(str(pid))


def worker_pid(store: StoreAccess, run_id: str) -> int | None:
    """Returns the process id of the last worker of a run; it may be long gone."""
    with suppress(FileNotFoundError, ValueError):
        return int(worker_lock(store, run_id).read_text())
    return None


def kill_worker(store: StoreAccess, run_id: str) -> None:
    """Ends a run's worker at once, if it lives. What it has written stays whole."""
    # While the lock is held, that is the id of a living process and of no other.
    if is_held(worker_lock(store, run_id)) and (pid := worker_pid(store, run_id)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
