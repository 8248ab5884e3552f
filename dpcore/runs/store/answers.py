"""What accountants have said, kept beside the file of runs: each answer with its digest, and no more than so many bytes.

Nothing but time depends on it: what is lost, damaged or of another version is computed again.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

FILE = "answers.sqlite"
MOST_BYTES = 128 * 2**20
_VERSION = 1
_PART = 8  # where there are too many bytes, the oldest of so many parts goes
_USED = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"


class Answers:
    """The answers under one home folder; the file is made with the first of them.

    Args:
        home: The folder.
    """

    def __init__(self, home: Path):
        self._path = home / FILE

    def find(self, name: bytes) -> bytes | None:
        """Returns what was kept under a name; `None` where nothing was, or it is damaged."""
        if not self._path.exists():
            return None
        with self._as_far_as_can_be(), self._connection() as db:
            row = db.execute("SELECT digest, content FROM answers WHERE name = ?", (name,)).fetchone()
            if row is not None and isinstance(row[1], bytes) and row[0] == _digest(name, row[1]):
                return row[1]
        return None

    def keep(self, answers: Mapping[bytes, bytes]) -> None:
        """Keeps answers under their names; on a full disk, or in a home that cannot be written to, it does not."""
        rows = [(name, _digest(name, content), content) for name, content in answers.items()]
        with self._as_far_as_can_be(), self._connection() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS answers "
                "(number INTEGER PRIMARY KEY, name BLOB UNIQUE, digest BLOB, content BLOB)"
            )
            db.executemany("INSERT OR REPLACE INTO answers (name, digest, content) VALUES (?, ?, ?)", rows)
            db.execute(f"PRAGMA user_version = {_VERSION}")
            if db.execute(_USED).fetchone()[0] > MOST_BYTES:
                db.execute(
                    "DELETE FROM answers WHERE number IN "
                    "(SELECT number FROM answers ORDER BY number LIMIT (SELECT 1 + count(*) / ? FROM answers))",
                    (_PART,),
                )

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=2)) as db, db:
            db.execute("PRAGMA synchronous = OFF")  # what a power failure damages is made again
            if db.execute("PRAGMA user_version").fetchone()[0] not in (0, _VERSION):
                raise sqlite3.OperationalError("of another version")
            yield db

    @contextmanager
    def _as_far_as_can_be(self) -> Iterator[None]:
        """Lets nothing that is wrong with the file out; a damaged one is removed."""
        try:
            yield
        except sqlite3.OperationalError:  # in use, full, or not to be written to
            return
        except sqlite3.DatabaseError:
            with suppress(OSError):
                self._path.unlink()


def _digest(name: bytes, content: bytes) -> bytes:
    return hashlib.sha256(name + content).digest()
