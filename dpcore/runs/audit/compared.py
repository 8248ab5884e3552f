"""Whether two audited runs of a store share their noise: along which directions each was looked at, and what came of it.

Directions follow from a run's random streams. Those of a run with a seed can be drawn again whenever they are needed;
those of one without went with its key, when it ended. So two of these are compared only where their canaries' coins are
the same: then one key has drawn both, and their directions are the same as well.
"""

import functools
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpcore import datasets
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning import canaries, directions
from dpcore.learning.directions import Directions
from dpcore.plan import PrivacyPlan
from dpcore.privacy.auditing import sharing
from dpcore.privacy.auditing.sharing import Sharing
from dpcore.rng import Streams
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import recorded, trace_file
from dpcore.runs.audit.trace_file import Header
from dpcore.runs.store.run_rows import Run


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs, and what their noises have in common.

    Attributes:
        runs: Their ids.
        sharing: What was found.
        by_design: Whether both follow from one plan, one seed and as many canaries.
    """

    runs: tuple[str, str]
    sharing: Sharing
    by_design: bool

    @property
    def sentence(self) -> str:
        """What may be said of it."""
        return sharing.sentence(self.sharing, by_design=self.by_design)


def compare(store: StoreAccess, first: Run, second: Run) -> Comparison:
    """Returns what the noises of two audited runs have in common, over the rounds that both have: seconds.

    Raises:
        InvalidValueError: If they cannot be compared.
        StoreError: If what was kept of one is not there any more, or damaged.
    """
    if first.run_id == second.run_id:
        message = _("Expected two runs, found {run} twice: the noise of a run is the same as its own.")
        raise InvalidValueError("run", message.format(run=first.run_id))
    runs = (first, second)
    headers = [trace_file.read(recorded.path(store, run), 0)[0] for run in runs]
    if headers[0].layer_sizes != headers[1].layer_sizes:
        raise _other_shape(first, second)
    # So many fair coins are the same where one seed or key has drawn both, and else never; directions with them.
    same = first.identity == second.identity and headers[0].run_coins == headers[1].run_coins
    by_design = same and first.plan.training.seed is not None  # a key is drawn for one run alone
    looks = [
        _Look(path=recorded.path(store, run), rounds=run.last_round or 0, plan=run.plan.privacy) for run in runs
    ]
    if not same:
        streams = [_streams(run, one) for run, one in zip(runs, headers, strict=True)]
        sizes = [_size(store, run, one) for run, one in zip(runs, headers, strict=True)]
        if sizes[0] != sizes[1]:
            raise _other_shape(first, second)
        looks = [replace(look, size=sizes[0], streams=drawn) for look, drawn in zip(looks, streams, strict=True)]
    return Comparison(runs=(first.run_id, second.run_id), sharing=_compared(*looks), by_design=by_design)


def _other_shape(first: Run, second: Run) -> InvalidValueError:
    message = _(
        "Expected two runs of models of one shape, found {first} and {second} with others: no coordinate of the one is "
        "one of the other."
    )
    return InvalidValueError("run", message.format(first=first.run_id, second=second.run_id))


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What the comparison of a run depends on; the last two where its directions have to be known."""

    path: Path
    rounds: int
    plan: PrivacyPlan
    size: int = 0
    streams: Streams | None = None


@functools.lru_cache(maxsize=16)
def _compared(first: _Look, second: _Look) -> Sharing:
    seen, other = (_noise(look) for look in (first, second))
    if first.streams is None or second.streams is None:
        return sharing.compare(seen, other)
    ways = (directions.of_run(look.streams, look.size) for look in (first, second) if look.streams)
    return sharing.compare(_carried(seen, other.shape[1], *ways), other, overlap=seen.shape[1] / first.size)


def _noise(look: _Look) -> NDArray[np.float64]:
    """Returns what a run has released along its bystanders, over its planned noise: float64 [rounds, bystanders]."""
    trace = recorded.read(look.path, look.rounds, look.plan)
    return trace.bystanders / trace.noise


def _carried(
    seen: NDArray[np.float64], bystanders: int, mine: Directions, other: Directions
) -> NDArray[np.float64]:
    """Returns what is along some directions' bystanders as it looks along those of others: the last of each."""
    found = np.empty((len(seen), bystanders))
    amounts = np.zeros(mine.count, np.float32)
    for round_num, row in enumerate(seen):
        amounts[-len(row) :] = row
        found[round_num] = other.projections(mine.sum(amounts))[-bystanders:]
    return found


def _streams(run: Run, header: Header) -> Streams:
    """Returns what a run's directions were drawn from.

    Raises:
        InvalidValueError: If nobody can tell.
    """
    seed = run.plan.training.seed
    if seed is None:
        raise InvalidValueError(
            "run",
            _(
                "Expected two runs with seeds, or two that one key has drawn, found {run} without a seed: along which "
                "directions it was looked at followed from its key, which is not kept. Its canaries' coins are not those "
                "of the other run, so the two do not follow from one key; more cannot be told."
            ).format(run=run.run_id),
        )
    streams = Streams(seed, run.identity)
    if tuple(canaries.run_coins(streams, header.canaries).tolist()) != header.run_coins:
        raise InvalidValueError(
            "run",
            _(
                "Expected the coins of {run} to be those of its seed, found others: along which directions it was looked "
                "at is not known."
            ).format(run=run.run_id),
        )
    return streams


def _size(store: StoreAccess, run: Run, header: Header) -> int:
    """Returns how many coordinates a run's model has.

    Raises:
        InvalidValueError: If its data set, on which that depends, is not there any more, or another one.
    """
    manifest = None
    with suppress(InvalidValueError):  # removed
        manifest = datasets.entry(run.plan.training.dataset, store.home).manifest
    size = 0 if manifest is None else canaries.model_size(run.plan, manifest)
    if not 0 <= size - 2 * sum(header.layer_sizes) <= len(header.layer_sizes):  # of each part, half rounded down
        raise InvalidValueError(
            "run",
            _(
                "Expected the data set {dataset} as {run} was trained on it, found it changed or removed: the size of "
                "the model, and with it along which directions the run was looked at, depends on it."
            ).format(dataset=run.plan.training.dataset, run=run.run_id),
        )
    return size
