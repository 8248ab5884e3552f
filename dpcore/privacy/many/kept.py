"""What was computed once, for whoever asks again, under a name of all that it depends on.

Where it is kept, whoever opens a home says (`keep_in`); without that, nothing is. What is found is what was kept, or
nothing.
"""

import functools
import hashlib
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

_LIBRARIES = ("dp-accounting", "numpy", "scipy")
_HERE = Path(__file__).parent


class Keeper(Protocol):
    """Where answers are kept."""

    def find(self, name: bytes) -> bytes | None:
        """Returns what was kept under a name, whole; else `None`."""
        ...

    def keep(self, answers: Mapping[bytes, bytes]) -> None:
        """Keeps answers under their names, if it can."""
        ...


class _Nowhere:
    def find(self, name: bytes) -> bytes | None:
        return None

    def keep(self, answers: Mapping[bytes, bytes]) -> None:
        return None


_keeper: Keeper = _Nowhere()


def keep_in(keeper: Keeper | None) -> None:
    """Lets this process keep its answers there from now on; `None`: nowhere."""
    global _keeper
    _keeper = _Nowhere() if keeper is None else keeper


def anywhere() -> bool:
    """Whether anything is kept: who only accounts need not ask for names."""
    return not isinstance(_keeper, _Nowhere)


def find(name: bytes) -> bytes | None:
    """Returns what was kept under a name, if it was."""
    return _keeper.find(name)


def keep(answers: Mapping[bytes, bytes]) -> None:
    """Keeps answers under their names."""
    if answers:
        _keeper.keep(answers)


def name(*parts: bytes) -> bytes:
    """Returns the name of what follows from these, from this program's accountants and from their libraries.

    >>> len(name(b"rounds", b"delta"))
    32
    """
    lengths = b"".join(len(part).to_bytes(8, "big") for part in parts)
    return hashlib.sha256(accountants().encode() + lengths + b"".join(parts)).digest()


@functools.cache
def accountants() -> str:
    """Returns a digest of the code that answers, and of what it stands on."""
    digest = hashlib.sha256(" ".join([sys.version, *map(version, _LIBRARIES)]).encode())
    files = [*_HERE.glob("*.py"), *_HERE.parent.glob("*.py"), _HERE.parents[1] / "mechanisms" / "events.py"]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f" {path.name} {len(content)} ".encode() + content)
    return digest.hexdigest()
