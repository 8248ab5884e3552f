"""How accurate a run's last model is for whom: by user and by class. A diagnostic, which no guarantee covers.

It is measured once, by the worker at the end of a run, and kept in the run's folder for its owner alone: of each user how
many test examples there are and how many are right, with no name. What is shown of it is sums over users.
"""

import io
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dpcore import files
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import InvalidValueError, StoreError
from dpcore.language import _
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run

FILE = "fairness.npz"
_BINS, _GROUPS, _WORST = 10, 4, 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Fairness:
    """Right answers on the test split, of those users who have examples there.

    Attributes:
        user_right: How many of a user's are right, int64 [num_users].
        user_examples: How many each has to test, above 0, int64 [num_users].
        user_trained: How many each has to train on, int64 [num_users].
        class_right: How many of a class are right, int64 [num_classes].
        class_examples: How many there are of it, int64 [num_classes].
    """

    user_right: NDArray[np.int64]
    user_examples: NDArray[np.int64]
    user_trained: NDArray[np.int64]
    class_right: NDArray[np.int64]
    class_examples: NDArray[np.int64]

    @property
    def by_user(self) -> NDArray[np.float64]:
        """Each user's accuracy, in [0, 1]: float64 [num_users]."""
        found: NDArray[np.float64] = self.user_right / self.user_examples
        return found

    @property
    def mean_of_users(self) -> float:
        """The mean of the users' accuracies, in which each user weighs the same."""
        return float(self.by_user.mean())

    @property
    def worst_decile(self) -> float:
        """The mean accuracy of the tenth of users for whom it is lowest, at least one."""
        worst = np.sort(self.by_user)[: max(1, int(_WORST * len(self.by_user)))]
        return float(worst.mean())

    def histogram(self) -> pd.DataFrame:
        """Columns `from`, `to`, `users` and `share`: how many users have an accuracy from the one up to the other."""
        counts, edges = np.histogram(self.by_user, _BINS, (0.0, 1.0))
        return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "users": counts, "share": counts / counts.sum()})

    def by_examples(self) -> pd.DataFrame:
        """Columns `from`, `to`, `users` and `accuracy`: users by how many examples they train on, in up to four groups.

        Those with as many are in one group; the accuracy is the mean of theirs.
        """
        edges = np.unique(np.quantile(self.user_trained, np.linspace(0, 1, _GROUPS + 1)).astype(int))
        group = np.clip(np.searchsorted(edges, self.user_trained, side="right") - 1, 0, max(len(edges) - 2, 0))
        table = pd.DataFrame({"group": group, "examples": self.user_trained, "accuracy": self.by_user})
        found = table.groupby("group").agg(
            **{
                "from": ("examples", "min"),
                "to": ("examples", "max"),
                "users": ("accuracy", "size"),
                "accuracy": ("accuracy", "mean"),
            }
        )
        return found.reset_index(drop=True)

    def by_class(self) -> pd.DataFrame:
        """Columns `label`, `examples` and `accuracy`: those classes that have examples to test on."""
        (labels,) = np.nonzero(self.class_examples)
        examples = self.class_examples[labels]
        return pd.DataFrame(
            {"label": labels, "examples": examples, "accuracy": self.class_right[labels] / examples}
        )


def of(dataset: FederatedDataset, right: NDArray[np.bool_]) -> Fairness:
    """Returns right answers by user and by class.

    Args:
        dataset: What was tested on.
        right: Which examples of its test split, bool [num_examples].

    Raises:
        InvalidValueError: If there is nothing to test on.
    """
    offsets = dataset.test.offsets
    examples = np.diff(offsets)
    tested = examples > 0
    if not tested.any():
        raise InvalidValueError("dataset", _("Expected users with examples to test on, found none."))
    sums = np.concatenate([[0], np.cumsum(right)])
    labels = np.asarray(dataset.test.labels)
    return Fairness(
        user_right=(sums[offsets[1:]] - sums[offsets[:-1]])[tested],
        user_examples=examples[tested],
        user_trained=np.diff(dataset.train.offsets)[tested],
        class_right=np.bincount(labels[right], minlength=dataset.num_classes),
        class_examples=np.bincount(labels, minlength=dataset.num_classes),
    )


def keep(folder: Path, found: Fairness) -> None:
    """Writes it into a run's folder."""
    buffer = io.BytesIO()
    np.savez(buffer, **{field.name: getattr(found, field.name) for field in fields(Fairness)})
    files.write_private(folder / FILE, buffer.getvalue())


def read(store: StoreAccess, run: Run) -> Fairness | None:
    """Returns what a run's worker has kept; `None` where it has not ended, or was ended by a version that kept nothing.

    Raises:
        StoreError: If it is damaged.
    """
    path = store.folder(run.run_id) / FILE
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return Fairness(**{field.name: kept[field.name].astype(np.int64) for field in fields(Fairness)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, OSError, EOFError) as err:
        message = _("Expected the accuracy by user of {run} as it was written, found it damaged. See: {command}")
        command = f"python -m dpcore runs fairness {run.run_id} --again"
        raise StoreError(message.format(run=run.run_id, command=command)) from err
