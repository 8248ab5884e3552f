"""Files that no crash leaves half written."""

import functools
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

_DIGEST_BYTES = hashlib.sha256().digest_size
_DIGEST = "sha256"
_JSON = json.JSONEncoder(default=repr)  # a damaged table may hold bytes where it should hold a number


def write(path: Path, content: bytes) -> None:
    """Writes a file that is whole or not there, also after a power failure and with others who write it at once."""
    _write(path, content, lasting=True, mode=0o666)


def write_private(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """As `write`, for its owner's eyes alone.

    Without `lasting`, a power failure soon after may leave it empty: for what could be written once more.
    """
    _write(path, content, lasting=lasting, mode=0o600)


def _write(path: Path, content: bytes, *, lasting: bool, mode: int) -> None:
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with open(partial, "wb", opener=functools.partial(os.open, mode=mode)) as file:
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk every byte counts
        raise
    if lasting:
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


def digest(values: dict[str, Any]) -> str:
    """Returns the SHA-256 of what values say, as JSON in their order."""
    return hashlib.sha256(_text(values).encode()).hexdigest()


def sealed_json(values: dict[str, Any]) -> bytes:
    """Returns values as a line of JSON with their digest in it, which tells of damage."""
    text = _text(values)
    return f'{text[:-1]}, "{_DIGEST}": "{hashlib.sha256(text.encode()).hexdigest()}"}}\n'.encode()


def read_json(content: bytes) -> tuple[dict[str, Any] | None, bool]:
    """Returns what a line of JSON says without its digest, or `None` where it is none; and whether the digest is right.

    >>> read_json(sealed_json({"budget": 8.0}))
    ({'budget': 8.0}, True)
    """
    try:
        values = json.loads(content)
        found = values.pop(_DIGEST, None)
        return values, found == digest(values)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None, False


def _text(values: dict[str, Any]) -> str:
    return _JSON.encode(values)


def to_disk(path: Path) -> None:
    """Waits until a file, or the names in a folder, would survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
