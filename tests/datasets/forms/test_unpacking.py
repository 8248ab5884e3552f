import gzip
import io
import zipfile

import pytest

from dpcore.datasets.forms import unpacking
from dpcore.datasets.importing import table_files
from dpcore.errors import DatasetError

ROWS = "who,x,y\n" + "".join(f"u{n},{n},{'ab'[n % 2]}\n" for n in range(9))


def names(path, scratch):
    with table_files.opened(path, scratch) as table:
        return [column.name for column in table.columns]


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return path


def refused(path, tmp_path):
    (scratch := tmp_path / "scratch").mkdir(exist_ok=True)
    with pytest.raises(DatasetError) as error:
        names(path, scratch)
    assert list(scratch.iterdir()) == []
    return str(error.value)


def test_what_is_unpacked_is_gone_afterwards(tmp_path):
    (scratch := tmp_path / "scratch").mkdir()
    path = zipped(tmp_path / "t.zip", data_dot_csv=ROWS)
    with table_files.opened(path, scratch) as table:
        assert [file.name for file in scratch.rglob("*.csv")] == ["data.csv"]
        assert [len(batch["who"]) for batch, _ in table.batches(["who"])] == [9]
    assert list(scratch.iterdir()) == []


def test_progress_is_told(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(ROWS.encode())
    said = []
    with table_files.opened(tmp_path / "t.csv.gz", tmp_path, lambda *told: said.append(told)):
        assert said == [("Unpacking", 1.0)]


def test_names_of_members_lead_nowhere(tmp_path):
    (scratch := tmp_path / "deep" / "scratch").mkdir(parents=True)
    assert names(zipped(tmp_path / "t.zip", **{"..__..__..__evil_dot_csv": ROWS}), scratch) == ["who", "x", "y"]
    assert not list(tmp_path.rglob("evil.csv"))


@pytest.mark.parametrize("bom", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".csv.gz", ".zip"])
def test_utf_16_is_read_by_its_mark(tmp_path, bom, ending):
    text = '{"who": "Zoë", "x": 1}\n' if ending == ".jsonl" else ROWS.replace("u1", "Zoë")
    content = (text if bom == "utf-16" else "\ufeff" + text).encode(bom)
    path = tmp_path / f"t{ending}"
    if ending == ".zip":
        zipped(path, t_dot_csv=content)
    elif ending == ".csv.gz":
        path.write_bytes(gzip.compress(content))
    else:
        path.write_bytes(content)
    with table_files.opened(path, tmp_path) as table:
        assert "Zoë" in next(table.batches(["who"]))[0]["who"].to_pylist()


def test_utf_16_that_goes_on_as_something_else(tmp_path):
    (tmp_path / "t.csv").write_bytes(ROWS.encode("utf-16") + b"\xd8")
    assert "begins as UTF-16 and goes on as something else" in refused(tmp_path / "t.csv", tmp_path)


def test_what_is_packed_to_fill_a_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_FREE", 1 << 10)
    big = b"u,1,a\n" * (1 << 18)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"who,x,y\n" + big))
    assert "unpacks to more than 200 times as much" in refused(tmp_path / "t.csv.gz", tmp_path)
    zipped(tmp_path / "t.zip", t_dot_csv=b"who,x,y\n" + big)
    assert "unpacks to more than 200 times as much" in refused(tmp_path / "t.zip", tmp_path)


def test_files_that_cannot_be_unpacked(tmp_path):
    good = gzip.compress(ROWS.encode())
    for name, content, message in (
        ("t.csv.gz", good[:-9], "t.csv.gz cannot be unpacked"),
        ("t.csv.gz", b"who,x,y\n", "t.csv.gz cannot be unpacked: Not a gzipped file"),
        ("t.csv.gz", b"", "is empty"),
        ("t.gz", good, "Expected a file that ends in .parquet"),
        ("t.csv", good, "t.csv is packed. Let its name end in .csv.gz"),
        ("t.zip", b"PK\3\4", "t.zip cannot be unpacked"),
    ):
        (tmp_path / name).write_bytes(content)
        assert message in refused(tmp_path / name, tmp_path)
    assert "t.zip, found 0: nothing" in refused(zipped(tmp_path / "t.zip"), tmp_path)
    assert "t.zip, found 0: a.txt" in refused(zipped(tmp_path / "t.zip", a_dot_txt="x"), tmp_path)
    two = zipped(tmp_path / "t.zip", a_dot_csv=ROWS, b_dot_parquet=b"")
    assert "found 2: a.csv, b.parquet. Unpack it, and import the right one" in refused(two, tmp_path)


def test_a_locked_zip_is_told(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("t.csv", ROWS)
    locked = bytearray(buffer.getvalue())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(signature) + place] |= 1  # says that it is encrypted
    (tmp_path / "t.zip").write_bytes(locked)
    assert "password required" in refused(tmp_path / "t.zip", tmp_path)


def test_what_is_not_there_is_told(tmp_path):
    for name in ("t.csv.gz", "t.zip", "t.csv"):
        assert "No such file" in refused(tmp_path / name, tmp_path)
