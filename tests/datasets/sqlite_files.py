"""Files in TFF's SQLite form, made without TensorFlow."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def record(**values) -> bytes:
    """A serialised tf.train.Example: arrays become float lists, numbers integer lists."""
    features = b""
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            listed = _field(2, _field(1, struct.pack(f"<{value.size}f", *value.ravel())))
        else:
            listed = _field(3, _field(1, _varint(value)))
        features += _field(1, _field(1, name.encode()) + _field(2, listed))
    return _field(1, features)


def write(path: Path, splits: dict[str, dict[str, list[bytes]]], promised: int | None = None) -> Path:
    """Writes records by split and user; the metadata promise as many, or `promised` of each user."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE examples (split_name TEXT, client_id TEXT, serialized_example_proto BLOB)")
        connection.execute("CREATE TABLE client_metadata (client_id TEXT, split_name TEXT, num_examples INTEGER)")
        for split, users in splits.items():
            for user, records in users.items():
                rows = [(split, user, content) for content in records]
                connection.executemany("INSERT INTO examples VALUES (?, ?, ?)", rows)
                count = len(records) if promised is None else promised
                connection.execute("INSERT INTO client_metadata VALUES (?, ?, ?)", (user, split, count))
    return path


def writers(splits: dict[str, int], *, users: int = 4, classes: int = 10, levels: int = 255) -> dict:
    """Random images for `write`: in each split so many examples of each user, pixels in multiples of 1/levels."""
    draw = np.random.default_rng(7)
    return {
        split: {
            f"f{user:04d}_{user % 3}": [
                record(
                    pixels=(draw.integers(0, levels + 1, 784) / levels).astype(np.float32),
                    label=int(draw.integers(classes)),
                )
                for _ in range(count + user)
            ]
            for user in reversed(range(users))
        }
        for split, count in splits.items()
    }
