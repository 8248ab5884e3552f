"""What a round releases: the clipped updates' noisy average, from few clients and from many."""

from dataclasses import dataclass

import numpy as np

from dpcore import rng
from dpcore.datasets.federated import Split
from dpcore.lesson import softmax
from dpcore.plan import TrainingPlan

CLIENTS = (10, 20, 50, 100, 200, 400)
_TRAINING = TrainingPlan()


@dataclass(frozen=True, kw_only=True)
class Averages:
    """Averages of clipped updates without their noise.

    Attributes:
        clip_norm: The median of all norms, which adaptive clipping finds.
        means: Of the first so many clients, a row for each of `CLIENTS`, float32 [rows, pixels + 1, classes].
    """

    clip_norm: float
    means: np.ndarray


def averages(users: Split) -> Averages:
    """Returns the average of the clipped updates of the first 10, 20, ... users."""
    updates = [
        softmax.update(
            softmax.zero_weights(),
            *softmax.examples(users, user),
            learning_rate=_TRAINING.client_learning_rate,
            batch_size=_TRAINING.batch_size,
        )
        for user in range(CLIENTS[-1])
    ]
    norms = np.array([np.linalg.norm(given) for given in updates])
    clip_norm = float(np.median(norms))
    total, means = np.zeros_like(updates[0]), []
    for number, (given, norm) in enumerate(zip(updates, norms, strict=True), start=1):
        total += given * min(1, clip_norm / norm)
        if number in CLIENTS:
            means.append(total / number)
    return Averages(clip_norm=clip_norm, means=np.stack(means))


def noisy(clean: Averages, noise_multiplier: float, draw: int = 0) -> np.ndarray:
    """Returns what is released of each average, of the shape of `means`.

    The noise on a sum has a standard deviation of noise_multiplier * clip_norm, and the sum is divided by the clients.
    One draw serves all rows, so that what differs from row to row is the number of clients; `draw` is its number.
    """
    noise = rng.stream(draw, "lesson/update_noise").standard_normal(clean.means.shape[1:], np.float32)
    scale = noise_multiplier * clean.clip_norm / np.array(CLIENTS, np.float32)
    return clean.means + scale[:, None, None].astype(np.float32) * noise


def fewest_clear_clients(clean: Averages, noise_multiplier: float) -> int | None:
    """Returns the fewest of `CLIENTS` whose average is larger than the noise on it, in L2; `None` if none's is."""
    size = np.sqrt(clean.means[0].size) * noise_multiplier * clean.clip_norm / np.array(CLIENTS)
    clear = np.linalg.norm(clean.means, axis=(1, 2)) > size
    return int(np.array(CLIENTS)[clear][0]) if clear.any() else None
