import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from dpcore import datasets
from dpcore.datasets.forms import folders
from dpcore.datasets.importing import table_files
from dpcore.datasets.importing.mapping import Mapping
from dpcore.errors import DatasetError
from tests.datasets.forms import small_files


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def parts(folder):
    return [(split, str(path.relative_to(folder))) for split, path in folders.parts_of(folder)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["b.parquet", "a.parquet"], [(None, "a.parquet"), (None, "b.parquet")]),
        (["x_train.h5", "x_test.h5"], [("test", "x_test.h5"), ("train", "x_train.h5")]),
        (["data/train-0-of-1.parquet", "data/validation-0-of-1.parquet", "README.md", "dataset_infos.json"],
         [("train", "data/train-0-of-1.parquet"), ("validation", "data/validation-0-of-1.parquet")]),
        (["default/train/0000.parquet", "default/test/0000.parquet"],
         [("test", "default/test/0000.parquet"), ("train", "default/train/0000.parquet")]),
        (["train/all_data_0_test.json", "train/train_1.json"],
         [("test", "train/all_data_0_test.json"), ("train", "train/train_1.json")]),
        (["Train.csv.gz", "TEST.csv.gz", ".hidden.csv", "notes.txt"],
         [("test", "TEST.csv.gz"), ("train", "Train.csv.gz")]),
        (["train/a.json"], [(None, "train/a.json")]),
        (["data/train/a_train.json", "data/test/a_test.json", "data/all_data/a.json", "data/rem_user_data/a.json",
          "data/raw_data/by_class/a.csv"],
         [("test", "data/test/a_test.json"), ("train", "data/train/a_train.json")]),
        (["all_data/a.json"], [(None, "all_data/a.json")]),
        (["training_set.csv", "eval_set.csv"], [("eval", "eval_set.csv"), ("training", "training_set.csv")]),
    ],
)  # fmt: skip
def test_files_say_what_they_are_for(tmp_path, names, expected):
    assert parts(touch(tmp_path, *names)) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "Expected files in d that end in .parquet"),
        (["a.txt"], "found none"),
        (["a.csv", "b.parquet"], "found a.csv, b.parquet"),
        (["train.csv", "test.csv", "more.csv"], "found more.csv"),
        (["a/b/c/d.csv"], "found none"),
    ],
)
def test_files_that_do_not_go_together(tmp_path, names, message):
    (folder := tmp_path / "d").mkdir()
    touch(folder, *names)
    with pytest.raises(DatasetError) as refused:
        folders.parts_of(folder)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("{", "state.json cannot be read as JSON"),
        ("[" * 100_000, "state.json cannot be read as JSON"),
        ("[]", "to name files in that folder, found []"),
        ('{"_data_files": [{"filename": "../../secret.arrow"}]}', "found ['../../secret.arrow']"),
        ('{"_data_files": [{"filename": "/etc/passwd"}]}', "found ['/etc/passwd']"),
        ('{"_data_files": [{"filename": 5}]}', "found [5]"),
        ('{"_data_files": 5}', "found []"),
        ('{"_data_files": [{"filename": "a"}], "_indices_data_files": [{"filename": "i"}]}', "flatten_indices()"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "No such file"),
    ],
)
def test_saved_data_sets_that_are_none(tmp_path, state, message):
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DatasetError) as refused:
        with table_files.opened(tmp_path, tmp_path):
            pass
    assert message in str(refused.value)


def test_splits_stay_in_their_folder(tmp_path):
    for splits in (["../outside"], [5], [], None, "train"):
        (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
        with pytest.raises(
            DatasetError, match=r"Expected dataset_dict.json in .* to name files in that folder, found"
        ):
            with table_files.opened(tmp_path, tmp_path):
                pass


def test_parts_have_the_same_columns_and_classes(tmp_path):
    pd.DataFrame({"who": ["a"], "x": [1], "y": [0]}).to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"who": ["a"], "z": [1], "y": [0]}).to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(
        DatasetError, match=r"Expected the columns and classes of test.csv in train.csv, found .*: z"
    ):
        with table_files.opened(tmp_path, tmp_path):
            pass


def test_other_names_of_classes_are_other_classes(tmp_path):
    rows = small_files.in_test()
    for split, chosen in {"train": ~rows, "test": rows}.items():
        table = small_files.hugging_face(small_files.images(small_files.pixels(8, 9), chosen), chosen)
        if split == "test":
            about = table.schema.metadata[b"huggingface"].replace(b'"ant", "bee"', b'"bee", "ant"')
            table = table.replace_schema_metadata({"huggingface": about})
        small_files.saved_to_disk(tmp_path / "d" / split, table)
    (tmp_path / "d" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(DatasetError, match="found others: label"):
        with table_files.opened(tmp_path / "d", tmp_path):
            pass


def test_a_column_called_split_stays_what_it_is(tmp_path):
    for split in ("train", "test"):
        pd.DataFrame({"who": ["a"], "x": [1], "split": [0]}).to_csv(tmp_path / f"{split}.csv", index=False)
    with table_files.opened(tmp_path, tmp_path) as table:
        assert table.roles.split == "split_"
        batches = [batch for batch, _ in table.batches(["who", "split", "split_"], ["who", "split_"])]
        assert [batch["split_"].to_pylist() for batch in batches] == [["test"], ["train"]]
        assert [fraction for _, fraction in table.batches(["who"])][-1] == 1


def test_a_second_file_is_of_test_examples(tmp_path):
    for name, who in (("a.csv", "u"), ("b.feather", "v")):
        frame = pd.DataFrame({"who": [who], "x": [1.5]})
        frame.to_csv(tmp_path / name, index=False) if name == "a.csv" else frame.to_feather(tmp_path / name)
    with table_files.opened(tmp_path / "a.csv", tmp_path, test_path=tmp_path / "b.feather") as table:
        rows = [row for batch, _ in table.batches(["who", "split"]) for row in pa.table(batch).to_pylist()]
    assert rows == [{"who": "u", "split": "train"}, {"who": "v", "split": "test"}]


def test_folders_saved_one_by_one_are_of_what_they_are_called(tmp_path):
    for split, rows in {"train": ~small_files.in_test(), "test": small_files.in_test()}.items():
        saved = pa.Table.from_pandas(small_files.frame()[rows], preserve_index=False)
        small_files.saved_to_disk(tmp_path / split, saved, shards=1)
    assert [split for split, _path in folders.parts_of(tmp_path)] == ["test", "train"]
    with table_files.opened(tmp_path / "train", tmp_path, test_path=tmp_path / "test") as table:
        splits = [name for batch, _ in table.batches(["who", "split"]) for name in batch["split"].to_pylist()]
    assert splits == ["train"] * 48 + ["test"] * 12


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    with pytest.raises(DatasetError, match=r"cannot be read as a folder: Permission denied"):
        folders.parts_of(tmp_path)


def test_what_is_trained_on_is_not_tested_on(tmp_path):
    (tmp_path / "all.csv").write_text("who,x,answer\na,1,p\na,2,q\nb,3,p\n")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "other.csv").symlink_to(tmp_path / "all.csv")
    for test in (tmp_path / "all.csv", tmp_path / "link" / "other.csv", tmp_path):
        with pytest.raises(DatasetError, match=r"other examples to test on .* found all.csv for both"):
            table_files.check_apart(tmp_path / "all.csv", test)
    mapping = Mapping(user="who", label="answer")
    with pytest.raises(DatasetError, match=r"found all\.csv for both"):
        datasets.import_table(tmp_path / "all.csv", mapping, tmp_path / "home", test_path=tmp_path / "all.csv")
