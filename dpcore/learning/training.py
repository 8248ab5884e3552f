"""The loop over rounds, the same for every engine."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore.datasets import population
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import DivergedError
from dpcore.learning import sampling
from dpcore.learning.engine import Engine, Weights
from dpcore.plan import Plan
from dpcore.privacy import accounting, curves
from dpcore.rng import Streams
from dpcore.rounds import Round


@dataclass(frozen=True, kw_only=True)
class RoundReport(Round):
    """What came of one round.

    Attributes:
        weights: The model after it.
        state: All that the engine goes on from.
        trace: What an audit keeps of it; `None` for round 0, and without an audit.
    """

    weights: Weights
    state: Any
    trace: Any = None

    @property
    def row(self) -> Round:
        """What of it is kept."""
        return Round(**{field.name: getattr(self, field.name) for field in fields(Round)})


def run(
    plan: Plan,
    dataset: FederatedDataset,
    engine: Engine,
    evaluate: Callable[[Weights], tuple[float, float]],
    *,
    eval_every: int,
    stop_requested: Callable[[], bool] = lambda: False,
    before_round: Callable[[int], None] = lambda round_num: None,
    resume: tuple[Round, Any] | None = None,
    fresh_coins: bool = False,
    redrawn: int = 0,
    streams: Streams | None = None,
    canaries: int | None = None,
) -> Iterator[RoundReport]:
    """Yields a report for round 0 (the untrained model) and for every round of the plan, or until stopped.

    The model is evaluated at round 0, every `eval_every` rounds, and at the end, wherever that is.

    Args:
        plan: What is trained.
        dataset: On which data.
        engine: How.
        evaluate: Returns accuracy and loss of a model, float32 [inputs, outputs] and [outputs] of each layer.
        eval_every: Rounds between two evaluations.
        stop_requested: Asked after each round.
        before_round: Told of each round before anything of it is drawn.
        resume: The round to go on from and the state after it: the reports begin with the round after.
        fresh_coins: As in `sampling.cohort`: where the noise cannot be drawn again.
        redrawn: Rounds that were drawn a second time; epsilon counts them from the start.
        streams: The run's random numbers; `None` for the plan's own.
        canaries: How many the engine is audited with, if it is.

    Raises:
        InvalidValueError: If the plan accounts for another population than the data set has.
        DivergedError: If the model is not finite any more.
    """
    rounds = plan.privacy.rounds
    population.check(dataset.name, dataset, plan.privacy.population)
    draw = functools.partial(
        sampling.cohort,
        plan,
        streams=streams or sampling.streams_of(plan, canaries),
        fresh_coins=fresh_coins,
        canaries=canaries or 0,
    )
    spent = _epsilon_spent(plan, redrawn)
    for report in _trained(plan, dataset, engine, draw, before_round, resume):
        started = time.perf_counter()
        last = report.round == rounds or stop_requested()
        due = last or report.round % eval_every == 0
        accuracy, loss = evaluate(report.weights) if due else (None, None)
        seconds = report.seconds + time.perf_counter() - started
        yield replace(report, accuracy=accuracy, loss=loss, epsilon=spent(report.round), seconds=seconds)
        if last:
            return


def _trained(
    plan: Plan,
    dataset: FederatedDataset,
    engine: Engine,
    draw: Callable[[int], NDArray[np.int64]],
    before_round: Callable[[int], None],
    resume: tuple[Round, Any] | None,
) -> Iterator[RoundReport]:
    """Yields what each round makes of the model, before it is evaluated and accounted for; arguments as of `run`."""
    if resume is None:
        first, state, clip_norm = 0, engine.initialize(), plan.privacy.clipping.initial_clip_norm
    else:
        first, state, clip_norm = resume[0].round + 1, resume[1], resume[0].clip_norm
    errors = plan.privacy.noise.round_errors(plan.privacy.rounds)
    users = dataset.num_users + dataset.users_without_train
    for round_num in range(first, plan.privacy.rounds + 1):
        started = time.perf_counter()
        size = update_norm = noise_norm = trace = None
        if round_num > 0:
            before_round(round_num)
            noise_norm = _noise_norm(plan, clip_norm, engine.model_weights(state), float(errors[round_num - 1]))
            drawn = draw(round_num)
            is_user = drawn < dataset.num_users
            cohort = np.concatenate([dataset.trainers[drawn[is_user]], drawn[~is_user] - dataset.num_users + users])
            state, metrics = engine.next(state, cohort, round_num)
            clip_norm, update_norm, trace = metrics.clip_norm, metrics.update_norm, metrics.trace
            size = int(is_user.sum())
        weights = engine.model_weights(state)
        if not all(np.isfinite(part).all() for part in [*weights, np.array(update_norm or 0.0)]):
            raise DivergedError(
                f"Expected a finite model after round {round_num}, found one that float32 has no numbers for. What the "
                "rounds before have learnt is kept. Try less noise per client or a smaller step."
            )
        yield RoundReport(
            round=round_num,
            weights=weights,
            state=state,
            accuracy=None,
            loss=None,
            clip_norm=clip_norm,
            cohort_size=size,
            epsilon=0.0,
            seconds=time.perf_counter() - started,
            update_norm=update_norm,
            noise_norm=noise_norm,
            trace=trace,
        )


def _epsilon_spent(plan: Plan, redrawn: int) -> Callable[[int], float]:
    """Returns what tells the epsilon after a round, the rounds that were drawn a second time with it."""
    rounds = plan.privacy.rounds
    charged = replace(plan.privacy, rounds=rounds + redrawn)
    planned = accounting.epsilon(charged).value
    return lambda number: (
        planned if number == rounds else curves.epsilon_spent(charged, number + redrawn, planned=planned)
    )


def _noise_norm(plan: Plan, clip_norm: float, weights: Weights, variance: float) -> float:
    """Returns the expected L2 norm of the noise in a round's average, whose `variance` is that at unit noise."""
    stddev = plan.privacy.value_noise_multiplier * clip_norm / plan.privacy.clients_per_round
    return variance**0.5 * stddev * sum(part.size for part in weights) ** 0.5
