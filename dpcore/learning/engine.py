"""What an engine is: the algorithm of one round, with its state passed in and out."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Weights = list[
    np.ndarray
]  # float32: the kernel [..., inputs, outputs] and the bias [outputs] of each layer in turn


@dataclass(frozen=True, kw_only=True)
class RoundMetrics:
    """The measurements of a round: its clip norm, and the norm of its average update.

    Attributes:
        clip_norm: The L2 bound that the next round will use.
        update_norm: The L2 norm of the noisy average of this round's updates.
        trace: What an audit keeps of the round; `None` where there is no audit.
    """

    clip_norm: float
    update_norm: float
    trace: Any = None


class Engine(Protocol):
    """DP-FedAvg (McMahan et al. 2018) with adaptive clipping (Andrew et al. 2021) on one plan and data set."""

    def initialize(self) -> Any:
        """Returns the state before round 1."""
        ...

    def next(self, state: Any, cohort: np.ndarray, round_num: int) -> tuple[Any, RoundMetrics]:
        """Returns the state after a round with these users (int64 [cohort_size], possibly none)."""
        ...

    def model_weights(self, state: Any) -> Weights:
        """Returns the model: float32, the kernel [inputs, outputs] and the bias [outputs] of each layer in turn."""
        ...

    def to_arrays(self, state: Any) -> list[np.ndarray]:
        """Returns all of a state as arrays, each [any shape]: those that `from_arrays` makes the same state of."""
        ...

    def from_arrays(self, arrays: list[np.ndarray]) -> Any:
        """Returns the state of which `to_arrays` gave these arrays, each [as it was]."""
        ...


def l2_norm(parts: Weights) -> float:
    """Returns the L2 norm over all entries of all arrays, each [any shape]; the same bits for the same numbers.

    >>> l2_norm([np.array([3.0, 0.0], np.float32), np.array([[4.0]], np.float32)])
    5.0
    """
    return float(np.sqrt(sum(np.square(part, dtype=np.float64).sum() for part in parts)))
