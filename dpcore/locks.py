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
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


def share(path: Path) -> int:
    """Returns a file descriptor that holds the lock of a file together with all others that share it.

    Waits while `lock` holds it, and keeps `lock` out until `os.close`, or the end of the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor
