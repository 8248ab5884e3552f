"""Files that no crash leaves half written."""

import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Writes a file that is whole or not there, also after a power failure."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk every byte counts
        raise
    to_disk(path.parent)


def to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, would survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
