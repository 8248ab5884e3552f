"""How large updates are, and how the clip norm comes to stand in their middle without anybody looking."""

import numpy as np

from dpcore import rng
from dpcore.datasets.federated import Split
from dpcore.lesson import softmax
from dpcore.plan import AdaptiveClipping, TrainingPlan

CLIENTS = 30  # expected in a round
ROUNDS = 60
_TRAINING = TrainingPlan()
_SEED = 0


def cohort_norms(users: Split) -> list[np.ndarray]:
    """Returns the L2 norms of the updates that came to each round, float32 [cohort_size] each.

    A model in training by federated averaging, with Poisson cohorts and the tutorial's optimisers, but neither clipped
    nor noisy: so the norms are the same wherever a clip norm starts.
    """
    data = [softmax.examples(users, user) for user in range(len(users.offsets) - 1)]
    momentum: np.ndarray | float = 0.0
    weights, norms = softmax.zero_weights(), []
    for number in range(1, ROUNDS + 1):
        draw = rng.stream(_SEED, "lesson/clipping", number).random(len(data))
        total, sizes = np.zeros_like(weights), []
        for user in np.flatnonzero(draw < CLIENTS / len(data)):
            given = softmax.update(
                weights,
                *data[user],
                learning_rate=_TRAINING.client_learning_rate,
                batch_size=_TRAINING.batch_size,
            )
            total += given
            sizes.append(np.linalg.norm(given))
        momentum = total / CLIENTS + _TRAINING.server_momentum * momentum
        weights = weights + _TRAINING.server_learning_rate * momentum
        norms.append(np.array(sizes, np.float32))
    return norms


def clip_norms(norms: list[np.ndarray], initial_clip_norm: float, draw: int = 0) -> np.ndarray:
    """Returns the clip norm that each round was clipped to, and last the one after them all, float64 [rounds + 1].

    By the exact rule, with its noise on the count of those below, in the draw of that number.
    """
    clipping = AdaptiveClipping(initial_clip_norm=initial_clip_norm)
    path = [clipping.initial_clip_norm]
    for number, of_round in enumerate(norms, start=1):
        noise = rng.stream(draw, "lesson/clip_count_noise", number).standard_normal()
        path.append(
            clipping.next_clip_norm(
                path[-1],
                num_clients=len(of_round),
                num_unclipped=int((of_round <= np.float32(path[-1])).sum()),
                clients_per_round=CLIENTS,
                count_noise=clipping.count_stddev(CLIENTS) * noise,
            )
        )
    return np.array(path)
