"""The real file cannot be had in a test: a small one in its form, from a web server on this machine."""

import dataclasses
import errno
import lzma

import numpy as np
import pytest

from dpcore.datasets import download, federated, federated_emnist
from dpcore.errors import DatasetError
from tests.datasets import sqlite_files
from tests.datasets.file_server import Served, serving

# Four users with 3 + 0, 1, 2, 3 examples for training in each variant, and so on.
SPLITS = {"digits_only_train": 3, "digits_only_test": 1, "all_train": 6, "all_test": 2}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return sqlite_files.write(tmp_path_factory.mktemp("emnist") / "f", sqlite_files.writers(SPLITS))


@pytest.fixture(scope="module")
def packed(file):
    return lzma.compress(file.read_bytes(), format=lzma.FORMAT_ALONE)


@pytest.fixture
def few(monkeypatch):
    """The variants with the counts of the small file; and no waiting between tries."""
    monkeypatch.setattr(download.time, "sleep", lambda seconds: None)
    digits = dataclasses.replace(
        federated_emnist.VARIANTS["federated_emnist"], num_users=4, num_train=18, num_test=10
    )
    everything = dataclasses.replace(
        federated_emnist.VARIANTS["federated_emnist_62"], num_users=4, num_train=30, num_test=14
    )
    return digits, everything


def load(variant, root, url="http://127.0.0.1:9/none", cache=None, progress=lambda what, fraction: None):
    return federated_emnist.load(variant, root, progress, url=url, tff_cache=cache or root / "no-cache")


def names(root):
    return sorted(path.name for path in root.iterdir() if path.suffix != ".lock")


def test_the_published_counts_are_those_of_tff():
    """https://www.tensorflow.org/federated/api_docs/python/tff/simulation/datasets/emnist/load_data"""
    digits, everything = federated_emnist.VARIANTS.values()
    assert (digits.num_users, digits.num_train, digits.num_test) == (3383, 341_873, 40_832)
    assert (everything.num_users, everything.num_train, everything.num_test) == (3400, 671_585, 77_483)
    assert len(digits.class_names) == 10
    assert [everything.class_names[label] for label in (9, 11, 37)] == ["9", "B", "b"]


def test_a_download_is_converted_once_and_serves_both_variants(tmp_path, few, packed):
    digits, everything = few
    said = []
    with serving(Served(packed)) as served:
        dataset = load(digits, tmp_path, served.url, progress=lambda what, fraction: said.append(what))
        assert (dataset.num_users, dataset.num_classes, dataset.image_shape) == (4, 10, (28, 28))
        assert np.diff(dataset.train.offsets).tolist() == [3, 4, 5, 6]
        assert np.diff(dataset.test.offsets).tolist() == [1, 2, 3, 4]
        assert load(digits, tmp_path, served.url).fingerprint == dataset.fingerprint
        other = load(everything, tmp_path, served.url)
        assert (len(other.train.labels), other.num_classes) == (30, 62)
        assert len(served.asked) == 1
    assert {"Unpacking", "Converting the images"} < set(said)
    assert names(tmp_path) == ["emnist_all.sqlite.lzma", "federated_emnist", "federated_emnist_62"]


def test_a_cut_download_is_kept_and_continued(tmp_path, few, packed):
    half = len(packed) // 2
    with serving(Served(packed, cut=[half] + [0] * 20)) as served:
        with pytest.raises(DatasetError, match=r"closed too early.*Try again \(what arrived is kept\)"):
            load(few[0], tmp_path, served.url)
    assert names(tmp_path) == ["emnist_all.sqlite.lzma.partial"]
    with serving(Served(packed)) as served:
        assert load(few[0], tmp_path, served.url).num_users == 4
    assert served.asked == [f"bytes={half - 1}-"]


def test_a_damaged_download_is_not_kept(tmp_path, few, packed):
    """LZMA of this old form has no checksum: what comes out is a file that SQLite or the counts refuse."""
    half = len(packed) // 2
    damaged = packed[:half] + bytes(1000) + packed[half + 1000 :]
    with serving(Served(damaged)) as served, pytest.raises(DatasetError, match="cannot be used"):
        load(few[0], tmp_path, served.url)
    assert names(tmp_path) == []
    with serving(Served(packed)) as served:
        assert load(few[0], tmp_path, served.url).num_users == 4


def test_another_file_is_refused_by_its_counts(tmp_path, few, packed):
    whole = federated_emnist.VARIANTS["federated_emnist"]
    found = r"Expected 3,383 users, 341,873 training and 40,832 test examples, found 4, 18 and 10"
    with serving(Served(packed)) as served, pytest.raises(DatasetError, match=found):
        load(whole, tmp_path, served.url)
    assert names(tmp_path) == []


def test_a_missing_file_says_what_to_do(tmp_path, few, packed):
    with serving(Served(packed, status=404)) as served:
        with pytest.raises(DatasetError, match="answered 404") as refused:
            load(few[0], tmp_path, served.url)
    assert "copy emnist_all.sqlite (TensorFlow Federated keeps it in ~/.tff)" in str(refused.value)
    assert f"to {tmp_path}, or use the data set writers." in str(refused.value)


def test_tffs_cache_is_used_without_a_download(tmp_path, few, file):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "emnist_all.sqlite").write_bytes(file.read_bytes())
    assert load(few[0], tmp_path / "root", cache=cache).num_users == 4
    assert names(cache) == ["emnist_all.sqlite"]


def test_tffs_cache_is_where_tff_looks(tmp_path, few, file, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".tff").mkdir()
    (tmp_path / ".tff" / "emnist_all.sqlite").write_bytes(file.read_bytes())
    dataset = federated_emnist.load(
        few[0], tmp_path / "root", lambda what, fraction: None, url="http://127.0.0.1:9"
    )
    assert dataset.num_users == 4


def test_a_bad_cache_is_told_and_not_trusted(tmp_path, few, file, packed):
    """TFF's loader leaves such a file when it is interrupted."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "emnist_all.sqlite").write_bytes(file.read_bytes()[:-50_000])
    with pytest.raises(DatasetError, match=r"cache/emnist_all.sqlite was not used: .*(damaged|cut off)"):
        load(few[0], tmp_path / "root", cache=cache)
    with serving(Served(packed)) as served:
        assert load(few[0], tmp_path / "root", served.url, cache=cache).num_users == 4


@pytest.mark.parametrize("name", ["emnist_all.sqlite", "emnist_all.sqlite.lzma"])
def test_a_file_put_there_by_hand_is_used(tmp_path, few, file, packed, name):
    (tmp_path / name).write_bytes(packed if name.endswith("lzma") else file.read_bytes())
    assert load(few[0], tmp_path).num_users == 4


def test_a_full_disk_says_so_and_the_next_try_works(tmp_path, few, packed, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with serving(Served(packed)) as served:
        monkeypatch.setattr(federated.os, "posix_fallocate", full)
        with pytest.raises(DatasetError, match=r"No space left on device.*Free some room"):
            load(few[0], tmp_path, served.url)
        monkeypatch.undo()
        assert names(tmp_path) == ["emnist_all.sqlite.lzma.partial"]  # whole, and need not come again
        assert load(few[0], tmp_path, served.url).num_users == 4
    assert len(served.asked) == 2
