"""The file of runs where it cannot be used, and where many open it at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dpcore.errors import StoreError
from dpcore.plan import Plan
from dpcore.runs.store import Store


def test_a_file_that_is_damaged_meanwhile_is_one_sentence(store):
    store.create(Plan(), engine="tff", eval_every=5)
    (store.home / "runs.sqlite").write_bytes(b"nonsense" * 2000)
    with pytest.raises(StoreError, match="sets a damaged file aside"):
        store.runs()


def test_a_home_that_cannot_be_made_is_a_sentence():
    with pytest.raises(StoreError, match="choose another folder"):
        Store(Path("/dev/null/home"))


def test_many_threads_may_be_the_first_users(tmp_path):
    for number in range(10):
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: Store(tmp_path / str(number)).runs(), range(6)))  # noqa: B023
