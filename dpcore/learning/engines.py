"""Engines by name. An engine's module is imported when it is asked for: TensorFlow takes seconds."""

from collections.abc import Callable
from typing import Any

from dpcore.datasets.federated import FederatedDataset
from dpcore.learning.engine import Engine
from dpcore.limits import check_choice
from dpcore.plan import Plan

NAMES = ("vectorized", "tff")  # the first is the default


def check_name(name: str) -> str:
    """Returns `name` if there is such an engine.

    Raises:
        InvalidValueError: If there is not.
    """
    return check_choice("engine", name, NAMES)


def replays_exactly(name: str, plan: Plan) -> bool:
    """Returns whether a round that is run again from the same state comes out the same, to the last bit.

    TFF draws its own noise, and a plan without a seed draws everything anew.
    """
    return check_name(name) == "vectorized" and plan.training.seed is not None


def create(
    name: str,
    plan: Plan,
    dataset: FederatedDataset,
    make_computer: Callable[[Any], Any] | None = None,
    identity: str | None = None,
) -> Engine:
    """Returns the engine `name` for a plan and a data set.

    Args:
        name: One of `NAMES`.
        plan: What is trained.
        dataset: On which data.
        make_computer: Who computes shards for `vectorized`, as it takes it; `None` for the threads of this process.
        identity: The name of the random streams of `vectorized`; `None` for the plan's fingerprint.

    Raises:
        InvalidValueError: If there is no engine of this name.
    """
    if check_name(name) == "tff":
        from dpcore.learning.tff.engine import TffEngine

        return TffEngine(plan, dataset)
    from dpcore.learning.vectorized import Threads, VectorizedEngine

    return VectorizedEngine(plan, dataset, make_computer or Threads, identity)
