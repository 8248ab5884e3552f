"""Files that nobody can import: each is one short sentence, and never a crash, a wait or a lot of memory."""

import datetime
import decimal
import io
import os
import socket
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from dpcore import datasets
from dpcore.datasets.forms import ENDINGS
from dpcore.datasets.importing import table_files
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError, EpsilonLabError
from tests.datasets import sqlite_files

SUFFIXES = (*ENDINGS, ".csv.gz", ".zip")
ROWS = 8
PLAIN = Mapping(user="who", label="answer")
GOOD = {"who": np.arange(ROWS) % 2, "answer": np.arange(ROWS) // 2 % 2, "x": np.arange(float(ROWS))}


def imported(path, home, mapping=PLAIN):
    """Imports a file as the page and the command line do."""
    table_files.preview(path)
    return datasets.import_table(path, mapping, home, name="odd")


def refused(path, home):
    """The sentence about a file; nothing is left of it."""
    with pytest.raises(EpsilonLabError) as error:
        imported(path, home)
    said = str(error.value)
    assert len(said) < 600
    assert "\n" not in said
    assert not [*(home / "datasets").glob("imported/*.partial")]
    return said


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "Expected a file, found a named pipe: odd"),
        ("folder", "Expected files in odd"),
        ("socket", "Expected a file, found a socket: odd"),
        ("device", "Expected a file, found a device: odd"),
        ("nothing", "No such file or directory"),
        ("broken link", "No such file or directory"),
        ("link to itself", "Too many levels of symbolic links"),
        ("long name", "File name too long"),
        ("empty", "odd"),
        ("unreadable", "odd"),
    ],
)
def test_what_is_no_file_is_told_and_nobody_waits(tmp_path, home, monkeypatch, kind, words):
    monkeypatch.chdir(tmp_path)
    said = {}
    for suffix in SUFFIXES:
        with pytest.raises(EpsilonLabError) as error:
            imported(no_file(tmp_path, suffix, kind), home)
        said[suffix] = str(error.value)
    assert {suffix: sentence for suffix, sentence in said.items() if words not in sentence} == {}


def no_file(folder, suffix, kind):
    """Makes what is none; the working folder is the same, where a name has to be short."""
    path = folder / f"odd{suffix}"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "broken link":
        path.symlink_to("nowhere")
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "long name":
        path = folder / f"{'o' * 300}{suffix}"
    elif kind == "empty":
        path.touch()
    elif kind == "unreadable":  # to root as well
        path.symlink_to("/proc/self/mem")
    return path


def test_the_command_says_it_in_a_sentence(tmp_path):
    """And a process that nobody writes to is not waited for."""
    os.mkfifo(tmp_path / "odd.csv")
    arguments = ("data", "import", tmp_path / "odd.csv", "--user", "who", "--label", "answer", "--home", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "dpcore", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: Expected a file, found a named pipe: odd.csv.\n"


def tensors(kind=None, permutation=None):
    kind = kind or pa.float32()
    storage = pa.array([[1, 2, 3, 4, 5, row] for row in range(ROWS)], pa.list_(kind, 6))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(kind, [2, 3], permutation=permutation), storage)


ODD = {
    "tensors": tensors(),
    "extension of text": pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(["{}"] * ROWS)),
    "extension of numbers": pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "a", "b"), pa.array([1] * ROWS)),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * ROWS, pa.binary(16))),
    "structs": pa.array([{"a": {"b": 1}}] * ROWS),
    "structs of bytes": pa.array([{"bytes": {"x": 1}}] * ROWS),
    "maps": pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int64())),
    "lists of text": pa.array([["a"]] * ROWS),
    "lists of structs": pa.array([[{"a": 1}]] * ROWS),
    "empty lists": pa.array([[]] * ROWS, pa.list_(pa.float64())),
    "lists of nothing": pa.array([[None]] * ROWS, pa.list_(pa.float64())),
    "no lists": pa.array([None] * ROWS, pa.list_(pa.float64())),
    "nothing": pa.nulls(ROWS),
    "infinities": pa.array([np.inf, -np.inf] * (ROWS // 2)),
    "nan": pa.array([np.nan] * ROWS),
    "bytes": pa.array([b"\xff"] * ROWS),
    "large bytes": pa.array([b"\xff"] * ROWS, pa.large_binary()),
    "dates of nowhere": pa.array([datetime.datetime(2020, 1, 2)] * ROWS, pa.timestamp("us", "Nowhere/Land")),
    "durations": pa.array([datetime.timedelta(1)] * ROWS),
    "large decimals": pa.array([decimal.Decimal(10) ** 70] * ROWS, pa.decimal256(76, 0)),
    "text": pa.array(["a"] * ROWS, pa.string_view()),
}
FINE = {("tensors", "x"), ("extension of numbers", "x")}


@pytest.mark.parametrize("kind", ODD)
def test_columns_of_any_type_are_taken_or_told(tmp_path, home, kind):
    path = tmp_path / "odd.parquet"
    for role in ("who", "answer", "x"):
        pyarrow.parquet.write_table(pa.table(GOOD | {role: ODD[kind]}), path)
        if (kind, role) in FINE:
            assert imported(path, home).num_users == 2
        else:
            assert refused(path, home), role


@pytest.mark.parametrize("role", ["who", "answer"])
def test_numbers_beyond_integers_name_users_and_classes(tmp_path, home, role):
    path = tmp_path / "odd.parquet"
    pyarrow.parquet.write_table(pa.table(GOOD | {role: np.tile([1e19, -1e19, 1e300, 2e300], 2)}), path)
    dataset = imported(path, home)
    assert {"who": dataset.num_users, "answer": dataset.num_classes}[role] == 4


@pytest.mark.parametrize(("permutation", "shape"), [(None, (2, 3)), ([1, 0], (3, 2))])
def test_tensors_are_images(tmp_path, home, permutation, shape):
    """As Arrow itself reads them: where their axes are said to be in another order, in that."""
    path, column = tmp_path / "odd.parquet", tensors(pa.uint8(), permutation)
    pyarrow.parquet.write_table(pa.table(GOOD | {"x": column}), path)
    assert table_files.preview(path).columns[2].kind == "array"
    dataset = imported(path, home)
    assert dataset.image_shape == shape
    seen = np.concatenate([dataset.train.features, dataset.test.features])
    expected = column.to_numpy_ndarray().reshape(ROWS, -1)
    np.testing.assert_array_equal(seen[np.lexsort(seen.T)], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize(
    ("role", "array", "words"),
    [
        ("who", np.tile([np.inf, 1], 4), "Expected text or finite numbers in column 'who', found inf in row 1."),
        (
            "answer",
            np.tile([1, np.inf], 4),
            "Expected text or finite numbers in column 'answer', found inf in row 2.",
        ),
        ("x", np.tile([1, np.inf], 4), "Expected finite numbers in column 'x', found inf in row 2"),
        ("x", np.array([1, "a"] * 4, object), "Array 'x' of odd.npz holds Python objects"),
        ("who", np.ones(ROWS, complex), "Expected text or numbers in array 'who' of odd.npz, found complex128."),
        ("x", np.zeros(ROWS, [("a", "i4"), ("b", "f8")]), "found [('a', '<i4'), ('b', '<f8')]."),
        ("x", np.zeros(ROWS, "V4"), "found |V4."),
        ("x", np.array(3), "Expected a row an example in array 'x' of odd.npz, found ()."),
        ("x", np.zeros((ROWS, 0)), "found (8, 0)."),
        ("who", np.zeros(ROWS, "S0"), "found none in row 1"),
        ("who", np.array(["NaT"] * ROWS, "M8[s]"), "found none in row 1"),
        ("who", np.arange(ROWS).astype("M8[Y]"), "odd.npz cannot be read as NPZ"),
        (
            "who",
            np.zeros((ROWS, 2)),
            "Expected one value, or one 1 among zeros (one-hot), in each row of column 'who'",
        ),
    ],
)
def test_arrays_of_any_type_are_taken_or_told(tmp_path, home, role, array, words):
    np.savez(tmp_path / "odd.npz", **GOOD | {role: array})
    assert words in refused(tmp_path / "odd.npz", home)


@pytest.mark.parametrize("dtype", [">f8", ">i4", "f2", "g", "?"])
def test_numbers_of_any_width_and_order_are_taken(tmp_path, home, dtype):
    np.savez(tmp_path / "odd.npz", **GOOD | {"x": GOOD["x"].astype(dtype)})
    assert imported(tmp_path / "odd.npz", home).num_features == 1


def described(shape, order=False, descr="'<f8'"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (described((10**12,)), "says that its shape is (1000000000000,), and is cut off after 64 bytes"),
        (described((8, 2**62, 4)), "says that its shape is (8, 4611686018427387904, 4)"),
        (described((8, 10**12), order=True), "says that its shape is (8, 1000000000000)"),
        (described((-8,)), "says that its shape is (-8,)"),
        (described((8, *[1] * 60)), "odd.npz cannot be read as NPZ"),
        (described((8, *[0] * 2000)), "Expected a row an example in array 'x' of odd.npz, found (8, 0"),
        (described((8,), descr="'|O'"), "holds Python objects"),
        (described((8,), descr="[('a', '<f8', (100000000, 100000000))]"), "odd.npz cannot be read as NPZ"),
        (described((8,), descr=f"'{'a' * 9000}'"), "odd.npz cannot be read as NPZ"),
        (f"'{'a' * 9000}'", "odd.npz cannot be read as NPZ"),
        ("{'descr': " + "a" * 9000, "odd.npz cannot be read as NPZ"),
        (" " * 20000, "odd.npz cannot be read as NPZ"),
    ],
)
def test_headers_that_cannot_be(tmp_path, home, header, words):
    path = tmp_path / "odd.npz"
    for version, width in ((b"\1\0", 2), (b"\2\0", 4)):
        np.savez(path, who=GOOD["who"], answer=GOOD["answer"])
        content = io.BytesIO()
        content.write(b"\x93NUMPY" + version)
        content.write((len(header) + 1).to_bytes(width, "little"))
        content.write(f"{header}\n".encode() + bytes(64))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("x.npy", content.getvalue())
        assert words in refused(path, home), version


def test_an_array_that_says_more_than_its_directory_holds(tmp_path, home):
    """The file's own list of its content is wrong: what is there is less."""
    path = tmp_path / "odd.npz"
    np.savez(path, **GOOD | {"x": np.arange(ROWS * 1000.0).reshape(ROWS, 1000)})
    content = path.read_bytes()
    place = content.rindex(b"PK\1\2")  # the last entry of the directory, that of x
    path.write_bytes(content[: place + 20] + (1000).to_bytes(4, "little") + content[place + 24 :])
    assert "odd.npz" in refused(path, home)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, suffix):
    path, rows = tmp_path / f"odd{suffix}", 100_000
    table = {"who": np.arange(rows) % 7, "answer": np.arange(rows) % 2, "x": np.random.default_rng(0).random(rows)}
    if suffix == ".npz":
        np.savez(path, **table)
    elif suffix == ".parquet":
        pyarrow.parquet.write_table(pa.table(table), path)
    else:
        pyarrow.csv.write_csv(pa.table(table), path)
    opened = table_files.open_table(path)
    os.truncate(path, path.stat().st_size // 2 - 3)
    batches = opened.batches(list(table), ["who", "answer"])
    if suffix == ".csv":  # it ends where it ends
        assert sum(len(batch["x"]) for batch, _ in batches) < rows
        return
    with pytest.raises(DatasetError, match=f"odd{suffix} cannot be read as|is cut off"):
        list(batches)


def test_a_first_line_without_an_end_is_not_read_into_memory(tmp_path, home):
    (tmp_path / "odd.csv").write_bytes(b"x" * (1 << 23))
    assert "found no end of its first line" in refused(tmp_path / "odd.csv", home)


@pytest.mark.parametrize("promised", [-1, 10**15, float("inf"), "many", None])
def test_a_promise_that_cannot_be_kept(tmp_path, home, promised):
    import sqlite3
    from contextlib import closing

    path = sqlite_files.write(tmp_path / "odd.sqlite", sqlite_files.writers({"train": 3, "test": 1}))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE client_metadata SET num_examples = ?", [promised])
    assert "odd.sqlite" in refused(path, home)
