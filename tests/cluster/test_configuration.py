"""Which addresses are taken, and what a store keeps of them."""

import pytest

from dpcore.cluster import certificates, connection
from dpcore.cluster.configuration import INSECURE, ClusterConfiguration, is_safe
from dpcore.errors import ClusterError, InvalidValueError


@pytest.mark.parametrize(
    "address",
    ["tls://10.0.0.7:8786", "tls://far.example:1", "tcp://127.0.0.1:8786", "tcp://[::1]:1", "tcp://localhost:1"],
)
def test_certificates_or_the_loopback(address):
    assert ClusterConfiguration(address=address).where == address


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.7:8786", "tcp://0.0.0.0:1", "tcp://localhost.example:1", "tcp://far:1"]
)
def test_plain_tcp_to_another_machine_needs_the_flag_that_names_the_danger(address):
    with pytest.raises(InvalidValueError, match=INSECURE):
        ClusterConfiguration(address=address)
    assert ClusterConfiguration(address=address, insecure=True).insecure


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.7:8786",
        "http://a:1",
        "tls://",
        "tls://host",
        "tls://host:99999",
        "inproc://x:1",
        "ucx://a:1",
        "TLS://a:1",
    ],
)
def test_what_is_no_address_is_refused_with_or_without_the_flag(address):
    for insecure in (False, True):
        with pytest.raises(InvalidValueError, match="tls://host:8786"):
            ClusterConfiguration(address=address, insecure=insecure)


@pytest.mark.parametrize("values", [{}, {"address": "tls://a:1", "workers": 2}, {"workers": -1}, {"workers": 65}])
def test_an_address_or_a_number_of_workers(values):
    with pytest.raises(InvalidValueError):
        ClusterConfiguration(**values)


@pytest.mark.parametrize(
    "address", ["inproc://127.0.0.1/1", "ucx://127.0.0.1:1", "tcp://10.0.0.7:1", "127.0.0.1:1", ""]
)
def test_where_others_may_connect_without_a_certificate_is_not_safe(address):
    assert not is_safe(address)
    assert is_safe("tls://10.0.0.7:1")
    assert is_safe("tcp://127.0.0.1:1")


def test_a_store_reads_a_setting_whose_certificates_are_gone_and_a_connection_says_which(store, tmp_path):
    certificates.make(tmp_path / "tls")
    configuration = ClusterConfiguration(address="tls://127.0.0.1:1", tls=str(tmp_path / "tls"))
    assert connection.security(configuration).tls_ca_file == str(tmp_path / "tls" / "ca.pem")
    (tmp_path / "tls" / "key.pem").unlink()
    store.set_cluster(configuration)
    with pytest.raises(ClusterError, match=r"no key\.pem"):
        connection.connect(store.cluster())


@pytest.mark.parametrize("where", [{"address": "tcp://127.0.0.1:1"}, {"workers": 2}])
def test_certificates_that_would_not_be_used_are_refused(where):
    with pytest.raises(InvalidValueError, match="tls:// address"):
        ClusterConfiguration(tls="/somewhere", **where)


def test_a_run_has_its_own_cluster_or_that_of_all(store, small_plan):
    assert store.cluster("a") is None
    general, own = ClusterConfiguration(workers=3), ClusterConfiguration(address="tls://a:1")
    store.set_cluster(general)
    run_id = store.create(small_plan, engine="vectorized", eval_every=1, cluster=own)
    assert (store.cluster(run_id), store.cluster("another"), store.cluster()) == (own, general, general)
    assert (store.cluster(run_id, own=True), store.cluster("another", own=True)) == (own, None)
    store.set_cluster(None)
    assert (store.cluster(run_id), store.cluster()) == (own, None)
