"""No clipped update is longer than the clip norm: in exact arithmetic, for float32 of all sizes, in both engines."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from dpcore import limits
from dpcore.mechanisms.clipping import LARGEST_NORM, MARGIN
from dpcore.plan import AdaptiveClipping, FixedClipping

pytestmark = pytest.mark.slow

CLIP_NORMS = [1e-6, 3.3e-4, 0.1, 0.3, 1.0, 777.7, 1e6]  # 0.1 and 0.3 are rounded up, and down, in float32
LARGEST = float(np.finfo(np.float32).max)


def square_norm(update: np.ndarray) -> Fraction:
    """The square of the L2 norm of float32 numbers, exactly."""
    mantissas, exponents = np.frexp(update.ravel().astype(np.float64))
    whole, total = (mantissas * 2**24).astype(np.int64), Fraction(0)
    for exponent in np.unique(exponents):
        squares = whole[exponents == exponent] ** 2  # below 2^48
        high, low = int((squares >> 24).sum()), int((squares & 0xFFFFFF).sum())
        total += Fraction((high << 24) + low) * Fraction(4) ** (int(exponent) - 24)
    return total


def test_the_yardstick_is_exact():
    update = np.array([3, 1e-45, -1e38, 0.1], np.float32)
    assert square_norm(update) == sum(Fraction(float(entry)) ** 2 for entry in update)


def updates(size: int, clip_norm: float) -> dict[str, np.ndarray]:
    """Float32 updates of so many entries, by what is odd about them."""
    draw = np.random.default_rng(size)
    normal = draw.standard_normal(size)
    direction = normal / np.linalg.norm(normal)
    lost = np.full(size, 2.0**-12 * 0.999)  # beside 1, the square of each is rounded away
    found = {
        **{f"dense, of 1e{power}": normal * 10.0**power for power in range(-45, 37, 3)},
        **{f"a single entry of 1e{power}": np.eye(1, size, size // 2)[0] * 10.0**power for power in range(-45, 37, 9)},
        **{f"norm {factor!r} times the clip norm": direction * clip_norm * factor
           for factor in (1 - 1e-5, 1 - 1e-7, 1.0, 1 + 1e-7, 1 + 1e-6, 1 + 1e-4, 30.0)},
        "scales mixed": np.sign(normal) * 10 ** draw.uniform(-45, 14, size),
        "scales mixed, some huge": np.sign(normal) * 10 ** draw.uniform(-45, 38, size),
        "a large entry first, and then many that are lost beside it": np.concatenate([[1.0], lost[1:]]),
        "a large entry in each block": np.where(np.arange(size) % 1000 == 0, 1.0, lost),
        "a large entry last": np.concatenate([lost[1:], [1.0]]),
        "alike": np.full(size, 0.1),
        "sparse": np.where(draw.random(size) < 0.01, normal, 0),
        "the largest numbers": np.full(size, LARGEST),
        "zeros": np.zeros(size),
    }  # fmt: skip
    return {name: np.clip(update, -LARGEST, LARGEST).astype(np.float32) for name, update in found.items()}


def check(update: np.ndarray, clipped: np.ndarray, norm: float | None, clip_norm: float, name: str) -> None:
    """The bound; and that clipping does no more than it has to."""
    before, after, words = square_norm(update), square_norm(clipped), f"{name}, clip norm {clip_norm}"
    assert np.isfinite(clipped).all(), words
    assert after <= Fraction(clip_norm) ** 2, words
    if before > Fraction(LARGEST_NORM) ** 2:
        assert not clipped.any(), words
    elif before > Fraction(clip_norm) ** 2:
        assert after >= Fraction(clip_norm * (1 - 2 * MARGIN)) ** 2, words
    elif before < Fraction(clip_norm * (1 - 2 * MARGIN)) ** 2:
        kept = np.where(np.abs(update) < np.finfo(np.float32).tiny, 0, update)  # too small a number may become 0
        np.testing.assert_array_equal(np.where(clipped == update, kept, clipped), kept, err_msg=words)
    if norm is not None and Fraction(1e-10) ** 2 < before < Fraction(LARGEST_NORM) ** 2:
        assert norm == pytest.approx(math.sqrt(before), rel=MARGIN), words


def of_shapes(update: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """An update cut into the arrays of a model."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(update, ends[:-1]), shapes, strict=True)]


@pytest.mark.parametrize("model_name", ["linear", "mlp"])
def test_no_clipped_update_is_longer_than_the_clip_norm_in_vectorized(
    small_plan, few_writers, monkeypatch, model_name
):
    """Through what trains, with updates put in the place of what was learnt."""
    from dpcore.learning.clients import Clients
    from dpcore.learning.models import dense
    from dpcore.learning.shards import Broadcast

    plan = dataclasses.replace(small_plan, training=dataclasses.replace(small_plan.training, model=model_name))
    learnt = []
    monkeypatch.setattr(dense, "updates", lambda *given, **named: iter([[part.copy() for part in learnt]]))
    clients = Clients(plan, few_writers)
    weights = [np.zeros(shape, np.float32) for shape in clients.shapes]
    size = sum(map(math.prod, clients.shapes))
    for clip_norm in CLIP_NORMS if model_name == "linear" else CLIP_NORMS[2:3]:
        told = Broadcast(weights=weights, clip_norm=clip_norm, ceiling=np.inf, estimate=np.inf, round_num=1)
        for name, update in updates(size, clip_norm).items():
            learnt[:] = of_shapes(update, clients.shapes)
            summed = clients.shard_sum(told, [np.array([3])])
            clipped = np.concatenate([part.ravel() for part in summed.total])
            check(update, clipped, None, clip_norm, name)
            true = square_norm(update)
            if not Fraction(1 - 1e-4) < true / Fraction(clip_norm) ** 2 < Fraction(1 + 1e-4):
                unclipped = true < Fraction(clip_norm) ** 2 or true > Fraction(LARGEST_NORM) ** 2  # becomes 0
                assert summed.num_unclipped == unclipped, f"{name}, clip norm {clip_norm}"


def test_no_clipped_update_is_longer_than_the_clip_norm_in_tff():
    """What TFF maps over the clients, without its runtime: thousands of users in seconds."""
    import tensorflow as tf

    from dpcore.learning.tff.bounded_query import BoundedSumQuery

    for size, clip_norms in ((7850, CLIP_NORMS), (200_000, CLIP_NORMS[2:3])):
        for clip_norm in clip_norms:
            query = BoundedSumQuery(clip_norm, 0.0, margin=MARGIN, largest_norm=LARGEST_NORM)
            params = query.derive_sample_params(query.initial_global_state())
            clip = tf.function(
                lambda record, query=query, params=params: query.preprocess_record_impl(params, record)
            )
            for name, update in updates(size, clip_norm).items():
                (one, other), norm = clip([tf.constant(update[:100]), tf.constant(update[100:])])
                check(update, np.concatenate([one, other]), float(norm), clip_norm, name)


@pytest.mark.parametrize(
    "clipping", [FixedClipping(clip_norm=0.3), AdaptiveClipping(initial_clip_norm=0.3)], ids=str
)
def test_what_leaves_tffs_aggregator_is_no_longer_than_the_clip_norm(small_plan, with_privacy, clipping):
    """With one client expected, the average is the sum; and of one update, that is what clipping leaves of it."""
    import tensorflow_federated as tff

    from dpcore.learning.tff import engine as tff_engine
    from dpcore.learning.tff import process as tff_process

    tff_process.start()
    plan = with_privacy(small_plan, noise_multiplier=0.0, clients_per_round=1, clipping=clipping)
    process = tff_engine.aggregator(plan).create(tff.TensorType(np.float32, [200_000]))
    state = process.initialize()
    for name, update in updates(200_000, 0.3).items():
        if not name.startswith(("dense", "a single")):
            check(update, process.next(state, [update]).result, None, 0.3, name)
    nobodys = process.next(state, [np.full(200_000, np.nan, np.float32), np.full(200_000, np.inf, np.float32)])
    assert not nobodys.result.any()


@pytest.mark.parametrize("engine_name", ["vectorized", "tff"])
@pytest.mark.parametrize(
    ("start", "quantile", "end"),
    [(2e-6, 0.0, limits.CLIP_NORM.minimum), (5e5, 1.0, limits.CLIP_NORM.maximum)],
    ids=["down", "up"],
)
def test_a_clip_norm_that_adapts_stays_within_what_a_plan_may_have(
    small_plan, few_writers, with_privacy, engine_name, start, quantile, end
):
    """Nobody comes, and the count of nobody asks for a smaller clip norm, or for a larger one, for ever."""
    from dpcore.learning import engines

    clipping = AdaptiveClipping(initial_clip_norm=start, target_unclipped_quantile=quantile, learning_rate=1.0)
    plan = with_privacy(small_plan, noise_multiplier=0.3, clipping=clipping)
    engine = engines.create(engine_name, plan, few_writers)
    state, found = engine.initialize(), []
    for round_num in range(1, 9):
        before = engine.model_weights(state)
        state, metrics = engine.next(state, np.array([], np.int64), round_num)
        found.append(metrics.clip_norm)
    assert found[-3:] == pytest.approx([end] * 3, rel=1e-6)
    # The noise follows the clip norm that is held.
    moved = np.concatenate([(b - a).ravel() for a, b in zip(before, engine.model_weights(state), strict=True)])
    if end > 1:  # the other is lost in the rounding of the weights
        expected = plan.privacy.value_noise_multiplier * end / plan.privacy.clients_per_round
        assert moved.std() > expected * 0.9
