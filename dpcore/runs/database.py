"""The file of runs as processes share it: opened, checked, and told about in words when it cannot be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dpcore.errors import StoreError
from dpcore.language import _
from dpcore.locks import lock
from dpcore.runs import folders, schema


class Database:
    """The file of runs under one home folder.

    Each method opens its own connection, so a store may be shared between threads and forked processes. A damaged
    file is set aside when a store is opened, and what can be read of it is kept.

    Args:
        home: The folder (`dpcore.home.folder`); made if it is missing.

    Raises:
        StoreError: If the file is of a newer version, or cannot be used; of every method, if it is damaged
            or cannot be written.
    """

    def __init__(self, home: Path):
        self.home = home
        self._path = home / "runs.sqlite"
        with self._explaining():
            home.mkdir(parents=True, exist_ok=True)
            with lock(home / "runs.lock", wait=True):
                schema.prepare(self._path)
                with self._connection() as db:
                    folders.keep_missing(home / "runs", db)
                # Kept open: else the last one to leave removes what readers share, and on a full disk nobody could
                # make it again to read.
                self._open = schema.connect(self._path)
                self._open.execute("SELECT count(*) FROM runs").fetchone()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as err:
            if isinstance(err, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            advice = (
                _("Free some space, close what locks it, or choose another folder with EPSILON_LAB_HOME or --home.")
                if isinstance(err, sqlite3.OperationalError | OSError)
                else _("Start the program again: it sets a damaged file aside and keeps what can be read.")
            )
            message = _("{file} cannot be used as the file of runs: {reason}. {advice}")
            raise StoreError(message.format(file=self._path, reason=err, advice=advice)) from err

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back on an error."""
        with self._explaining():
            db = schema.connect(self._path)
            try:
                with db:
                    yield db
            finally:
                db.close()

    def _change(self, sql: str, *values: Any) -> bool:
        """Runs one statement; whether it changed a row."""
        with self._connection() as db:
            return db.execute(sql, values).rowcount > 0
