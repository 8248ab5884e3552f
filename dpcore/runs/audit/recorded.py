"""The record of a run's audit, as far as the run is: read in any process, without TensorFlow."""

import numpy as np

from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning import canaries
from dpcore.privacy.auditing.trace import Trace
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import trace_file
from dpcore.runs.store.run_rows import Run


def trace(store: StoreAccess, run: Run) -> Trace:
    """Returns what the audit of a run has kept of all rounds that the run has shown.

    Raises:
        InvalidValueError: If it is not audited, or has no round yet.
        StoreError: If what was kept is not there any more, or damaged.
    """
    if run.audit is None:
        message = _("Expected a run that is audited, found {run} without an audit. Train with one: train --audit.")
        raise InvalidValueError("run", message.format(run=run.run_id))
    path = store.folder(run.run_id) / trace_file.FILE
    if run.last_round:
        header, rounds = trace_file.read(path, run.last_round)
        return canaries.trace_of(run.plan.privacy, np.array(header.run_coins), header.layer_sizes, rounds)
    raise InvalidValueError(
        "run", _("Expected a run with a round to look at, found none of {run} yet.").format(run=run.run_id)
    )
