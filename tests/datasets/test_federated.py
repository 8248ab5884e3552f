import json
import multiprocessing
import os
import stat
from dataclasses import asdict

import numpy as np
import pytest

from dpcore.datasets import federated, population
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.language import N_, speaking, translated
from dpcore.locks import lock


def arrays(users=3):
    offsets = np.arange(users + 1, dtype=np.int64) * 2
    return {
        f"{split}_{kind}": value
        for split in ("train", "test")
        for kind, value in {
            "features": np.arange(users * 8, dtype=np.uint8).reshape(-1, 4),
            "labels": np.arange(users * 2, dtype=np.uint8),
            "offsets": offsets,
        }.items()
    }


def make(folder):
    federated.save(folder, arrays(), name="tiny", num_classes=6)


def test_what_is_saved_is_what_is_opened(tmp_path):
    make(tmp_path / "d")
    dataset = federated.open_folder(tmp_path / "d")
    assert (dataset.name, dataset.num_users, dataset.num_classes) == ("tiny", 3, 6)
    assert isinstance(dataset.train.features, np.memmap)
    assert np.array_equal(dataset.train.features[dataset.train.rows(1)], arrays()["train_features"][2:4])


@pytest.mark.parametrize("file", ["train_features.npy", "test_labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_found_and_mended(tmp_path, file, damage):
    folder = tmp_path / "d"
    make(folder)
    good = federated.open_folder(folder).fingerprint
    path = folder / file
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-1])
    else:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DatasetError):
        federated.open_folder(folder)
    assert federated.open_or_make(folder, lambda: make(folder)).fingerprint == good


def test_an_interrupted_save_leaves_nothing_that_opens(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(federated.np, "save", full_disk)
    with pytest.raises(DatasetError, match="No space left"):
        federated.open_or_make(tmp_path / "d", lambda: make(tmp_path / "d"))
    monkeypatch.undo()
    assert federated.open_or_make(tmp_path / "d", lambda: make(tmp_path / "d")).num_users == 3


def _open_counting(folder, counts):
    def counted():
        with open(counts, "a") as file:
            file.write(f"{os.getpid()}\n")
        make(folder)

    federated.open_or_make(folder, counted)


def test_of_two_processes_one_makes_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_open_counting, args=(tmp_path / "d", tmp_path / "n")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
        assert process.exitcode == 0
    assert len((tmp_path / "n").read_text().splitlines()) == 1


def test_what_is_known_without_reading_the_arrays(tmp_path):
    described = federated.Description(source="here", class_names=("a", "b"), image_shape=(2, 2), warnings=("Few.",))
    federated.save(tmp_path / "d", arrays(), name="tiny", num_classes=2, description=described)
    manifest = federated.read_manifest(tmp_path / "d")
    assert (manifest.num_users, manifest.num_classes, manifest.num_features) == (3, 2, 4)
    assert manifest.num_examples == {"train": 6, "test": 6}
    assert manifest.description == described
    opened = federated.open_folder(tmp_path / "d")
    assert opened.fingerprint == manifest.fingerprint
    assert (opened.image_shape, opened.class_names) == ((2, 2), ("a", "b"))


def test_classes_without_names_are_called_by_number(tmp_path):
    make(tmp_path / "d")
    assert federated.open_folder(tmp_path / "d").class_names == tuple("012345")


def test_a_folder_of_an_older_version_is_made_again(tmp_path):
    folder = tmp_path / "d"
    make(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({k: v for k, v in manifest.items() if k != "format"}))
    with pytest.raises(DatasetError, match="another version"):
        federated.open_folder(folder)
    assert federated.open_or_make(folder, lambda: make(folder)).num_users == 3


def test_only_its_user_can_read_it(tmp_path):
    make(tmp_path / "d")
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_what_fails_half_way_leaves_nothing(tmp_path):
    def fail_half_way():
        with federated.new_folder(tmp_path / "d") as partial:
            federated.new_array(partial, "train_features", np.uint8, (1000, 4))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_in_use_is_locked_until_it_is_forgotten(tmp_path):
    folder = tmp_path / "d"
    first = federated.open_or_make(folder, lambda: make(folder))
    second = federated.open_or_make(folder, lambda: make(folder))  # users do not keep each other out
    del first
    with lock(federated.lock_of(folder), wait=False) as free:
        assert not free
    del second
    with lock(federated.lock_of(folder), wait=False) as free:
        assert free


def test_bytes_are_scaled_and_floats_are_not():
    assert federated.scale(np.array([0, 51, 255], np.uint8)) == pytest.approx([0, 0.2, 1])
    floats = np.array([-3.5, 7], np.float32)
    assert federated.scale(floats) is floats


def test_room_is_asked_for_before_it_is_used(tmp_path):
    """A sparse file would be made at once, and the process killed by SIGBUS where the disk ends."""
    with pytest.raises(DatasetError, match="Free some room"), federated.disk_errors(tmp_path):
        federated.new_array(tmp_path, "train_features", np.uint8, (2**46, 1))


def with_one_who_only_tests(folder):
    """Three users; the second has nothing to train on."""
    split = arrays() | {
        "train_features": np.arange(16, dtype=np.uint8).reshape(4, 4),
        "train_labels": np.arange(4, dtype=np.uint8),
        "train_offsets": np.array([0, 2, 2, 4], np.int64),
    }
    federated.save(folder, split, name="tiny", num_classes=6)


def test_the_population_are_those_who_train(tmp_path):
    with_one_who_only_tests(tmp_path / "d")
    dataset, manifest = federated.open_folder(tmp_path / "d"), federated.read_manifest(tmp_path / "d")
    assert dataset.trainers.tolist() == [0, 2]
    for known in (dataset, manifest):
        assert (known.num_users, known.users_without_train) == (2, 1)
        population.check("tiny", known, 2)
        with pytest.raises(InvalidValueError, match="the 2 users of tiny who train, found 3, which also counts"):
            population.check("tiny", known, 3)
        with pytest.raises(InvalidValueError, match="2 users with examples to train on, found 4"):
            population.check("tiny", known, 4)


def test_a_folder_of_before_has_its_population_too(tmp_path):
    """Its manifest says how many users there are, and nobody had counted who trains."""
    with_one_who_only_tests(tmp_path / "d")
    written = json.loads((tmp_path / "d" / "manifest.json").read_text())
    assert written["num_users"] == 3
    assert "users_without_train" not in written


def described():
    words = N_("{users:,} users are few: user-level privacy with a useful model takes thousands, because the noise does "
               "not shrink with their number.")  # fmt: skip
    return federated.Description(
        source=N_("The table {file}: users by {user}, classes by {label}; {testing}").format(
            file="a.csv", user="u", label="c", testing=N_("test examples by {column}").format(column="'split'")
        ),
        scaling=N_("Bytes divided by 255"),
        class_names=("Reading the data", "b"),  # as somebody calls it
        image_shape=(2, 2),
        warnings=(words.format(users=1200), "As it is."),
    )


@pytest.mark.parametrize("speaks", ["en", "ja"])
@pytest.mark.parametrize("older", [False, True])
def test_what_is_said_of_data_is_kept_by_its_key_and_read_from_older_versions(tmp_path, speaks, older):
    folder = tmp_path / "d"
    with speaking(speaks):
        federated.save(folder, arrays(), name="tiny", num_classes=6, description=described())
    written = json.loads((folder / "manifest.json").read_text())
    assert written["description"]["warnings"][0]["values"] == {"users": 1200}
    if older:
        written["description"] = asdict(described())  # English sentences
        (folder / "manifest.json").write_text(json.dumps(written))
    with speaking(speaks):
        found = federated.read_manifest(folder).description
    assert found == described()
    with speaking("ja"):
        assert translated(found.source) == "表 a.csv：ユーザーは u、クラスは c。テスト用サンプルは列 'split' による"
        assert translated(found.warnings[0]).startswith("ユーザーが 1,200 人では少なすぎます")
        assert [translated(one) for one in (found.warnings[1], *found.class_names)] == [
            "As it is.",
            "Reading the data",
            "b",
        ]
