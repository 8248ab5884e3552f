"""Milliseconds per epsilon, side by side in one run: `python -m benchmarks.accounting`.

dp-accounting, one setting after another as its users call it, and `dpcore.privacy.curves` on whole arrays.
"""

import functools
import statistics
import time
from collections.abc import Callable

import dp_accounting
import numpy as np
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

import benchmarks
from benchmarks.rounds import machine
from dpcore.privacy import curves
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


def main() -> None:
    repeats = 1 if benchmarks.options(__doc__).parse_args().smallest else REPEATS
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
            ratios = "".join(f"{times[slow] / spent:>10.1f}" for slow in accountants[name])
            print(f"{label:<22}{points[label]:>6}{spent:>13.3f}{ratios}")


if __name__ == "__main__":
    main()
