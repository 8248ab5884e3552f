"""What a process that was killed has left of a data set that it made, or of a file that was sent: its users' rows."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dpcore.datasets import federated
from dpcore.locks import is_held, lock

_ENDING = ".partial"
_RESUMED = ".lzma.partial"  # a download, which goes on from there


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A part of a data set that is being made, or that nobody makes any more.

    Attributes:
        name: What the data set would be called.
        path: Where the part is.
        size_bytes: What it takes on disk.
        live: Whether a process is at work on it right now.
    """

    name: str
    path: Path
    size_bytes: int
    live: bool


def size_of(path: Path) -> int:
    """Returns the bytes of a file, or of a folder of files, as many as are there by now."""
    total = 0
    with suppress(OSError):
        for part in path.rglob("*") if path.is_dir() else [path]:
            with suppress(OSError):  # it may just be going
                total += part.stat().st_size if not part.is_dir() else 0
    return total


def parts(root: Path) -> list[Leftover]:
    """Returns all parts under the folder of data sets, in the order of their names."""
    parts = [path for folder in (root, root / "imported") for path in folder.glob(f"*{_ENDING}")]
    return [
        Leftover(
            name=path.name.removesuffix(_ENDING), path=path, size_bytes=size_of(path), live=is_held(_lock_of(path))
        )
        for path in sorted(parts)
        if not path.name.endswith(_RESUMED)
    ]


def clear(root: Path, name: str | None = None) -> list[Leftover]:
    """Removes the parts that nobody is at work on; returns what there was of them.

    Args:
        root: The folder of data sets.
        name: That of one data set alone; `None` is all.
    """
    removed = []
    for left in parts(root):
        if name is not None and left.name != name:
            continue
        with lock(_lock_of(left.path), wait=False) as free:
            if free and left.path.exists():
                remove(left.path)
                removed.append(left)
    return removed


def remove(path: Path) -> None:
    """Removes a file, or a folder with all that is in it.

    Raises:
        OSError: If the disk does not allow it.
    """
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def uploaded(root: Path, files: dict[str, memoryview]) -> Iterator[Path]:
    """Yields the file that somebody has sent, or the folder of several; they go after the block, or are `parts` if there
    is no time for that."""
    folder = root / "imported" / f"upload-{uuid.uuid4().hex[:12]}{_ENDING}"
    with lock(_lock_of(folder), wait=True):
        try:
            with federated.disk_errors(folder):
                folder.mkdir(parents=True, mode=0o700)
                for name, content in files.items():
                    (folder / name).write_bytes(content)
            yield folder if len(files) > 1 else folder / next(iter(files))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)


def _lock_of(part: Path) -> Path:
    return federated.lock_of(part.with_name(part.name.removesuffix(_ENDING)))
