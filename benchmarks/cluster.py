"""What a round costs on a Dask cluster, over latency and bandwidth.

Workers are in a network namespace of their own, over TLS. Between it and the scheduler stands a relay that delays bytes
and lets so many a second pass, since not every kernel has `netem`. Needs root, for the namespace, and `ip`.
"""

import asyncio
import dataclasses
import itertools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np

import benchmarks
from benchmarks.cluster_model import report
from benchmarks.rounds import machine
from dpcore import datasets, home
from dpcore.cluster import certificates
from dpcore.cluster.configuration import TLS_FILES, ClusterConfiguration
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan

_SPACE, _HERE, _THERE = "epsilon-lab-bench", "10.78.0.1", "10.78.0.2"
_SCHEDULER, _TO_SCHEDULER, _WORKER, _TO_WORKER = 18786, 18787, 18800, 18900
COHORTS, MODELS = (50, 120, 500, 3383), ("mlp", "linear")
LINKS = (
    (0.0, 0.0),
    (1e-3, 125e6),
    (10e-3, 125e6),
    (50e-3, 12.5e6),
)  # seconds one way, bytes a second (0: no bound)
PATIENCE = 300.0  # seconds that a worker may take to be there
_ROOT = Path(__file__).parents[1]


class Link:
    """One direction of a line that all connections share: bytes arrive after the delay, and in turn."""

    def __init__(self, delay, rate):
        self._delay, self._rate, self._free = delay, rate, 0.0

    def arrival(self, size: int) -> float:
        now = time.monotonic()
        rate = self._rate.value
        self._free = max(now, self._free) + (size / rate if rate else 0.0)
        return self._free + self._delay.value


def relay(routes: list[tuple[str, int, str, int, bool]], delay, rate) -> None:
    """Serves for ever: listens on the first address of each route and passes on to the second."""
    links = [Link(delay, rate), Link(delay, rate)]

    async def pump(reader, writer, link):
        queue: asyncio.Queue = asyncio.Queue()

        async def deliver():
            while (item := await queue.get()) is not None:
                arrival, part = item
                await asyncio.sleep(max(0.0, arrival - time.monotonic()))
                writer.write(part)
                await writer.drain()
            writer.close()

        delivering = asyncio.create_task(deliver())
        while part := await reader.read(1 << 16):
            await queue.put((link.arrival(len(part)), part))
        await queue.put(None)
        await delivering

    def handler(host, port, outwards):
        async def handle(reader, writer):
            for _ in range(600):  # whom it leads to may still be starting
                try:
                    far_reader, far_writer = await asyncio.open_connection(host, port)
                    break
                except OSError:
                    await asyncio.sleep(0.1)
            there, back = links if outwards else reversed(links)
            await asyncio.gather(
                pump(reader, far_writer, there), pump(far_reader, writer, back), return_exceptions=True
            )

        return handle

    async def serve():
        for here, port, host, far, outwards in routes:
            await asyncio.start_server(handler(host, far, outwards), here, port)
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def space(name: str, link: str, here: str, there: str) -> Iterator[None]:
    """A network namespace with one address, and a line to one of ours."""
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for words in (
            f"link add {link}0 type veth peer name {link}1 netns {name}",
            f"addr add {here}/32 peer {there} dev {link}0",
            f"link set {link}0 up",
            f"-n {name} addr add {there}/32 peer {here} dev {link}1",
            f"-n {name} link set {link}1 up",
            f"-n {name} link set lo up",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        yield
    finally:
        subprocess.run(["ip", "netns", "del", name])


def dask(folder: Path, *words: str, inside: str = "") -> subprocess.Popen:
    """Starts a scheduler or a worker with the certificates in `folder`, in a namespace where one is named."""
    files = zip(("--tls-ca-file", "--tls-cert", "--tls-key"), TLS_FILES, strict=True)
    tls = [word for option, name in files for word in (option, str(folder / "tls" / name))]
    where = ["ip", "netns", "exec", inside] if inside else []
    command = [*where, sys.executable, "-m", "dask", *words, "--protocol", "tls", *tls]
    command += ["--dashboard-address", "127.0.0.1:0"]
    if words[0] == "worker":
        command += ["--no-nanny", "--nthreads", "1", "--memory-limit", "0"]
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=subprocess.STDOUT)


@contextmanager
def cluster(folder: Path, workers: int, delay, rate) -> Iterator[ClusterConfiguration]:
    """A scheduler here and workers in their namespace, with the relay between them."""
    certificates.make(folder / "tls")
    with ExitStack() as stack:
        stack.enter_context(space(_SPACE, "elbench", _HERE, _THERE))
        routes = [(_HERE, _TO_SCHEDULER, "127.0.0.1", _SCHEDULER, False)]
        routes += [("127.0.0.1", _TO_WORKER + n, _THERE, _WORKER + n, True) for n in range(workers)]
        between = multiprocessing.get_context("spawn").Process(
            target=relay, args=(routes, delay, rate), daemon=True
        )
        between.start()
        stack.callback(between.kill)

        def start(*words: str, inside: str = "") -> None:
            process = dask(folder, *words, inside=inside)
            stack.callback(process.wait)
            stack.callback(process.kill)

        start("scheduler", "--host", "127.0.0.1", "--port", str(_SCHEDULER))
        for n in range(workers):
            addresses = ["--listen-address", f"tls://{_THERE}:{_WORKER + n}"]
            addresses += ["--contact-address", f"tls://127.0.0.1:{_TO_WORKER + n}"]
            start("worker", f"tls://{_HERE}:{_TO_SCHEDULER}", "--name", str(n), *addresses, inside=_SPACE)
        time.sleep(5)
        yield ClusterConfiguration(address=f"tls://127.0.0.1:{_SCHEDULER}", tls=str(folder / "tls"))


class First:
    """Takes only so many of the workers, in place of a share."""

    def __init__(self, count: int):
        self.count = count

    def assigned(self, able):
        return sorted(able, key=lambda one: one.name)[: self.count]

    def adjusted(self, statuses):
        return statuses

    def close(self) -> None:
        pass


def measure(
    cohorts: list[int], rounds: int, workers: int, links: tuple = LINKS, models: tuple = MODELS
) -> list[dict]:
    """Returns a row for each model, link, cohort and number of workers: medians of rounds taken in turns."""
    from dpcore.cluster.connection import Opener

    dataset, rows = datasets.load("writers", home.folder()), []
    delay, rate = (multiprocessing.get_context("spawn").Value("d", 0.0) for _ in range(2))
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), workers, delay, rate) as configuration:
        connect = Opener(configuration)
        for name in models:
            privacy = PrivacyPlan(population=dataset.num_users, clients_per_round=cohorts[0], noise_multiplier=0)
            plan, only = Plan(privacy=privacy, training=TrainingPlan(model=name)), First(workers)
            delay.value = rate.value = 0.0
            with training(plan, dataset, connect, only, Path(folder), workers) as (sums, threads, weights, seen):
                size = sum(part.nbytes for part in weights)
                for (delay.value, rate.value), clients, only.count in itertools.product(
                    links, cohorts, range(1, workers + 1)
                ):
                    rare = name == "linear" or clients > 1000  # enough to see what the size does
                    if rare and (delay.value, rate.value) not in (LINKS[0], LINKS[2]):
                        continue
                    here = dataclasses.replace(
                        plan, privacy=dataclasses.replace(privacy, clients_per_round=clients)
                    )
                    row = {
                        "model": name, "model_bytes": size, "delay_seconds": delay.value,
                        "bytes_per_second": rate.value, "clients": clients, "workers": only.count,
                        **medians(here, dataset, rounds, sums, threads, weights, seen),
                    }  # fmt: skip
                    rows.append(row)
                    print(json.dumps(row), file=sys.stderr, flush=True)
        connect().close()
    return rows


@contextmanager
def training(plan: Plan, dataset, connect, only: First, folder: Path, workers: int) -> Iterator[tuple]:
    """What trains a model: sums on the cluster and by threads, its weights, and what the workers have computed.

    It is there when so many workers are.
    """
    from dpcore.cluster.cohorts import ClusterCohorts
    from dpcore.learning import model
    from dpcore.learning.clients import Clients
    from dpcore.learning.vectorized import Threads

    clients, seen = Clients(plan, dataset), []
    sums = ClusterCohorts(
        open_connection=connect, configuration=connect.configuration, plan=plan, dataset=dataset, clients=clients,
        folder=folder, say=lambda words: words and print(words, file=sys.stderr, flush=True),
        stop_requested=lambda: False, shares=only,
    )  # fmt: skip
    note = sums._members.note_computed
    sums._members.note_computed = lambda *words: (seen.append(words), note(*words))
    with closing(sums):
        give_up = time.monotonic() + PATIENCE
        while len(sums._able()) < workers:
            if time.monotonic() > give_up:
                sys.exit((folder / "dask.log").read_text())
            time.sleep(0.5)
        yield sums, Threads(clients), model.initial_weights(clients.shapes, 0), seen


def medians(plan: Plan, dataset, rounds: int, sums, threads, weights, seen: list) -> dict:
    """Returns the seconds of a round on the cluster, those of its computing, and those by threads: medians."""
    from dpcore.learning import sampling, shards

    times = []
    for round_num in range(rounds + 1):
        cohort = sampling.cohort(plan, round_num)
        parts = shards.cut(cohort, np.diff(dataset.train.offsets)[cohort])
        told = shards.Broadcast(
            weights=weights, clip_norm=0.1, ceiling=np.inf, estimate=np.inf, round_num=round_num
        )
        seen.clear()
        started = time.perf_counter()
        shards.sum_of_shards(sums(told, parts), weights)
        taken = time.perf_counter() - started
        busy: dict[str, float] = {}
        for member, _, _, seconds in seen:
            busy[member.name] = busy.get(member.name, 0.0) + seconds
        started = time.perf_counter()
        shards.sum_of_shards(threads(told, parts), weights)
        times.append((taken, max(busy.values(), default=0.0), time.perf_counter() - started, len(seen)))
    # The first round compiles.
    seconds, computing, alone, batches = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return {
        "shards": len(parts), "batches": batches, "seconds": seconds,
        "computing_seconds": computing, "threads_seconds": alone,
    }  # fmt: skip


def main() -> None:
    parser = benchmarks.options(__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=list(COHORTS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    asked = (options.clients, options.rounds, options.workers)
    rows = measure(*(([10, 20], 1, 1, LINKS[:1], MODELS[:1]) if options.smallest else asked))
    result = {"machine": machine(), "load": os.getloadavg(), "rows": rows, **report(rows)}
    text = json.dumps(result, indent=1)
    if options.json:
        options.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
