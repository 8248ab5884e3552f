"""What an import leaves that was killed: seen, never taken for one that is at work, and gone when that is asked."""

import signal
import subprocess
import sys
import time

import pytest

from dpcore import datasets
from dpcore.datasets import federated, leftovers
from dpcore.datasets.importing.table import Mapping
from dpcore.errors import DatasetError, InvalidValueError
from dpcore.locks import lock

MAPPING = Mapping(user="who", label="kind")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("who,kind,size\n" + "".join(f"p{n % 9},{n % 2},{n}\n" for n in range(90)))
    return path


@pytest.fixture
def importing(tmp_path, home):
    """Starts an import that takes seconds, and stops it in the middle; it can go on, or be killed."""
    path = tmp_path / "large.csv"
    path.write_text("who,kind,size\n" + "".join(f"p{n % 9},{n % 2},{n}\n" for n in range(1000)) * 3000)
    arguments = ("data", "import", path, "--user", "who", "--label", "kind", "--home", home)
    process = subprocess.Popen([sys.executable, "-m", "dpcore", *arguments], stderr=subprocess.DEVNULL)
    rows = home / "datasets" / "imported" / "large.partial" / "rows"
    while not (rows.exists() and rows.stat().st_size) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGSTOP)
    assert process.poll() is None
    yield process
    process.kill()
    process.wait()


def part(home, name="mine", folder="imported"):
    """As an import leaves it that was killed."""
    path = home / "datasets" / folder / f"{name}.partial"
    path.mkdir(parents=True)
    (path / "rows").write_bytes(bytes(3000))
    (path / "train_labels.npy").write_bytes(bytes(500))
    return path


def test_an_import_at_work_is_left_alone_and_a_killed_one_can_be_removed(home, table, importing):
    (seen,) = datasets.unfinished(home)
    assert (seen.name, seen.live) == ("large", True)
    assert "being made right now" in seen.problem
    assert datasets.clear_leftovers(home) == []
    with pytest.raises(DatasetError, match=r"large is being made right now\. Stop that first"):
        datasets.remove("large", home)
    with pytest.raises(
        InvalidValueError, match=r"large is being made right now\. Wait for that, or choose another name"
    ):
        datasets.import_table(table, MAPPING, home, name="large")
    assert datasets.import_table(table, MAPPING, home).num_users == 9  # beside it

    importing.kill()
    importing.wait()
    (seen,) = datasets.unfinished(home)
    assert (seen.name, seen.live, seen.size_bytes > 1000) == ("large", False, True)
    assert "data remove large" in seen.problem
    assert datasets.names(home)[-1] == "own"  # no page offers it
    datasets.remove("large", home)
    assert datasets.unfinished(home) == []
    assert not seen.folder.exists()
    with pytest.raises(InvalidValueError, match="one of"):
        datasets.remove("large", home)


def test_the_next_start_removes_all_that_nobody_is_at_work_on(home):
    mine, writers, live = part(home), part(home, "writers-1", "."), part(home, "theirs")
    unpacked = home / "datasets" / "emnist_all.sqlite.partial"
    unpacked.write_bytes(bytes(2_000_000))
    download = home / "datasets" / "emnist_all.sqlite.lzma.partial"  # goes on from there
    download.write_bytes(bytes(10))
    with lock(federated.lock_of(live.with_suffix("")), wait=True):
        said = datasets.clear_leftovers(home)
    assert said == [
        "Removed what an import that was cut off had left: emnist_all.sqlite, 2 MB.",
        "Removed what an import that was cut off had left: mine, 0 MB.",
        "Removed what an import that was cut off had left: writers-1, 0 MB.",
    ]
    assert [path.exists() for path in (mine, writers, unpacked, live, download)] == [False] * 3 + [True] * 2
    assert datasets.clear_leftovers(home) == ["Removed what an import that was cut off had left: theirs, 0 MB."]


def test_removing_a_data_set_removes_what_is_left_of_another_try(home, table):
    datasets.import_table(table, MAPPING, home, name="mine")
    left = part(home)
    datasets.remove("mine", home)
    assert not left.exists()
    assert datasets.names(home) == datasets.NAMES


def test_a_file_that_was_sent_goes_when_it_was_read(home):
    with datasets.uploaded({"a/../own.csv": memoryview(b"who")}, home) as path:
        assert (path.name, path.read_bytes()) == ("own.csv", b"who")
        assert path.parent.stat().st_mode & 0o77 == 0
        (seen,) = datasets.unfinished(home)
        assert (seen.live, seen.size_bytes) == (True, 3)
        assert datasets.clear_leftovers(home) == []
    assert not [*(home / "datasets" / "imported").iterdir()]
    with pytest.raises(ZeroDivisionError), datasets.uploaded({"own.csv": memoryview(b"who")}, home):
        raise ZeroDivisionError
    assert not [*(home / "datasets" / "imported").iterdir()]


def test_there_may_be_no_home_at_all(home):
    assert datasets.unfinished(home) == []
    assert datasets.clear_leftovers(home) == []
    assert not home.exists()


def test_a_part_that_goes_while_it_is_looked_at(home):
    path = part(home)
    assert leftovers.size_of(path) == 3500
    assert leftovers.size_of(path / "gone") == 0
