"""Files that no crash and no second writer leaves half written."""

import threading

import pytest

from dpcore import files


def test_who_writes_a_file_at_once_with_others_disturbs_none(tmp_path):
    contents = [bytes([number]) * 100_000 for number in range(4)]
    failed = []

    def write(content):
        try:
            for _ in range(50):
                files.write(tmp_path / "file", content)
                assert (tmp_path / "file").read_bytes() in contents
        except BaseException as err:
            failed.append(err)

    writers = [threading.Thread(target=write, args=[content]) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    files.write(tmp_path / "file", b"before")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write(tmp_path / "file", b"after")
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("file", b"before")]


def test_what_is_private_is_for_its_owner_alone(tmp_path):
    files.write(tmp_path / "file", b"before")
    files.write_private(tmp_path / "file", b"after")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_told_from_a_whole_one(tmp_path):
    files.write_sealed(tmp_path / "file", b"content")
    assert files.read_sealed(tmp_path / "file") == b"content"
    sealed = bytearray((tmp_path / "file").read_bytes())
    sealed[-1] ^= 1
    (tmp_path / "file").write_bytes(sealed)
    assert files.read_sealed(tmp_path / "file") is None
    (tmp_path / "file").write_bytes(sealed[:10])
    assert files.read_sealed(tmp_path / "file") is None


def test_values_come_back_from_a_line_of_json_and_damage_is_told():
    values = {"plan": '{"rounds": 100}', "created": 1.1, "deleted": None, "note": "ε 日本"}
    sealed = files.sealed_json(values)
    assert files.read_json(sealed) == (values, True)
    assert files.read_json(sealed.replace(b"1.1", b"1.2")) == (values | {"created": 1.2}, False)
    assert files.read_json(sealed.replace(b"sha256", b"sha255"))[1] is False
    for nonsense in (b"", sealed[:-10], b"[1]", b"null", b"\xff\x00", b"[" * 100_000):
        assert files.read_json(nonsense) == (None, False)
