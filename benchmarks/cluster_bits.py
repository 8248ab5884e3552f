"""The tutorial's final run on one process, on two workers, and on two of which one is killed every ten rounds.

The weights must be the same to the last bit. The workers are in network namespaces of their own, each with an address,
and speak TLS with the scheduler, which listens on an address of this machine. Needs root, for the namespaces, and `ip`.
"""

import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import benchmarks
from benchmarks.cluster import PATIENCE, dask, space
from benchmarks.rounds import machine
from dpcore import datasets, home
from dpcore.cluster import certificates
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.plan import Plan, PrivacyPlan

_HERE, _PORT = "10.79.0.1", 18786
_THERE = {"epsilon-lab-a": "10.79.0.2", "epsilon-lab-b": "10.79.0.3"}
_EVERY = 10
_SECONDS = 0.2  # into a round: both workers compute


class Workers:
    """A worker in each namespace; one is started anew when it was killed."""

    def __init__(self, folder: Path):
        self._folder, self._processes = folder, {}
        for name in _THERE:
            self._start(name)

    def _start(self, name: str) -> None:
        address = f"tls://{_HERE}:{_PORT}"
        self._processes[name] = dask(
            self._folder, "worker", address, "--name", name, "--host", _THERE[name], inside=name
        )

    def kill(self, name: str) -> None:
        """Kills a worker (SIGKILL), and starts another one in its place."""
        self._processes[name].kill()
        self._processes[name].wait()
        self._start(name)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()


def trained(plan: Plan, dataset, computes: Callable | None = None, before: Callable[[int], None] = lambda n: None):
    """Returns a digest of the weights after all rounds."""
    from dpcore.learning import engines, sampling

    engine = engines.create("vectorized", plan, dataset, computes)
    state = engine.initialize()
    for round_num in range(1, plan.privacy.rounds + 1):
        before(round_num)
        state, _ = engine.next(state, sampling.cohort(plan, round_num), round_num)
    digest = hashlib.sha256()
    for part in engine.model_weights(state):
        digest.update(part.tobytes())
    return digest.hexdigest()


def started(folder: Path, stack: ExitStack) -> Workers:
    """Returns the workers of a cluster, each in its namespace, when there was time for them; `stack` ends all of it."""
    certificates.make(folder / "tls")
    for number, (there, address) in enumerate(_THERE.items()):
        stack.enter_context(space(there, f"elbits{number}", _HERE, address))
    scheduler = dask(folder, "scheduler", "--host", _HERE, "--port", str(_PORT))
    stack.callback(scheduler.wait)
    stack.callback(scheduler.kill)
    workers = stack.enter_context(closing(Workers(folder)))
    time.sleep(5)
    return workers


def measure(*, clients: int, rounds: int) -> dict:
    """Returns the three digests, how often a worker was killed, and what was computed again for that."""
    from dpcore.cluster.cohorts import ClusterCohorts
    from dpcore.cluster.connection import Opener

    dataset, made, kills, timers = datasets.load("writers", home.folder()), [], [], []
    plan = Plan(
        privacy=PrivacyPlan(
            population=dataset.num_users, clients_per_round=clients, noise_multiplier=clients / 100, rounds=rounds
        )
    )
    digests = {"one process": trained(plan, dataset)}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        workers = started(folder, stack)
        configuration = ClusterConfiguration(address=f"tls://{_HERE}:{_PORT}", tls=str(folder / "tls"))
        connect = Opener(configuration)
        stack.callback(connect.close)

        def computes(clients) -> ClusterCohorts:
            made.append(
                ClusterCohorts(
                    open_connection=connect, configuration=configuration, plan=plan, dataset=dataset, clients=clients,
                    folder=folder, say=lambda words: words and print(words, file=sys.stderr, flush=True),
                    stop_requested=lambda: False,
                )
            )  # fmt: skip
            stack.callback(made[-1].close)
            return made[-1]

        def both_there(round_num: int) -> None:
            give_up = time.monotonic() + PATIENCE
            while len(made[-1]._able()) < len(_THERE):
                if time.monotonic() > give_up:
                    sys.exit((folder / "dask.log").read_text())
                time.sleep(0.2)

        def kill_one(round_num: int) -> None:
            if round_num % _EVERY == _EVERY // 2:
                both_there(round_num)
                kills.append(list(_THERE)[len(kills) % len(_THERE)])
                timers.append(threading.Timer(_SECONDS, workers.kill, [kills[-1]]))
                timers[-1].start()

        digests["two workers"] = trained(plan, dataset, computes, both_there)
        lost_none = made[-1]._again
        digests["two workers, one killed every ten rounds"] = trained(plan, dataset, computes, kill_one)
        for timer in timers:
            timer.join()
        return {
            "digests": digests,
            "same": len(set(digests.values())) == 1,
            "kills": len(kills),
            "shards_again": {"without": lost_none, "with": made[-1]._again},
        }


def main() -> None:
    parser = benchmarks.options(__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    clients, rounds = (20, _EVERY // 2) if options.smallest else (120, options.rounds)
    started = time.monotonic()
    result = measure(clients=clients, rounds=rounds)
    about = {"rounds": rounds, "seconds": round(time.monotonic() - started), "machine": machine()}
    print(json.dumps(result | about, indent=1))
    sys.exit(0 if result["same"] else 1)


if __name__ == "__main__":
    main()
