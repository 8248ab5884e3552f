"""Weights out of an NPZ file that somebody else wrote: named arrays of numbers, and nothing that runs."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import excerpt
from dpcore.runs.audit.manifest import MOST_COORDINATES, check_layers

_MOST_ARRAYS = 4096
_ENDING = ".npy"
# What reading of a broken, packed or locked archive raises, or of an array that is none.
_TROUBLE = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    SyntaxError,
    KeyError,
)


def layers(file: BinaryIO, name: str) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each array by its name, in the order of the file; of the numbers, none is read.

    Args:
        file: An NPZ file.
        name: What it is, for a refusal.

    Raises:
        InvalidValueError: If it is no such file.
    """
    found = {}
    with _archive(file, name) as archive:
        for member in archive.infolist():
            with archive.open(member) as content:
                found[_array_name(member, name)] = _header(content, name)[0]
    check_layers(found)
    return found


def read(file: BinaryIO, name: str, wanted: dict[str, tuple[int, ...]]) -> NDArray[np.float32]:
    """Returns the numbers of some arrays, one after the other: float32 [size].

    Args:
        file: An NPZ file.
        name: What it is, for a refusal.
        wanted: The shape of each array by its name, in their order.

    Raises:
        InvalidValueError: If it is no such file, lacks one or has another, or one has another shape or is not finite.
    """
    parts = {}
    with _archive(file, name) as archive:
        for member in archive.infolist():
            array = _array_name(member, name)
            with archive.open(member) as content:
                shape, of_columns, kind = _header(content, name)
                if array not in wanted or shape != wanted[array]:
                    raise _other(name, wanted, array, shape)
                parts[array] = _numbers(content, name, shape, of_columns, kind)
    for array in wanted:
        if array not in parts:
            raise _other(name, wanted, array, None)
    flat = np.concatenate([parts[array].ravel() for array in wanted])
    if not np.isfinite(flat).all():
        message = _("Expected finite weights in {file}, found infinite ones or no numbers.")
        raise InvalidValueError(name, message.format(file=name))
    return np.asarray(flat, np.float32)


@contextmanager
def _archive(file: BinaryIO, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
            if not 0 < len(members) <= _MOST_ARRAYS or len(set(members)) < len(members):
                message = _("Expected {file} to have 1 to {most:,} arrays, each of another name, found {number:,}.")
                raise InvalidValueError(name, message.format(file=name, most=_MOST_ARRAYS, number=len(members)))
            yield archive
    except _TROUBLE as err:
        raise _no_file(name, f"{type(err).__name__}.") from err


def _array_name(member: zipfile.ZipInfo, name: str) -> str:
    if not member.filename.endswith(_ENDING):
        raise _no_file(name, f"{excerpt(member.filename)}.")
    return member.filename.removesuffix(_ENDING)


def _no_file(name: str, reason: str) -> InvalidValueError:
    message = _(
        "Expected {file} to be a file that numpy.savez writes, of arrays of floats by their names: {reason}"
    )
    return InvalidValueError(name, message.format(file=name, reason=reason))


def _other(
    name: str, wanted: dict[str, tuple[int, ...]], array: str, shape: tuple[int, ...] | None
) -> InvalidValueError:
    message = _("Expected {file} to have the manifest's layers, {array} of shape {wanted}, found {shape}.")
    words = {"wanted": wanted.get(array, _("none")), "shape": _("none") if shape is None else shape}
    return InvalidValueError(name, message.format(file=name, array=excerpt(array), **words))


def _header(content: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Returns an array's shape, whether its columns come first, and its type: floats of 2 to 8 bytes, and no objects."""
    npy: Any = np.lib.format  # which says no types
    reads = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, of_columns, kind = reads[npy.read_magic(content)](content)
    if kind.kind != "f" or kind.itemsize > 8:
        raise _no_file(name, f"{kind}.")
    if any(side < 0 for side in shape) or math.prod(shape) > MOST_COORDINATES:
        raise _no_file(name, f"{shape}.")
    return shape, of_columns, kind


def _numbers(
    content: IO[bytes], name: str, shape: tuple[int, ...], of_columns: bool, kind: np.dtype[np.generic]
) -> NDArray[np.float32]:
    wanted = math.prod(shape) * kind.itemsize
    raw = content.read(wanted)
    if len(raw) != wanted:
        raise EOFError
    with np.errstate(over="ignore"):  # what float32 has no number for is refused as not finite
        numbers = np.frombuffer(raw, kind).astype(np.float32)
    found: NDArray[np.float32] = numbers.reshape(shape, order="F" if of_columns else "C")
    return found
