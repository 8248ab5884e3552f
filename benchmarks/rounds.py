"""Seconds a round, side by side in one run: `make benchmark`.

The tutorial's loop on TFF, the `tff` engine, the `vectorized` engine, that of another checkout (`--against PATH`), and
the floor: the useful multiplications of the examples that are really there, over the rate of matrix products that this
machine reaches in the same minutes. Each contender runs in a process of its own, on the same cohorts.
"""

import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
from threadpoolctl import threadpool_limits

import benchmarks
from dpcore import datasets, home
from dpcore.learning import sampling
from dpcore.plan import Plan, PrivacyPlan

CONTENDERS = ("tutorial", "tff", "vectorized")
BEFORE = "before"  # the `vectorized` engine of another checkout
CLIENTS, FEWEST = (50, 120, 500, 3383), (10,)


def measured_rounds(contender: str, clients: int) -> int:
    """Few for what takes a minute each."""
    if clients in FEWEST:
        return 1
    return 10 if contender == "vectorized" else 5 if clients <= 120 else 2 if clients <= 500 else 1


def useful_flop(dataset, cohort: np.ndarray) -> float:
    """Multiplications and additions of a round: forward, and back to weights and inputs (not the first's)."""
    examples = float(np.diff(dataset.train.offsets)[cohort].sum())
    sizes = [dataset.num_features, 200, 200, dataset.num_classes]
    products = [a * b for a, b in itertools.pairwise(sizes)]
    return 2 * examples * (3 * sum(products) - products[0])


def matmul_rate(repeats: int) -> float:
    """Best FLOP a second of float32 matrix products, one thread per core, as NumPy does them."""
    cores, side, times = os.cpu_count() or 1, 1024, 12
    one, other = np.random.default_rng(0).standard_normal((2, side, side), np.float32)

    def work(_) -> None:
        for _ in range(times):
            np.matmul(one, other)

    best = 0.0
    with ThreadPoolExecutor(cores) as pool, threadpool_limits(1, user_api="blas"):
        for _ in range(repeats):
            started = time.perf_counter()
            list(pool.map(work, range(cores)))
            best = max(best, cores * times * 2 * side**3 / (time.perf_counter() - started))
    return best


def contend(contender: str, clients: int, folder: Path) -> dict:
    """Times one contender at one cohort size in this process."""
    from dpcore.learning import engines

    dataset = datasets.load("writers", folder)
    privacy = PrivacyPlan(noise_multiplier=0.5, clients_per_round=clients, population=dataset.num_users)
    plan = Plan(privacy=privacy)
    if contender == "tutorial":
        from benchmarks.tutorial import TutorialLoop

        engine = TutorialLoop(plan, dataset)
    else:
        engine = engines.create(contender, plan, dataset)
    state = engine.initialize()
    state, _ = engine.next(state, sampling.cohort(plan, 1), 1)
    seconds, flop = [], []
    before = memory()
    for round_num in range(2, 2 + measured_rounds(contender, clients)):
        cohort = sampling.cohort(plan, round_num)
        started = time.perf_counter()
        state, _ = engine.next(state, cohort, round_num)
        seconds.append(time.perf_counter() - started)
        flop.append(useful_flop(dataset, cohort))
    rate = matmul_rate(1 if clients in FEWEST else 6)
    return {
        "contender": contender,
        "clients": clients,
        "seconds": statistics.median(seconds),
        "floor_seconds": statistics.median(flop) / rate,
        "gflop_per_second": rate / 1e9,
        "rounds": len(seconds),
        "memory_mb": max(before, memory()) / 2**20,
    }


def measured(contender: str, clients: int, folder: Path, other: Path | None) -> dict:
    """Times one contender in a process of its own; `other` is the checkout that has the one before."""
    told = ["--clients", str(clients), "--home", str(folder)]
    if other and contender == BEFORE:
        return benchmarks.against(other, ["rounds", "--contenders", CONTENDERS[-1], *told]) | {"contender": BEFORE}
    command = [
        sys.executable,
        "-m",
        "dpcore.isolated",
        "benchmarks.rounds",
        "--contenders",
        contender,
        *told,
        "--json",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def memory() -> int:
    """Resident bytes of this process and its children."""
    process = psutil.Process()
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)])


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    return f"{os.cpu_count()} x {', '.join(names) or platform.processor()}, {platform.system()}"


def main() -> None:
    parser = benchmarks.options(__doc__, compared=True)
    parser.add_argument("--clients", type=int, nargs="+")
    parser.add_argument("--contenders", nargs="+", default=CONTENDERS, choices=CONTENDERS)
    parser.add_argument("--write", type=Path, help="also write the figures there")
    parser.add_argument("--home", type=Path, default=None)
    options = parser.parse_args()
    folder = home.folder(options.home)
    if options.json:  # of one contender, for the process that compares
        print(json.dumps(contend(options.contenders[0], options.clients[0], folder)))
        return
    datasets.load("writers", folder)
    print(machine())
    print("clients   contender  s a round  of floor  speed-up     MB  GFLOP/s")
    results = []
    for clients in options.clients or (FEWEST if options.smallest else CLIENTS):
        for contender in [*([BEFORE] if options.against else []), *options.contenders]:
            result = measured(contender, clients, folder, options.against)
            results.append(result)
            same = [r["seconds"] for r in results if r["clients"] == clients]
            print(
                f"{clients:>7} {contender:>11} {result['seconds']:>10.3f} "
                f"{result['seconds'] / result['floor_seconds']:>9.2f} {same[0] / result['seconds']:>9.1f} "
                f"{result['memory_mb']:>6.0f} {result['gflop_per_second']:>8.0f}",
                flush=True,
            )
    if options.write:
        options.write.write_text(json.dumps({"machine": machine(), "results": results}, indent=1))


if __name__ == "__main__":
    main()
