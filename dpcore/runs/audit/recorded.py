"""What the audit of a run has kept and shows, as far as the run is: in any process, without TensorFlow."""

import functools
from pathlib import Path

import numpy as np

from dpcore.errors import EpsilonLabError, InvalidValueError
from dpcore.language import _
from dpcore.learning import canaries
from dpcore.plan import PrivacyPlan
from dpcore.privacy.auditing import result
from dpcore.privacy.auditing.result import Result
from dpcore.privacy.auditing.trace import Trace
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import trace_file
from dpcore.runs.store.run_rows import Run


def trace(store: StoreAccess, run: Run) -> Trace:
    """Returns the record of all rounds that a run has shown.

    Raises:
        InvalidValueError: If it is not audited, or has no round yet.
        StoreError: If what was kept is not there any more, or damaged.
    """
    return read(path(store, run), run.last_round or 0, run.plan.privacy)


def analysis(store: StoreAccess, run: Run) -> Result:
    """Returns what the audit of a run shows of all rounds that the run has shown: seconds, once for each round.

    Raises:
        InvalidValueError, StoreError: As `trace`.
    """
    return _analysis(path(store, run), run.last_round or 0, run.plan.privacy)


def sentence(store: StoreAccess, run: Run) -> str:
    """Returns what a statement says of the audit of a run; empty where there is none."""
    if run.audit is None:
        return ""
    told = [result.place_sentence(run.audit)]
    try:
        told.append(result.sentence(analysis(store, run)) if run.last_round else _("Nothing was measured yet."))
    except EpsilonLabError as err:  # what was kept is not there any more
        told.append(err.message)
    return " ".join([*told, result.limits_sentence(seeded=run.plan.training.seed is not None)])


def path(store: StoreAccess, run: Run) -> Path:
    """Returns where the record of a run is.

    Raises:
        InvalidValueError: If it is not audited, or has no round yet.
    """
    if run.audit is None:
        message = _(
            "Expected a run that is audited, found {run} without an audit. Train its plan with train --audit."
        )
        raise InvalidValueError("run", message.format(run=run.run_id))
    if not run.last_round:
        message = _("Expected a run with a round to look at, found none of {run} yet.")
        raise InvalidValueError("run", message.format(run=run.run_id))
    return store.folder(run.run_id) / trace_file.FILE


def read(path: Path, rounds: int, plan: PrivacyPlan) -> Trace:
    """Returns the record of the first so many rounds.

    Raises:
        StoreError: If it is not there, or damaged.
    """
    header, kept = trace_file.read(path, rounds)
    return canaries.trace_of(plan, np.array(header.run_coins), header.layer_sizes, kept)


@functools.lru_cache(maxsize=16)
def _analysis(path: Path, rounds: int, plan: PrivacyPlan) -> Result:
    return result.of(read(path, rounds, plan), plan)
