from dpcore.locks import lock


def test_a_lock_has_one_holder(tmp_path):
    with lock(tmp_path / "l", wait=False) as first:
        with lock(tmp_path / "l", wait=False) as second:
            assert (first, second) == (True, False)
    with lock(tmp_path / "l", wait=False) as again:
        assert again
