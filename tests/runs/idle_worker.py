"""A worker that trains nothing: `python -m tests.runs.idle_worker HOME RUN_ID LOCK`.

What it does stands in the note of its run: "sleep" until it is asked to stop, "hang" whatever one asks, "exit CODE",
or else a round and a good end.
"""

import sys
import time
from pathlib import Path

from dpcore.rounds import Round
from dpcore.runs.store import Store


def main(home: Path, run_id: str) -> None:
    store = Store(home)
    note = store.run(run_id).note
    with (home / "order").open("a") as order:
        order.write(f"{run_id}\n")
    if note.startswith("exit"):
        sys.exit(int(note.split()[1]))
    row = Round(round=1, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=3, epsilon=0.1, seconds=0.1)
    store.append(run_id, row)
    while note == "hang" or (note == "sleep" and not store.run(run_id).stop_requested):
        time.sleep(0.05)
    store.end(run_id, "stopped" if note == "sleep" else "finished")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
