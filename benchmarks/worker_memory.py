"""Memory of a worker over many runs: `python -m benchmarks.worker_memory [--runs 300] --against PATH`.

One process trains one queued run after another, each of two rounds and with another noise. What is told is its anonymous
memory, in megabytes, when each run has ended: after the first 20 it should not grow.
"""

import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import benchmarks
from benchmarks.rounds import machine
from dpcore import datasets, home
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store

FIRST, MOST_RUNS, MOST_SECONDS = 20, 1000, 120.0


def measured(runs: int) -> dict[str, Any]:
    """Returns the megabytes of each process that trained, by the number of runs that had ended."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        users = datasets.load("writers", home.folder()).num_users
        (Path(folder) / "datasets").symlink_to(home.folder() / "datasets")  # not generated once more
        store = Store(Path(folder))
        ids = [
            supervisor.start(store, _plan(number, users), engine="vectorized", eval_every=2)
            for number in range(runs)
        ]
        found: dict[int, list[tuple[int, float]]] = {}
        for ended, run_id in enumerate(ids, 1):
            until = time.monotonic() + MOST_SECONDS
            while store.run(run_id).status in ("queued", "running"):
                if time.monotonic() > until:
                    raise SystemExit(f"Run {ended} does not end. Look at its log, or free the machine.")
                time.sleep(0.02)
            for process in _workers(folder):
                found.setdefault(process.pid, []).append((ended, _anonymous(process)))
        return {"processes": list(found.values())}


def _plan(number: int, users: int) -> Plan:
    privacy = PrivacyPlan(population=users, clients_per_round=10, rounds=2, noise_multiplier=0.5 + number / 1000)
    return Plan(privacy=privacy)


def _workers(folder: str) -> list[psutil.Process]:
    here = psutil.process_iter(["cmdline"])
    return [one for one in here if {"dpcore.runs.process.worker", folder} <= set(one.info["cmdline"] or ())]


def _anonymous(process: psutil.Process) -> float:
    """Megabytes, without what is mapped from files; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), 0.0)


def main() -> None:
    parser = benchmarks.options(__doc__, compared=True)
    parser.add_argument("--runs", type=int, default=300, choices=range(2, MOST_RUNS + 1), metavar="COUNT")
    given = parser.parse_args()
    if given.smallest:
        given.runs = 3
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, whatever ends this
    found = measured(given.runs)
    if given.json:
        print(json.dumps(found))
        return
    print(machine())
    _tell("here", found)
    if given.against:
        _tell("there", benchmarks.against(given.against, ["worker_memory", f"--runs={given.runs}"]))


def _tell(where: str, found: dict[str, Any]) -> None:
    for points in found["processes"]:
        after = [megabytes for ended, megabytes in points if ended > min(FIRST, len(points) - 1) and megabytes]
        first = next((megabytes for ended, megabytes in points if ended >= min(FIRST, len(points))), 0.0)
        print(
            f"{where}: {len(points)} runs, {first:.0f} MB after run {min(FIRST, len(points))}, then at most "
            f"{max(after, default=first):.0f}, at the end {points[-1][1]:.0f}"
        )


if __name__ == "__main__":
    main()
