"""The runner that stays while a dashboard is open, and has a worker wait: `python -m dpcore.runs.process.resident HOME`.

One at a time has the resident's lock of a store. It takes the runner's lock while there is something to start or to
watch, as any runner; who queues a run starts no other meanwhile. The worker that waits is its child, so that how that
one ends is known as of any other.
"""

import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from dpcore import program
from dpcore.errors import StoreError
from dpcore.locks import lock
from dpcore.runs.process import processes, runner
from dpcore.runs.process.spare import Spare
from dpcore.runs.store import Store

_POLL_SECONDS = 0.05
_LOOK_SECONDS = 1.0
_TROUBLE_SECONDS = 2.0


def main(home: Path) -> None:
    """Has a worker waiting, and starts what is queued, until no dashboard is open."""
    store = Store(home)
    with lock(processes.resident_lock(store), wait=False) as ours:
        if not ours:
            return
        spare = Spare(store)
        try:
            _stay(store, spare)
        finally:
            spare.end()
    # Who queued a run while we had the lock saw us, and started no runner. As it is installed now, which may be newer.
    if home.exists() and store.queue():
        os.execv(sys.executable, [sys.executable, "-m", runner.__name__, str(home)])


def _stay(store: Store, spare: Spare) -> None:
    started, installed, seen, look = runner.StartedWorkers(), program.installed(), None, 0.0
    while store.home.exists():
        try:
            if not spare.keep():
                return
            before, seen = seen, _signature(store.home)  # a hundredth of a look into the file
            if seen != before or time.monotonic() > look:
                look = time.monotonic() + _LOOK_SECONDS
                if store.queue() or store.runs(status=["running"], deleted=None):
                    if program.installed() != installed:
                        return  # what was loaded before must not train what is asked for now
                    if not runner.serve(store, started, spare):
                        time.sleep(_LOOK_SECONDS)
            time.sleep(_POLL_SECONDS)
        except (StoreError, OSError):
            traceback.print_exc()
            time.sleep(_TROUBLE_SECONDS)


def _signature(home: Path) -> tuple[tuple[int, ...], ...]:
    """Returns what is another one whenever somebody has written to the file of runs."""
    found = []
    for name in ("runs.sqlite", "runs.sqlite-wal"):
        with suppress(FileNotFoundError):
            status = (home / name).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]))
