"""A process that works on a home until it is killed: `python -m tests.runs.busy HOME LOG NUMBER`.

It writes down what is done: "run ID" for a run that is charged, "DATASET BUDGET" for a budget, which it lowers each time.
"""

import itertools
import sys
from pathlib import Path

from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from tests.runs.damage import plan, row


def main(home: Path, log: Path, name: str) -> None:
    store = Store(home)
    with log.open("a", buffering=1) as done:
        for number in itertools.count():
            run_id = store.create(plan(name), engine="tff", eval_every=5)
            if number % 4 == 3:
                store.request_stop(run_id)  # it costs nothing
                continue
            done.write(f"run {run_id}\n")
            store.begin(run_id)
            for round_num in range(3):
                store.draw(run_id, round_num)
                store.append(run_id, row(round_num))
            store.end(run_id, "stopped" if number % 2 else "finished")
            if number % 3 == 2:
                store.delete(run_id)
                store.empty_bin()
            store.set_policy(Policy(name=name, budget_epsilon=1000.0 / (number + 1)))
            done.write(f"{name} {1000.0 / (number + 1)!r}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), f"data{sys.argv[3]}")
