"""Files that no crash leaves half written."""

import hashlib
import os
import uuid
from pathlib import Path

_DIGEST_BYTES = hashlib.sha256().digest_size


def write(path: Path, content: bytes) -> None:
    """Writes a file that is whole or not there, also after a power failure and with others who write it at once."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
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


def write_sealed(path: Path, content: bytes) -> None:
    """As `write`, with a digest before the content that tells of damage."""
    write(path, hashlib.sha256(content).digest() + content)


def read_sealed(path: Path) -> bytes | None:
    """Returns what `write_sealed` wrote; `None` if it is damaged.

    Raises:
        FileNotFoundError: If there is none.
    """
    sealed = path.read_bytes()
    digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
    return content if digest == hashlib.sha256(content).digest() else None


def to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, would survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
