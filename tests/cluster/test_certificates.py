"""What `cluster certificates` writes proves membership, and only its user can read it."""

import ssl

import pytest

from dpcore.cluster import certificates
from dpcore.cluster.configuration import TLS_FILES
from dpcore.errors import ClusterError


def contexts(folder, authority):
    for purpose in (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH):
        context = ssl.create_default_context(purpose, cafile=authority / "ca.pem")
        context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        yield context


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A TLS handshake in memory, as far as it goes."""
    pipes = [ssl.MemoryBIO() for _ in range(2)]
    ends = [
        server.wrap_bio(pipes[0], pipes[1], server_side=True),
        client.wrap_bio(pipes[1], pipes[0], server_side=False),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    for end in ends:
        assert end.getpeercert()["issuer"]


def test_both_sides_prove_that_they_are_of_the_same_authority(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    certificates.make(one)
    certificates.make(other)
    handshake(*contexts(one, one))
    with pytest.raises(ssl.SSLError):
        handshake(next(contexts(one, one)), list(contexts(other, one))[1])
    with pytest.raises(ssl.SSLError):
        handshake(next(contexts(other, other)), list(contexts(one, one))[1])


def test_nobody_else_can_read_them_and_nothing_is_written_over(tmp_path):
    certificates.make(tmp_path / "tls")
    assert {path.name for path in (tmp_path / "tls").iterdir()} == set(TLS_FILES)
    assert all((tmp_path / "tls" / name).stat().st_mode & 0o777 == 0o600 for name in TLS_FILES)
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    with pytest.raises(ClusterError, match="without certificates"):
        certificates.make(tmp_path / "tls")
