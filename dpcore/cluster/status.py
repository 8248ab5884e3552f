"""What a run's worker notes beside the run about its cluster, for pages and commands to read."""

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dpcore import messages

_FILE = "cluster.json"
TIMES_SLOWER = 3.0  # than the median of the others: a worker is called slow


@dataclass(frozen=True, kw_only=True)
class WorkerStatus:
    """One worker of a cluster, as a run sees it.

    Attributes:
        name: What Dask calls it.
        address: Where it is.
        state: preparing (it loads the data), ready, computing, refused, gone, or elsewhere (it works for
            another run of this store).
        reason: Why it is refused.
        shards: How many it has computed.
        seconds_per_client: What a client takes there, in seconds of one of its threads, lately.
        slow: Whether that is far longer than at the others.
    """

    name: str
    address: str
    state: str
    reason: str = ""
    shards: int = 0
    seconds_per_client: float | None = None
    slow: bool = False


@dataclass(frozen=True, kw_only=True)
class ClusterStatus:
    """What a run sees of its cluster.

    Attributes:
        where: The cluster.
        message: What is wrong, in English, for `dpcore.language.translated`; or empty.
        workers: All that it has met, those that are there first.
        again: Shards that were computed again, because a worker was lost or far too slow.
        written: When, by the machine's wall clock.
    """

    where: str
    message: str
    workers: tuple[WorkerStatus, ...]
    again: int
    written: float


def write(folder: Path, status: ClusterStatus) -> None:
    """Writes a status where `read` finds it. Not worth waiting for the disk: it is old in a second."""
    partial = folder / f"{_FILE}.partial"
    with suppress(OSError):  # a full disk is told by what matters more
        partial.write_text(json.dumps(asdict(status) | {"message": messages.content(status.message)}))
        partial.replace(folder / _FILE)


def read(folder: Path) -> ClusterStatus | None:
    """Returns the last status that a run has written; `None` where it used no cluster."""
    try:
        told = json.loads((folder / _FILE).read_text())
        workers = tuple(WorkerStatus(**one) for one in told.pop("workers"))
        return ClusterStatus(**told | {"message": messages.from_content(told["message"])}, workers=workers)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def status_now(where: str, message: str, workers: list[WorkerStatus], again: int) -> ClusterStatus:
    """Returns the status of a cluster, dated with the time of now."""
    return ClusterStatus(where=where, message=message, workers=tuple(workers), again=again, written=time.time())
