import gzip
import pickle

import pytest

from dpcore.datasets.forms import recognition
from dpcore.errors import DatasetError
from tests.datasets.forms import small_files


class Boom:
    def __reduce__(self):
        return print, ("it ran",)


PICKLE = pickle.dumps(Boom())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", b"PK\3\4....", "t.xlsx is a workbook. Save its sheet as CSV UTF-8"),
        ("t.XLS", b"\xd0\xcf\x11\xe0....", "t.XLS is a workbook"),
        ("t.csv", b"\xd0\xcf\x11\xe0....", "t.csv is a workbook"),
        ("t.ods", b"PK\3\4....", "t.ods is a workbook"),
        ("t.csv", b"PK\3\4....", "t.csv is a zip file or a workbook by its content"),
        ("t.parquet", b"PK\3\4....", "t.parquet is a zip file or a workbook by its content"),
        ("t.pkl", PICKLE, "t.pkl is a pickle: opening it would run whatever program is in it"),
        ("t.pt", b"PK\3\4....", "t.pt is a pickle"),
        ("t.csv", PICKLE, "t.csv is a pickle"),
        ("t.npz", PICKLE, "t.npz is a pickle"),
        ("t.joblib", b"x", "t.joblib is a pickle"),
        ("t.npy", b"\x93NUMPY", "t.npy is one array. Save users, labels and features in one file"),
        ("t.mat", b"MATLAB 5.0", "t.mat is a file of another program"),
        ("t.tar", b"x", "t.tar is packed in a way that is not read"),
        ("t.csv", gzip.compress(b"x", mtime=0), "t.csv is packed. Let its name end in .csv.gz"),
        ("t.txt", b"who,x", "Expected a file that ends in .parquet, "),
        ("t", b"", "found t."),
    ],
)
def test_what_is_not_read_is_told_with_what_to_do(tmp_path, name, content, message, capsys):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError) as refused:
        recognition.form_of(tmp_path / name)
    assert message in str(refused.value)
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["t", "t.bin", "t.csv", "t.PARQUET"])
def test_content_says_more_than_a_name(tmp_path, name):
    small_files.frame().to_parquet(tmp_path / name)
    assert recognition.form_of(tmp_path / name) == "Parquet"
