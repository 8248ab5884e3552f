"""Milliseconds per epsilon, side by side in one run: `python -m benchmarks.accounting`.

dp-accounting, one setting after another as its users call it, and `dpcore.privacy.curves` on whole arrays.
"""

import functools
import json
import statistics
import time
from collections.abc import Callable

import dp_accounting
import numpy as np
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

import benchmarks
from benchmarks.rounds import machine
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, calibration, curves
from dpcore.privacy.accounting import RDP_ORDERS
from dpcore.privacy.precision import Precision

REPEATS = 6
TUTORIAL = {"noise_multiplier": 1.2, "sampling_prob": 120 / 3383, "rounds": 100, "delta": 1e-5}
NOISE, CLIENTS = np.linspace(0.6, 6, 40), np.linspace(20, 2000, 40)
SHAPES = {
    "along noise": {"noise_multiplier": NOISE},
    "along clients": {"sampling_prob": CLIENTS / 3383},
    "along rounds": {"rounds": np.unique(np.geomspace(1, 1000, 60).astype(int))},
    "along delta": {"delta": np.geomspace(1e-9, 1e-2, 60)},
    "surface 40 x 40": {"noise_multiplier": NOISE[:, None], "sampling_prob": CLIENTS / 3383},
}


def library(accountant: Callable[[], dp_accounting.PrivacyAccountant]) -> Callable[[], None]:
    """A few settings of the tutorial's neighbourhood, each by an accountant of its own."""

    def run() -> None:
        for noise in (0.9, 1.2, 1.8):
            gaussian = dp_accounting.GaussianDpEvent(noise)
            event = dp_accounting.PoissonSampledDpEvent(TUTORIAL["sampling_prob"], gaussian)
            accountant().compose(event, TUTORIAL["rounds"]).get_epsilon(TUTORIAL["delta"])

    return run


def milliseconds(run: Callable[[], object], points: int, repeats: int) -> float:
    """The median time of a point, after one run that is not counted where there are several."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds[1:] or seconds) / points


HARD = {
    "2,000,000 users": {"population": 2_000_000, "clients_per_round": 5000, "rounds": 2000, "delta": 1e-8},
    "a billion users": {"population": 10**9, "clients_per_round": 5000, "rounds": 2000, "delta": 1e-9},
    "a million rounds": {"population": 2_000_000, "clients_per_round": 5000, "rounds": 10**6, "delta": 1e-8},
}
EASY = {"the tutorial's users": {"clients_per_round": 120}}


def solving(plans: dict[str, dict]) -> dict[str, list[float]]:
    """Returns the noise that epsilon 4 needs, by the plan, and the seconds of processor time of that and of the floor."""
    found = {}
    accounting.epsilon(PrivacyPlan(noise_multiplier=1.1))  # loads the libraries
    for name, numbers in plans.items():
        plan, started = PrivacyPlan(noise_multiplier=0.0, **numbers), time.process_time()
        noise = calibration.solve(plan, "noise", target_epsilon=4.0).noise_multiplier
        calibration.lowest_epsilon(plan, "noise")
        found[name] = [noise, time.process_time() - started]
    return found


def main() -> None:
    given = benchmarks.options(__doc__, compared=True).parse_args()
    repeats = 1 if given.smallest else REPEATS
    solved = solving(EASY if given.smallest else HARD)
    if given.json:
        print(json.dumps(solved))
        return
    before = {}
    if given.against:
        smallest = ["--smallest"] if given.smallest else []
        before = benchmarks.against(given.against, ["accounting", *smallest])
    print("noise for epsilon 4, seconds of processor time" + (", and before" if before else ""))
    for name, (noise, spent) in solved.items():
        print(f"{name:<22}{noise:>9}" + "".join(f"{one:>9.2f}" for one in [spent, *before.get(name, [])[1:]]))
    accountants = {"RDP": {"dp-accounting": lambda: RdpAccountant(RDP_ORDERS)}, "PLD": {}}
    for grid in (Precision.REPORTED.step, Precision.PREVIEW.step):
        accountants["PLD"][f"dp-accounting, {grid:g}"] = functools.partial(
            PLDAccountant, value_discretization_interval=grid
        )
    print(machine())
    for name, bound in {"RDP": curves.rdp_epsilons, "PLD": curves.pld_epsilons}.items():
        times = {label: milliseconds(library(make), 3, repeats) for label, make in accountants[name].items()}
        points = dict.fromkeys(times, 1)
        for label, changed in SHAPES.items():
            setting = TUTORIAL | changed
            points[label] = np.broadcast(*setting.values()).size
            times[label] = milliseconds(functools.partial(bound, **setting), points[label], repeats)
        print(f"\n{name:<22}points   ms a point   times as fast as {' and '.join(accountants[name])}")
        for label, spent in times.items():
            ratios = "".join(f"{times[slow] / spent:>10.2f}" for slow in accountants[name])
            print(f"{label:<22}{points[label]:>6}{spent:>13.3f}{ratios}")


if __name__ == "__main__":
    main()
