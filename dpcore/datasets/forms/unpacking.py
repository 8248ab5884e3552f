"""A file as its reader wants it: unpacked from .gz or .zip, and in UTF-8.

What is unpacked goes to a folder that is given, and is gone afterwards.
"""

import codecs
import errno
import gzip
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from dpcore.datasets.forms import ENDINGS, FORMS, PACKED
from dpcore.datasets.importing.file_errors import check_is_file, reason
from dpcore.errors import DatasetError
from dpcore.language import _

Progress = Callable[[str, float], None]

_CHUNK = 1 << 20
_FREE = 1 << 26  # bytes that are no danger
_RATIO = 200  # times its own size that a file may unpack to beyond that
_TEXT = (*FORMS["CSV"], *FORMS["TSV"], *FORMS["JSON lines"], *FORMS["LEAF's JSON"])


@contextmanager
def plain(path: Path, scratch: Path, progress: Progress) -> Iterator[Path]:
    """Yields the file itself if it is neither packed nor in UTF-16, and else one in a folder in `scratch`.

    Raises:
        DatasetError: If it cannot be unpacked, holds several files, or far more than its size.
    """
    ending = path.suffix.lower()
    packed = ending in PACKED and _is_file(path)
    if not packed and not _in_utf_16(path):
        yield path
        return
    folder = Path(tempfile.mkdtemp(prefix="unpacked-", dir=scratch))
    try:
        inner = path
        if packed:
            with _explained(path), path.open("rb") as raw:
                inner = (_from_gzip if ending == ".gz" else _from_zip)(path, raw, folder, progress)
        yield _recoded(inner, folder, progress) if _in_utf_16(inner) else inner
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_size(path: Path, num_bytes: int) -> None:
    """Checks that what a file holds is not so large beside it that it was made to fill a disk.

    Raises:
        DatasetError: If it is.
    """
    size = path.stat().st_size
    if num_bytes > _FREE + _RATIO * size:
        message = _(
            "{file} has {size:,} bytes and unpacks to more than {ratio} times as much. If that is right, unpack it "
            "yourself, and import what comes out."
        )
        raise DatasetError(message.format(file=path.name, size=size, ratio=_RATIO))


def _is_file(path: Path) -> bool:
    try:
        check_is_file(path)
    except (OSError, ValueError, DatasetError):
        return False  # who reads it will say why
    return True


def _in_utf_16(path: Path) -> bool:
    if path.suffix.lower() not in _TEXT or not _is_file(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    except OSError:
        return False  # who reads it will say why


def _from_gzip(path: Path, raw: BinaryIO, folder: Path, progress: Progress) -> Path:
    with gzip.GzipFile(fileobj=raw) as source:
        return _write(path, raw, source, folder / path.stem, progress)


def _from_zip(path: Path, raw: BinaryIO, folder: Path, progress: Progress) -> Path:
    with zipfile.ZipFile(raw) as archive:
        files = [member for member in archive.infolist() if not member.is_dir() and not _hidden(member.filename)]
        tables = [member for member in files if PurePosixPath(member.filename).suffix.lower() in ENDINGS]
        if len(tables) != 1:
            message = _(
                "Expected one table in {file}, found {count}: {names}. Unpack it, and import the right one."
            )
            names = ", ".join([*(member.filename[:80] for member in files[:5]), *["..."] * (len(files) > 5)])
            raise DatasetError(message.format(file=path.name, count=len(tables), names=names or _("nothing")))
        check_size(path, tables[0].file_size)
        name = PurePosixPath(tables[0].filename).name  # without its folders, which may lead anywhere
        with archive.open(tables[0]) as source:
            return _write(path, raw, source, folder / name, progress)


def _hidden(member: str) -> bool:
    """Whether a file is one that macOS adds."""
    return member.startswith("__MACOSX/") or PurePosixPath(member).name.startswith(".")


def _write(path: Path, raw: BinaryIO, source: IO[bytes] | gzip.GzipFile, target: Path, progress: Progress) -> Path:
    done, size = 0, max(path.stat().st_size, 1)
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            done += len(chunk)
            check_size(path, done)
            file.write(chunk)
            progress(_("Unpacking"), raw.tell() / size)
    return target


def _recoded(path: Path, folder: Path, progress: Progress) -> Path:
    """Writes UTF-16 as UTF-8, under the same name."""
    target, size = folder / "utf-8" / path.name, max(path.stat().st_size, 1)
    target.parent.mkdir()
    try:
        with (
            path.open("rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-16", newline="") as file,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            while text := file.read(_CHUNK):
                out.write(text)
                progress(_("Unpacking"), raw.tell() / size)
    except UnicodeError as err:
        message = _("{file} begins as UTF-16 and goes on as something else. Save it as UTF-8.")
        raise DatasetError(message.format(file=path.name)) from err
    return target


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except DatasetError:
        raise
    except Exception as err:  # nobody can list what libraries raise on bytes that nobody has written on purpose
        if isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # of what is written
        message = _("{file} cannot be unpacked: {reason}. Unpack it yourself, and import what comes out.")
        raise DatasetError(message.format(file=path.name, reason=reason(err).rstrip("."))) from err
