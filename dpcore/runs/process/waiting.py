"""A worker that waits for its run, with all loaded that runs need: `python -m dpcore.runs.process.waiting HOME SOCKET`.

The runner that stays while a dashboard is open (`resident`) starts it, and gives it a run through the socket, with the
descriptor that holds the run's lock. Until then it holds no lock and writes nothing but its log, and ends when that
runner does. From then on it is a worker as any other (`worker`), for this run and those that follow on it.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from dpcore import datasets, program
from dpcore.plan import Plan
from dpcore.runs.process import worker
from dpcore.runs.process.spare import ENGINE, READY, TAKEN
from dpcore.runs.store import Store

_PR_SET_PDEATHSIG = 1


def main(home: Path, runner: socket.socket) -> None:
    """Loads what runs need, waits for one, and trains it; ends where the runner does before that."""
    _die_with_parent(signal.SIGKILL)
    program.code_digest()  # as a worker does
    try:
        _prepare(home)
    except Exception:  # data that are damaged, say: a run that needs them says so
        traceback.print_exc()
    gc.collect()
    gc.freeze()
    _die_with_parent(0)  # from here on the socket tells; and a run that was taken outlives the runner
    try:
        runner.send(READY)
        told, descriptors, *_ = socket.recv_fds(runner, 256, 1)
    except OSError:
        return
    if not told:
        return
    run_id, (held,) = told.decode(), descriptors
    os.set_inheritable(held, False)
    worker.log_to(Store(home), run_id)
    with suppress(OSError):  # without a runner too, the run is ours
        runner.send(TAKEN)
    runner.close()
    worker.main(home, run_id, held)


def _die_with_parent(how: int) -> None:
    """Lets the kernel send this signal to us when the process that started us ends; 0 for none."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, how)


def _prepare(home: Path) -> None:
    """Loads what runs use, checks the data of the last run, and trains made-up users as that did."""
    from dpcore.learning import warm_up

    plan = next((run.plan for run in Store(home).runs() if run.engine == ENGINE), Plan())
    name = plan.training.dataset
    if (
        name in datasets.names(home) and datasets.entry(name, home).manifest is not None
    ):  # nothing is made for nobody
        # Only its form is used, and its lock let go of at once, so that it can be removed while we wait. That it is what
        # was written is remembered for as long as its files do not change.
        warm_up.train(plan, datasets.load(name, home))


if __name__ == "__main__":
    worker.set_up(sys.argv[1])
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
