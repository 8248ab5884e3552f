import pytest

from dpcore.datasets.forms import split_words
from dpcore.errors import DatasetError


@pytest.mark.parametrize(
    ("column", "values", "tests"),
    [
        ("part", ["Train", "TEST"], ["TEST"]),
        ("part", [" train ", "valid"], ["valid"]),
        ("part", ["training", "dev"], ["dev"]),
        ("part", ["train", "validation", "test"], ["validation", "test"]),
        ("is_test", ["0", "1"], ["1"]),
        ("isTest", ["False", "True"], ["True"]),
        ("held-out", ["no", "yes"], ["yes"]),
        ("train", ["0", "1"], ["0"]),
        ("isTrain", ["true", "false"], ["false"]),
        ("fold", ["0.0", "1.0"], ["1.0"]),
        ("train_or_test", ["0", "1"], ["1"]),
        ("part", ["test"], ["test"]),
    ],
)
def test_what_means_testing(column, values, tests):
    assert [v for v, test in zip(values, split_words.test_values(column, values)[0], strict=True) if test] == tests


@pytest.mark.parametrize(
    ("column", "values", "note"),
    [
        ("part", ["train", "test"], ""),
        ("part", ["train", "valid"], ""),
        ("is_test", ["0", "1"], ""),
        ("train", ["1", "0"], ""),
        ("part", ["train", "val", "test"], "Examples that the split column calls val are for testing, like those"),
        (
            "fold",
            ["1", "0"],
            "Column 'fold' does not say what its values mean: 0 is taken for training, 1 for testing.",
        ),
        ("train_test", ["no", "yes"], "no is taken for training, yes for testing"),
    ],
)
def test_what_is_not_clear_is_said(column, values, note):
    assert note in split_words.test_values(column, values)[1]
    assert bool(note) == bool(split_words.test_values(column, values)[1])


@pytest.mark.parametrize(
    "values", [["train", "fold 2"], ["0", "1", "2"], ["train", "1"], ["maybe"], ["train", "traintest"]]
)
def test_other_values_are_named(values):
    with pytest.raises(
        DatasetError, match=r"Expected 'train' or 'test' in column 'part', found '(fold 2|[012]|maybe|t)"
    ):
        split_words.test_values("part", values)
