"""What a run notes about its cluster comes back as it was."""

from dpcore.cluster import status
from dpcore.cluster.members import Member, Members


def test_a_status_comes_back_and_what_is_none_is_none(tmp_path):
    one = status.WorkerStatus(name="0", address="tls://a:1", state="refused", reason="other code")
    written = status.status_now("tls://a:8786", "a message", [one], 3)
    status.write(tmp_path, written)
    assert status.read(tmp_path) == written
    (tmp_path / "cluster.json").write_text('{"workers": [')
    assert status.read(tmp_path) is None
    assert status.read(tmp_path / "nowhere") is None


def test_a_worker_is_slow_when_it_takes_thrice_as_long_as_the_others():
    workers = Members.__new__(Members)  # without a cluster
    workers._gone = []
    paces = {"a": 0.010, "b": 0.012, "c": 0.035, "d": 0.031}
    workers._by_address = {
        name: Member(address=name, name=name, slots=1, state="ready", rates=[pace]) for name, pace in paces.items()
    }
    assert [one.slow for one in workers.statuses(set())] == [False, False, False, False]
    workers._by_address["c"].rates = [0.2]
    found = {one.name: (one.slow, one.state) for one in workers.statuses({"c"})}
    assert found == {"a": (False, "ready"), "b": (False, "ready"), "c": (True, "computing"), "d": (False, "ready")}
