import h5py
import numpy as np
import pytest

from dpcore.datasets import federated
from dpcore.datasets.forms import unpacking
from dpcore.datasets.forms.tff_hdf5 import Hdf5Table
from dpcore.datasets.importing import table
from dpcore.datasets.importing.table import Mapping
from dpcore.datasets.importing.table_files import open_table
from dpcore.errors import DatasetError
from tests.datasets.forms import small_files


def write(path, users):
    """A file of arrays by user and feature; what is a function makes its own of the group."""
    with h5py.File(path, "w") as file:
        for user, features in users.items():
            group = file.create_group(f"examples/{user}")
            for name, values in features.items():
                if callable(values):
                    values(group)
                else:
                    group[name] = values
    return path


def user(count=2, **features):
    return {"x": np.zeros((count, 3)), "label": np.zeros(count, int)} | features


def refused(path):
    with pytest.raises(DatasetError) as error:
        list(open_table(path).batches(["client_id", "x", "label"]))
    return str(error.value)


def test_arrays_stay_what_they_are(tmp_path):
    """Bytes of CIFAR-100, floats of EMNIST, and who has nothing."""
    path = small_files.tff_hdf5(tmp_path / "b.h5", small_files.pixels(8, 9, 3), np.ones(60, bool), "image")
    with h5py.File(path, "a") as file:
        group = file.create_group("examples/nobody")
        group["image"], group["label"] = np.zeros((0, 8, 9, 3), np.uint8), np.zeros(0, np.int32)
    table.convert(path, Mapping(), tmp_path / "made", lambda what, fraction: None, name="b")
    made = federated.open_folder(tmp_path / "made")
    assert (made.num_users, made.image_shape, made.train.features.dtype) == (12, (8, 9, 3), np.uint8)
    path = small_files.tff_hdf5(tmp_path / "f.h5", small_files.pixels(8, 9) / np.float32(7), np.ones(60, bool))
    table.convert(path, Mapping(), tmp_path / "other", lambda what, fraction: None, name="f")
    made = federated.open_folder(tmp_path / "other")
    assert (made.image_shape, made.train.features.dtype) == ((8, 9), np.float32)
    assert made.train.features.max() == np.float32(255) / np.float32(7)  # as it is in the file
    assert made.description.access_note == ""


def test_who_has_much_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("dpcore.datasets.forms.tff_hdf5.BYTES", 1 << 10)
    x = np.arange(600.0).reshape(200, 3)
    path = write(tmp_path / "t.h5", {"a": {"x": x, "label": np.arange(200)}, "b": user()})
    batches = [batch for batch, _fraction in Hdf5Table(path).batches(["x", "client_id"])]
    assert max(len(batch["x"]) for batch in batches) < 60
    assert [row for batch in batches for row in batch["x"].to_pylist()][:200] == x.tolist()
    assert [one for batch in batches for one in batch["client_id"].to_pylist()] == ["a"] * 200 + ["b"] * 2


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (user(x=np.zeros((3, 3))), "Expected arrays of a row an example, all as long, of user 'b' in t.h5"),
        (user(x=np.zeros((2, 4))), "Expected 'x' of shape (3,) in t.h5, found (4,) of user 'b'"),
        (user(x=0.5), "all as long, of user 'b'"),
        ({"label": np.zeros(2, int)}, "Expected 'x' of every user in t.h5, found none of user 'b'"),
        ({}, "all as long, of user 'b' in t.h5, found nothing"),
        (user(x=np.zeros(2, [("re", float), ("im", float)])), "Expected numbers or text as 'x' in t.h5, found ["),
        (user(client_id=np.zeros(2)), "of user 'b'"),
    ],
)
def test_users_who_do_not_fit(tmp_path, features, message):
    assert message in refused(write(tmp_path / "t.h5", {"a": user(), "b": features}))


def test_who_lacks_a_label_is_told_also_where_they_come_first(tmp_path):
    path = write(tmp_path / "t.h5", {"a": {"x": np.zeros((2, 3))}, "b": user()})
    with pytest.raises(DatasetError, match=r"Expected 'label' of every user in t.h5, found none of user 'a'"):
        table.convert(path, Mapping(), tmp_path / "made", lambda what, fraction: None, name="t")


def test_text_alone_is_refused_with_the_reason(tmp_path):
    """Shakespeare's snippets, as TFF published them."""
    path = write(tmp_path / "t.h5", {name: {"snippets": [b"To be", b"or not"]} for name in "ab"})
    assert "t.h5 holds text and no numbers (snippets). Models here learn from images and vectors" in refused(path)


def test_text_is_no_feature(tmp_path):
    path = write(tmp_path / "t.h5", {name: user(x=[b"To be", b"or not"]) for name in "ab"})
    with pytest.raises(DatasetError, match="Expected numbers in column 'x', found 'To be' in row 1"):
        table.convert(path, Mapping(), tmp_path / "made", lambda what, fraction: None, name="t")


def test_other_files_are_never_looked_into(tmp_path):
    """Through links and external storage a file could show any other of this machine."""
    (tmp_path / "secret").write_bytes(bytes(range(64)))
    write(tmp_path / "other.h5", {"b": user()})
    secret = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
    layout = h5py.VirtualLayout((2, 3), float)
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "examples/b/x", (2, 3))
    for make in (
        lambda group: group.create_dataset("x", (2, 3), "u1", external=secret),
        lambda group: group.create_virtual_dataset("x", layout),
    ):
        said = refused(write(tmp_path / "t.h5", {"b": {"x": make, "label": np.zeros(2, int)}}))
        assert "keeps '/examples/b/x' in other files, which are not read" in said
    for link in (h5py.ExternalLink("other.h5", "/examples/b/x"), h5py.SoftLink("/examples/a/x")):
        linked = {"label": np.zeros(2, int), "x": lambda group, link=link: group.__setitem__("x", link)}
        assert "x, which is no array of this file" in refused(write(tmp_path / "t.h5", {"a": user(), "b": linked}))
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["examples"] = h5py.ExternalLink("other.h5", "/examples")
    assert "Expected a group 'examples' in t.h5" in refused(tmp_path / "t.h5")


@pytest.mark.parametrize(
    ("users", "rows"), [(1, 10**9), (40, 50_000)]
)  # one, or many of whom none is a danger alone
def test_numbers_that_nobody_has_written_do_not_fill_the_disk(tmp_path, monkeypatch, users, rows):
    monkeypatch.setattr(unpacking, "_FREE", 1 << 20)
    features = {
        "x": lambda group: group.create_dataset("x", (rows, 3), float, chunks=(1024, 3)),
        "label": lambda group: group.create_dataset("label", (rows,), int, chunks=(1024,)),
    }
    said = refused(write(tmp_path / "t.h5", {f"u{n}": features for n in range(users)}))
    assert "unpacks to more than" in said


def test_other_hdf5_is_told(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["X"], file["y"] = np.zeros((3, 2)), np.zeros(3)
    assert "with a group for each user, found X, y" in refused(tmp_path / "t.h5")
    write(tmp_path / "u.h5", {"a": user(0)})
    assert "u.h5 holds no examples" in refused(tmp_path / "u.h5")
    (tmp_path / "t.h5").write_bytes((tmp_path / "t.h5").read_bytes()[:700])
    assert refused(tmp_path / "t.h5").startswith("t.h5 ")
