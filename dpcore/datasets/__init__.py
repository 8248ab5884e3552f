"""Federated data sets, by name. Nothing here imports TensorFlow."""

from collections.abc import Callable
from pathlib import Path

from dpcore.datasets import writers
from dpcore.datasets.federated import FederatedDataset
from dpcore.limits import check_choice

Progress = Callable[[str, float], None]  # what is being done, and the fraction that is done

_LOADERS = {"writers": writers.load}
_NUM_USERS = {"writers": writers.NUM_WRITERS}
NAMES = tuple(_LOADERS)


def check_name(name: str) -> str:
    """Returns `name` if there is such a data set.

    Raises:
        InvalidValueError: If there is not.
    """
    return check_choice("dataset", name, NAMES)


def num_users(name: str) -> int:
    """Returns the population of a data set, without loading it.

    Raises:
        InvalidValueError: If there is no data set of this name.
    """
    return _NUM_USERS[check_name(name)]


def load(name: str, home: Path, progress: Progress = lambda what, fraction: None) -> FederatedDataset:
    """Returns the data set `name`, made first if the cache under `home` does not hold it.

    Raises:
        InvalidValueError: If there is no data set of this name.
        DatasetError: If it cannot be made.
    """
    return _LOADERS[check_name(name)](home / "datasets", progress)
