"""Engines by name. An engine's module is imported when it is asked for: TFF takes seconds."""

from collections.abc import Callable
from typing import Any

from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning.engine import Engine
from dpcore.limits import check_choice
from dpcore.plan import Plan
from dpcore.rng import Streams

NAMES = ("vectorized", "tff")  # the first is the default
_MOST_KEPT = 128  # rounds' noise in the state of `tff`


def check_name(name: str) -> str:
    """Returns `name` if there is such an engine.

    Raises:
        InvalidValueError: If there is not.
    """
    return check_choice("engine", name, NAMES)


def check(name: str, plan: Plan) -> None:
    """Refuses what an engine cannot do.

    Raises:
        InvalidValueError: If there is no engine of this name, or the plan's noise needs more memory than it has.
    """
    kept = plan.privacy.noise.kept(plan.privacy.rounds)
    if check_name(name) == "tff" and kept > _MOST_KEPT:
        raise InvalidValueError(
            "engine",
            _(
                "Expected noise that depends on at most {most:,} earlier rounds on the engine tff, found {kept:,}: its "
                "state holds all of them, and goes between processes in every round. Use vectorized, or fewer bands."
            ).format(most=_MOST_KEPT, kept=kept),
        )


def replays_exactly(name: str) -> bool:
    """Returns whether a round that is run again with the same random numbers comes out the same, to the last bit.

    TFF draws its own noise.
    """
    return check_name(name) == "vectorized"


def create(
    name: str,
    plan: Plan,
    dataset: FederatedDataset,
    make_computer: Callable[[Any], Any] | None = None,
    streams: Streams | None = None,
    canaries: int | None = None,
) -> Engine:
    """Returns the engine `name` for a plan and a data set.

    Args:
        name: One of `NAMES`.
        plan: What is trained.
        dataset: On which data.
        make_computer: Who computes shards for `vectorized`, as it takes it; `None` for the threads of this process.
        streams: The random numbers of the run; `None` for the plan's own. The noise of `tff` is TFF's.
        canaries: How many the run is audited with, if it is: of `vectorized` alone.

    Raises:
        InvalidValueError: If there is no engine of this name.
    """
    if check_name(name) == "tff":
        from dpcore.learning.tff.engine import TffEngine

        return TffEngine(plan, dataset, streams)
    from dpcore.learning.vectorized import Threads, VectorizedEngine

    return VectorizedEngine(plan, dataset, make_computer or Threads, streams, canaries)
