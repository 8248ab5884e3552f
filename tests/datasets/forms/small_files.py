"""One small table in every form that people have, made by the libraries that they use."""

import gzip
import io
import json
import sqlite3
import uuid
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from PIL import Image

from tests.datasets import sqlite_files

USERS, EACH, CLASSES = 12, 5, 3
LIKE_A_TABLE = ("--user", "who", "--label", "answer")
IMAGES = (*LIKE_A_TABLE, "--features", "picture")


def who() -> np.ndarray:
    """Whose each example is, str [60]: mixed, as nothing forbids."""
    return np.array([f"p{n % USERS:02d}" for n in range(USERS * EACH)])


def answers() -> np.ndarray:
    """int64 [60]."""
    return np.arange(USERS * EACH) // 4 % CLASSES


def numbers() -> np.ndarray:
    """Exact in float32 and in a decimal fraction: float64 [60, 2]."""
    return np.random.default_rng(1).integers(-40, 40, (USERS * EACH, 2)) / 4


def pixels(*shape: int) -> np.ndarray:
    """Bytes of which no two images are alike: uint8 [60, ...]."""
    return np.random.default_rng(2).integers(0, 256, (USERS * EACH, *shape), np.uint8)


def frame() -> pd.DataFrame:
    x = numbers()
    return pd.DataFrame({"who": who(), "x1": x[:, 0], "x2": x[:, 1], "answer": answers()})


def in_test() -> np.ndarray:
    """The last example of each user."""
    return np.arange(USERS * EACH) >= USERS * (EACH - 1)


def by_user(values: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of an array, by the user that they are of."""
    return {user: values[rows & (who() == user)] for user in sorted(set(who()[rows]))}


def leaf(values: np.ndarray, rows: np.ndarray) -> dict:
    """What LEAF's preprocessing writes."""
    x, y = by_user(values, rows), by_user(answers(), rows)
    data = {user: {"x": x[user].tolist(), "y": y[user].tolist()} for user in x}
    return {"users": list(x), "num_samples": [len(y[user]) for user in x], "user_data": data}


def tff_hdf5(path: Path, values: np.ndarray, rows: np.ndarray, feature: str = "pixels") -> Path:
    """What `tff.simulation.datasets` published before its SQLite."""
    x, y = by_user(values, rows), by_user(answers(), rows)
    with h5py.File(path, "w") as file:
        for user in x:
            group = file.create_group(f"examples/{user}")
            group[feature], group["label"] = x[user], y[user].astype(np.int32)
    return path


def tff_sqlite(path: Path, values: np.ndarray, *, feature: str, label: str) -> Path:
    """Own records, as `tff.simulation.datasets.save_to_sql_client_data` writes them."""
    splits = {}
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        x, y = by_user(values, rows), by_user(answers(), rows)
        splits[split] = {
            user: [
                sqlite_files.record(**{feature: a, label: int(b)}) for a, b in zip(x[user], y[user], strict=True)
            ]
            for user in x
        }
    return sqlite_files.write(path, splits)


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind)
    return out.getvalue()


def hugging_face(values: pa.Array, rows: np.ndarray) -> pa.Table:
    """A table with the schema that Hugging Face's `datasets` writes: images, and names of classes."""
    features = {
        "who": {"dtype": "string", "_type": "Value"},
        "image": {"_type": "Image"},
        "label": {"names": ["ant", "bee", "cat"], "_type": "ClassLabel"},
    }
    columns = {"who": pa.array(who()[rows]), "image": values, "label": pa.array(answers()[rows])}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(columns).replace_schema_metadata(metadata)


def images(values: np.ndarray, rows: np.ndarray) -> pa.Array:
    return pa.array([{"bytes": encoded(image), "path": None} for image in values[rows]])


def saved_to_disk(folder: Path, table: pa.Table, shards: int = 2) -> None:
    """What `Dataset.save_to_disk` writes: shards as Arrow streams, and two files about them."""
    folder.mkdir(parents=True)
    names = [f"data-{n:05d}-of-{shards:05d}.arrow" for n in range(shards)]
    for n, name in enumerate(names):
        part = table.slice(n * len(table) // shards, (n + 1) * len(table) // shards - n * len(table) // shards)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(part, max_chunksize=7)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}}))


def _csv(folder: Path) -> Path:
    frame().to_csv(folder / "small.csv", index=False)
    return folder / "small.csv"


def _upper_case(folder: Path) -> Path:
    return _csv(folder).rename(folder / "SMALL.CSV")


def _gzip(folder: Path) -> Path:
    with gzip.open(folder / "small.csv.gz", "wb") as file:
        file.write(_csv(folder).read_bytes())
    return folder / "small.csv.gz"


def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "small.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(_csv(folder), "a/folder/small.csv")
        archive.writestr("__MACOSX/a/folder/._small.csv", b"\0\1")
        archive.writestr("a/README.txt", "about it")
    return folder / "small.zip"


def _zipped_parquet(folder: Path) -> Path:
    frame().to_parquet(folder / "small.parquet")
    with zipfile.ZipFile(folder / "other.zip", "w") as archive:
        archive.write(folder / "small.parquet", "small.parquet")
    return folder / "other.zip"


def _semicolons(folder: Path) -> Path:
    frame().to_csv(folder / "small.csv", index=False, sep=";", decimal=",")
    return folder / "small.csv"


def _excel_unicode(folder: Path) -> Path:
    frame().to_csv(folder / "small.tsv", index=False, sep="\t", encoding="utf-16", lineterminator="\r\n")
    return folder / "small.tsv"


def _json_lines(folder: Path) -> Path:
    frame().to_json(folder / "small.jsonl", orient="records", lines=True)
    return folder / "small.jsonl"


def _zipped_json_lines(folder: Path) -> Path:
    frame().to_json(folder / "small.ndjson.gz", orient="records", lines=True)
    return folder / "small.ndjson.gz"


def _json_records(folder: Path) -> Path:
    frame().to_json(folder / "small.json", orient="records")
    return folder / "small.json"


def _feather(folder: Path) -> Path:
    frame().to_feather(folder / "small.feather")
    return folder / "small.feather"


def _arrow(folder: Path, opened: Callable = pa.ipc.new_file) -> Path:
    table = pa.Table.from_pandas(frame(), preserve_index=False)
    with pa.OSFile(str(folder / "small.arrow"), "wb") as sink, opened(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=9)
    return folder / "small.arrow"


def _polars(folder: Path) -> Path:
    """Views instead of strings, as Polars has them."""
    table = pa.table(frame())
    views = table.set_column(0, "who", table["who"].cast(pa.string_view()))
    pa.feather.write_feather(views, folder / "small.ipc", compression="zstd")
    return folder / "small.ipc"


def _parquet_shards(folder: Path) -> Path:
    (folder / "hub" / "data").mkdir(parents=True)
    (folder / "hub" / "README.md").write_text("about it")
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        for n, half in enumerate((who() < "p06", who() >= "p06")):
            frame()[rows & half].to_parquet(
                folder / "hub" / "data" / f"{split}-0000{n}-of-00002.parquet", index=False
            )
    return folder / "hub"


def _columns_of_arrays(folder: Path) -> Path:
    """Labels as a column [60, 1], and features as rows."""
    np.savez(folder / "small.npz", who=who()[:, None], answer=answers()[:, None], x=numbers())
    return folder / "small.npz"


def _one_hot(folder: Path) -> Path:
    np.savez(folder / "small.npz", who=who(), answer=np.eye(CLASSES)[answers()], x=numbers())
    return folder / "small.npz"


def _uuids(folder: Path, kind: pa.DataType) -> Path:
    ids = [uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes for name in who()]
    table = pa.table(frame()).set_column(0, "who", pa.array(ids, kind))
    pq.write_table(table, folder / "small.parquet")
    return folder / "small.parquet"


def _split_column(folder: Path, train, test) -> Path:
    frame().assign(fold=np.where(in_test(), test, train)).to_csv(folder / "small.csv", index=False)
    return folder / "small.csv"


def _leaf(folder: Path) -> Path:
    (folder / "all_data.json").write_text(json.dumps(leaf(numbers(), np.ones(len(who()), bool))))
    return folder / "all_data.json"


def _leaf_folder(folder: Path) -> Path:
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        (folder / "leaf" / split).mkdir(parents=True)
        for n, half in enumerate((who() < "p06", who() >= "p06")):
            file = folder / "leaf" / split / f"all_data_{n}_niid_0_keep_0_{split}_9.json"
            file.write_text(json.dumps(leaf(numbers(), rows & half)))
    return folder / "leaf"


def _hdf5(folder: Path) -> Path:
    (folder / "tff").mkdir()
    tff_hdf5(folder / "tff" / "small_train.h5", numbers(), ~in_test(), "x")
    tff_hdf5(folder / "tff" / "small_test.h5", numbers(), in_test(), "x")
    return folder / "tff"


def _sqlite(folder: Path) -> Path:
    return tff_sqlite(folder / "small.DB", numbers(), feature="position", label="kind")


def _saved(folder: Path) -> Path:
    saved_to_disk(folder / "saved", pa.Table.from_pandas(frame(), preserve_index=False))
    return folder / "saved"


def _saved_splits(folder: Path) -> Path:
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        saved_to_disk(folder / "saved" / split, pa.Table.from_pandas(frame()[rows], preserve_index=False))
    (folder / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return folder / "saved"


def _copied_sqlite(folder: Path) -> Path:
    """By its content: a copy that nobody gave an ending."""
    with closing(sqlite3.connect(_sqlite(folder))) as one, closing(sqlite3.connect(folder / "copy")) as two:
        one.backup(two)
    return folder / "copy"


# By name: what writes the table to a folder and returns where; the options that its import takes; and whether it says
# which examples are for testing.
FORMS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...], bool]] = {
    "upper case": (_upper_case, LIKE_A_TABLE, False),
    "gzip": (_gzip, LIKE_A_TABLE, False),
    "zip": (_zip, LIKE_A_TABLE, False),
    "zipped parquet": (_zipped_parquet, LIKE_A_TABLE, False),
    "semicolons": (_semicolons, LIKE_A_TABLE, False),
    "utf-16": (_excel_unicode, LIKE_A_TABLE, False),
    "json lines": (_json_lines, LIKE_A_TABLE, False),
    "json lines, packed": (_zipped_json_lines, LIKE_A_TABLE, False),
    "json records": (_json_records, LIKE_A_TABLE, False),
    "feather": (_feather, LIKE_A_TABLE, False),
    "arrow file": (_arrow, LIKE_A_TABLE, False),
    "arrow stream": (lambda folder: _arrow(folder, pa.ipc.new_stream), LIKE_A_TABLE, False),
    "views": (_polars, LIKE_A_TABLE, False),
    "shards": (_parquet_shards, LIKE_A_TABLE, True),
    "columns of arrays": (_columns_of_arrays, LIKE_A_TABLE, False),
    "one-hot": (_one_hot, LIKE_A_TABLE, False),
    "uuid": (lambda folder: _uuids(folder, pa.uuid()), LIKE_A_TABLE, False),
    "binary ids": (lambda folder: _uuids(folder, pa.binary()), LIKE_A_TABLE, False),
    "split 0 and 1": (lambda folder: _split_column(folder, 0, 1), (*LIKE_A_TABLE, "--split", "fold"), True),
    "split of booleans": (
        lambda folder: _split_column(folder, False, True),
        (*LIKE_A_TABLE, "--split", "fold"),
        True,
    ),
    "split of valid": (
        lambda folder: _split_column(folder, "Train", "valid"),
        (*LIKE_A_TABLE, "--split", "fold"),
        True,
    ),
    "leaf": (_leaf, (), False),
    "leaf, train and test": (_leaf_folder, (), True),
    "tff hdf5": (_hdf5, (), True),
    "tff sqlite": (_sqlite, ("--features", "position", "--label", "kind"), True),
    "no ending": (_copied_sqlite, ("--features", "position", "--label", "kind"), True),
    "saved dataset": (_saved, LIKE_A_TABLE, False),
    "saved datasets": (_saved_splits, LIKE_A_TABLE, True),
}


def _npz_images(folder: Path, *axes: int) -> Path:
    """Grey or colour images with their axes in some order: 0 for the rows, then those of `pixels(8, 9, 3)`."""
    np.savez(folder / "small.npz", who=who(), answer=answers(), picture=pixels(8, 9, 3).transpose(axes))
    return folder / "small.npz"


def grey_images_first(folder: Path) -> Path:
    """1 x 28 x 28, as PyTorch's data come."""
    np.savez(folder / "grey.npz", who=who(), answer=answers(), picture=pixels(1, 28, 28))
    return folder / "grey.npz"


def _tensors(folder: Path) -> Path:
    """Arrow's tensors of a fixed shape, channels first, as PyTorch's data come."""
    first = np.ascontiguousarray(pixels(8, 9, 3).transpose(0, 3, 1, 2))
    picture = pa.FixedShapeTensorArray.from_numpy_ndarray(first)
    pq.write_table(pa.table({"who": who(), "answer": answers(), "picture": picture}), folder / "small.parquet")
    return folder / "small.parquet"


def _lists(folder: Path) -> Path:
    """Lists of lists of lists of whole numbers, channels first."""
    rows = frame()[["who", "answer"]].assign(picture=pixels(8, 9, 3).transpose(0, 3, 1, 2).tolist())
    rows.to_json(folder / "small.jsonl", orient="records", lines=True)
    return folder / "small.jsonl"


def _encoded(folder: Path) -> Path:
    rows = np.ones(len(who()), bool)
    pq.write_table(hugging_face(images(pixels(8, 9, 3), rows), rows), folder / "small.parquet")
    return folder / "small.parquet"


def _encoded_and_saved(folder: Path) -> Path:
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        saved_to_disk(folder / "saved" / split, hugging_face(images(pixels(8, 9, 3), rows), rows))
    (folder / "saved" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    return folder / "saved"


def _hdf5_images(folder: Path) -> Path:
    (folder / "cifar").mkdir()
    for split, rows in {"train": ~in_test(), "test": in_test()}.items():
        tff_hdf5(folder / "cifar" / f"fed_small_{split}.h5", pixels(8, 9, 3), rows, "image")
    return folder / "cifar"


def _hdf5_images_first(folder: Path) -> Path:
    everything = np.ones(len(who()), bool)
    return tff_hdf5(folder / "small.hdf5", pixels(8, 9, 3).transpose(0, 3, 1, 2) / np.float32(255), everything)


def _columns_first(folder: Path) -> Path:
    """A column a pixel, red ones first, as CIFAR-10's batches have them."""
    flat = pixels(8, 9, 3).transpose(0, 3, 1, 2).reshape(len(who()), -1)
    columns = frame()[["who", "answer"]].join(pd.DataFrame(flat, columns=[f"p{n}" for n in range(flat.shape[1])]))
    columns.to_csv(folder / "small.csv", index=False)
    return folder / "small.csv"


# As `FORMS`, of images of 8 x 9 pixels in three colours: what writes them, and the options.
IMAGE_FORMS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "channels last": (lambda folder: _npz_images(folder, 0, 1, 2, 3), IMAGES),
    "channels first": (lambda folder: _npz_images(folder, 0, 3, 1, 2), IMAGES),
    "tensors, channels first": (_tensors, IMAGES),
    "lists, channels first": (_lists, IMAGES),
    "hugging face": (_encoded, ("--user", "who", "--label", "label")),
    "hugging face, saved": (_encoded_and_saved, ("--user", "who", "--label", "label")),
    "tff hdf5": (_hdf5_images, ()),
    "tff hdf5, channels first": (_hdf5_images_first, ()),
    "columns, channels first": (_columns_first, (*LIKE_A_TABLE, "--image-shape", "3x8x9")),
}
