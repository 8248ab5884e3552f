"""Downloads that survive a broken line: continued where they stopped, checked, and whole or not there."""

import base64
import hashlib
import lzma
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from dpcore.errors import DatasetError
from dpcore.language import _

Progress = Callable[[str, float], None]

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30
_FRUITLESS_TRIES = 4  # in a row, each without a single new byte
_BROKEN_LINE = (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException, ssl.SSLError)


def fetch(url: str, path: Path, progress: Progress, *, pause_seconds: float = 2.0) -> None:
    """Completes the file `path` from `url`, beginning with what an earlier try left of it.

    Where the server tells the MD5 of the file (Google's does), it is checked; a file that fails is removed.

    Args:
        url: Where the file is.
        path: A name for a partial file: rename it when its content has been checked.
        progress: Told the megabytes that are there.
        pause_seconds: How long to wait after a try that failed.

    Raises:
        DatasetError: If the server refuses, cannot be reached, or sends a damaged file.
        OSError: If the disk is full or forbids it.
    """
    fruitless, reason = 0, ""
    while fruitless < _FRUITLESS_TRIES:
        before = _size(path)
        try:
            if _one_try(url, path, progress):
                return
            reason = _("the connection was closed too early")
        except urllib.error.HTTPError as err:
            err.close()
            if err.code == 416:  # the partial file is longer than the file: it is of another one
                path.unlink()
            elif err.code < 500:
                raise DatasetError(
                    _("The server answered {code} {reason}").format(code=err.code, reason=err.reason)
                ) from err
            reason = _("the server answered {code} {reason}").format(code=err.code, reason=err.reason)
        except _BROKEN_LINE as err:
            reason = str(getattr(err, "reason", err))
        fruitless = 0 if _size(path) > before else fruitless + 1
        if fruitless:
            time.sleep(pause_seconds)
    raise DatasetError(reason[:1].upper() + reason[1:])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _one_try(url: str, path: Path, progress: Progress) -> bool:
    """Adds to the file what it lacks; returns whether it is then whole."""
    have = _size(path)
    # The last byte again: a range that begins at the end of a whole file would be refused.
    wanted = {"Range": f"bytes={have - 1}-"} if have else {}
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", **wanted})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        begin, total = _extent(response)
        if begin not in (0, have - 1):
            raise HTTPException(_("byte {found} where {wanted} was asked for").format(found=begin, wanted=have - 1))
        with path.open("r+b" if begin else "wb") as file:  # a server that ignores ranges begins again
            file.seek(begin)
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                what = (
                    _("Downloading ({done:.0f} of {total:.0f} MB)") if total else _("Downloading ({done:.0f} MB)")
                )
                done = file.tell()
                progress(what.format(done=done / 1e6, total=(total or 0) / 1e6), done / total if total else 0.0)
        if total is not None and _size(path) < total:
            return False
        found = re.search(r"md5=([\w+/=]+)", response.headers.get("x-goog-hash", ""))
    if found and base64.b64decode(found[1]) != _md5(path):
        path.unlink()
        raise DatasetError(_("What was downloaded is damaged (its MD5 is not the server's). Try again."))
    return True


def _extent(response) -> tuple[int, int | None]:
    """Returns the position of a response's first byte, and the whole file's size if the server tells it."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if not found:
            raise HTTPException(_("a partial answer that does not say which part it is"))
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _md5(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def unpack(source: Path, target: Path, progress: Progress) -> None:
    """Decompresses an LZMA file, in bounded memory.

    Raises:
        DatasetError: If it is cut off or damaged.
    """
    size = source.stat().st_size
    try:
        with source.open("rb") as packed, lzma.open(packed) as content, target.open("wb") as out:
            while chunk := content.read(8 * _CHUNK):
                out.write(chunk)
                progress(_("Unpacking"), packed.tell() / size)
    except (lzma.LZMAError, EOFError) as err:
        raise DatasetError(
            _("{file} is cut off or damaged: {reason}").format(file=source.name, reason=err)
        ) from err
