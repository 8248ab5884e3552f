"""Which cluster a run uses: an address, or so many processes on this machine; and what makes it safe to."""

import ipaddress
import json
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from dpcore import limits
from dpcore.errors import InvalidValueError

TLS_FILES = ("ca.pem", "cert.pem", "key.pem")
INSECURE = "--insecure-plain-tcp-anyone-can-run-code-here"


@dataclass(frozen=True, kw_only=True)
class ClusterConfiguration:
    """Where shards are computed. It changes the speed of a run, and no digit of it: it is no part of a plan.

    Attributes:
        address: Of a Dask scheduler, as tls://host:8786; empty for none.
        workers: Processes on this machine, which end with the process that trains; 0 for none.
        tls: The folder of ca.pem, cert.pem and key.pem; empty for what Dask's own configuration says.
        insecure: Whether plain TCP to another machine is allowed: who reaches such a port runs code on every machine
            of the cluster, and reads what travels.

    Raises:
        InvalidValueError: If it is neither address nor workers or both, or an address is none or not safe.
    """

    address: str = ""
    workers: int = 0
    tls: str = ""
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.workers:
            limits.CLUSTER_WORKERS.check(self.workers)
        if bool(self.address) == bool(self.workers):
            raise InvalidValueError(
                "cluster", "Expected either the address of a cluster, or a number of workers on this machine."
            )
        if self.address:
            _check(self.address, insecure=self.insecure)
        if self.tls and not self.address.startswith("tls://"):
            raise InvalidValueError(
                "tls", f"Expected a tls:// address for the certificates in {self.tls}, found {self.where}."
            )

    @property
    def where(self) -> str:
        """What a person reads of it."""
        return self.address or f"{self.workers} processes on this machine"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ClusterConfiguration":
        return cls(**json.loads(text))


def _check(address: str, *, insecure: bool) -> None:
    expected = f"Expected the address of a Dask scheduler, as tls://host:8786, found {address!r}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as err:
        raise InvalidValueError("cluster", f"{expected}: {err}.") from err
    if not address.startswith(("tls://", "tcp://")) or not host or not port:
        raise InvalidValueError("cluster", f"{expected}. It begins with tls:// or tcp:// and ends with a port.")
    if not insecure and not is_safe(address):
        raise InvalidValueError(
            "cluster",
            f"Expected tls:// for another machine, found {address!r}: a Dask port without certificates runs, for "
            "anybody who reaches it, whatever code they send. Start the cluster with certificates (`cluster "
            f"certificates`, docs/CLUSTER.md); or, on a network that is yours alone, add {INSECURE}.",
        )


def is_safe(address: str) -> bool:
    """Whether only who has a certificate, or is on this machine, reaches an address.

    A host is judged by its number, not by a name that somebody else may answer for; only `localhost` is known.
    """
    if not address.startswith("tcp://"):
        return address.startswith("tls://")
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
