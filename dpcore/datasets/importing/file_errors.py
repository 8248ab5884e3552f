"""What may be wrong with a file before anything is known of it, in a sentence."""

import stat
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dpcore.errors import DatasetError, EpsilonLabError
from dpcore.language import _

_LONGEST_REASON = 200


@contextmanager
def explaining_errors(path: Path) -> Iterator[None]:
    """Turns whatever libraries say of a file that is not what its name says into one short sentence.

    Whatever: nobody can list what they raise on bytes that nobody has written on purpose.
    """
    try:
        yield
    except EpsilonLabError:
        raise
    except Exception as err:
        kind = path.suffix.lower().removeprefix(".").upper() or _("a table")
        message = _("{file} cannot be read as {kind}: {reason}")
        raise DatasetError(message.format(file=path.name, kind=kind, reason=reason(err))) from err


def reason(err: Exception) -> str:
    """Returns what an error of a library says, on one line and without the half of the file that some repeat."""
    words = " ".join(str((isinstance(err, OSError) and err.strerror) or err).split())
    if isinstance(err, MemoryError):
        words = _("it takes more memory than there is")
    return textwrap.shorten(words, _LONGEST_REASON, placeholder=" ...") or type(err).__name__


def check_is_file(path: Path) -> None:
    """Refuses what only looks like a file: opening a named pipe would wait for ever, and a device has no end.

    Raises:
        DatasetError: If it is none.
        OSError: If there is nothing, or nobody may look.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: _("a folder"), stat.S_IFIFO: _("a named pipe"), stat.S_IFSOCK: _("a socket")}
        message = _("Expected a file, found {kind}: {file}.")
        raise DatasetError(message.format(kind=kinds.get(stat.S_IFMT(mode), _("a device")), file=path.name))
