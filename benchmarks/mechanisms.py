"""What correlated noise costs beside independent noise, and what all assumptions cost: `python -m benchmarks.mechanisms`.

Rounds of 50 clients on `vectorized`, of every noise in turn, so that a busy machine is as busy for all of them.
"""

import statistics
import tempfile
import time
from pathlib import Path

import benchmarks
from benchmarks.rounds import machine
from dpcore.datasets import federated, writers
from dpcore.mechanisms.noise import Banded, Independent, SquareRoot, Tree
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.privacy import accounting, assumptions

CLIENTS, GROUPS = 50, 28
NOISES = {
    "independent": Independent(),
    "28 bands": Banded(bands=GROUPS),
    "tree": Tree(),
    "square root": SquareRoot(),
}


def round_seconds(rounds: int, warm: int) -> dict[str, list[float]]:
    """Returns the seconds of each round after the first `warm`, by the noise."""
    from dpcore.learning import engines, sampling

    with tempfile.TemporaryDirectory() as folder:
        path, population = Path(folder) / "writers", CLIENTS * GROUPS
        data = writers.generate(population, lambda *_: None)
        federated.save(path, data, name="writers", num_classes=10, description=writers.DESCRIPTION)
        dataset = federated.open_folder(path)
        given = {
            "population": population,
            "clients_per_round": CLIENTS,
            "rounds": rounds,
            "clipping": FixedClipping(),
        }
        plans = {
            name: Plan(privacy=PrivacyPlan(**given, participation=Schedule(), noise=noise))
            for name, noise in NOISES.items()
        }
        running = {name: engines.create("vectorized", plan, dataset) for name, plan in plans.items()}
        states = {name: engine.initialize() for name, engine in running.items()}
        seconds: dict[str, list[float]] = {name: [] for name in plans}
        for number in range(1, rounds + 1):
            cohort = sampling.cohort(plans["independent"], number)  # the same for all
            for name, engine in running.items():
                started = time.perf_counter()
                states[name], _metrics = engine.next(states[name], cohort, number)
                seconds[name].append(time.perf_counter() - started)
    return {name: spent[warm:] for name, spent in seconds.items()}


def table_milliseconds(repeats: int) -> float:
    """Returns how long the table of all assumptions takes after the plan's own epsilon, each time another plan."""
    spent = []
    for number in range(repeats + 1):  # the first one loads the accountants
        plan = PrivacyPlan(noise_multiplier=1.2 + number / 100)
        accounting.account(plan)
        started = time.perf_counter()
        assumptions.of(plan)
        spent.append(time.perf_counter() - started)
    return 1e3 * statistics.median(spent[1:])


def main() -> None:
    smallest = benchmarks.options(__doc__).parse_args().smallest
    print(machine())
    seconds = round_seconds(*((3, 1) if smallest else (90, 30)))
    print("noise         ms a round   times independent")
    for name, spent in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(spent, seconds["independent"], strict=True))
        print(f"{name:<14}{1e3 * statistics.median(spent):>10.1f}{ratio:>20.3f}")
    print(f"all assumptions: {table_milliseconds(1 if smallest else 7):.0f} ms")


if __name__ == "__main__":
    main()
