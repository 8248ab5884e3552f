import itertools
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from dpcore.datasets.forms.arrow_table import ArrowTable, class_names
from dpcore.datasets.forms.arrow_types import nested, plain, plain_field
from dpcore.errors import DatasetError


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_tensors_have_their_axes_where_one_order_is_meant(order):
    """Of the two orders in which three axes change places, pyarrow writes one and reads the other."""
    values = np.arange(120).reshape(5, 2, 4, 3)
    kind = pa.fixed_shape_tensor(pa.int64(), [2, 4, 3], permutation=list(order))
    tensors = pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(pa.array(range(120)), 24))
    found = np.array(plain(tensors[1:4]).to_pylist())
    swapped = [order[place] for place in order] == [0, 1, 2]
    expected = values.transpose(0, *(1 + place for place in order)) if swapped else values
    np.testing.assert_array_equal(found, expected[1:4])


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.string_view(), ["a", None], ["a", None]),
        (pa.binary_view(), [b"a"], [b"a"]),
        (pa.list_view(pa.int64()), [[1, 2], None], [[1, 2], None]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"], ["a", "b", "a"]),
        (pa.float16(), [np.float16(0.5)], [0.5]),
    ],
)
def test_rarer_types_become_plain_ones(kind, values, expected):
    column = plain(pa.array(values, kind))
    assert column.to_pylist() == expected
    assert plain_field(pa.field("x", kind)).type == column.type
    assert not isinstance(column.type, pa.BaseExtensionType)


def test_runs_and_uuids_become_plain():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"]))
    assert plain(runs).to_pylist() == ["a", "a", "b"]
    assert plain(pa.array([b"0" * 16], pa.uuid())).type == pa.binary(16)


def test_tensors_without_a_value_stay_lists_with_their_gaps():
    kind = pa.fixed_shape_tensor(pa.int64(), [2])
    storage = pa.array([[1, 2], None], pa.list_(pa.int64(), 2))
    assert plain(pa.ExtensionArray.from_storage(kind, storage)).null_count == 1


def test_a_part_of_a_nested_column_is_that_part():
    values = np.arange(24).reshape(4, 2, 3)
    assert nested(values)[1:3].to_pylist() == values[1:3].tolist()


def test_only_what_is_asked_for_is_read_in_its_order(tmp_path):
    frame = pd.DataFrame({"a": np.arange(300_000), "b": ["x", "y", "z"] * 100_000, "c": 1.5})
    pa.feather.write_feather(frame, tmp_path / "t.feather")
    opened = ArrowTable(tmp_path / "t.feather")
    batches = list(opened.batches(["c", "a"]))
    assert [*batches[0][0]] == ["c", "a"]
    assert np.array_equal(np.concatenate([batch["a"] for batch, _ in batches]), frame.a)
    assert [fraction for _, fraction in batches] == sorted(fraction for _, fraction in batches)
    assert batches[-1][1] == 1


def test_an_older_feather_is_told_what_to_do(tmp_path):
    (tmp_path / "t.feather").write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(DatasetError, match=r"Feather's first version.*Save it as Parquet"):
        ArrowTable(tmp_path / "t.feather")


def test_offsets_that_lead_outside_are_refused(tmp_path):
    """Arrow believes them, and would read whatever lies there."""
    path = tmp_path / "t.arrow"
    pa.feather.write_feather(pa.table({"a": ["x" * 7, "y" * 11]}), path, compression="uncompressed")
    right, wrong = (np.array(offsets, np.int32).tobytes() for offsets in ([0, 7, 18], [0, 7 << 20, 18 << 20]))
    assert path.read_bytes().count(right) == 1
    path.write_bytes(path.read_bytes().replace(right, wrong))
    with pytest.raises(DatasetError, match="cannot be read as ARROW"):
        list(ArrowTable(tmp_path / "t.arrow").batches(["a"]))


@pytest.mark.parametrize(
    "about",
    [
        "",
        "{",
        "[]",
        '{"info": {"features": 5}}',
        '{"info": {"features": {"y": {"_type": "ClassLabel"}}}}',
        "[" * 99_999,
    ],
)
def test_names_of_classes_are_a_convenience(about):
    assert class_names(pa.schema({"y": pa.int64()}, {"huggingface": about})) == {}
    good = json.dumps({"info": {"features": {"y": {"_type": "ClassLabel", "names": ["a", "b"]}}}})
    assert class_names(pa.schema({"y": pa.int64()}, {"huggingface": good})) == {"y": ("a", "b")}
