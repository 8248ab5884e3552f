"""Locks between processes that no crash can leave behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lock(path: Path, *, wait: bool) -> Iterator[bool]:
    """Holds the lock of a file for the block; yields whether it was to be had (always, if `wait`).

    The kernel drops it when the process ends, however it ends. The file and its folder are made if missing.
    """
    descriptor = _locked(path, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def share(path: Path) -> int:
    """Returns a file descriptor that holds the lock of a file together with all others that share it.

    Waits while `lock` holds it, and keeps `lock` out until `os.close`, or the end of the process.
    """
    descriptor = _opened(path)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def take(path: Path) -> int | None:
    """Returns a file descriptor that holds the lock of a file; `None` where another holds it.

    A child process that inherits the descriptor holds the lock as well: it is free when all who have it ended.
    """
    return _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of a file. Makes no file, and keeps no other out but for an instant."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(path: Path, how: int) -> int | None:
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
