"""An authority for one cluster, and a certificate that proves membership of it."""

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dpcore.cluster.configuration import TLS_FILES
from dpcore.errors import ClusterError

_DAYS = 365


def make(folder: Path) -> None:
    """Writes ca.pem, cert.pem and key.pem. The authority's own key is kept nowhere: it can sign no more.

    All machines of the cluster share the three: Dask checks that both sides have a certificate of the authority, and
    not whose it is, so one for each machine would keep nobody out that this one does not.

    Raises:
        ClusterError: If they are there already, or cannot be written.
    """
    there = [name for name in TLS_FILES if (folder / name).exists()]
    if there:
        raise ClusterError(f"Expected a folder without certificates, found {', '.join(there)} in {folder}.")
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Epsilon Lab cluster authority")])
    member = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Epsilon Lab cluster")])
    ca = (
        _begun(issuer, issuer, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    certificate = (
        _begun(member, issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    contents = [one.public_bytes(serialization.Encoding.PEM) for one in (ca, certificate)]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in zip(TLS_FILES, [*contents, private], strict=True):
            descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content)
    except OSError as err:
        raise ClusterError(f"Expected to write certificates to {folder}: {err}. Choose another folder.") from err


def _begun(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
    )
