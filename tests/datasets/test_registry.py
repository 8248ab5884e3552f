"""`dpcore.datasets`: data sets by name."""

import dataclasses
import errno
import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dpcore import datasets
from dpcore.datasets import federated, federated_emnist, writers
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError, InvalidValueError
from tests.datasets import sqlite_files

MAPPING = Mapping(user="who", label="answer")


@pytest.fixture
def path(tmp_path):
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"who": draw.integers(0, 9, 90), "answer": draw.integers(0, 3, 90), "x": draw.normal(size=90)}
    )
    frame.to_csv(tmp_path / "My Table.v2.csv", index=False)
    return tmp_path / "My Table.v2.csv"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def test_an_imported_table_is_there_by_name(path, home):
    imported = datasets.import_table(path, MAPPING, home)
    assert imported.name == "my-table"
    assert datasets.names(home) == ("writers", "federated_emnist", "federated_emnist_62", "my-table")
    assert datasets.load("my-table", home).fingerprint == imported.fingerprint
    assert datasets.num_users("my-table", home) == 9
    entry = datasets.entry("my-table", home)
    assert not entry.built_in
    assert entry.folder == home / "datasets" / "imported" / "my-table"
    assert entry.size_bytes == sum(file.stat().st_size for file in entry.folder.iterdir()) > 90 * 4
    assert entry.manifest.fingerprint == imported.fingerprint
    assert entry.manifest.num_examples == {"train": len(imported.train.labels), "test": len(imported.test.labels)}
    assert any("9 users are few" in warning for warning in entry.manifest.description.warnings)


def test_only_its_user_can_look_into_the_folder(path, home):
    datasets.import_table(path, MAPPING, home)
    for folder in (home / "datasets", home / "datasets" / "imported" / "my-table"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_built_in_data_sets_are_known_before_they_are_made(home):
    assert datasets.num_users("writers") == 3383
    assert datasets.num_users("federated_emnist_62", home) == 3400
    entry = datasets.entry("federated_emnist", home)
    assert (entry.built_in, entry.size_bytes, entry.manifest, entry.problem) == (True, 0, None, "")


def test_looking_makes_nothing(home):
    assert datasets.names(home) == datasets.NAMES
    datasets.entry("writers", home)
    assert not home.exists()


def test_unknown_names_are_refused_with_the_known_ones(path, home):
    datasets.import_table(path, MAPPING, home, name="mine")
    for call in (datasets.load, datasets.remove, datasets.num_users, datasets.entry):
        with pytest.raises(InvalidValueError, match=r"one of writers, federated_emnist, .*, mine, found 'none'"):
            call("none", home)
    with pytest.raises(InvalidValueError, match="one of writers"):
        datasets.num_users("mine")


@pytest.mark.parametrize(
    "name", ["Mine", "a b", "../x", "", ".hidden", "-x", "writers", "federated_emnist", "a" * 64, "é"]
)
def test_names_that_are_refused(path, home, name):
    with pytest.raises(InvalidValueError) as error:
        datasets.import_table(path, MAPPING, home, name=name)
    assert error.value.field == "name"
    assert datasets.names(home) == datasets.NAMES


def test_a_name_is_taken_once_and_free_after_removal(path, home):
    first = datasets.import_table(path, MAPPING, home, name="mine").fingerprint
    other = dataclasses.replace(MAPPING, scaling="none")
    with pytest.raises(InvalidValueError, match="There is a data set mine already"):
        datasets.import_table(path, other, home, name="mine")
    datasets.remove("mine", home)
    assert datasets.names(home) == datasets.NAMES
    assert datasets.import_table(path, other, home, name="mine").fingerprint != first


def test_what_is_in_use_is_not_removed(path, home):
    used = datasets.import_table(path, MAPPING, home, name="mine")
    with pytest.raises(DatasetError, match="mine is in use"):
        datasets.remove("mine", home)
    assert used.train.features.sum() == datasets.load("mine", home).train.features.sum()
    del used
    datasets.remove("mine", home)


def test_a_failed_import_leaves_nothing_and_the_next_works(path, home, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DatasetError, match=r"No space left on device.*Free some room"):
        datasets.import_table(path, MAPPING, home, name="mine")
    monkeypatch.undo()
    with pytest.raises(InvalidValueError, match="label"):
        datasets.import_table(path, Mapping(user="who", label="nothing"), home, name="mine")
    assert datasets.names(home) == datasets.NAMES
    assert datasets.import_table(path, MAPPING, home, name="mine").num_users == 9


def test_a_damaged_one_is_told_listed_and_can_be_removed(path, home):
    datasets.import_table(path, MAPPING, home, name="mine")
    folder = datasets.entry("mine", home).folder
    (folder / "train_labels.npy").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"not what was written there. Remove mine and import it again."):
        datasets.load("mine", home)
    (folder / "manifest.json").write_text("{")
    assert datasets.names(home)[-1] == "mine"
    assert "cannot be read" in datasets.entry("mine", home).problem
    datasets.remove("mine", home)
    assert datasets.names(home) == datasets.NAMES


@pytest.mark.parametrize(
    ("splits", "only_digits", "classes", "train"),
    [
        ({"digits_only_train": 3, "digits_only_test": 1, "all_train": 6, "all_test": 2}, True, 10, 18),
        ({"digits_only_train": 3, "digits_only_test": 1, "all_train": 6, "all_test": 2}, False, 62, 30),
        ({"all_train": 6, "all_test": 2}, True, 62, 30),
        ({"train": 4, "test": 1}, True, 10, 22),
        ({"default_split": 20}, True, 10, 78),
    ],
)
def test_a_smaller_file_of_tff_is_imported_by_its_path(tmp_path, home, splits, only_digits, classes, train):
    path = sqlite_files.write(tmp_path / "Small.sqlite", sqlite_files.writers(splits))
    dataset = datasets.import_sqlite(path, home, only_digits=only_digits)
    assert (dataset.name, dataset.num_users, dataset.num_classes) == ("small", 4, classes)
    assert len(dataset.train.labels) == train
    assert dataset.image_shape == (28, 28)


def test_a_file_of_other_splits_is_refused(tmp_path, home):
    path = sqlite_files.write(tmp_path / "f", sqlite_files.writers({"train": 2, "holdout": 2}))
    with pytest.raises(DatasetError, match=r"Expected the splits 'train' and 'test' in .*, found holdout, train"):
        datasets.import_sqlite(path, home)


def test_built_in_ones_are_made_and_removed(tmp_path, home, monkeypatch):
    monkeypatch.setattr(writers, "NUM_WRITERS", 5)
    made = datasets.load("writers", home).fingerprint
    assert datasets.entry("writers", home).manifest.description.image_shape == (28, 28)
    datasets.remove("writers", home)
    assert datasets.entry("writers", home).size_bytes == 0
    assert datasets.load("writers", home).fingerprint == made


def test_the_download_goes_with_the_last_variant(tmp_path, home, monkeypatch):
    splits = {"digits_only_train": 3, "digits_only_test": 1}
    few = dataclasses.replace(federated_emnist.VARIANTS["federated_emnist"], num_users=4, num_train=18, num_test=10)
    monkeypatch.setitem(datasets._EMNIST, "federated_emnist", few)
    cache = tmp_path / ".tff"
    cache.mkdir()
    sqlite_files.write(cache / "emnist_all.sqlite", sqlite_files.writers(splits))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.load("federated_emnist", home).num_users == 4
    federated_emnist.download_of(home / "datasets").write_bytes(b"packed")
    datasets.remove("federated_emnist", home)
    assert not federated_emnist.download_of(home / "datasets").exists()
    assert (cache / "emnist_all.sqlite").exists()


def test_the_parts_of_an_interrupted_import_are_not_listed(path, home):
    partial = home / "datasets" / "imported" / "mine.partial"
    partial.mkdir(parents=True)
    assert datasets.names(home) == datasets.NAMES
    assert datasets.import_table(path, MAPPING, home, name="mine").num_users == 9
    assert not partial.exists()
    assert isinstance(datasets.load("mine", home), federated.FederatedDataset)


@pytest.mark.parametrize(
    ("shape", "classes", "like"),
    [((28, 28), 10, True), ((28, 28, 1), 10, True), ((28, 28), 9, False), ((14, 56), 10, False), (None, 10, False)],
)
def test_what_the_writers_can_stand_in_for(home, shape, classes, like):
    arrays = {}
    for split in ("train", "test"):
        arrays[f"{split}_features"] = np.zeros((1, 28 * 28), np.uint8)
        arrays[f"{split}_labels"], arrays[f"{split}_offsets"] = np.zeros(1, np.uint8), np.arange(2, dtype=np.int64)
    folder = home / "datasets" / "imported" / "own"
    folder.parent.mkdir(parents=True)
    description = federated.Description(image_shape=shape)
    federated.save(folder, arrays, name="own", num_classes=classes, description=description)
    assert datasets.like_writers("own", home) is like
    assert [datasets.like_writers(name, home) for name in datasets.NAMES] == [False, True, False]


def test_a_file_of_any_name_is_called_something(tmp_path, home, monkeypatch):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "My Table.CSV").touch()
    (tmp_path / "short.csv").symlink_to("My Table.CSV")
    monkeypatch.chdir(tmp_path)
    names = {name: datasets.name_for(Path(name)) for name in ("loop.csv", "short.csv", "My Table.CSV", "é", "..")}
    assert names == {
        "loop.csv": "loop",
        "short.csv": "short",
        "My Table.CSV": "my-table",
        "é": "table",
        "..": "table",
    }
    assert datasets.name_for(Path()) == datasets.name_for(tmp_path)
    with pytest.raises(DatasetError, match=r"loop\.csv cannot be read as CSV"):
        datasets.import_table(Path("loop.csv"), MAPPING, home)
