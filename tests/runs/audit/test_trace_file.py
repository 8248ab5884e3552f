"""The file of an audit: written round by round, over and over, and read while it is written."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dpcore.errors import CheckpointError, StoreError
from dpcore.learning.canaries import Canaries, RoundTrace
from dpcore.rng import Streams, stream
from dpcore.runs.audit import trace_file
from dpcore.runs.audit.trace_file import Header, TraceWriter

CANARIES = Canaries(16, [(30, 10), (10,)], Streams(0, "a run"))
HEADER = Header.of(CANARIES)


def round_of(number: int) -> RoundTrace:
    draw = stream(0, "round", number)
    return RoundTrace(
        projections=draw.standard_normal(HEADER.directions, np.float32),
        joined=draw.random(32) < 0.5,
        clip_norm=0.1 / number,
        layer_scale=draw.random(2),
    )


def write(path, numbers):
    writer = TraceWriter(path, HEADER)
    for number in numbers:
        writer.write(number, round_of(number))
    writer.to_disk()
    writer.close()


def test_rounds_come_back_as_they_were(tmp_path):
    write(tmp_path / "audit", range(1, 6))
    header, rounds = trace_file.read(tmp_path / "audit", 4)  # one more is there than has been shown
    assert header == HEADER
    assert np.array(header.run_coins).tolist() == CANARIES.run_coins.tolist()
    assert len(rounds) == 4
    for number, found in enumerate(rounds, start=1):
        planned = round_of(number)
        assert found.clip_norm == planned.clip_norm
        for name in ("projections", "joined", "layer_scale"):
            assert (getattr(found, name) == getattr(planned, name)).all()
    assert (tmp_path / "audit").stat().st_size == 4096 + 5 * HEADER.record.itemsize
    assert (tmp_path / "audit").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("left", [0, 3, 4096, 4100, 4096 + HEADER.record.itemsize, -1])
def test_wherever_it_was_cut_it_ends_with_the_same_bytes(tmp_path, left):
    """As a kill in the middle of a write leaves it, or a power failure."""
    write(tmp_path / "whole", range(1, 6))
    path = tmp_path / "cut"
    path.write_bytes((tmp_path / "whole").read_bytes()[:left])
    writer = TraceWriter(path, HEADER)
    there = next(number for number in range(6, -1, -1) if number <= 5 and writer.has(number))
    assert there == {0: 0, 3: 0, 4096: 0, 4100: 0, 4096 + HEADER.record.itemsize: 1, -1: 4}[left]
    writer.close()
    write(path, range(max(1, there), 6))  # the last one is drawn again
    assert path.read_bytes() == (tmp_path / "whole").read_bytes()


def test_another_release_of_a_round_is_not_written_over_the_first(tmp_path):
    write(tmp_path / "audit", range(1, 4))
    before = (tmp_path / "audit").read_bytes()
    writer = TraceWriter(tmp_path / "audit", HEADER)
    with pytest.raises(CheckpointError, match=r"^Expected round 2 to come out as it did before the interruption"):
        writer.write(2, replace(round_of(2), clip_norm=0.2))
    writer.close()
    assert (tmp_path / "audit").read_bytes() == before


def test_a_damaged_file_is_said_to_be_one(tmp_path):
    path = tmp_path / "audit"
    with pytest.raises(
        StoreError, match=r"^Expected what the audit of .* has kept of its rounds, found nothing: it was removed\."
    ):
        trace_file.read(path, 1)
    write(path, range(1, 4))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert len(trace_file.read(path, 2)[1]) == 2
    with pytest.raises(
        StoreError, match=r"^Expected round 3 of the audit of .* as it was written, found it damaged"
    ):
        trace_file.read(path, 3)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match="round 4"):
        trace_file.read(path, 9)
    for odd in (b"", b"[]", b"7", b"{}", json.dumps(vars(HEADER) | {"version": 2, "run_coins": ""}).encode()):
        path.write_bytes(odd)
        with pytest.raises(StoreError, match="found a damaged file: "):
            trace_file.read(path, 1)


def test_no_byte_of_its_beginning_can_be_another(tmp_path):
    """A coin that is turned over, or a layer of another size, would ring an alarm or hide one."""
    path = tmp_path / "audit"
    write(path, [1])
    whole = path.read_bytes()
    for place in range(0, 4096, 5):
        for other in {whole[place] ^ 1, ord("[")} - {whole[place]}:
            path.write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
            with pytest.raises(StoreError, match="found a damaged file: "):
                trace_file.read(path, 1)
    path.write_bytes(b"[" * 5_000)
    with pytest.raises(StoreError, match="found a damaged file: "):
        trace_file.read(path, 1)


def test_a_file_of_other_canaries_is_begun_anew(tmp_path):
    write(tmp_path / "audit", range(1, 4))
    other = Header.of(Canaries(16, [(30, 10), (10,)], Streams(1, "another")))
    writer = TraceWriter(tmp_path / "audit", other)
    assert not writer.has(1)
    writer.close()
    assert (tmp_path / "audit").read_bytes() == other.to_bytes()


def test_a_round_takes_what_is_promised():
    most = Header(canaries=2048, directions=8192, layer_sizes=(1,) * 8, run_coins=(True,) * 2048)
    assert most.record.itemsize < 34_000
    assert len(most.to_bytes()) == 4096
    assert Header.from_bytes(most.to_bytes()) == most
