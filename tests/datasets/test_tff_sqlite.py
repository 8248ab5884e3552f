import subprocess
import sys

import numpy as np
import pytest

from dpcore.datasets import federated, tff_sqlite
from dpcore.errors import DatasetError
from tests.datasets import sqlite_files
from tests.datasets.sqlite_files import record

BOTH = {"train": 5, "test": 2}


def convert(path, folder, *, train="train", test="test", num_classes=None):
    tff_sqlite.convert(
        tff_sqlite.Source(path=path, train_split=train, test_split=test),
        folder,
        lambda what, fraction: None,
        name="small",
        description=federated.Description(source="a test"),
        num_classes=num_classes,
    )
    return federated.open_folder(folder)


def image(value=0.0, label=1, width=4):
    return record(pixels=np.full(width, value, np.float32), label=label)


def test_users_are_sorted_and_their_examples_in_order(tmp_path):
    """Records of users are mixed in the file, as nothing forbids."""
    train = {"b": [image(0.2, 3), image(0.4, 2)], "a": [image(0.6, 1)]}
    path = sqlite_files.write(tmp_path / "f", {"train": train, "test": {"c": [image(1.0, 0)], "a": [image(0, 4)]}})
    dataset = convert(path, tmp_path / "d")
    assert (dataset.num_users, dataset.users_without_train) == (2, 1)  # "c" only tests
    assert dataset.num_classes == 5
    assert dataset.image_shape == (2, 2)
    assert "2 users are few" in dataset.description.warnings[0]
    assert dataset.train.offsets.tolist() == [0, 1, 3, 3]
    assert dataset.test.offsets.tolist() == [0, 1, 1, 2]
    assert dataset.train.labels.tolist() == [1, 3, 2]
    assert dataset.train.features.dtype == np.uint8
    assert dataset.train.features[:, 0].tolist() == [153, 51, 102]


def test_every_shade_of_grey_comes_through(tmp_path):
    shades = (np.arange(256) / 255).astype(np.float32)
    users = {"u": [record(pixels=shades, label=0)]}
    dataset = convert(sqlite_files.write(tmp_path / "f", {"train": users, "test": users}), tmp_path / "d")
    assert dataset.train.features[0].tolist() == list(range(256))
    np.testing.assert_allclose(federated.scale(dataset.train.features)[0], shades, rtol=2e-7)


def test_other_pixels_are_kept_as_floats(tmp_path):
    path = sqlite_files.write(tmp_path / "f", sqlite_files.writers(BOTH, levels=9))
    dataset = convert(path, tmp_path / "d")
    assert dataset.train.features.dtype == np.float32
    assert "as they are in the file" in dataset.description.scaling
    assert set(np.unique(dataset.train.features)) == {np.float32(k / 9) for k in range(10)}


def test_without_a_test_split_each_user_gets_one(tmp_path):
    users = {"one": [image()], "two": [image()] * 2, "forty": [image(k / 255) for k in range(40)]}
    path = sqlite_files.write(tmp_path / "f", {"default_split": users})
    dataset = convert(path, tmp_path / "d", train="default_split", test=None)
    assert np.diff(dataset.test.offsets).tolist() == [4, 0, 1]  # of forty, one, two
    assert np.diff(dataset.train.offsets).tolist() == [36, 1, 1]
    seen = np.concatenate([dataset.train.features[:36, 0], dataset.test.features[:4, 0]])
    assert sorted(seen.tolist()) == list(range(40))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (image(label=7), "labels of 0 and more below 5 in .*, found 7"),
        (image(width=9), "Expected 4 pixels in each example of .*, found 9 in one of user u"),
        (image(np.nan), "not a finite number"),
        (record(pixels=np.zeros(4, np.float32)), "one integer 'label' in each example, found pixels"),
        (
            record(label=1, image=np.zeros(4, np.float32)),
            "found image, label",
        ),
        (b"\xff\xff\xff", "is damaged"),
        ("text", "is damaged"),
    ],
)
def test_bad_records_are_told_and_leave_nothing(tmp_path, bad, message):
    good = [image(), image()]
    path = sqlite_files.write(tmp_path / "f", {"train": {"u": [*good, bad]}, "test": {"u": good}})
    with pytest.raises(DatasetError, match=message):
        convert(path, tmp_path / "d", num_classes=5)
    assert [child.name for child in tmp_path.iterdir()] == ["f"]


def test_labels_that_are_no_classes(tmp_path):
    users = {"u": [image(), image(label=1000)]}
    path = sqlite_files.write(tmp_path / "f", {"train": users, "test": users})
    with pytest.raises(DatasetError, match=r"labels of 0 and more below 1000 in .*, found 1000"):
        convert(path, tmp_path / "d")


@pytest.mark.parametrize(("promised", "message"), [(2, "more examples of user"), (20, "lacks .* of the examples")])
def test_a_file_that_does_not_keep_its_promise_is_refused(tmp_path, promised, message):
    path = sqlite_files.write(tmp_path / "f", sqlite_files.writers(BOTH), promised=promised)
    with pytest.raises(DatasetError, match=message):
        convert(path, tmp_path / "d")
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("kept", [0, 1, 50, 99])
def test_a_file_that_is_cut_off_is_refused(tmp_path, kept):
    """As TFF's own loader leaves it when it is interrupted, and trusts it ever after."""
    path = sqlite_files.write(tmp_path / "f", sqlite_files.writers({"train": 20, "test": 2}))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * kept // 100])
    with pytest.raises(DatasetError):
        convert(path, tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "f").write_text("user,label\n1,2\n" * 1000)
    with pytest.raises(DatasetError, match="SqlClientData"):
        convert(tmp_path / "f", tmp_path / "d")
    with pytest.raises(DatasetError, match="SqlClientData"):
        convert(tmp_path / "missing", tmp_path / "d")
    path = sqlite_files.write(tmp_path / "g", sqlite_files.writers({"holdout": 2}))
    with pytest.raises(DatasetError, match="has no split train; it has holdout"):
        convert(path, tmp_path / "d")


def test_one_person_is_one_user_however_their_id_is_written(tmp_path):
    train = {"u1": [image(0.2), image(0.4)], "u1 ": [image(0.6)], "U1": [image(0.8)], "b": [image()]}
    dataset = convert(
        sqlite_files.write(tmp_path / "f", {"train": train, "test": {"\u00a0u1": [image()], "b": [image()]}}),
        tmp_path / "d",
    )
    assert np.diff(dataset.train.offsets).tolist() == [1, 1, 3]  # of U1, b, u1
    assert np.diff(dataset.test.offsets).tolist() == [0, 1, 1]
    assert (
        "Users that may be the same people in other spellings: 2 ('U1' = 'u1')." in dataset.description.warnings[0]
    )


@pytest.mark.parametrize("nobody", [None, "", " ", "NA", "None"])
def test_examples_of_nobody_are_refused(tmp_path, nobody):
    users = {"u": [image(), image()], nobody: [image()]}
    path = sqlite_files.write(tmp_path / "f", {"train": users, "test": users})
    with pytest.raises(DatasetError, match=f"has examples of nobody, as the user {nobody!r}"):
        convert(path, tmp_path / "d")


TFF_WRITES_AND_READS = """
import sys
import numpy as np
import tensorflow_federated as tff
from tensorflow_federated.python.simulation.datasets import emnist

source = emnist.get_synthetic()
clients = source.client_ids
path = sys.argv[1]
tff.simulation.datasets.save_to_sql_client_data(
    clients, source.create_tf_dataset_for_client, path,
    split_names_by_client_id=dict(zip(clients, ["train", "test"])))
read = {}
for split in ("train", "test"):
    data = tff.simulation.datasets.SqlClientData(path, split).preprocess(emnist._add_proto_parsing)
    [client] = data.client_ids
    examples = list(data.create_tf_dataset_for_client(client).as_numpy_iterator())
    read[split + "_pixels"] = np.stack([e["pixels"] for e in examples])
    read[split + "_labels"] = np.stack([e["label"] for e in examples])
np.savez(sys.argv[2], **read)
"""


@pytest.mark.slow
def test_what_tff_writes_is_read_as_tff_reads_it(tmp_path):
    path, read = tmp_path / "tff" / "f.sqlite", tmp_path / "read.npz"
    with (tmp_path / "log").open("w") as log:  # no pipe: TFF's worker would keep it open
        subprocess.run(
            [sys.executable, "-c", TFF_WRITES_AND_READS, path, read],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
            timeout=400,
        )
    dataset, theirs = convert(path, tmp_path / "d"), np.load(read)
    assert (dataset.num_users, dataset.users_without_train) == (1, 1)
    for split in ("train", "test"):
        ours = getattr(dataset, split)
        np.testing.assert_array_equal(ours.features.reshape(-1, 28, 28), theirs[f"{split}_pixels"])
        np.testing.assert_array_equal(ours.labels, theirs[f"{split}_labels"])
