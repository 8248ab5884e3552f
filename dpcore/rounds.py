"""What is kept of one round."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round showed.

    Attributes:
        round: From 1; 0 is the untrained model.
        accuracy: On the whole test set, in [0, 1], or `None` where it was not evaluated.
        loss: Mean cross-entropy on the whole test set, or `None` where it was not evaluated.
        clip_norm: The L2 bound on updates after this round.
        cohort_size: Users that came; `None` for round 0.
        epsilon: Spent so far, an upper bound.
        seconds: The round's wall-clock time, with its evaluation.
    """

    round: int
    accuracy: float | None
    loss: float | None
    clip_norm: float
    cohort_size: int | None
    epsilon: float
    seconds: float
