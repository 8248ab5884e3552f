"""Starting worker processes, and finding out that one has died.

A worker is its own session: it outlives the page, the Streamlit server and the terminal. It holds a lock
on its run's folder as long as it lives. The kernel drops that lock however the worker ends, so there is no
process id to go stale: a run that is active while nobody holds its lock has lost its worker.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.runs import budget
from dpcore.runs.store import Round, Run, Store

_PYTHON = [sys.executable, "-m"]
_PYTHON_FOR = {"tff": [*_PYTHON, "dpcore.isolated"]}  # what opens a port gets a network of its own
_START_SECONDS = 20.0  # a worker takes its lock in half a second; a loaded machine gets some more


def worker_lock(store: Store, run_id: str) -> Path:
    """The file that a run's worker holds locked while it lives."""
    return store.folder(run_id) / "worker.lock"


def _log(store: Store, run_id: str) -> Path:
    return store.folder(run_id) / "worker.log"


def log_tail(store: Store, run_id: str) -> str:
    """The end of what a run's worker printed; empty where there is none."""
    try:
        return _log(store, run_id).read_text(errors="replace")[-5000:]
    except FileNotFoundError:
        return ""


def start(store: Store, plan: Plan, *, engine: str, eval_every: int) -> str:
    """Queues a run, starts its worker and returns the run's id.

    Raises:
        BudgetExceededError: If its data set's budget does not allow it.
    """
    # Under one lock, so that two runs cannot both be the last that the budget has room for.
    with lock(store.home / "ledger.lock", wait=True):
        notice_lost_workers(store)  # what never released anything is not charged
        budget.check(store, plan)
        run_id = store.create(plan, engine=engine, eval_every=eval_every)
    with _log(store, run_id).open("wb") as log:
        worker = subprocess.Popen(
            [*_PYTHON_FOR.get(engine, _PYTHON), "dpcore.runs.worker", str(store.home), run_id],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # no signal of the terminal or the server reaches it
            cwd=Path(__file__).parents[2],
        )
    # Waits for it, so that no zombie stays; as a daemon, so that it never holds this process back.
    threading.Thread(target=worker.wait, daemon=True).start()
    return run_id


def current(store: Store, run_id: str) -> Run:
    """Returns a run as it is now: failed, if it was active and its worker no longer lives."""
    run = store.run(run_id)
    if not run.active or _alive(store, run):
        return run
    store.end(
        run_id,
        "failed",
        "The worker process ended without saying why (killed, or the machine restarted). "
        "The rounds up to there are kept.",
    )
    return store.run(run_id)


def notice_lost_workers(store: Store) -> None:
    """Marks as failed every active run whose worker no longer lives."""
    for run in store.runs():
        if run.active:
            current(store, run.run_id)


def _alive(store: Store, run: Run) -> bool:
    if time.time() - run.created < _START_SECONDS and run.started is None:
        return True
    with lock(worker_lock(store, run.run_id), wait=False) as free:
        return not free


def follow(store: Store, run_id: str, *, poll_seconds: float = 0.2) -> Iterator[tuple[Run, list[Round]]]:
    """Yields a run and its new rounds at every look; the last look is after its end."""
    seen = -1
    while True:
        run = current(store, run_id)  # before the rounds: when it has ended, they are complete
        rows = store.rounds(run_id, after=seen)
        seen = rows[-1].round if rows else seen
        yield run, rows
        if not run.active:
            return
        time.sleep(poll_seconds)
