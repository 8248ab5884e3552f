"""The loop over rounds, the same for every engine."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import InvalidValueError
from dpcore.learning import sampling
from dpcore.learning.engine import Engine, Weights
from dpcore.plan import Plan
from dpcore.privacy import accounting, curves
from dpcore.rounds import Round


@dataclass(frozen=True, kw_only=True)
class RoundReport(Round):
    """What came of one round; `weights` is the model after it."""

    weights: Weights


def run(
    plan: Plan,
    dataset: FederatedDataset,
    engine: Engine,
    evaluate: Callable[[Weights], tuple[float, float]],
    *,
    eval_every: int,
    stop_requested: Callable[[], bool] = lambda: False,
) -> Iterator[RoundReport]:
    """Yields a report for round 0 (the untrained model) and for every round of the plan, or until stopped.

    The model is evaluated at round 0, every `eval_every` rounds, and at the end, wherever that is.

    Raises:
        InvalidValueError: If the plan accounts for another population than the data set has.
    """
    privacy = plan.privacy
    if dataset.num_users != privacy.population:
        raise InvalidValueError(
            "population",
            f"Expected the plan's population to be that of {dataset.name}, {dataset.num_users:,} users, found "
            f"{privacy.population:,}: its epsilon would not be that of this training.",
        )
    planned = accounting.epsilon(privacy).value
    state, clip_norm, size = engine.initialize(), privacy.clipping.initial_clip_norm, None
    for round_num in range(privacy.rounds + 1):
        started = time.perf_counter()
        if round_num > 0:
            cohort = sampling.poisson_cohort(plan, round_num)
            state, metrics = engine.next(state, cohort, round_num)
            clip_norm, size = metrics.clip_norm, len(cohort)
        weights = engine.model_weights(state)
        last = round_num == privacy.rounds or stop_requested()
        due = last or round_num % eval_every == 0
        accuracy, loss = evaluate(weights) if due else (None, None)
        yield RoundReport(
            round=round_num,
            weights=weights,
            accuracy=accuracy,
            loss=loss,
            clip_norm=clip_norm,
            cohort_size=size,
            epsilon=planned
            if round_num == privacy.rounds
            else curves.epsilon_spent(privacy, round_num, planned=planned),
            seconds=time.perf_counter() - started,
        )
        if last:
            return
