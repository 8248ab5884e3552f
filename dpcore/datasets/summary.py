"""What a data set is like: how many, how large, how balanced, how different users are; and a look at it."""

import math
from dataclasses import dataclass

import numpy as np

from dpcore.datasets.federated import FederatedDataset, Split, scale

_BINS = 30
_CELLS = 1 << 22  # of a table of users and classes that is in memory at once
_ROWS_SHOWN, _FEATURES_SHOWN = 10, 20


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures of a data set. None of them is private: they are for who may see the data.

    Attributes:
        num_users: The population: users with something to train on.
        num_classes: How many labels there are.
        num_features: The width of an example.
        num_train: Training examples of all users.
        num_test: Test examples of all users.
        users_without_train: Users who only test, beside the population.
        users_without_test: Users with nothing to test on.
        examples_per_user: The fewest, the median and the most training examples of a user who trains.
        histogram_edges: int64 [bins + 1]; a bin holds users with at least its left and less than its right edge
            of training examples, of those who train.
        histogram_users: int64 [bins], the users in each bin.
        label_balance: float64 [num_classes], the fraction of training examples of each class.
        label_skew: How far users' labels are from everybody's: the mean over users of the total variation
            distance, from 0 (alike) to 1. Users of few examples raise it even where all are alike.
        suggested_delta: See `suggested_delta`.
    """

    num_users: int
    num_classes: int
    num_features: int
    num_train: int
    num_test: int
    users_without_train: int
    users_without_test: int
    examples_per_user: tuple[int, float, int]
    histogram_edges: np.ndarray
    histogram_users: np.ndarray
    label_balance: np.ndarray
    label_skew: float
    suggested_delta: float


def summarise(dataset: FederatedDataset) -> Summary:
    """Returns the figures of a data set."""
    counts, test_counts = np.diff(dataset.train.offsets)[dataset.trainers], np.diff(dataset.test.offsets)
    width = max(1, math.ceil((counts.max() - counts.min() + 1) / _BINS))
    edges = np.arange(counts.min(), counts.max() + width + 1, width)
    users, _ = np.histogram(counts, edges - 0.5)  # half a step down: a count is inside a bin, never on its edge
    balance = np.bincount(dataset.train.labels, minlength=dataset.num_classes) / len(dataset.train.labels)
    return Summary(
        num_users=dataset.num_users,
        num_classes=dataset.num_classes,
        num_features=dataset.num_features,
        num_train=len(dataset.train.labels),
        num_test=len(dataset.test.labels),
        users_without_train=dataset.users_without_train,
        users_without_test=int((test_counts == 0).sum()),
        examples_per_user=(int(counts.min()), float(np.median(counts)), int(counts.max())),
        histogram_edges=edges,
        histogram_users=users,
        label_balance=balance,
        label_skew=_label_skew(dataset.train, balance),
        suggested_delta=suggested_delta(dataset.num_users),
    )


def _label_skew(split: Split, balance: np.ndarray) -> float:
    counts, classes, total = np.diff(split.offsets), len(balance), 0.0
    step = max(1, _CELLS // classes)
    for first in range(0, len(counts), step):
        part = counts[first : first + step]
        rows = slice(int(split.offsets[first]), int(split.offsets[first + len(part)]))
        user = np.repeat(np.arange(len(part)), part)
        cells = np.bincount(user * classes + split.labels[rows], minlength=len(part) * classes)
        present = part > 0
        shares = cells.reshape(-1, classes)[present] / part[present, None]
        total += 0.5 * np.abs(shares - balance).sum()
    return float(total / (counts > 0).sum())


def suggested_delta(num_users: int) -> float:
    """Returns the largest power of ten that is at most a tenth of 1 / num_users.

    Releasing one user in full at random would be (0, 1 / num_users)-private, so delta has to be well below;
    and this is the tutorial's 1e-5 for its 3,383 users.

    >>> suggested_delta(3383), suggested_delta(1000), suggested_delta(1001)
    (1e-05, 0.0001, 1e-05)
    """
    digits = len(str(num_users - 1)) if num_users > 1 else 0  # ceil(log10(num_users)), exactly
    return float(f"1e-{digits + 1}")


def _spread(split: Split, users: int, at_least: int) -> np.ndarray:
    """Some users with so many examples, evenly over all of them; or, if there is none, those who have most."""
    counts = np.diff(split.offsets)
    able = np.flatnonzero(counts >= min(at_least, counts.max()))
    return able[np.unique(np.linspace(0, len(able) - 1, users).round().astype(int))]


def contact_sheet(dataset: FederatedDataset, *, users: int = 8, examples: int = 12) -> np.ndarray:
    """Returns some training images, one user per row: uint8 [users * height, examples * width], or with 3 channels.

    Where a user has fewer examples than fit, the rest is white. The data set must have an `image_shape`.
    """
    shape = (*(dataset.image_shape or ()), 1)[:3]
    rows = []
    for user in _spread(dataset.train, users, examples):
        mine = dataset.train.rows(user)
        features = scale(dataset.train.features[mine.start : min(mine.stop, mine.start + examples)])
        rows.append(features.reshape(-1, *shape)[..., : 3 if shape[2] >= 3 else 1])
    low, high = min(0.0, *(row.min() for row in rows)), max(1.0, *(row.max() for row in rows))
    height, width, channels = rows[0].shape[1:]
    sheet = np.full((len(rows) * height, examples * width, channels), 255, np.uint8)
    for place, row in enumerate(rows):
        shown = np.rint((row - low) / (high - low) * 255).astype(np.uint8)
        line = shown.transpose(1, 0, 2, 3).reshape(height, -1, channels)
        sheet[place * height : (place + 1) * height, : line.shape[1]] = line
    return sheet[..., 0] if channels == 1 else sheet


def sample_rows(dataset: FederatedDataset) -> dict[str, list]:
    """Returns some training examples of several users as columns: user (by number), label, and features as
    models see them, at most 20 of these."""
    users = _spread(dataset.train, _ROWS_SHOWN // 2, 2)
    offsets = dataset.train.offsets
    rows = [(user, row) for user in users for row in range(offsets[user], offsets[user + 1])[:2]]
    names = dataset.description.feature_names or tuple(f"feature {n}" for n in range(dataset.num_features))
    features = scale(dataset.train.features[[row for _, row in rows], :_FEATURES_SHOWN])
    found = {
        "user": [int(user) for user, _ in rows],
        "label": [dataset.class_names[dataset.train.labels[row]] for _, row in rows],
    }
    return found | {name: features[:, n].tolist() for n, name in enumerate(names[:_FEATURES_SHOWN])}
