"""A worker that waits with nothing loaded, and then trains nothing: `python -m tests.runs.idle_spare HOME SOCKET`.

As `dpcore.runs.process.waiting`, which it runs; what it does with a run is in `idle_worker`.
"""

import socket
import sys
from pathlib import Path

from dpcore.runs.process import waiting
from tests.runs import idle_worker


def main() -> None:
    waiting._prepare = lambda home: None
    waiting.worker.main = lambda home, run_id, held: idle_worker.main(home, run_id)
    waiting.main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))


if __name__ == "__main__":
    main()
