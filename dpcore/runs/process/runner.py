"""The process that starts queued runs, in their order: `python -m dpcore.runs.process.runner HOME`.

One at a time has the runner's lock of a store, however many dashboards and command lines queue runs in it. It lives
as long as there is something to start or to watch. Workers do not depend on it: should it be killed, they go on, and
the next one finds them by their locks.
"""

import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from dpcore.errors import StoreError
from dpcore.language import N_, sentences
from dpcore.locks import lock
from dpcore.runs.process import processes
from dpcore.runs.process.spare import Spare
from dpcore.runs.store import Store
from dpcore.runs.store.run_rows import Run

_POLL_SECONDS = 0.2
_TROUBLE_SECONDS = 2.0
_LEAVE_SECONDS = 10.0
_KILLED = N_("The worker was ended by the signal {signal}, most likely for want of memory or by a person.")
_GONE = N_("The worker is gone (killed, or a restart).")
_HUNG = N_("The worker had hung: nothing was heard of it for minutes, and it was ended.")
_MODULE_FOR = {
    "tff": ["dpcore.isolated", "dpcore.runs.process.worker"]
}  # what opens a port gets a network of its own


def main(home: Path) -> None:
    """Starts runs until none is queued or running."""
    store, started = Store(home), StartedWorkers()
    # Who queued a run while we still had the lock saw a living runner, and started none.
    while serve(store, started) and home.exists() and store.queue():
        pass
    started.await_exits()


def serve(store: Store, started: "StartedWorkers", spare: Spare | None = None) -> bool:
    """Starts runs until none is queued or running; `False` if another runner does that."""
    with lock(processes.runner_lock(store), wait=False) as ours:
        if not ours:
            return False
        while store.home.exists():
            try:
                if not step(store, started, spare):
                    break
                if spare is not None:
                    spare.keep()
                time.sleep(_POLL_SECONDS)
            except (StoreError, OSError):  # a full disk, say: it may have room again soon
                traceback.print_exc()
                time.sleep(_TROUBLE_SECONDS)
    return True


class StartedWorkers(dict[int, subprocess.Popen[bytes]]):
    """The workers that this runner has started, by process id."""

    def reap(self) -> None:
        """Lets go of those that have ended well, so that no zombie stays."""
        for pid in [pid for pid, worker in self.items() if worker.poll() == 0]:
            del self[pid]

    def await_exits(self) -> None:
        """Waits a moment for those that have ended their runs, and only have to leave."""
        for worker in self.values():
            with suppress(subprocess.TimeoutExpired):
                worker.wait(_LEAVE_SECONDS)

    def exit_description(self, pid: int | None) -> str:
        """Returns how a worker ended, as far as its parent knows."""
        worker, code = self.pop(pid, None) if pid is not None else None, None
        if worker:  # its lock is free a moment before the kernel tells how it ended
            with suppress(subprocess.TimeoutExpired):
                code = worker.wait(_LEAVE_SECONDS)
        code = code or 0
        if code < 0:
            words = _KILLED if code == -signal.SIGKILL else N_("The worker was ended by the signal {signal}.")
            return words.format(signal=signal.Signals(-code).name)
        return N_("The worker ended with exit code {code}.").format(code=code) if code else _GONE


def step(store: Store, started: StartedWorkers, spare: Spare | None = None) -> bool:
    """Looks at the running runs and starts as many queued ones as there is room for; whether to go on."""
    started.reap()
    alive = 0
    for run in store.runs(status=["running"], deleted=None):
        if not processes.has_worker(store, run):
            _interrupted(store, run, started)
        else:
            if processes.is_stuck(store, run):
                processes.kill_worker(store, run.run_id)
            alive += 1
    queue = store.queue()
    for run in queue[: max(0, store.parallel_runs() - alive)]:
        if not _start(store, run, started, spare):
            break  # in order: nobody overtakes it
        alive += 1
    return alive > 0 or bool(queue)


def _interrupted(store: Store, run: Run, started: StartedWorkers) -> None:
    how = started.exit_description(processes.worker_pid(store, run.run_id))
    if processes.is_stuck(store, run):
        how = _HUNG
    now = store.run(run.run_id)  # it may have ended well since
    if now.status == "running":
        kept = N_("All rounds up to {round} are kept.").format(round=now.last_round or 0)
        store.end(run.run_id, "interrupted", sentences(how, kept))


def _start(store: Store, run: Run, started: StartedWorkers, spare: Spare | None) -> bool:
    """Gives a queued run to the worker that waits, or starts one for it; whether the next one may be looked at."""
    if spare is not None and spare.is_awaited(run):
        return False
    held = processes.claim(store, run)
    if held is None:
        return store.run(run.run_id).status != "queued"  # cancelled just now, or taken by a worker that was free
    try:
        # The worker inherits the lock: there is no moment at which the run is running and nobody has it.
        worker = (spare and spare.take(run, held)) or _launch(store, run, held)
        processes.write_worker_pid(store, run.run_id, worker.pid)
        started[worker.pid] = worker
        return True
    finally:
        os.close(held)


def _launch(store: Store, run: Run, held: int) -> subprocess.Popen[bytes]:
    module, *arguments = _MODULE_FOR.get(run.engine, ["dpcore.runs.process.worker"])
    log = processes.worker_log(store, run.run_id)
    try:
        return processes.launch(module, *arguments, str(store.home), run.run_id, str(held), log=log, keep=[held])
    except OSError:
        store.unbegin(run.run_id)
        raise


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]))
