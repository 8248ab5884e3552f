"""A round's cohort on a Dask cluster: shards are dealt to workers in batches, and dealt again when one is lost.

Tasks and no actors: a batch holds all that it needs (the weights, its users, the round), so whoever computes it, and
how often, does not matter. The first result of a shard counts, and no other.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from dpcore.cluster import status, work
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.cluster.connection import LOST, Connection
from dpcore.cluster.members import Member, Members
from dpcore.cluster.shares import Shares
from dpcore.cluster.work import Job, WorkerReport
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import ClusterError, RoundAbandonedError
from dpcore.language import N_, sentences
from dpcore.learning.clients import Clients
from dpcore.learning.shards import Broadcast, Shard, ShardSum
from dpcore.plan import Plan

_BATCH = 4  # shards a task at most: the weights go out once for each, and results come back while others compute
_AHEAD = 4  # batches that a worker's thread may have before it: enough to hide the way there and back
_TICK_SECONDS = 0.2
_BEAT_SECONDS = 20.0
_STATUS_SECONDS = 1.0
_SILENT_SECONDS = 10.0  # without any result: then it is said, and Stop does not wait for the round's end
_MOST_FAILURES = 3  # of one shard, at other workers each time if there are any: then it is no worker's fault
_MOST_LOST = 10  # workers that one shard was lost with, in one round: it may be what kills them
_LATE_TIMES, _LATE_SECONDS = 4.0, 2.0  # a batch that takes so much longer than others is given to an idle one


@dataclass(eq=False, kw_only=True)
class _Batch:
    """Some shards at a worker."""

    shards: list[int]
    clients: int
    member: Member
    future: Any
    since: float = field(default_factory=time.monotonic)
    late: bool = False  # its shards are dealt again; what comes first counts

    def drop(self) -> None:
        """Lets go of it: neither worker nor scheduler keeps it any longer."""
        with suppress(RuntimeError):  # its connection is closed
            self.future.release()


class ClusterCohorts:
    """`dpcore.learning.shards.ShardComputer` on a Dask cluster, for one run.

    Args:
        open_connection: Returns the connection; called again when the scheduler was lost.
        configuration: Where the cluster is.
        plan: What is trained.
        dataset: On which data.
        clients: The same, in this process: its probe is what workers must come out with.
        folder: The run's; what workers do is written there.
        say: Tells what the run waits for; nothing when it does not.
        stop_requested: Asked while there is no worker, or nothing comes of any.
        shares: Which workers are this run's; `None` for all.
    """

    def __init__(
        self,
        *,
        open_connection: Callable[[], Connection],
        configuration: ClusterConfiguration,
        plan: Plan,
        dataset: FederatedDataset,
        clients: Clients,
        folder: Path,
        say: Callable[[str], None],
        stop_requested: Callable[[], bool],
        shares: Shares | None = None,
    ):
        self._open, self._configuration, self._folder = open_connection, configuration, folder
        self._dataset, self._shares = dataset, shares
        self._say, self._stop_requested = say, stop_requested
        code, data = work.code_digest(), dataset.fingerprint
        self._job = Job(plan=plan.to_json(), dataset=dataset.name, fingerprint=data, code=code)
        self._ours = WorkerReport(code=code, versions=work.versions(), data=data, probe=clients.bits_digest())
        self._again, self._said, self._beat, self._written, self._heard = 0, "", 0.0, 0.0, 0.0
        self._lost: Counter[int] = Counter()  # by shard of this round: workers
        self._meet(open_connection())

    def _meet(self, connection: Connection) -> None:
        self._client, self._problem = connection.client, ""
        self._members = Members(
            self._client, self._job, self._dataset, self._ours, insecure=self._configuration.insecure
        )
        self._lost.clear()  # with a scheduler, all are: that is no shard's fault

    def close(self) -> None:
        """Lets go of the workers; the connection stays."""
        self._members.close()
        if self._shares is not None:
            self._shares.close()

    def __call__(self, broadcast: Broadcast, shards: Sequence[Shard]) -> Iterator[ShardSum]:
        out: list[_Batch] = []
        try:
            yield from self._sums(broadcast, shards, out)
        finally:  # also where it raises, or nobody wants the rest
            for batch in out:
                batch.drop()
        self._tell(self._able(), [])

    def _sums(self, broadcast: Broadcast, shards: Sequence[Shard], out: list[_Batch]) -> Iterator[ShardSum]:
        waiting = deque(range(len(shards)))
        finished: SimpleQueue = SimpleQueue()
        results: dict[int, ShardSum | None] = {}
        failures = [0] * len(shards)
        following, self._heard = 0, time.monotonic()
        self._lost.clear()
        while following < len(shards):
            able = self._able()
            self._take_back(out, waiting, results)
            self._deal(broadcast, shards, waiting, out, able, finished)
            self._leave_late(out, able, waiting, results)
            self._tell(able, out)
            for batch, outcome in _all_of(finished, _TICK_SECONDS):
                if batch in out:
                    out.remove(batch)
                    self._heard = time.monotonic()
                    batch.drop()
                    self._note(batch, outcome, broadcast, shards, waiting, results, failures)
            while following in results:
                if (one := results[following]) is not None:
                    yield one
                results[following] = None  # counted: a second result of it is dropped
                following += 1

    def _able(self) -> list[Member]:
        """Returns the workers that may compute for this run; connects again where the scheduler was lost."""
        if self._members.lost and self._client.status in ("closed", "closing"):  # else it may come back by itself
            try:
                connection = self._open()
            except ClusterError as err:
                self._problem = err.message  # why there is no connection
                return []
            self._members.close()
            self._meet(connection)
        able = self._members.refresh()
        return able if self._shares is None else self._shares.assigned(able)

    def _take_back(self, out: list[_Batch], waiting: deque, results: dict) -> None:
        """Puts what was lost with a worker in front of what waits."""
        for batch in list(out):
            gone = not self._members.answers_at(batch.member.address)
            replaced = not batch.late and not self._members.is_present(batch.member)
            if gone or replaced or batch.member.state == "refused":
                out.remove(batch)
                batch.drop()
                self._put_back(batch, waiting, results, lost=gone)

    def _put_back(self, batch: _Batch, waiting: deque, results: dict, *, lost: bool) -> None:
        if batch.late:
            return
        missing = [index for index in batch.shards if index not in results and index not in waiting]
        if lost and not self._members.lost:
            self._lost.update(missing)
        if any(self._lost[index] >= _MOST_LOST for index in missing):
            raise ClusterError(
                f"Expected a sum of clipped updates, lost {_MOST_LOST} workers that were to compute it, one after the "
                "other. Its clients may need more memory than a worker has: the workers' logs say more."
            )
        self._again += len(missing)
        waiting.extendleft(reversed(missing))

    def _deal(self, broadcast, shards, waiting: deque, out: list[_Batch], able: list[Member], finished) -> None:
        slots = sum(member.slots for member in able)
        if not waiting or not slots:
            return
        size = max(1, min(_BATCH, -(-len(shards) // slots)))
        load = {member.address: 0.0 for member in able}
        for batch in out:
            if batch.member.address in load:
                load[batch.member.address] += 1 / batch.member.slots
        while waiting:
            member = min(able, key=lambda one: load[one.address])
            if load[member.address] >= _AHEAD:
                return
            load[member.address] += 1 / member.slots
            indices = [waiting.popleft() for _ in range(min(size, len(waiting)))]
            out.append(self._send(broadcast, shards, indices, member, finished))

    def _leave_late(self, out: list[_Batch], able: list[Member], waiting: deque, results: dict) -> None:
        """Deals again what a worker has had for far too long, once another is idle: it may hang, and not say so.

        It gets nothing more to do until it has answered.
        """
        busy = {batch.member.address for batch in out}
        idle = any(member.address not in busy for member in able)
        usual = [one.seconds_per_client for one in able if one.seconds_per_client is not None]
        for batch in out if idle and usual else []:
            expected = _LATE_SECONDS + _LATE_TIMES * _AHEAD * batch.clients * min(usual)
            if not batch.late and time.monotonic() - batch.since > expected:
                for one in [one for one in out if one.member is batch.member and not one.late]:
                    self._put_back(one, waiting, results, lost=False)
                    one.late = True
                self._members.ask_again(batch.member, "it takes far longer than the others")
                return

    def _send(self, broadcast, shards, indices: list[int], member: Member, finished) -> _Batch:
        future = self._client.submit(
            work.compute,
            self._job.key,
            broadcast,
            [shards[index] for index in indices],
            workers=[member.address],
            allow_other_workers=False,
            pure=False,
        )
        people = sum(len(group) for index in indices for group in shards[index])
        batch = _Batch(shards=indices, clients=people, member=member, future=future)

        async def result():
            return await self._client.gather(future, asynchronous=True)

        fetched = asyncio.run_coroutine_threadsafe(result(), self._client.loop.asyncio_loop)
        fetched.add_done_callback(lambda done: finished.put((batch, done)))
        return batch

    def _note(self, batch: _Batch, outcome: Future, broadcast, shards, waiting, results, failures) -> None:
        """Takes in what came of a batch."""
        error = asyncio.CancelledError() if outcome.cancelled() else outcome.exception()
        if error is None:
            wrong = work.problem_with(outcome.result(), broadcast, [shards[index] for index in batch.shards])
            if not wrong:
                sums, seconds = outcome.result()
                self._members.note_computed(batch.member, len(sums), batch.clients, seconds)
                for index, one in zip(batch.shards, sums, strict=True):
                    results.setdefault(index, one)
                return
            self._members.refuse(batch.member, f"it answered with {wrong}")
        elif isinstance(error, work.NotPreparedError):
            self._members.ask_again(batch.member)
        elif not isinstance(error, LOST) and self._members.is_present(batch.member):
            told = f"{type(error).__name__}: {error}"
            for index in batch.shards:
                failures[index] += 1
                if failures[index] >= _MOST_FAILURES:
                    raise ClusterError(
                        f"Expected a sum of clipped updates, found an error {_MOST_FAILURES} times, at last from "
                        f"{batch.member.name}: {told}. The workers' logs say more."
                    ) from error
            if self._members.has_others(batch.member):  # who fails is soon idle, and would get it again and again
                self._members.refuse(batch.member, f"it could not compute: {told}")
        self._put_back(batch, waiting, results, lost=isinstance(error, LOST))

    def _tell(self, able: list[Member], out: list[_Batch]) -> None:
        """Says what is wrong, keeps the run from being taken for hung, and writes what the workers do."""
        now = time.monotonic()
        if not able or not out:  # then nothing can come
            self._heard = now
        statuses = self._members.statuses({batch.member.address for batch in out})
        if self._shares is not None:
            statuses = self._shares.adjusted(statuses)
        message = self._message(able, statuses)
        if message != self._said or now - self._beat > _BEAT_SECONDS:
            self._say(message)
            self._said, self._beat = message, now
        if now - self._written > _STATUS_SECONDS or not out:
            status.write(self._folder, status.status_now(self._configuration.where, message, statuses, self._again))
            self._written = now
        if (not able or self._silent) and self._stop_requested():
            raise RoundAbandonedError("It was stopped while it waited for a worker.")

    @property
    def _silent(self) -> bool:
        return time.monotonic() - self._heard > _SILENT_SECONDS

    def _message(self, able: list[Member], statuses: list[status.WorkerStatus]) -> str:
        refused = "; ".join(f"{one.name} was refused: {one.reason}" for one in statuses if one.state == "refused")
        where = self._configuration.where
        if able:
            words = N_("Waiting: nothing has come of any worker at {where} for some time.")
            waiting = words.format(where=where) if self._silent else ""
        elif self._members.lost:
            gone = N_("the scheduler at {where} cannot be reached.").format(where=where)
            why = self._members.problem or self._problem or gone
            return N_("Waiting: {reason} The run goes on when it can.").format(reason=why)
        elif any(one.state == "preparing" for one in statuses):
            waiting = N_("Waiting for workers to load the data.")
        else:
            words = N_("Waiting: no worker at {where} can compute. The run goes on when one comes.")
            waiting = words.format(where=where)
        return sentences(waiting, refused)


def _all_of(finished: SimpleQueue, seconds: float) -> Iterator[tuple[_Batch, Future]]:
    """Yields what is there; waits so long for the first."""
    try:
        yield finished.get(timeout=seconds)
        while True:
            yield finished.get_nowait()
    except Empty:
        return
