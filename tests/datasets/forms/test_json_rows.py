import json

import pytest

from dpcore.datasets.forms.json_rows import JsonRows, open_json
from dpcore.datasets.forms.leaf import LeafTable
from dpcore.errors import DatasetError


def read(path, names, text=()):
    columns = {name: [] for name in names}
    for batch, fraction in open_json(path).batches(names, list(text)):
        assert 0 < fraction <= 1
        for name in names:
            columns[name] += batch[name].to_pylist()
    return columns


def test_ids_are_spelled_by_themselves_and_not_by_their_neighbours(tmp_path):
    """A batch of whole numbers and one with fractions: 1 and 1.0 are one user in both."""
    rows = [{"u": 1, "x": 0}] * 5000 + [{"u": 1.0, "x": 1.5}] * 5000 + [{"u": 2.5, "x": 1}, {"u": 10**20, "x": 1}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read(tmp_path / "t.jsonl", ["u", "x"], ["u"])
    assert found["u"] == ["1"] * 10_000 + ["2.5", str(10**20)]
    assert found["x"] == [row["x"] for row in rows]


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n\n", " "])
def test_rows_may_be_apart_by_any_blank(tmp_path, separator):
    text = separator.join(json.dumps({"a": n, "b": [n, 0.5], "c": None}) for n in range(3)) + separator
    (tmp_path / "t.ndjson").write_text(text)
    assert read(tmp_path / "t.ndjson", ["a", "b"]) == {"a": [0, 1, 2], "b": [[0, 0.5], [1, 0.5], [2, 0.5]]}


def test_a_name_that_a_row_lacks_has_no_value_there(tmp_path):
    (tmp_path / "t.json").write_text('[{"a": true}, {"b": "x", "a": false}, {}]')
    assert read(tmp_path / "t.json", ["a", "b"]) == {"a": [True, False, None], "b": [None, "x", None]}


def test_what_a_file_of_json_is_says_its_first_name(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"num_samples": [1], "users": ["u"], "user_data": {"u": {"x": [[1]], "y": [1]}}}')
    assert isinstance(open_json(path), LeafTable)
    path.write_text('{"user": 1, "x": 2}\n{"user": 1, "x": 2}')
    assert isinstance(open_json(path), JsonRows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.jsonl has no rows"),
        ("[]", "t.jsonl has no rows"),
        ("nonsense", "Expecting value, in line 1 at character 1"),
        ('{"a": 1}\n\n{"a": 1,}', "in line 3 at character 9"),
        ('{"a": 1}\n{"a":', "it ends in the middle of a value, in line 2"),
        ('{"a": 1}\n[1, 2]', "an object with names and values as row 2 of t.jsonl, found [1, 2]"),
        ('{"a": 1}\n{"a": "x"}', 'found "x" in row 2'),
        ('{"a": "x"}\n{"a": [1]}', "found [1] in row 2"),
        ('{"a": true}\n{"a": 1}', "found 1 in row 2"),
        ('{"a": [1, 2]}\n{"a": null}\n{"a": [1, "x"]}\n{"a": [1, 2]}', 'found [1, "x"] in row 3'),
        ('{"a": 1' + "0" * 30 + "}", "in row 1"),
        ('{"a": {"0": 1, "1": 2}}', "orient='records'"),
        ("[" * 100_000, "too deep"),
        ('[{"a": 1}', "expected , or ]"),
        ('[{"a": 1}] 7', "expected the end"),
    ],
)
def test_rows_that_are_none(tmp_path, text, message):
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(DatasetError) as refused:
        read(tmp_path / "t.jsonl", ["a"])
    assert message in str(refused.value)
    assert len(str(refused.value)) < 300


def test_other_encodings_are_named(tmp_path):
    (tmp_path / "t.jsonl").write_bytes('{"a": "José"}'.encode("latin-1"))
    with pytest.raises(DatasetError, match="it is not UTF-8; save it as UTF-8"):
        read(tmp_path / "t.jsonl", ["a"])
