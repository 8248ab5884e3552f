import json
import tracemalloc

import numpy as np
import pytest

from dpcore.datasets import federated
from dpcore.datasets.forms import json_stream
from dpcore.datasets.forms.leaf import LeafTable
from dpcore.datasets.importing import table
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError
from tests.datasets.forms import small_files

GOOD = {
    "users": ["u", "v"],
    "num_samples": [2, 1],
    "user_data": {"u": {"x": [[1, 2], [3, 4]], "y": [0, 1]}, "v": {"x": [[5, 6]], "y": [1]}},
}


def write(path, **changed):
    path.write_text(json.dumps(GOOD | changed))
    return path


def read(path):
    opened = LeafTable(path)
    return [column for batch, _ in opened.batches(["user", "x", "y"]) for column in batch["x"].to_pylist()]


def test_users_may_come_before_the_lists_that_promise_them(tmp_path):
    path = tmp_path / "l.json"
    path.write_text(json.dumps({name: GOOD[name] for name in ("user_data", "num_samples", "users")}))
    assert read(path) == [[1, 2], [3, 4], [5, 6]]
    path.write_text("\ufeff" + json.dumps(GOOD | {"hierarchies": ["a", "b"]}, indent=3).replace("\n", "\r\n"))
    assert read(path) == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_samples": [2, 2]}, "found 1 examples of user 'v', who should have 2"),
        ({"num_samples": [2]}, "found users, num_samples, user_data"),
        ({"users": ["u"], "num_samples": [2]}, "found 1 examples of user 'v', who should have 0"),
        ({"users": ["u", "v", "w"], "num_samples": [2, 1, 1]}, "found 0 examples of user 'w', who should have 1"),
        ({"users": None}, "found users, num_samples, user_data"),
        ({"user_data": {}}, "found users, num_samples"),
        ({"user_data": []}, "expected {"),
        ({"user_data": {"u": [1]}}, "no x and y of user 'u'"),
        ({"user_data": {"u": {"x": [[1]], "y": [1, 2]}}}, "found 1 x and 2 y of user 'u'"),
        ({"user_data": {"u": {"x": 3, "y": []}}}, "no list as x of user 'u'"),
        ({"user_data": {"u": {"x": [[1, 2], [3]], "y": [1, 2]}}}, "lists of different lengths as x of user 'u'"),
        ({"user_data": {"u": {"x": [[1, None]], "y": [1]}}}, "something that is no number as x of user 'u'"),
        ({"user_data": {"u": {"x": [{"a": 1}], "y": [1]}}}, "something that is no number as x of user 'u'"),
        ({"user_data": {"u": {"x": [[1]], "y": [None]}}}, "something that is no number as y of user 'u'"),
        ({"user_data": {"u": {"x": [], "y": []}}, "users": ["u"], "num_samples": [0]}, "l.json holds no examples"),
    ],
)
def test_what_is_not_as_leaf_writes_it(tmp_path, changed, message):
    with pytest.raises(DatasetError) as refused:
        read(write(tmp_path / "l.json", **changed))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "x", [["To be, or not t", "o be, that is th"], [["a", "b"], ["c"]], [["1.jpg"], ["2.jpg"]]]
)
def test_text_is_refused_with_the_reason(tmp_path, x):
    """Shakespeare's, Reddit's, and the names of files that CelebA's x are."""
    path = write(tmp_path / "l.json", user_data={"u": {"x": x, "y": ["h", "e"]}})
    with pytest.raises(
        DatasetError, match=r"holds text, or names of other files, as x of user 'u': .*not from text"
    ):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(GOOD)[:-20], "it ends in the middle of a value, in line 1 at character"),
        (json.dumps(GOOD) + "x", "expected the end, in line 1"),
        (json.dumps(GOOD).replace("[1]}", "[1}"), "Expecting ',' delimiter, in line 1"),
        ('{"users":' + "[" * 100_000, "too deep, in line 1 at character 10"),
        ('{"users": [1' + "0" * 5000 + "]}", "Exceeds the limit (4300 digits)"),
        ('{"user_data": {5: 3}}', "expected a name in quotes"),
    ],
)
def test_json_that_is_none(tmp_path, text, message):
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(DatasetError) as refused:
        read(tmp_path / "l.json")
    assert message in str(refused.value)


def test_femnist_is_images_as_they_are(tmp_path):
    """784 pixels of white and grey, 62 classes of which a sample has some."""
    pixels = small_files.pixels(784) / 255
    content = small_files.leaf(pixels, np.ones(len(pixels), bool))
    for n, user in enumerate(content["users"]):
        content["user_data"][user]["y"] = [n, 61, 17, 17, 3]
    (tmp_path / "f.json").write_text(json.dumps(content))
    table.convert(tmp_path / "f.json", Mapping(), tmp_path / "made", lambda what, fraction: None, name="f")
    made = federated.open_folder(tmp_path / "made")
    assert (made.image_shape, made.num_classes, made.num_users) == ((28, 28), 62, 12)
    assert made.train.features.dtype == np.uint8  # the same numbers, in a quarter of the room
    assert made.description.access_note == ""
    found = np.sort(federated.scale(np.concatenate([made.train.features, made.test.features])), axis=0)
    np.testing.assert_allclose(found, np.sort(pixels, axis=0), rtol=3e-7)


def test_memory_holds_a_user_and_not_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "_CHARACTERS", 1 << 14)
    some = {f"u{n}": {"x": [[1] * 200] * 25, "y": [0] * 25} for n in range(120)}
    path = write(tmp_path / "l.json", users=[*some], num_samples=[25] * len(some), user_data=some)
    tracemalloc.start()
    try:
        for _batch, _fraction in LeafTable(path).batches(["x"]):
            pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < path.stat().st_size / 3  # a list takes eight bytes a number, and its text three
