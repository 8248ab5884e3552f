"""What an audit costs: processor time of a round with canaries and without, side by side: `python -m benchmarks.audit`.

Rounds of both in turn, on the same cohort, so that a busy machine is as busy for both; processor time of all threads.
"""

import resource
import statistics
import time

import benchmarks
from benchmarks.rounds import machine
from dpcore import datasets, home
from dpcore.plan import Plan, PrivacyPlan

CLIENTS, CANARIES = (50, 500), 1000


def round_seconds(clients: int, rounds: int, warm: int) -> tuple[list[float], list[float]]:
    """Returns the processor seconds of each round after the first `warm`, with an audit and without."""
    from dpcore.learning import sampling
    from dpcore.learning.vectorized import VectorizedEngine

    dataset = datasets.load("writers", home.folder())
    privacy = PrivacyPlan(noise_multiplier=0.5, clients_per_round=clients, population=dataset.num_users)
    plan = Plan(privacy=privacy)
    streams = sampling.streams_of(plan, CANARIES)
    engines = [VectorizedEngine(plan, dataset, streams=streams, canaries=count) for count in (CANARIES, None)]
    states = [engine.initialize() for engine in engines]
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(1, rounds + 1):
        drawn = sampling.cohort(plan, number, streams, canaries=CANARIES)
        for which, cohort in enumerate((drawn, drawn[drawn < dataset.num_users])):
            started = time.process_time()
            states[which], _metrics = engines[which].next(states[which], cohort, number)
            seconds[which].append(time.process_time() - started)
    return seconds[0][warm:], seconds[1][warm:]


def memory_megabytes() -> float:
    """The most that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    smallest = benchmarks.options(__doc__).parse_args().smallest
    print(machine())
    print("clients   with ms   without ms   times without   ms of the audit")
    for clients in (10,) if smallest else CLIENTS:
        rounds, warm = (3, 1) if smallest else (70, 10) if clients < 100 else (15, 3)
        audited, plain = round_seconds(clients, rounds, warm)
        ratio = statistics.median(a / b for a, b in zip(audited, plain, strict=True))
        cost = 1e3 * statistics.median(a - b for a, b in zip(audited, plain, strict=True))
        both = f"{1e3 * statistics.median(audited):>10.1f}{1e3 * statistics.median(plain):>13.1f}"
        print(f"{clients:>7}{both}{ratio:>16.3f}{cost:>18.1f}")
    print(f"at most {memory_megabytes():.0f} MB")


if __name__ == "__main__":
    main()
