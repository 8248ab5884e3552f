"""The tutorial by one button: `python -m benchmarks.study [--seeds 3] --against PATH`.

Its four noises, the search for the clients per round and the final private model, as the command line runs it in a new
home: from when it is asked for to when its last run has ended.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import benchmarks
from benchmarks.rounds import machine
from dpcore import datasets, home

_SMALLEST = ("--noise", "0", "--noise", "0.5", "--clients", "20", "--rounds", "2", "--grid-only")


def measured(dataset: str, *told: str) -> dict[str, Any]:
    """Returns how long a study on a data set takes, and of how many settings it is; `told` are its other options."""
    told = "--dataset", dataset, *told
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        datasets.load(dataset, home.folder())
        (Path(folder) / "datasets").symlink_to(home.folder() / "datasets")  # not generated once more
        command = [sys.executable, "-m", "dpcore", "study", "run", *told, "--yes", "--json", "--home", folder]
        began = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return {"seconds": time.monotonic() - began, "settings": len(json.loads(done.stdout)["settings"])}


def main() -> None:
    parser = benchmarks.options(__doc__, compared=True)
    parser.add_argument("--seeds", type=int, default=1, choices=range(1, 6), metavar="COUNT")
    parser.add_argument("--dataset", default="writers", help="a data set of this home")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended, whatever ends this
    found = measured(given.dataset, *(_SMALLEST if given.smallest else ()), "--seeds", str(given.seeds))
    if given.json:
        print(json.dumps(found))
        return
    print(machine())
    told = f"{found['settings']} settings: {found['seconds']:.1f} s"
    if given.against:
        argv = ["study", f"--seeds={given.seeds}", f"--dataset={given.dataset}", *["--smallest"] * given.smallest]
        there = benchmarks.against(given.against, argv)["seconds"]
        told += f", {there:.1f} s there: {found['seconds'] / there:.2f} of it"
    print(told)


if __name__ == "__main__":
    main()
