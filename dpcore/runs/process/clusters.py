"""How a run uses a cluster: the one that was set for it, with its share of the workers there."""

import functools
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import ClusterError, ClusterUnreachableError, RoundAbandonedError
from dpcore.language import N_
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store import Store
from dpcore.runs.store.run_rows import Run

if TYPE_CHECKING:
    from dpcore.cluster.connection import Opener

_AGAIN_SECONDS = 1.0
_ENGINE = "vectorized"  # the only one whose cohorts are cut into shards


def shard_computer(
    store: Store, run: Run, dataset: FederatedDataset, stop_requested: Callable[[], bool], held: ExitStack
) -> Callable[[Any], Any] | None:
    """Returns who computes a run's shards, given its clients, as engines take it; `None` for this process.

    Args:
        store: Where the run is, and the configuration of its cluster.
        run: Which.
        dataset: What it trains on.
        stop_requested: Asked while it waits for workers.
        held: Closes what was opened for the run; the connection stays for the next one.

    Raises:
        ClusterUnreachableError: If it was stopped while nobody answered at the address of the cluster.
    """
    configuration = store.cluster(run.run_id) if run.engine == _ENGINE else None
    if configuration is None:
        _leave()  # processes that were started here: a gigabyte each
        return None
    if configuration.workers:  # of this machine: shared out among the runs that train side by side
        configuration = replace(configuration, workers=max(1, configuration.workers // store.parallel_runs()))
    connect = _opener(configuration)
    _wait_for(connect, configuration, functools.partial(store.say, run.run_id), stop_requested)
    from dpcore.cluster.cohorts import ClusterCohorts
    from dpcore.cluster.shares import Shares

    def make(clients: Any) -> ClusterCohorts:
        shares = None
        if configuration.address:
            folder = store.home / "cluster" / hashlib.sha256(configuration.address.encode()).hexdigest()[:16]
            shares = Shares(folder, functools.partial(_place, store, run.run_id, configuration.address))
        made = ClusterCohorts(
            open_connection=connect,
            configuration=configuration,
            plan=run.plan,
            dataset=dataset,
            clients=clients,
            folder=store.folder(run.run_id),
            say=functools.partial(store.say, run.run_id),
            stop_requested=stop_requested,
            shares=shares,
        )
        held.callback(made.close)
        return made

    return make


def _place(store: StoreAccess, run_id: str, address: str) -> tuple[int, int]:
    """Returns which of the runs that train now on this cluster a run is, and how many they are, itself among them."""
    running = {run_id}
    for run in store.runs(status=["running"], deleted=None):
        used = store.cluster(run.run_id) if run.engine == _ENGINE else None
        if used is not None and used.address == address:
            running.add(run.run_id)
    return sorted(running).index(run_id), len(running)


def _wait_for(
    connect: Callable[[], Any],
    configuration: ClusterConfiguration,
    say: Callable[[str], None],
    stop_requested: Callable[[], bool],
) -> None:
    """Returns when there is a connection: a queue is not to fail, run by run, while a scheduler starts again."""
    say(N_("Connecting to the cluster ({where})").format(where=configuration.where))
    while True:
        try:
            connect()
            return
        except ClusterError as err:
            if stop_requested():
                raise ClusterUnreachableError(err.message) from err
            say(N_("Waiting: {reason} The run goes on when it can.").format(reason=err))
            time.sleep(_AGAIN_SECONDS)


_opened: list["Opener"] = []


def _opener(configuration: ClusterConfiguration) -> "Opener":
    """The connection of this process to a cluster: workers that were started here serve the runs that follow."""
    from dpcore.cluster.connection import Opener  # loads `distributed`

    if not _opened or _opened[-1].configuration != configuration:
        _leave()
        _opened.append(Opener(configuration))
    return _opened[-1]


def _leave() -> None:
    while _opened:
        _opened.pop().close()


def until_abandoned(reports: Iterator[Any]) -> Iterator[Any]:
    """Yields reports up to a round that was given up because somebody stopped the run while it waited for workers."""
    try:
        yield from reports
    except RoundAbandonedError:
        return
