"""Who is in a cluster, and may compute: every worker is asked what it is before it gets anything to do."""

import statistics
import threading
import uuid
from collections import defaultdict
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from distributed import Client

from dpcore.cluster import status, work
from dpcore.cluster.configuration import INSECURE, is_safe
from dpcore.cluster.connection import LOST, TIMEOUT_SECONDS, workers_of
from dpcore.cluster.status import WorkerStatus
from dpcore.cluster.work import Job, WorkerReport
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import ClusterError, EpsilonLabError

_POLL_SECONDS = 0.3
_PART = 8_000_000  # bytes of a data set's file that travel at once
_GONE = 8  # workers that are no longer there and are still shown
_MOST_LOOKS = 3  # at the scheduler that fail: then it is lost, though its line may stand
_CANNOT = "it cannot run this version of Epsilon Lab"
_MOST_SENT = 3  # times that one worker is sent the data: it may be interrupted


@dataclass(kw_only=True)
class Member:
    """A worker, and what this run knows of it."""

    address: str
    name: str
    slots: int
    state: str = "preparing"
    reason: str = ""
    asked: Any = None
    sent: int = 0
    shards: int = 0
    rates: list[float] = field(default_factory=list)  # seconds a client, of the last batches

    @property
    def seconds_per_client(self) -> float | None:
        return statistics.median(self.rates) if self.rates else None


class Members:
    """The workers of a cluster, for one run.

    A thread looks every third of a second who is there; all else happens where `refresh` is called.

    Args:
        client: The connection.
        job: What workers are prepared for.
        dataset: What is sent to those who lack it.
        ours: What must be the same on all.
        insecure: Whether plain TCP to other machines is allowed.

    Attributes:
        problem: Why the scheduler is lost, where that is known.
    """

    def __init__(
        self, client: Client, job: Job, dataset: FederatedDataset, ours: WorkerReport, *, insecure: bool = False
    ):
        self._client, self._job, self._dataset, self._ours = client, job, dataset, ours
        self._insecure, self._failed, self.problem = insecure, 0, ""
        self._by_address: dict[str, Member] = {}
        self._gone: list[Member] = []
        self._present: dict[str, dict] = {}
        self._sending: dict[str | None, threading.Lock] = defaultdict(threading.Lock)  # by machine
        self._left = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Looks no longer."""
        self._left.set()
        self._thread.join(timeout=TIMEOUT_SECONDS + 1)

    @property
    def lost(self) -> bool:
        """Whether the scheduler itself is gone, or hangs."""
        return self._client.status in ("closed", "closing", "connecting") or self._failed >= _MOST_LOOKS

    def _look(self) -> None:
        try:
            self._present, self._failed, self.problem = workers_of(self._client, insecure=self._insecure), 0, ""
        except Exception as err:  # whatever a broken connection raises
            self._failed += 1
            self.problem = str(err) if isinstance(err, ClusterError) else ""

    def _watch(self) -> None:
        while not self._left.wait(_POLL_SECONDS):
            self._look()

    def refresh(self) -> list[Member]:
        """Notes who has come, gone, and answered; returns those that may compute."""
        there = {} if self.lost else self._present
        for address in [address for address in self._by_address if address not in there]:
            member = self._by_address.pop(address)
            member.asked = None
            self._gone = [*self._gone, member][-_GONE:]
        for address, told in there.items():
            if address not in self._by_address:
                name, slots = str(told.get("name", address)), int(told.get("nthreads", 1))
                self._by_address[address] = Member(address=address, name=name, slots=max(1, slots))
                self._meet(self._by_address[address])
        for member in self._by_address.values():
            if member.asked is not None and member.asked.done():
                asked, member.asked = member.asked, None
                self._hear(member, asked)
        return [member for member in self._by_address.values() if member.state == "ready"]

    def is_present(self, member: Member) -> bool:
        return self._by_address.get(member.address) is member

    def has_others(self, member: Member) -> bool:
        """Whether there is another worker, which was not refused."""
        return any(one is not member and one.state != "refused" for one in self._by_address.values())

    def answers_at(self, address: str) -> bool:
        return address in self._by_address

    def ask_again(self, member: Member, reason: str = "") -> None:
        """Takes a worker for a new one, which gets nothing to do until it has answered: another process, or it hangs."""
        if self.is_present(member):
            fresh = replace(member, state="preparing", reason=reason, asked=None, sent=0)
            self._by_address[member.address] = fresh
            self._ask(fresh)

    def refuse(self, member: Member, reason: str) -> None:
        """Gives a worker nothing more to do."""
        member.state, member.reason = "refused", reason

    def _meet(self, member: Member) -> None:
        if self._insecure or is_safe(member.address):
            self._ask(member)
        else:
            self._refuse_open(member)

    def _refuse_open(self, member: Member) -> None:
        self.refuse(
            member,
            "it speaks plain TCP to other machines: start it with certificates, or, on a network that is yours alone, "
            f"name the cluster with {INSECURE}",
        )

    def _ask(self, member: Member) -> None:
        member.state = "preparing"
        member.asked = self._submit(member, work.prepare, self._job)

    def _submit(self, member: Member, function, *arguments):
        return self._client.submit(
            function, *arguments, workers=[member.address], allow_other_workers=False, pure=False, priority=10
        )

    def _hear(self, member: Member, asked) -> None:
        try:
            told = asked.result(timeout=10)
        except EpsilonLabError as err:
            self.refuse(member, str(err))
            return
        except LOST:
            self._ask(member)  # should it be gone, the next look shows it
            return
        except Exception as err:  # it cannot even answer: no Epsilon Lab there, or one that has no such question
            self.refuse(member, f"{_CANNOT} ({type(err).__name__}: {str(err)[:120]})")
            return
        if not WorkerReport.is_report(told):
            self.refuse(member, f"{_CANNOT} (it answered with a {type(told).__name__})")
            return
        if not self._insecure and not all(map(is_safe, told.listens)):
            self._refuse_open(member)
            return
        lacks_data = not told.data and not replace(told, data=self._ours.data, probe=self._ours.probe).differences(
            self._ours
        )
        if lacks_data and member.sent < _MOST_SENT:
            self._send(member)
        elif differences := told.differences(self._ours):
            self.refuse(member, f"it was sent the data {member.sent} times, in vain" if lacks_data else differences)
        else:
            member.state, member.reason = "ready", ""

    def _send(self, member: Member) -> None:
        """Sends the data set to a worker that lacks it, in a thread: others compute meanwhile."""
        member.sent += 1
        member.asked = Future()
        threading.Thread(target=self._send_all, args=(member, member.asked), daemon=True).start()

    def _send_all(self, member: Member, told: Future) -> None:
        try:
            # The processes of a machine may share a home: then one of them is sent the data, and all have them.
            with self._sending[urlsplit(member.address).hostname]:
                facts = self._done(member, work.prepare, self._job)
                if not facts.data:
                    self._send_files(member)
                    facts = self._done(member, work.prepare, self._job)
                told.set_result(facts)
        except Exception as err:
            told.set_exception(err)

    def _send_files(self, member: Member) -> None:
        sender = uuid.uuid4().hex
        folder = Path(cast(Any, self._dataset.train.features).filename).parent
        for path in [*sorted(folder.glob("*.npy")), folder / "manifest.json"]:
            with path.open("rb") as file:
                offset = 0
                while part := file.read(_PART):
                    self._done(member, work.receive, self._job, sender, path.name, offset, part)
                    offset += len(part)
        self._done(member, work.receive, self._job, sender, "", 0, None)

    def _done(self, member: Member, *what: Any) -> Any:
        """Returns what comes of a task, unless its worker goes meanwhile: it would wait for that one for ever."""
        future = self._submit(member, *what)
        try:
            while True:
                try:
                    return future.result(timeout=_POLL_SECONDS)
                except TimeoutError:
                    if self._left.is_set() or not self.is_present(member):
                        raise CancelledError from None
        finally:
            with suppress(Exception):  # its connection is closed
                future.cancel()  # or the scheduler keeps it, and does it again should its worker go

    def note_computed(self, member: Member, shards: int, clients: int, seconds: float) -> None:
        """Notes what a worker has done."""
        member.shards += shards
        member.rates = [*member.rates, seconds / max(1, clients)][-9:]

    def statuses(self, computing: set[str]) -> list[WorkerStatus]:
        """Returns all workers as a page shows them."""
        there = list(self._by_address.values())
        known = [one.seconds_per_client for one in there if one.seconds_per_client is not None]
        return [self._status(one, one.state, computing, known) for one in there] + [
            self._status(one, "gone", set(), []) for one in reversed(self._gone)
        ]

    def _status(self, one: Member, state: str, computing: set[str], known: list[float]) -> WorkerStatus:
        mine = one.seconds_per_client
        others = list(known)
        if mine in others:
            others.remove(mine)
        slow = bool(mine and others and mine > status.TIMES_SLOWER * statistics.median(others))
        return WorkerStatus(
            name=one.name,
            address=one.address,
            state="computing" if state == "ready" and one.address in computing else state,
            reason=one.reason,
            shards=one.shards,
            seconds_per_client=mine,
            slow=slow,
        )
