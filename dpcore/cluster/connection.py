"""A connection to a Dask cluster: made within seconds or refused, with certificates, and local ones started."""

import asyncio
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import dask
from distributed import Client, LocalCluster
from distributed.core import rpc
from distributed.scheduler import KilledWorker
from distributed.security import Security

from dpcore.cluster.configuration import INSECURE, TLS_FILES, ClusterConfiguration, is_safe
from dpcore.errors import ClusterError

TIMEOUT_SECONDS = 5.0
# What becomes of a task that was nobody's fault: its worker, the scheduler or the line was lost.
LOST = (asyncio.CancelledError, CancelledError, KilledWorker, OSError, TimeoutError)

dask.config.set(
    {
        "distributed.admin.large-graph-warning-threshold": "4GB",  # a model travels with each batch, on purpose
        "distributed.comm.timeouts.connect": f"{TIMEOUT_SECONDS}s",
        # What is started here serves no pages: they have no password, and other users of the machine reach them.
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A client of a cluster, and the cluster itself where it was started for it."""

    client: Client
    local: LocalCluster | None = None

    def close(self) -> None:
        """Leaves the cluster, and ends one that was started here."""
        with suppress(TimeoutError):  # of a scheduler that hangs
            self.client.close(timeout=TIMEOUT_SECONDS)
        if self.local is not None:
            self.local.close(timeout=3 * TIMEOUT_SECONDS)  # a process may take its time


def connect(configuration: ClusterConfiguration) -> Connection:
    """Returns a connection to the cluster of a configuration; starts the processes of a local one.

    Raises:
        ClusterError: If nobody answers there as a Dask scheduler, within seconds; or one that all may connect to.
    """
    if configuration.workers:
        return _start(configuration.workers)
    proof = security(configuration)
    try:
        # Asked first: a `Client` waits for ever for who answers nothing, or something else.
        told = asyncio.run(asyncio.wait_for(_identity(configuration.address, proof), TIMEOUT_SECONDS))
        if told.get("type") != "Scheduler":
            raise ValueError(f"it is a {told.get('type')}")
        client = Client(configuration.address, security=proof, timeout=TIMEOUT_SECONDS, set_as_default=False)
    except Exception as err:  # whatever a stranger answers
        reason = " ".join(str(err.__cause__ or err).split())[:200]
        raise ClusterError(
            f"Expected a Dask scheduler at {configuration.address}, found none that answers within "
            f"{TIMEOUT_SECONDS:g} seconds ({type(err).__name__}: {reason}). Check the address, that the scheduler runs, "
            "and that both have certificates of the same authority."
        ) from err
    try:
        workers_of(client, insecure=configuration.insecure)  # refuses one that all may connect to
    except Exception:
        client.close(timeout=TIMEOUT_SECONDS)
        raise
    return Connection(client=client)


async def _identity(address: str, proof: Security) -> dict:
    async with rpc(address, connection_args=proof.get_connection_args("client")) as scheduler:
        return await scheduler.identity()


def workers_of(client: Client, *, insecure: bool = False) -> dict[str, dict]:
    """Returns the workers of a cluster by address, as its scheduler describes them now.

    Not `Client.scheduler_info`: its answer is shared with a timer of the client, which leaves the workers out.

    Raises:
        ClusterError: If the scheduler listens, without certificates, for other machines as well. It is asked where: what
            it calls its own address need not be all of that, and another one may have taken its place.
        OSError: If it does not answer, within seconds.
    """

    def look(dask_scheduler):  # in here, so that it travels itself: there may be no Epsilon Lab at a scheduler
        listens = [one.listen_address for one in dask_scheduler.listeners]
        return listens, dask_scheduler.identity(n_workers=-1)["workers"]

    listens, workers = client.sync(client._run_on_scheduler, look, callback_timeout=TIMEOUT_SECONDS)
    for address in [] if insecure else listens:
        if not is_safe(address):
            raise ClusterError(
                "Expected a scheduler that listens on the loopback alone, or with certificates, found one at "
                f"{address}: whoever reaches it runs code. Start it with --host 127.0.0.1, or with certificates "
                f"(docs/CLUSTER.md); or, on a network that is yours alone, add {INSECURE}."
            )
    return dict(workers)


class Opener:
    """Opens a connection, closing the one before where it was lost; a local cluster is started once."""

    def __init__(self, configuration: ClusterConfiguration):
        self.configuration = configuration
        self._held: Connection | None = None

    def __call__(self) -> Connection:
        if self._held is None or self._held.client.status != "running":
            self.close()
            self._held = connect(self.configuration)
        return self._held

    def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._held is not None:
            self._held.close()
            self._held = None


def security(configuration: ClusterConfiguration) -> Security:
    """Returns what a connection proves itself with: the certificates of its folder, or Dask's own configuration.

    Raises:
        ClusterError: If there is neither, for a tls address, or not all that belongs into the folder.
    """
    if not configuration.address.startswith("tls://"):
        return Security(require_encryption=False)
    if configuration.tls:
        files = [Path(configuration.tls) / name for name in TLS_FILES]
        missing = [file.name for file in files if not file.is_file()]
        if missing:
            raise ClusterError(
                f"Expected {', '.join(TLS_FILES)} in {configuration.tls}, found no {', '.join(missing)}. "
                "`cluster certificates FOLDER` makes them."
            )
        authority, certificate, key = map(str, files)
        return Security(
            tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )
    configured = Security(require_encryption=True)
    if not configured.tls_ca_file or not configured.tls_client_cert:
        raise ClusterError(
            f"Expected certificates for {configuration.address}, found none. Name their folder with --tls, or set "
            "distributed.comm.tls in Dask's configuration; `cluster certificates FOLDER` makes them."
        )
    return configured


def _start(workers: int) -> Connection:
    """A cluster of this process: it ends with it, however that ends (each child watches a pipe of its parent).

    With certificates that exist in memory alone: another user of this machine could otherwise connect to the port.
    """
    with ExitStack() as undo:
        try:
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls",
                security=Security.temporary(),
                dashboard_address="127.0.0.1:0",  # `None` would be port 8787
                memory_limit=0,
            )
            undo.callback(local.close, timeout=3 * TIMEOUT_SECONDS)
            client = Client(local, timeout=TIMEOUT_SECONDS, set_as_default=False)
        except (OSError, RuntimeError) as err:  # a timeout is an OSError
            raise ClusterError(f"{workers} worker processes could not be started here: {err}.") from err
        undo.pop_all()
    return Connection(client=client, local=local)
