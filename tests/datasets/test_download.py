import lzma
import os

import pytest

from dpcore.datasets import download
from dpcore.errors import DatasetError
from tests.datasets.file_server import Served, serving

CONTENT = os.urandom(3_000_000)


def fetch(served, path, progress=lambda what, fraction: None):
    with serving(served):
        download.fetch(served.url, path, progress, pause_seconds=0)


def test_a_whole_file_arrives_with_its_progress(tmp_path):
    seen = []
    fetch(Served(CONTENT, md5_of=CONTENT), tmp_path / "f", lambda what, fraction: seen.append((what, fraction)))
    assert (tmp_path / "f").read_bytes() == CONTENT
    fractions = [fraction for _, fraction in seen]
    assert fractions == sorted(fractions)
    assert seen[-1] == ("Downloading (3 of 3 MB)", 1.0)


def test_a_broken_line_is_taken_up_where_it_broke(tmp_path):
    served = Served(CONTENT, cut=[1_000_000, 0, 500_001], md5_of=CONTENT)
    fetch(served, tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert served.asked == [None, "bytes=999999-", "bytes=999999-", "bytes=1499999-"]


def test_a_later_call_continues_an_earlier_one(tmp_path):
    with pytest.raises(DatasetError, match="closed too early"):
        fetch(Served(CONTENT, cut=[1_000_000] + [0] * 20), tmp_path / "f")
    served = Served(CONTENT)
    fetch(served, tmp_path / "f")
    assert served.asked == ["bytes=999999-"]
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_begins_again(tmp_path):
    (tmp_path / "f").write_bytes(CONTENT[:1_000_000])
    fetch(Served(CONTENT, ranges=False), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_whole_partial_file_is_not_downloaded_again(tmp_path):
    (tmp_path / "f").write_bytes(CONTENT)
    served = Served(CONTENT, md5_of=CONTENT)
    fetch(served, tmp_path / "f")
    assert served.asked == [f"bytes={len(CONTENT) - 1}-"]
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_what_is_left_of_another_longer_file_is_forgotten(tmp_path):
    (tmp_path / "f").write_bytes(CONTENT + b"more")
    fetch(Served(CONTENT), tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_parts_of_two_files_are_not_taken_for_one(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * 1_000_000)
    with pytest.raises(DatasetError, match="MD5"):
        fetch(Served(CONTENT, md5_of=CONTENT), tmp_path / "f")
    assert not (tmp_path / "f").exists()
    fetch(Served(CONTENT, md5_of=CONTENT), tmp_path / "f")


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (500, 4)])
def test_a_server_that_refuses(tmp_path, status, tries):
    served = Served(CONTENT, status=status)
    with pytest.raises(DatasetError, match=f"The server answered {status}"):
        fetch(served, tmp_path / "f")
    assert len(served.asked) == tries


def test_nobody_there(tmp_path):
    with serving(Served(CONTENT)) as served:
        pass
    with pytest.raises(DatasetError, match="Connection refused"):
        download.fetch(served.url, tmp_path / "f", lambda what, fraction: None, pause_seconds=0)


@pytest.mark.parametrize("form", [lzma.FORMAT_ALONE, lzma.FORMAT_XZ])
def test_unpacking(tmp_path, form):
    packed = lzma.compress(CONTENT, format=form)
    (tmp_path / "p").write_bytes(packed)
    seen = []
    download.unpack(tmp_path / "p", tmp_path / "u", lambda what, fraction: seen.append(fraction))
    assert (tmp_path / "u").read_bytes() == CONTENT
    assert seen[-1] == 1
    for damaged in (packed[:-100_000], b"", b"not packed" * 100):
        (tmp_path / "p").write_bytes(damaged)
        with pytest.raises(DatasetError, match="cut off or damaged"):
            download.unpack(tmp_path / "p", tmp_path / "u", lambda what, fraction: None)
