"""Seconds from Train to the first trained round, while a dashboard is open: `python -m benchmarks.start --against PATH`.

From when a run is queued to when the row of its round 1 is in the store, as the command line and the page queue and look;
each run with another noise, whose epsilon was shown before, after the processes of the home have come to rest. "Another
model" than the last run had is what a worker that waits has not prepared for.
"""

import contextlib
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

import benchmarks
import dpcore
from benchmarks.rounds import machine
from dpcore import datasets, home
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store

REPEATS, MOST_SECONDS = 5, 120.0
_AFTER_SECONDS = 4.0  # what is to be done when a run has begun, or ended, has begun as well by then


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[None]:
    """A dashboard of this home, from when it answers until the end of the block."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dpcore", "serve", "--port", str(port), "--home", str(folder)]
    quiet, root = subprocess.DEVNULL, Path(dpcore.__file__).parents[1]
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet, cwd=root)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            time.sleep(0.1)
        yield
    finally:
        server.kill()
        server.wait()


def rest(folder: Path) -> None:
    """Waits until all processes of a home have had nothing to do for a second."""
    time.sleep(_AFTER_SECONDS)
    until, before = time.monotonic() + MOST_SECONDS, -1.0
    while (spent := _processor_seconds(folder)) > before + 0.1 or spent < before:
        if time.monotonic() > until:
            raise SystemExit("The dashboard does not come to rest. Free the machine.")
        before = spent
        time.sleep(1.0)


def _processor_seconds(folder: Path) -> float:
    spent = 0.0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(folder) in process.cmdline():
                spent += sum(process.cpu_times()[:2])
    return spent


def seconds_to_first_round(store: Store, plan: Plan) -> float:
    """Returns how long a run of a plan took from being queued to its first trained round; waits for its end."""
    accounting.epsilon(plan.privacy)  # the page has shown it
    began = time.perf_counter()
    run_id = supervisor.start(store, plan, engine="vectorized", eval_every=5)
    while not store.rounds(run_id, after=0):
        time.sleep(0.01)
        if time.perf_counter() - began > MOST_SECONDS or not store.run(run_id).active:
            raise SystemExit(f"{run_id} trains no round: {store.run(run_id).message}")
    found = time.perf_counter() - began
    while store.run(run_id).active:
        time.sleep(0.1)
    return found


def measured(repeats: int, clients: int) -> dict[str, list[float]]:
    """Returns the seconds of each run, by what a run is to the one before."""
    found: dict[str, list[float]] = {"the same model": [], "another model": []}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        users, store = datasets.load("writers", home.folder()).num_users, Store(Path(folder))
        (store.home / "datasets").symlink_to(home.folder() / "datasets")  # not generated once more
        with serving(store.home):
            for number in range(3 * repeats):
                kind = (None, *found)[number % 3]
                privacy = PrivacyPlan(
                    population=users,
                    clients_per_round=clients,
                    noise_multiplier=0.5 + 0.01 * number,
                    rounds=3,
                )
                model = "linear" if kind == "another model" else "mlp"
                rest(store.home)
                seconds = seconds_to_first_round(store, Plan(privacy=privacy, training=TrainingPlan(model=model)))
                if kind is not None:
                    found[kind].append(seconds)
    return found


def main() -> None:
    given = benchmarks.options(__doc__, compared=True).parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, whatever ends this
    repeats, clients = (1, 20) if given.smallest else (REPEATS, 120)
    found = measured(repeats, clients)
    if given.json:
        print(json.dumps(found))
        return
    other = benchmarks.against(given.against, ["start", *["--smallest"] * given.smallest]) if given.against else {}
    print(machine())
    for kind, seconds in found.items():
        here = statistics.median(seconds)
        told = f"{kind}: {here:.2f} s to the first round (median of {len(seconds)})"
        if kind in other:
            there = statistics.median(other[kind])
            told += f", {there:.2f} s there: {here / there:.2f} of it"
        print(told)


if __name__ == "__main__":
    main()
