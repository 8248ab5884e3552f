"""What a run goes on from: its checkpoint, and beside it the records of its audit, which are never behind it."""

import time
import traceback
from typing import Any

from dpcore.errors import DamagedCheckpointError
from dpcore.language import _
from dpcore.rounds import Round
from dpcore.runs.audit import alone, trace_file
from dpcore.runs.audit.trace_file import TraceWriter
from dpcore.runs.store import Store
from dpcore.runs.store.run_rows import Run


class Kept:
    """What is kept of a run while it trains, in its folder, by the process that trains it.

    Args:
        store: Where the run is.
        run: Which.
        engine: What trains it.
        dataset_fingerprint: Of what it trains on.
        replays: Whether a round that is drawn again comes out the same.
        save_seconds: How long such rounds may go without a checkpoint.
    """

    def __init__(
        self, store: Store, run: Run, engine: Any, dataset_fingerprint: str, *, replays: bool, save_seconds: float
    ):
        self._store, self._run, self._engine, self._replays = store, run, engine, replays
        self._save_seconds, self._saved = save_seconds, time.monotonic()
        self._owner = {"plan": run.identity, "engine": run.engine, "data": dataset_fingerprint}
        self._path = store.folder(run.run_id) / "checkpoint"
        self._traces: TraceWriter | None = None
        if run.audit is not None:
            path = store.folder(run.run_id) / trace_file.FILE
            self._traces = TraceWriter(path, trace_file.Header.of(engine.canaries))
            alone.keep(engine, run.plan.privacy, path.parent)

    def load(self) -> tuple[Round, Any] | None:
        """Returns the round to go on from and the state after it; `None` to begin with round 0."""
        from dpcore.learning import checkpoints

        for left in self._path.parent.glob(f"{self._path.name}.*.partial"):
            left.unlink()  # by a process that was killed while it saved
        try:
            kept = checkpoints.load(self._path, self._owner)
        except DamagedCheckpointError:
            if not self._replays:
                raise
            traceback.print_exc()  # from the start again, to the same numbers
            self._path.replace(self._path.with_suffix(".damaged"))
            kept = None
        run = self._run
        if kept is None:
            if not self._replays and (run.last_round or run.redrawn or run.drawing is not None):
                raise DamagedCheckpointError(
                    _(
                        "Expected {file}, found nothing there: this run cannot be repeated exactly, so it cannot go on "
                        "without it. Start its plan as a new run, which the ledger charges on its own."
                    ).format(file=self._path)
                )
            return None
        if self._replays and len(self._store.rounds(run.run_id)) < kept.row.round:
            return None  # rows were lost with a damaged file: they come out again as they were
        if self._traces is not None and not self._traces.has(kept.row.round):
            return None  # so do the records of an audit
        self._store.append(run.run_id, kept.row)  # it may have been saved here, and not yet there
        return kept.row, self._engine.from_arrays(kept.arrays)

    def record(self, report: Any) -> None:
        """Keeps what there is to keep of a round, before anybody sees it."""
        if self._traces is not None and report.trace is not None:
            self._traces.write(report.round, report.trace)
        # What somebody has seen of a run that cannot be repeated is never drawn again.
        if not self._replays or time.monotonic() - self._saved > self._save_seconds:
            self.save(report.row, report.state)
            self._saved = time.monotonic()

    def save(self, row: Round, state: Any) -> None:
        """Saves a round to go on from."""
        from dpcore.learning import checkpoints

        self.to_disk()
        arrays = self._engine.to_arrays(state)
        checkpoints.save(self._path, checkpoints.Checkpoint(owner=self._owner, row=row, arrays=arrays))

    def to_disk(self) -> None:
        """Waits until all that was recorded would survive a power failure: those rounds may never be drawn again."""
        if self._traces is not None:
            self._traces.to_disk()

    def close(self) -> None:
        if self._traces is not None:
            self._traces.close()
