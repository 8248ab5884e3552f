"""What commands and pages take where there are many runs: `python -m benchmarks.many_runs`.

A home is filled through the store, run by run as workers do, with nothing trained. Then each command is run in a process
of its own, and each page's script in one process, twice: the first time reads what is kept beside the runs.
"""

import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import benchmarks
import dpcore
from benchmarks.rounds import machine
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting, curves
from dpcore.privacy.precision import Precision
from dpcore.rounds import Round
from dpcore.runs.store import Store

ROOT = Path(dpcore.__file__).parents[1]  # of the program that is measured
ROUNDS, LIMIT_SECONDS = 5, 90
COMMANDS = {
    "runs list": ("runs", "list"),
    "runs list --json": ("runs", "list", "--json"),
    "ledger": ("ledger", "--dataset", "writers"),
    "study list": ("study", "list"),
}
PAGES = ("runs", "ledger", "frontier", "study", "train")


def plans(kinds: int) -> list[Plan]:
    """Returns plans of so many kinds."""
    noises = np.round(np.geomspace(0.6, 4.0, kinds), 6).tolist()
    clients = (50, 120, 300)
    return [
        Plan(privacy=PrivacyPlan(noise_multiplier=noise, clients_per_round=clients[at % 3], rounds=ROUNDS))
        for at, noise in enumerate(noises)
    ]


def spent(plan: PrivacyPlan) -> list[float]:
    """Returns the epsilon after each round, as a worker records it: that of all by the accountant."""
    whole = accounting.epsilon(plan, Precision.PREVIEW).value
    return [curves.epsilon_spent(plan, number, planned=whole) for number in range(ROUNDS)] + [whole]


def fill(home: Path, runs: int, kinds: int) -> None:
    """Fills a home with finished runs, each of the kinds as often as any other."""
    store, draw, asked = Store(home), np.random.default_rng(0), plans(kinds)
    known = [spent(plan.privacy) for plan in asked]
    for number in range(runs):
        plan = asked[number % kinds]
        run_id = store.create(plan, engine="vectorized", eval_every=ROUNDS)
        store.begin(run_id)
        for at, epsilon in enumerate(known[number % kinds]):
            evaluated = at in (0, ROUNDS)
            store.append(
                run_id,
                Round(
                    round=at,
                    accuracy=float(draw.uniform(0.1, 0.9)) if evaluated else None,
                    loss=1.0 if evaluated else None,
                    clip_norm=0.1,
                    cohort_size=plan.privacy.clients_per_round if at else None,
                    epsilon=epsilon,
                    seconds=0.1,
                ),
            )
        store.end(run_id, "finished")


def seconds(work: Callable[[], object]) -> float:
    """How long it takes; the limit, where it takes longer."""
    started = time.perf_counter()
    try:
        work()
    except (subprocess.TimeoutExpired, RuntimeError):  # the latter is what a page's test says then
        return float(LIMIT_SECONDS)
    return time.perf_counter() - started


def command(home: Path, words: tuple[str, ...]) -> None:
    """Runs a command of the program in a process of its own."""
    subprocess.run(
        [sys.executable, "-m", "dpcore", *words, "--home", home],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=LIMIT_SECONDS,
    )


def page(name: str) -> None:
    """Runs a page's script once, as for a visitor who has just come."""
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(ROOT / "app.py", default_timeout=LIMIT_SECONDS)
    done = app.switch_page(f"pages/{name}.py").run()
    if done.exception:
        raise ValueError(done.exception[0].message)


def measure(runs: int, kinds: int) -> dict[str, list[float]]:
    """Returns the seconds of each command and page, the first time and the second; and megabytes at the end."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, runs, kinds)
        os.environ["EPSILON_LAB_HOME"] = folder
        found = {
            name: [seconds(functools.partial(command, home, words)) for _time in range(2)]
            for name, words in COMMANDS.items()
        }
        for name in PAGES:
            found[f"page {name}"] = [seconds(functools.partial(page, name)) for _time in range(2)]
    found["megabytes"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]
    return found


def main() -> None:
    parser = benchmarks.options(__doc__, compared=True)
    parser.add_argument("--runs", type=int, default=2000, help="how many runs")
    parser.add_argument("--kinds", type=int, default=500, help="of how many kinds of plan")
    given = parser.parse_args()
    runs, kinds = (6, 3) if given.smallest else (given.runs, given.kinds)
    found = measure(runs, kinds)
    if given.json:
        print(json.dumps(found))
        return
    before = {}
    if given.against:
        before = benchmarks.against(given.against, ["many_runs", f"--runs={runs}", f"--kinds={kinds}"])
    print(f"{machine()}\n{runs} runs of {kinds} kinds, seconds (at most {LIMIT_SECONDS})")
    print(f"{'':<20}{'first':>8}{'again':>8}" + (f"{'before':>10}{'again':>8}" if before else ""))
    for name, times in found.items():
        print(f"{name:<20}" + "".join(f"{one:>8.2f}" for one in [*times, *before.get(name, [])]))


if __name__ == "__main__":
    main()
