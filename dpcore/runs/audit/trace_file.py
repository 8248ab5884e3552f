"""What an audited run keeps of its rounds: one file of records of one size, each round's at its own place.

A round that is drawn again writes the same bytes over those that are there, so a run that was killed and resumed ends
with the same file. Nothing is in it but functions of what the rounds released and of the canaries' coins.
"""

import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dpcore.errors import StoreError
from dpcore.language import _
from dpcore.learning.canaries import Canaries, RoundTrace
from dpcore.rounds import second_release

FILE = "audit"
_VERSION = 1
_HEADER_BYTES, _CHECK_BYTES = 4096, 4


@dataclass(frozen=True, kw_only=True)
class Header:
    """What is the same for all rounds of a run.

    Attributes:
        canaries: How many there are of the run, and as many of the rounds.
        directions: How many projections a round has.
        layer_sizes: Of how many differences the scale of each layer's kernel and bias is made.
        run_coins: Of the canaries of the run, those that are in: bool [canaries].
    """

    canaries: int
    directions: int
    layer_sizes: tuple[int, ...]
    run_coins: tuple[bool, ...]

    @classmethod
    def of(cls, canaries: Canaries) -> "Header":
        return cls(
            canaries=len(canaries.run_coins),
            directions=canaries.directions.count,
            layer_sizes=tuple(canaries.layer_sizes),
            run_coins=tuple(canaries.run_coins.tolist()),
        )

    @property
    def record(self) -> np.dtype[np.void]:
        """A round as bytes; `check` is a CRC-32 of all that follows it."""
        return np.dtype(
            [
                ("check", "<u4"),
                ("round", "<u4"),
                ("clip_norm", "<f8"),
                ("layer_scale", "<f8", (len(self.layer_sizes),)),
                ("joined", "u1", (-(-2 * self.canaries // 8),)),
                ("projections", "<f4", (self.directions,)),
            ]
        )

    def to_bytes(self) -> bytes:
        coins = np.packbits(np.array(self.run_coins, bool)).tobytes().hex()
        values = vars(self) | {"version": _VERSION, "run_coins": coins}
        said = json.dumps(values, sort_keys=True).encode().ljust(_HEADER_BYTES - _CHECK_BYTES)
        return zlib.crc32(said).to_bytes(_CHECK_BYTES, "little") + said

    @classmethod
    def from_bytes(cls, content: bytes) -> "Header":
        """Reads what `to_bytes` wrote.

        Raises:
            ValueError: If it is something else.
        """
        said = content[_CHECK_BYTES:]
        if content[:_CHECK_BYTES] != zlib.crc32(said).to_bytes(_CHECK_BYTES, "little"):
            raise ValueError("its beginning is not as it was written")  # coins that are wrong would ring, or hide
        values: dict[str, Any] = json.loads(said)
        if values.pop("version") != _VERSION:
            raise ValueError("another version")
        bits = np.frombuffer(bytes.fromhex(values["run_coins"]), np.uint8)
        values["run_coins"] = tuple(np.unpackbits(bits, count=values["canaries"]).astype(bool).tolist())
        return cls(**values | {"layer_sizes": tuple(values["layer_sizes"])})


class TraceWriter:
    """Writes the rounds of a run as they come."""

    def __init__(self, path: Path, header: Header):
        self._record = header.record
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b")
        if self._file.read(_HEADER_BYTES) != header.to_bytes():  # a new one, or not this run's
            self._file.truncate(0)
            self._file.seek(0)
            self._file.write(header.to_bytes())
            self._file.flush()

    def has(self, rounds: int) -> bool:
        """Whether the first so many rounds are there, and whole."""
        self._file.seek(_HEADER_BYTES)
        content = self._file.read(rounds * self._record.itemsize)
        return _broken(content, self._record, rounds) is None

    def write(self, round_num: int, trace: RoundTrace) -> None:
        """Writes a round, from 1, at its place: for others to see, if not yet for a power failure to spare.

        Raises:
            CheckpointError: If another one is there, which somebody may have seen.
        """
        row = np.zeros((), self._record)
        row["round"], row["clip_norm"], row["layer_scale"] = round_num, trace.clip_norm, trace.layer_scale
        row["joined"], row["projections"] = np.packbits(trace.joined), trace.projections
        row["check"] = _check(row.tobytes())
        place, size = _HEADER_BYTES + (round_num - 1) * self._record.itemsize, self._record.itemsize
        self._file.seek(place)
        there = self._file.read(size)
        if _is_whole(there, self._record, round_num) and there != row.tobytes():
            raise second_release(round_num)
        self._file.seek(place)
        self._file.write(row.tobytes())
        self._file.flush()

    def to_disk(self) -> None:
        """Waits until what is written would survive a power failure."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read(path: Path, rounds: int) -> tuple[Header, list[RoundTrace]]:
    """Returns what is the same for all rounds, and the first so many of them.

    Raises:
        StoreError: If they are not there, or not as they were written.
    """
    try:
        with path.open("rb") as file:
            header = Header.from_bytes(file.read(_HEADER_BYTES))
            content = file.read(rounds * header.record.itemsize)
    except FileNotFoundError:
        message = _("Expected what the audit of {run} has kept of its rounds, found nothing: it was removed.")
        raise StoreError(message.format(run=path.parent.name)) from None
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        message = _("Expected what the audit of {run} has kept of its rounds, found a damaged file: {reason}.")
        raise StoreError(message.format(run=path.parent.name, reason=err)) from err
    broken = _broken(content, header.record, rounds)
    if broken is not None:
        message = _("Expected round {number} of the audit of {run} as it was written, found it damaged or missing.")
        raise StoreError(message.format(number=broken, run=path.parent.name))
    rows = np.frombuffer(content, header.record)
    joined = np.unpackbits(rows["joined"], axis=1, count=2 * header.canaries).astype(bool)
    return header, [
        RoundTrace(
            projections=row["projections"],
            joined=came,
            clip_norm=float(row["clip_norm"]),
            layer_scale=row["layer_scale"],
        )
        for row, came in zip(rows, joined, strict=True)
    ]


def _check(row: bytes) -> int:
    return zlib.crc32(row[4:])


def _broken(content: bytes, record: np.dtype[np.void], rounds: int) -> int | None:
    """Returns the first round, from 1, that is not there whole; `None` where all are."""
    size = record.itemsize
    parts = (content[number * size : (number + 1) * size] for number in range(rounds))
    return next((n for n, part in enumerate(parts, start=1) if not _is_whole(part, record, n)), None)


def _is_whole(content: bytes, record: np.dtype[np.void], round_num: int) -> bool:
    if len(content) < record.itemsize:
        return False
    row = np.frombuffer(content, record)[0]
    return bool(row["round"] == round_num and row["check"] == _check(content))
