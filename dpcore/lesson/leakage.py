"""What one user's update tells: a picture in their hand, by which they can be found among others."""

from dataclasses import dataclass

import numpy as np

from dpcore.datasets.federated import Split
from dpcore.lesson import softmax
from dpcore.plan import TrainingPlan

_BATCH = 8  # the tutorial's 32 would make four steps: too few to watch
_RATE = TrainingPlan().client_learning_rate


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """A user's own digits of one class, and how an update from half of their examples grows, of that class.

    Attributes:
        digit: The class: the one that this user writes most often.
        own: Four of their images of it, float32 [4, side, side], ink 1.
        steps: The update of the weights of the class after each local step, float32 [steps, side, side].
    """

    digit: int
    own: np.ndarray
    steps: np.ndarray


def leakage(users: Split, user: int) -> Leakage:
    """Returns what a user's update of a server that knows nothing yet looks like."""
    inputs, labels = _half(users, user, 0)
    digit = int(np.bincount(labels, minlength=softmax.CLASSES).argmax())
    image = (-1, softmax.SIDE, softmax.SIDE)
    steps = softmax.local_sgd(softmax.zero_weights(), inputs, labels, learning_rate=_RATE, batch_size=_BATCH)
    return Leakage(
        digit=digit,
        own=inputs[labels == digit][:4, :-1].reshape(image),
        steps=np.stack([weights[:-1, digit] for weights in steps]).reshape(image),
    )


def matched_users(users: Split) -> np.ndarray:
    """Returns whom each user's update is taken for, int64 [users], by somebody who has other digits of all of them.

    The update is of the first half of a user's examples. The attacker trains on the second half of each user's, and
    takes the update for that of whoever's direction is nearest, class by class, apart from what all have in common.
    """
    count = len(users.offsets) - 1
    sent, known = np.stack([np.stack(_halves(users, user)) for user in range(count)], axis=1)
    common = known.mean(axis=0)
    return (_directions(sent - common) @ _directions(known - common).T).argmax(axis=1)


def _half(users: Split, user: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The first (0) or second (1) half of a user's examples."""
    inputs, labels = softmax.examples(users, user)
    middle = len(labels) // 2
    part = slice(middle, None) if number else slice(middle)
    return inputs[part], labels[part]


def _halves(users: Split, user: int) -> list[np.ndarray]:
    """Updates of each half of a user's examples, the part of each class as long as 1."""
    updates = []
    for number in (0, 1):
        given = softmax.update(
            softmax.zero_weights(), *_half(users, user, number), learning_rate=_RATE, batch_size=_BATCH
        )
        updates.append(given / np.maximum(np.linalg.norm(given, axis=0), 1e-12))
    return updates


def _directions(updates: np.ndarray) -> np.ndarray:
    flat = updates.reshape(len(updates), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)
