"""`dpcore.runs.process.resident`, whose workers train nothing: `python -m tests.runs.idle_resident HOME`."""

import sys
from pathlib import Path

from dpcore.runs.process import resident, runner, spare

if __name__ == "__main__":
    spare._MODULE = "tests.runs.idle_spare"
    spare._BEGINNING_SECONDS = 0.1
    runner._MODULE_FOR = {"vectorized": ["tests.runs.idle_worker"], "tff": ["tests.runs.idle_worker"]}
    resident.main(Path(sys.argv[1]))
