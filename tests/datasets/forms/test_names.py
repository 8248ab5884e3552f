import pyarrow as pa
import pytest

from dpcore.datasets.forms.names import Flat
from dpcore.errors import DatasetError


def flat(values, kind=None):
    return Flat("kind")(pa.array(values, kind), 0).to_pylist()


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["a", None], None, ["a", None]),
        ([[3], [4]], None, [3, 4]),
        ([[["x"]], [["y"]]], None, ["x", "y"]),
        ([[3], None, [], [4], [None]], None, [3, None, None, 4, None]),
        ([[3], None, [4]], pa.list_(pa.int64(), 1), [3, None, 4]),
        ([None, []], pa.list_(pa.int64()), [None, None]),
        ([[0, 1], [1, 0]], None, [1, 0]),
        ([[False, True, False], [True, False, False]], pa.list_(pa.bool_(), 3), [1, 0]),
        ([[0.0, 1.0]], pa.large_list(pa.float32()), [1]),
        ([], pa.list_(pa.int64()), []),
    ],
)
def test_a_value_a_row(values, kind, expected):
    assert flat(values, kind) == expected


@pytest.mark.parametrize(
    "row", [[0, 0], [1, 1], [0, 2], [-1, 1], [1, None], None, [1], [], [0, 1, 0], ["a", "b"], [[0, 1]]]
)
def test_what_is_neither_a_value_nor_one_hot_is_named_by_its_row(row):
    kind = pa.list_(pa.string()) if row == ["a", "b"] else None
    good = [["a"], ["b"]] if kind else [[[0]], [[1]]] if row == [[0, 1]] else [[0, 1], [1, 0]]
    with pytest.raises(DatasetError, match=r"one-hot.*in each row of column 'kind', found .* in row 3"):
        Flat("kind")(pa.array([*good, row], kind), 0)


def test_one_hot_rows_are_as_wide_in_every_batch():
    flatten = Flat("kind")
    assert flatten(pa.array([[0, 1], [1, 0]]), 0).to_pylist() == [1, 0]
    with pytest.raises(DatasetError, match=r"found \[0, 0, 1\] in row 3"):
        flatten(pa.array([[0, 0, 1]]), 2)
