"""What runs on a Dask worker: it says what it is, takes in data it lacks, and computes shards.

Each is a task that depends on nothing but its arguments and on `prepare` having been called in the same process; one
that is lost, or run twice, does no harm.
"""

import functools
import hashlib
import os
import platform
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from distributed import get_worker

from dpcore import datasets, files, home
from dpcore.datasets import federated
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import ClusterError, DatasetError, EpsilonLabError
from dpcore.learning import shards
from dpcore.learning.shards import Broadcast, Shard, ShardSum
from dpcore.plan import Plan
from dpcore.program import code_digest

_PACKAGES = ("tensorflow", "numpy")
_UNUSED_SECONDS, _ABANDONED_SECONDS = 120.0, 3600.0
_prepared: dict[str, tuple[Any, float]] = {}  # clients by `Job.key`, some 20 MB each, and when they were used last
_datasets: dict[str, FederatedDataset] = {}  # by fingerprint; one at a time
_preparing, _changing = threading.Lock(), threading.Lock()  # a worker may have several threads


class NotPreparedError(EpsilonLabError):
    """This process was not asked before what it is: another one has taken the place of the one that was."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is prepared once: the plan as JSON, the data set by name and content, for workers of this code."""

    plan: str
    dataset: str
    fingerprint: str
    code: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.plan} {self.fingerprint} {self.code}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class WorkerReport:
    """What a worker says of itself: all that must be the same on every machine that computes shards of a run.

    Attributes:
        code: A digest of this program's source.
        versions: Of Python and of the packages that compute.
        data: The data set's fingerprint; empty if it is not there.
        probe: A digest of the bits computed for some fixed groups; empty without data.
        listens: The addresses at which others reach it; these need not be the same.
    """

    code: str
    versions: dict[str, str]
    data: str
    probe: str
    listens: tuple[str, ...] = ()

    @classmethod
    def is_report(cls, told: Any) -> bool:
        """Whether an answer has the fields and types of a report: a worker that has other code may answer anything."""
        kinds = {field.name: str for field in fields(cls)} | {"versions": dict, "listens": tuple}
        return isinstance(told, cls) and all(isinstance(vars(told).get(key), kind) for key, kind in kinds.items())

    def differences(self, ours: "WorkerReport") -> str:
        """Returns in what this worker differs from the server, for a person; empty if in nothing."""
        if self.code != ours.code:
            return f"other code of Epsilon Lab ({self.code}, expected {ours.code})"
        other = [
            f"{name} {self.versions.get(name)}, expected {told}"
            for name, told in ours.versions.items()
            if self.versions.get(name) != told
        ]
        if other:
            return f"other versions: {'; '.join(other)}"
        if self.data != ours.data:
            return f"other data ({self.data or 'none'}, expected {ours.data})"
        if self.probe != ours.probe:
            return f"its processor computes other bits ({self.probe}, expected {ours.probe})"
        return ""


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that compute, by name."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _task(function: Callable) -> Callable:
    """A task whose own trouble with a file or a socket is told from a line that was lost, which is tried again."""

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except OSError as err:
            raise ClusterError(f"{socket.gethostname()}: {type(err).__name__}: {err}") from err

    return told


@_task
def prepare(job: Job) -> WorkerReport:
    """Returns what this worker is, ready to compute; without data where it lacks them, or has other code.

    Raises:
        EpsilonLabError: If it cannot: the disk is full, say.
    """
    listens = tuple(one.listen_address for one in get_worker().listeners)
    known = WorkerReport(code=code_digest(), versions=versions(), data="", probe="", listens=listens)
    with _preparing:
        dataset = _dataset(job) if known.code == job.code else None
        if dataset is None:
            return known
        clients = _used(job.key)
        if clients is None:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # a model with convolutions loads TensorFlow
            from dpcore.learning.clients import Clients

            clients = _used(job.key, Clients(Plan.from_json(job.plan), dataset))
        return replace(known, data=dataset.fingerprint, probe=clients.bits_digest())


def _used(key: str, new: Any = None) -> Any:
    """Returns the clients of a job, `None` where there are none; forgets those of which no use was made for long.

    By time and not by number: however many runs and servers use a worker, none pushes another out.
    """
    with _changing:
        now = time.monotonic()
        clients, _ = _prepared.pop(key, (new, now))
        if clients is not None:
            _prepared[key] = clients, now
        for unused in [one for one, (_, since) in _prepared.items() if now - since > _UNUSED_SECONDS]:
            del _prepared[unused]
    return clients


@_task
def compute(key: str, broadcast: Broadcast, batch: list[Shard]) -> tuple[list[ShardSum], float]:
    """Returns what comes of each shard of a batch, and the seconds that all took.

    Raises:
        NotPreparedError: If `prepare` was not called for this job, by its key, in this process.
    """
    clients = _used(key)
    if clients is None:
        raise NotPreparedError("Expected a worker that was prepared for this run, found a new process.")
    started = time.perf_counter()
    sums = [clients.shard_sum(broadcast, shard) for shard in batch]
    return sums, time.perf_counter() - started


def problem_with(answer: Any, broadcast: Broadcast, batch: list[Shard]) -> str:
    """Returns what is wrong with the answer to a batch; empty if nothing is."""
    try:
        sums, seconds = answer
        faults = [shards.problem_with(one, shard, broadcast) for one, shard in zip(sums, batch, strict=True)]
        return next(filter(None, faults), "" if seconds >= 0 else "no time")
    except Exception as err:  # it may answer anything
        return f"something else than a sum for each shard ({type(err).__name__})"


def _dataset(job: Job) -> FederatedDataset | None:
    """Returns the data set of this content: from this worker's home, generated, or received; `None` without it."""
    found = _datasets.get(job.fingerprint)
    if found is None:
        found = _found(job)
        _datasets.clear()
        if found is not None:
            _datasets[job.fingerprint] = found
    return found


def _found(job: Job) -> FederatedDataset | None:
    place = home.folder()
    received = _received(job.fingerprint)
    if (received / "manifest.json").exists():
        with suppress(DatasetError):  # damaged: it is sent again
            return federated.open_in_use(received)
        shutil.rmtree(received, ignore_errors=True)
    if job.dataset in datasets.names(place) and not datasets.must_be_fetched(job.dataset, place):
        there = datasets.entry(job.dataset, place).manifest
        if (there is None and job.dataset == "writers") or (there and there.fingerprint == job.fingerprint):
            made = datasets.load(job.dataset, place)
            return made if made.fingerprint == job.fingerprint else None
    return None


def _received(fingerprint: str) -> Path:
    return home.folder() / "datasets" / "received" / fingerprint


@_task
def receive(job: Job, sender: str, name: str, offset: int, part: bytes | None) -> None:
    """Writes a part of a data set's file into this worker's home; `None` says that all files are there.

    Args:
        job: What for.
        sender: A word of its own for each that sends: several runs may send the same at a time.
        name: The file's.
        offset: Where in it.
        part: What stands there.

    Raises:
        DatasetError: If there is no room, or what came is not what was sent.
    """
    folder = _received(job.fingerprint)
    partial = folder.with_name(f"{folder.name}.{Path(sender).name}.partial")
    with federated.disk_errors(folder):
        partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        if part is not None:
            try:
                with (partial / Path(name).name).open("r+b" if offset else "wb") as file:
                    file.seek(offset)
                    file.write(part)
            except OSError:  # a full disk, most likely, on which every byte counts
                shutil.rmtree(partial, ignore_errors=True)
                raise
        else:
            _remove_abandoned(folder.parent)
            try:
                for path in partial.iterdir():
                    files.to_disk(path)
                if federated.open_folder(partial).fingerprint != job.fingerprint:
                    raise DatasetError(f"Expected the data set {job.fingerprint}, found another one in {partial}.")
                try:  # without its lock, which another worker that was sent the data shares as long as it lives
                    partial.rename(folder)
                except OSError:
                    if not (folder / "manifest.json").exists():
                        raise
            finally:
                shutil.rmtree(partial, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes what somebody began to send and did not end: users' data, which nobody would ever use."""
    for partial in folder.glob("*.partial"):
        with suppress(OSError):  # another process was faster
            newest = max(path.stat().st_mtime for path in [partial, *partial.iterdir()])
            if time.time() - newest > _ABANDONED_SECONDS:
                shutil.rmtree(partial, ignore_errors=True)
