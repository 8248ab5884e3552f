"""The file of runs as processes share it: opened, checked, and told about in words when it cannot be used."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from dpcore import files
from dpcore.errors import RunNotFoundError, StoreError
from dpcore.language import _
from dpcore.locks import lock
from dpcore.privacy.many import kept
from dpcore.runs.store import folders, recovery, schema
from dpcore.runs.store.answers import Answers

# A run that is known to train, and to have shown a round: no other round changes what its folder says of it.
_IS_TRAINING = (
    "SELECT 1 FROM runs WHERE run_id = ? AND status = 'running' "
    "AND EXISTS (SELECT 1 FROM rounds WHERE rounds.run_id = runs.run_id)"
)


class Database:
    """The file of runs under one home folder.

    Each method opens its own connection, so a store may be shared between threads and forked processes. A damaged
    file is set aside when a store is opened, and what can be read of it is kept. What is written beside it is held
    against it then, and whenever another file is found in its place. Accountants keep their answers in the home that was
    opened last.

    Args:
        home: The folder (`dpcore.home.folder`); made if it is missing.

    Raises:
        StoreError: If the file is of a newer version, or cannot be used; of every method, if it is damaged
            or cannot be written.
    """

    def __init__(self, home: Path):
        self.home = home
        self._path = home / "runs.sqlite"
        self._open: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None  # which file that is
        with self._explaining():
            home.mkdir(parents=True, exist_ok=True)
            self._prepare()
        kept.keep_in(Answers(home))

    def _prepare(self) -> None:
        """Opens the file that is there now, or makes one."""
        self.home.stat()  # a home that was removed is not made again
        with lock(self.home / "runs.lock", wait=True):
            if self._opened == _which(self._path) is not None:
                return  # by another thread
            found = schema.prepare(self._path)
            try:
                self._hold(found)
            except schema.DAMAGE as err:
                if not schema.is_damage(err):  # else such as no check has seen
                    raise
                self._hold(schema.replace_damaged(self._path))
            # Kept open: else the last one to leave removes what readers share, and on a full disk nobody could
            # make it again to read.
            before, self._open = self._open, schema.connect(self._path, threads=True)
            self._open.execute("SELECT count(*) FROM runs").fetchone()
            if before is not None:
                before.close()
            self._opened = _which(self._path)

    def _hold(self, found: str | None = None) -> None:
        with closing(schema.connect(self._path)) as db:
            recovery.hold(self.home, db, found)
            schema.settle(db)

    def look_again(self) -> None:
        """Holds what is written beside the file of runs against it, as when it is opened."""
        with self._explaining():
            self._see_which()
            self._hold()

    def _see_which(self) -> None:
        if self._opened != _which(self._path):  # somebody has removed or replaced it
            self._prepare()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (*schema.DAMAGE, OSError) as err:
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
            self._see_which()
            with closing(schema.connect(self._path)) as db, db:
                yield db

    @contextmanager
    def _changing(self, *beside: Path) -> Iterator[sqlite3.Connection]:
        """A transaction of which nothing stays in the log alone. Nobody else writes meanwhile, nor beside the file.

        What it has written `beside` is put back if it comes to nothing, as on a full disk.
        """
        before: list[bytes | None] = []
        written: list[bytes | None] = []
        with self._explaining():
            self._see_which()
            try:
                with closing(schema.connect(self._path)) as db:
                    with db:
                        db.execute("BEGIN IMMEDIATE")
                        before = _contents(beside)
                        try:
                            yield db
                        finally:
                            written = _contents(beside)
                    schema.settle(db)
            except BaseException:
                if written != before:
                    self._put_back(beside, before, written)
                raise

    def _put_back(
        self, beside: Sequence[Path], before: Sequence[bytes | None], written: Sequence[bytes | None]
    ) -> None:
        with suppress(*schema.DAMAGE, OSError), closing(schema.connect(self._path)) as db:
            db.execute("BEGIN IMMEDIATE")  # so that nobody has written something else since, or does so now
            for path, old, new, now in zip(beside, before, written, _contents(beside), strict=True):
                if now != new or now == old:
                    continue
                if old is None:
                    path.unlink()
                else:
                    files.write_private(path, old)

    def _change(self, sql: str, *values: Any) -> bool:
        """Runs one statement; whether it changed a row."""
        with self._changing() as db:
            return db.execute(sql, values).rowcount > 0

    @contextmanager
    def _changing_run(self, run_id: str) -> Iterator[sqlite3.Connection]:
        """A transaction that changes a run: what its folder has to say of it is there before the row is."""
        runs = self.home / "runs"
        with self._changing(runs / run_id / folders.FILE) as db:
            recovery.agree(self.home, db, run_id)
            before = db.total_changes
            yield db
            if db.total_changes > before:
                folders.keep(db, runs, run_id)

    def _change_run(self, run_id: str, sql: str, *values: Any) -> bool:
        """Runs one statement that ends in a run's id; whether it changed the run."""
        with self._changing_run(run_id) as db:
            return db.execute(sql, (*values, run_id)).rowcount > 0

    @contextmanager
    def _in_a_round(self, run_id: str) -> Iterator[sqlite3.Connection]:
        """A transaction of a run that trains: it waits for the disk once, but where the run was not known to train."""
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            known = db.execute(_IS_TRAINING, (run_id,)).fetchone()
            if not known:
                recovery.agree(self.home, db, run_id)
                if folders.row(db, run_id) is None:
                    raise not_found(run_id)
            yield db
            if not known:
                folders.keep(db, self.home / "runs", run_id)


def not_found(run_id: str) -> RunNotFoundError:
    """Returns what is said of an id that no run has."""
    message = _("No run has the id {run!r}. List them with: python -m dpcore runs list")
    return RunNotFoundError(message.format(run=run_id))


def _which(path: Path) -> tuple[int, int] | None:
    """Returns which file there is at a path, if there is one with something in it."""
    with suppress(FileNotFoundError):
        found = path.stat()
        return (found.st_dev, found.st_ino) if found.st_size else None
    return None


def _contents(paths: Iterable[Path]) -> list[bytes | None]:
    found: list[bytes | None] = []
    for path in paths:
        try:
            found.append(path.read_bytes())
        except OSError:
            found.append(None)
    return found
