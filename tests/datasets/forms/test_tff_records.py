import re
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from dpcore import datasets
from dpcore.datasets import federated
from dpcore.datasets.importing import table
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError, InvalidValueError
from tests.datasets import sqlite_files
from tests.datasets.sqlite_files import record


def convert(path, mapping=None):
    folder = path.with_name("made")
    table.convert(path, mapping or Mapping(), folder, lambda what, fraction: None, name="own")
    return federated.open_folder(folder)


def refused(path, mapping=None):
    with pytest.raises((DatasetError, InvalidValueError)) as error:
        convert(path, mapping)
    assert [child.name for child in path.parent.iterdir()] == [path.name]
    return str(error.value)


def own(path, example, users=3, each=4, **others):
    """A file in which each example is what `example(user, number)` returns."""
    split = {f"u{user}": [example(user, number) for number in range(each)] for user in range(users)}
    return sqlite_files.write(path, {"train": split, "test": split} | others)


def test_features_of_any_name_are_chosen_by_it(tmp_path):
    path = own(tmp_path / "f.db", lambda u, n: record(image=np.array([u, n, 7], np.float32), digit=n, writer=u))
    made = convert(path, Mapping(label="digit", features=("image",), scaling="none"))
    assert (made.num_users, made.num_classes) == (3, 4)
    assert made.train.features[:5].tolist() == [[0, 0, 7], [0, 1, 7], [0, 2, 7], [0, 3, 7], [1, 0, 7]]
    assert made.train.labels[:5].tolist() == [0, 1, 2, 3, 0]
    (tmp_path / "made").rename(tmp_path.with_name(f"{tmp_path.name}-made"))
    said = refused(path)
    assert "Expected label to name a column of the table, found none." in said
    assert said.endswith("There is client_id, split_name, digit, image, writer.")
    assert "found 'image' among 2 columns" in refused(path, Mapping(label="digit"))


def test_pixels_may_be_whole_numbers(tmp_path):
    """Of a type that has no bytes: what they are is seen in the data, and said."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (3, 4, 64))

    def example(user, number):
        ints = b"".join(sqlite_files._varint(int(value)) for value in images[user, number])
        listed = sqlite_files._field(3, sqlite_files._field(1, ints))
        pixels = sqlite_files._field(1, sqlite_files._field(1, b"pixels") + sqlite_files._field(2, listed))
        label = sqlite_files._field(
            1, sqlite_files._field(1, b"label") + sqlite_files._field(2, b"\x1a\x03\x0a\x01\x01")
        )
        zero = sqlite_files._field(
            1, sqlite_files._field(1, b"label") + sqlite_files._field(2, b"\x1a\x03\x0a\x01\x00")
        )
        return sqlite_files._field(1, pixels + (label if number else zero))

    made = convert(own(tmp_path / "f.sqlite3", example))
    assert (made.image_shape, made.train.features.dtype) == ((8, 8), np.uint8)
    assert made.train.features.tolist() == images.reshape(12, 64).tolist()
    assert "does not cover" in made.description.access_note


def test_a_wrong_type_is_told_as_one(tmp_path):
    """And not as a missing name."""
    kinds = {
        "x": [np.zeros(3, np.float32), np.zeros(3, np.float32), 5],
        "y": [1, 2, np.zeros(1, np.float32)],
    }
    for wrong, message in (
        ("x", "Expected 3 floats as 'x' in each example of f.sqlite, found 1 integers in one of user u2"),
        ("y", "Expected 1 integers as 'y' in each example of f.sqlite, found 1 floats in one of user u2"),
    ):
        (folder := tmp_path / wrong).mkdir()
        good = {name: values[0] for name, values in kinds.items()}
        path = own(
            folder / "f.sqlite",
            lambda u, n, good=good, wrong=wrong: record(
                **good | {wrong: kinds[wrong][u] if u == 2 else good[wrong]}
            ),
        )
        assert message in refused(path, Mapping(label="y", features=("x",)))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            record(x=np.zeros(3, np.float32)),
            "Expected 1 integers as 'label' in each example of f.db, found nothing",
        ),
        (
            record(x=np.zeros(4, np.float32), label=1),
            "Expected 3 floats as 'x' in each example of f.db, found 4 floats",
        ),
        (b"\xff\xff\xff", "f.db is damaged"),
        ("text", "f.db is damaged"),
        (None, "f.db is damaged"),
        (b"", "found nothing in one of user u2"),
    ],
)
def test_bad_records_are_told(tmp_path, bad, message):
    good = record(x=np.zeros(3, np.float32), label=1)
    path = own(tmp_path / "f.db", lambda u, n: bad if (u, n) == (2, 3) else good)
    assert message in refused(path)


def test_text_in_records_is_a_label_and_no_feature(tmp_path):
    def example(user, number):
        word = sqlite_files._field(1, sqlite_files._field(1, b"cat" if number % 2 else b"dog"))
        named = sqlite_files._field(1, sqlite_files._field(1, b"animal") + sqlite_files._field(2, word))
        return sqlite_files._field(1, record(x=np.array([user, number], np.float32), n=number)[2:] + named)

    path = own(tmp_path / "f.sqlite", example)
    made = convert(path, Mapping(label="animal", features=("x",)))
    assert made.class_names == ("cat", "dog")
    (tmp_path / "made").rename(tmp_path.with_name(f"{tmp_path.name}-made"))
    assert "3 bytes that are none in row 1: b'dog'" in refused(path, Mapping(label="n", features=("animal",)))


def test_text_alone_is_refused_with_the_reason(tmp_path):
    def example(user, number):
        snippet = sqlite_files._field(1, sqlite_files._field(1, b"To be, or not to be"))
        return sqlite_files._field(
            1, sqlite_files._field(1, sqlite_files._field(1, b"snippets") + sqlite_files._field(2, snippet))
        )

    said = refused(own(tmp_path / "f.sqlite", example))
    assert "f.sqlite holds text and no numbers (snippets). Models here learn from images and vectors" in said


@pytest.mark.parametrize("promised", [3, 5])
def test_a_file_that_does_not_keep_its_promise(tmp_path, promised):
    splits = sqlite_files.writers({"train": 2, "test": 2}, users=2)
    path = sqlite_files.write(tmp_path / "f.sqlite", splits, promised=promised)
    found = re.search(r"promises (\d) examples of user f000\d_\d in (train|test), and holds [23]", refused(path))
    assert found[1] == str(promised)


@pytest.mark.parametrize("nobody", [None, " ", "NA"])
def test_examples_of_nobody_become_what_is_asked(tmp_path, nobody):
    users = {
        user: [record(x=np.arange(3, dtype=np.float32), label=n) for n in range(3)] for user in ("a", "b", nobody)
    }
    path = sqlite_files.write(tmp_path / "f.db", {"train": users, "test": users})
    assert "Expected a value in column 'client_id' of every row, found" in refused(path)
    made = convert(path, Mapping(missing_user="drop"))
    assert made.num_users == 2
    assert "Rows without a user, which were left out: 6." in made.description.warnings


def test_a_file_is_told_by_its_name(tmp_path):
    """And not by its place, which is nobody's business who looks at a page."""
    users = {"u": [record(x=np.zeros(3, np.float32), label=1)]}
    sqlite_files.write(tmp_path / "splits.db", {"a": users, "b": users})
    sqlite_files.write(tmp_path / "empty.db", {"train": {"u": []}})
    sqlite_files.write(tmp_path / "more.db", {"train": users}, promised=10**9)
    (tmp_path / "none.db").write_bytes(b"none")
    for name in ("splits.db", "empty.db", "more.db", "none.db"):
        with pytest.raises(DatasetError, match=name) as error:
            convert(tmp_path / name)
        assert str(tmp_path) not in str(error.value)


def test_views_that_compute_for_ever_are_not_asked(tmp_path):
    with closing(sqlite3.connect(tmp_path / "f.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE examples (split_name TEXT, client_id TEXT, serialized_example_proto BLOB)")
        connection.execute(
            "CREATE VIEW client_metadata AS WITH RECURSIVE n(client_id) AS (SELECT 1 UNION ALL SELECT client_id + 1 "
            "FROM n) SELECT client_id, 'train' AS split_name, 1 AS num_examples FROM n"
        )
    assert "it has views (client_metadata)" in refused(tmp_path / "f.sqlite")


@pytest.mark.parametrize("name", ["Small.sqlite", "small.SQLITE3", "small.db", "small.DB", "small"])
def test_any_ending_will_do(tmp_path, name):
    path = sqlite_files.write(tmp_path / name, sqlite_files.writers({"train": 20, "test": 1}))
    made = datasets.import_table(path, Mapping(), tmp_path / "home")
    assert (made.name, made.num_users, made.num_classes, made.image_shape) == ("small", 4, 10, (28, 28))
    assert made.train.features.dtype == np.uint8
    assert made.description.access_note == ""


def test_a_file_without_a_record_is_told(tmp_path):
    path = own(tmp_path / "f.db", lambda u, n: record(x=np.zeros(3, np.float32), label=n))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM examples")
    assert "f.db holds no examples" in refused(path)


def test_other_databases_are_told(tmp_path):
    with closing(sqlite3.connect(tmp_path / "f.db")) as connection, connection:
        connection.execute("CREATE TABLE people (name TEXT)")
    assert "is not a data set as TensorFlow Federated's SqlClientData reads it" in refused(tmp_path / "f.db")
