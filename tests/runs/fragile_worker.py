"""A worker that is killed (SIGKILL) at a random moment after its first new round, or while it saves.

`python -m tests.runs.fragile_worker HOME RUN_ID LOCK`: as `dpcore.runs.process.worker`, which it runs.
"""

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from dpcore import files
from dpcore.runs.process import worker

draw = random.Random(os.urandom(8))


def kill_in(seconds: float) -> None:
    def wait_and_kill() -> None:
        time.sleep(seconds)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_and_kill, daemon=True).start()


def main() -> None:
    worker._SAVE_SECONDS = draw.choice([0.0, 0.05])
    saves = draw.randrange(1, 4 if worker._SAVE_SECONDS else 8)  # the one of which it may not see the end
    in_a_save = draw.random() < 0.5
    write, written = files.write, []

    def fragile_write(path, arrays):
        written.append(path)
        if len(written) == saves and in_a_save:
            kill_in(draw.random() * 0.01)
        elif len(written) == 1 and not in_a_save:
            kill_in(draw.random() * 0.3)
        write(path, arrays)

    files.write = fragile_write
    worker.main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
