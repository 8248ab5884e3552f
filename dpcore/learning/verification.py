"""Is the fast engine the same algorithm as TensorFlow Federated's? Measured, on this machine."""

import dataclasses
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpcore import limits, rng
from dpcore.datasets import federated, writers
from dpcore.learning import engines
from dpcore.learning.engine import Engine, Weights
from dpcore.mechanisms.noise import Banded, Noise, SquareRoot, Tree
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan

_WRITERS = 60
_CLIENTS = 10
# An ordinary cohort, nobody, one client, everybody; a writer's last batch is short.
_COHORTS = [np.array(users, np.int64) for users in ([3, 7, 11, 40], [], [5], range(_WRITERS), [1, 2])]
_NOBODY = _COHORTS[1]
_NOISE_ROUNDS, _VALUES = 300, 200_000
_CORRELATED = (Tree(), Banded(bands=4), SquareRoot())


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was measured.

    Attributes:
        name: What it is.
        measured: What came out.
        limit: What it may be at most, in the same unit.
    """

    name: str
    measured: float
    limit: float

    @property
    def passed(self) -> bool:
        return self.measured <= self.limit  # false for what is not a number


def run_checks() -> Iterator[Check]:
    """Yields every check as it is done, on 60 generated writers, in about two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "few"
        few = writers.generate(_WRITERS, lambda *_: None)
        federated.save(path, few, name="few", num_classes=10, description=writers.DESCRIPTION)
        dataset = federated.open_folder(path)
        plain = _plan(noise_multiplier=0.0)
        zeroing = dataclasses.replace(plain, privacy=dataclasses.replace(plain.privacy, zeroing=True))
        diverging = _plan(
            noise_multiplier=0.0, client_learning_rate=limits.CLIENT_LEARNING_RATE.maximum, batch_size=8
        )
        yield from engine_differences("mlp", plain, dataset)
        yield from engine_differences("mlp with zeroing", zeroing, dataset)
        epochs = _plan(noise_multiplier=0.0, local_epochs=3, batch_size=8, model="linear")  # no kink to differ at
        yield from engine_differences("three local epochs", epochs, dataset)
        yield from engine_differences("updates that are not finite", diverging, dataset)
        for noise in _CORRELATED:
            free = _plan(noise_multiplier=0.0, noise=noise, model="linear")
            yield from engine_differences(f"what adds {noise.kind} noise", free, dataset)
        for name in ("linear", "cnn"):
            yield from engine_differences(name, _plan(noise_multiplier=0.0, model=name), dataset)
        noisy = _plan(noise_multiplier=0.6)
        small = _plan(noise_multiplier=0.6, model="linear")
        for name in engines.NAMES:
            yield from noise_errors(f"{name}: ", engines.create(name, small, dataset), small)
            for noise in _CORRELATED:
                correlated = _plan(noise_multiplier=0.6, noise=noise)
                yield from noise_process(f"{name}: ", engines.create(name, correlated, dataset), correlated)
        yield replay_difference(noisy, dataset)


def _plan(*, noise_multiplier: float, noise: Noise | None = None, **training) -> Plan:
    privacy = PrivacyPlan(
        population=_WRITERS, clients_per_round=_CLIENTS, rounds=10, noise_multiplier=noise_multiplier
    )
    if noise:
        privacy = dataclasses.replace(privacy, participation=Schedule(), clipping=FixedClipping(), noise=noise)
    return Plan(privacy=privacy, training=TrainingPlan(**training))


def engine_differences(name: str, plan: Plan, dataset: federated.FederatedDataset) -> Iterator[Check]:
    """Yields how far apart the engines are after one round and after five, without noise."""
    pair = [engines.create(engine, plan, dataset) for engine in engines.NAMES]
    states = [engine.initialize() for engine in pair]
    for round_num, cohort in enumerate(_COHORTS, start=1):
        after = [engine.next(s, cohort, round_num) for engine, s in zip(pair, states, strict=True)]
        states = [state for state, _ in after]
        if round_num in (1, len(_COHORTS)):
            ours, theirs = ([np.array(metrics.clip_norm), *engine.model_weights(state), *_momentum(state)]
                            for engine, (state, metrics) in zip(pair, after, strict=True))  # fmt: skip
            rounds = "1 round" if round_num == 1 else f"{round_num} rounds"
            yield Check(
                name=f"{name}: weights, momentum and clip norm, {rounds}",
                measured=max(float(np.max(np.abs(a - b))) for a, b in zip(ours, theirs, strict=True)),
                limit=1e-6 if round_num == 1 else 1e-4,
            )


def _momentum(state) -> Weights:
    """The server's velocity in either engine's state; TFF's optimiser counts it downhill."""
    if hasattr(state, "momentum"):
        return state.momentum
    return [-part for part in state.finalizer["accumulator"]]


def noise_errors(name: str, engine: Engine, plan: Plan) -> Iterator[Check]:
    """Yields how far the noise is from the planned one, from rounds in which nobody takes part.

    The limits are some five standard errors wide, and as many inside a scale that is wrong by a third.
    """
    privacy = plan.privacy
    state, velocity, clip_norm = engine.initialize(), 0.0, privacy.clipping.initial_clip_norm
    before, steps = _flat(engine.model_weights(state)), []
    drawn: list[np.ndarray] = []
    for round_num in range(1, _NOISE_ROUNDS + 1):
        state, metrics = engine.next(state, _NOBODY, round_num)
        now = _flat(engine.model_weights(state))
        fresh = now - before - plan.training.server_momentum * velocity
        if sum(part.size for part in drawn) < _VALUES:  # float32 weights: later rounds add only rounding
            drawn.append(fresh / (privacy.value_noise_multiplier * clip_norm / privacy.clients_per_round))
        velocity, before = now - before, now
        steps.append(np.log(metrics.clip_norm / clip_norm))
        clip_norm = metrics.clip_norm
    values = np.concatenate(drawn)
    yield Check(name=f"{name}noise on the sum, scale", measured=abs(float(values.std()) - 1), limit=0.01)
    yield Check(
        name=f"{name}noise on the sum, mean", measured=abs(float(values.mean())), limit=5 / np.sqrt(values.size)
    )
    yield Check(
        name=f"{name}noise on the sum, shape (Kolmogorov-Smirnov distance from a normal)",
        measured=_distance_from_normal(values),
        limit=2.2 / np.sqrt(values.size),
    )
    planned = privacy.clipping.log_step(privacy.clipped_count_stddev, privacy.clients_per_round)
    counts = np.array(steps) / planned
    yield Check(
        name=f"{name}noise on the clip count, scale", measured=abs(float(counts.std()) - 1), limit=0.2
    )  # a third less or half more is 0.33 or 0.5 away
    yield Check(
        name=f"{name}noise on the clip count, mean",
        measured=abs(float(counts.mean())),
        limit=5 / np.sqrt(counts.size),
    )


def noise_process(name: str, engine: Engine, plan: Plan) -> Iterator[Check]:
    """Yields how far the noise of the rounds is from what it is accounted for, from rounds in which nobody takes part.

    The first: the variance of its prefix sums. The second: its covariance over rounds, against as many draws of the
    plan's own noise. The limits are some five standard errors wide.
    """
    privacy, momentum = plan.privacy, plan.training.server_momentum
    state, velocity, drawn = engine.initialize(), 0.0, []
    before = _flat(engine.model_weights(state))
    for round_num in range(1, privacy.rounds + 1):
        state, _metrics = engine.next(state, _NOBODY, round_num)
        now = _flat(engine.model_weights(state))
        drawn.append(now - before - momentum * velocity)
        velocity, before = now - before, now
    scale = privacy.noise_multiplier * privacy.clipping.initial_clip_norm / privacy.clients_per_round
    found, size = np.array(drawn) / scale, before.size
    sums, errors = np.cumsum(found, axis=0), privacy.noise.prefix_errors(privacy.rounds)
    yield Check(
        name=f"{name}{privacy.noise.kind} noise, variance of its sums",
        measured=float(np.abs((sums**2).mean(axis=1) / errors - 1).max()),
        limit=5 * np.sqrt(2 / size),
    )
    source = privacy.noise.source(
        lambda round_num: rng.stream(0, "verification", round_num), privacy.rounds, [(size,)]
    )
    own = np.array([source(round_num)[0] for round_num in range(1, privacy.rounds + 1)], np.float64)
    covariance = own @ own.T / size
    yield Check(
        name=f"{name}{privacy.noise.kind} noise, covariance of its rounds",
        measured=float(np.abs(found @ found.T / size - covariance).max() / covariance.max()),
        limit=5 * np.sqrt(4 / size),
    )


def _distance_from_normal(values: np.ndarray) -> float:
    from scipy import stats

    return float(stats.kstest(values, "norm").statistic)


def replay_difference(plan: Plan, dataset: federated.FederatedDataset) -> Check:
    """Returns by how much the default engine's third round differs when it is done again from a saved state."""
    first, second = (engines.create(engines.NAMES[0], plan, dataset) for _ in range(2))
    state = first.initialize()
    for round_num, cohort in enumerate(_COHORTS[:2], start=1):
        state, _ = first.next(state, cohort, round_num)
    again = [engine.next(state, _COHORTS[3], 3)[0] for engine in (first, second, first)]
    flats = [_flat([*s.weights, *s.momentum, np.array([s.clip_norm])]) for s in again]
    different = sum(int((flat != flats[0]).sum()) for flat in flats[1:])
    return Check(name="the default engine's replay: numbers that differ", measured=different, limit=0)


def _flat(weights: Weights) -> np.ndarray:
    return np.concatenate([part.ravel() for part in weights]).astype(np.float64)
