"""Shards depend on the cohort alone, and their sum is that of the groups one after the other."""

import numpy as np
import pytest

from dpcore.learning import shards


@pytest.mark.parametrize("size", [0, 1, 8, 9, 120, 512, 513, 3383])
def test_every_user_is_in_one_shard(size):
    cohort = np.random.default_rng(0).permutation(5000)[:size]
    parts = shards.cut(cohort, cohort % 7)
    users = [user for shard in parts for group in shard for user in group]
    assert sorted(users) == sorted(cohort)
    assert len(parts) == min(64, -(-size // 8))
    assert all(len(shard) == 1 for shard in parts) == (size <= 512)
    assert max(map(len, parts), default=0) - min(map(len, parts), default=0) <= 1


def test_shards_do_not_depend_on_the_order_in_which_the_cohort_came():
    cohort, draw = np.arange(900), np.random.default_rng(1)
    counts = draw.integers(0, 50, 900)
    mixed = draw.permutation(900)
    one, other = shards.cut(cohort, counts), shards.cut(mixed, counts[mixed])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(np.concatenate(a), np.concatenate(b))


@pytest.mark.slow
def test_up_to_512_clients_the_sum_is_the_running_sum_over_groups(few_writers, small_plan):
    """As it was before there were shards: the same bits, so that older runs go on as they were."""
    from dpcore.learning import model
    from dpcore.learning.vectorized import Clients, Threads

    clients = Clients(small_plan, few_writers)
    weights = model.initial_weights(clients.shapes, seed=0)
    told = shards.Broadcast(weights=weights, clip_norm=0.05, ceiling=np.inf, estimate=0.01, round_num=3)
    cohort = np.arange(60)
    counts = np.diff(few_writers.train.offsets)
    ordered = cohort[np.lexsort((cohort, -counts))]
    running = [np.zeros_like(part) for part in weights]
    unclipped = below = 0
    for start in range(0, 60, 8):
        one = clients.shard_sum(told, [ordered[start : start + 8]])
        unclipped, below = unclipped + one.num_unclipped, below + one.num_below
        for whole, part in zip(running, one.total, strict=True):
            whole += part
    summed = shards.sum_of_shards(Threads(clients)(told, shards.cut(cohort, counts)), weights)
    for whole, part in zip(running, summed.total, strict=True):
        assert whole.tobytes() == part.tobytes()
    assert (summed.num_clients, summed.num_unclipped, summed.num_below) == (60, unclipped, below)
    nobody = shards.sum_of_shards(Threads(clients)(told, []), weights)
    assert nobody.num_clients == 0
    assert not any(part.any() for part in nobody.total)


@pytest.mark.slow
def test_a_probe_is_the_same_on_every_call_and_tells_models_apart(few_writers, small_plan):
    import dataclasses

    from dpcore.learning.clients import Clients

    one = Clients(small_plan, few_writers)
    linear = dataclasses.replace(small_plan.training, model="linear")
    other = Clients(dataclasses.replace(small_plan, training=linear), few_writers)
    assert one.bits_digest() == one.bits_digest() != other.bits_digest()


WEIGHTS = [np.zeros((3, 2), np.float32), np.zeros(2, np.float32)]
TOLD = shards.Broadcast(weights=WEIGHTS, clip_norm=0.5, ceiling=np.inf, estimate=1.0, round_num=1)
SHARD = [np.arange(8), np.arange(8, 11)]


def of_length(length, **other):
    """A sum of 11 clients with this norm."""
    total = [np.full_like(part, length / np.sqrt(8)) for part in WEIGHTS]
    return shards.ShardSum(**({"total": total, "num_clients": 11, "num_unclipped": 3, "num_below": 11} | other))


@pytest.mark.parametrize("length", [0.0, 1.0, 5.5])
def test_what_can_come_of_a_shard_has_no_fault(length):
    assert shards.problem_with(of_length(length), SHARD, TOLD) == ""


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (of_length(5.51), "longer than clipped updates can be"),
        (of_length(np.nan), "not finite"),
        (of_length(np.inf), "not finite"),
        (of_length(1.0, num_clients=12), "counts"),
        (of_length(1.0, num_unclipped=12), "counts"),
        (of_length(1.0, num_below=-1), "counts"),
        (of_length(1.0, num_below=0.5), "counts"),
        (of_length(1.0, total=WEIGHTS[:1]), "other shapes"),
        (of_length(1.0, total=[part.astype(np.float64) for part in WEIGHTS]), "other shapes"),
        (of_length(1.0, total=[part[:1] for part in WEIGHTS]), "other shapes"),
    ],
)
def test_what_cannot_is_named(one, words):
    assert words in shards.problem_with(one, SHARD, TOLD)
