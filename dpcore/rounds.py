"""What is kept of one round, and what it says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from dpcore.errors import CheckpointError
from dpcore.language import _
from dpcore.plan import PrivacyPlan


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round showed.

    Clip norm and update norm follow from what the guarantee covers. Accuracy and loss (on test examples) and the
    cohort's size do not: they are diagnostics.

    Attributes:
        round: From 1; 0 is the untrained model.
        accuracy: On the whole test set, in [0, 1], or `None` where it was not evaluated.
        loss: Mean cross-entropy on the whole test set, or `None` where it was not evaluated.
        clip_norm: The L2 bound on updates after this round.
        cohort_size: Users that came; `None` for round 0.
        epsilon: Spent so far, an upper bound.
        seconds: The round's wall-clock time, with its evaluation.
        update_norm: L2 norm of the noisy average that moved the model; `None` for round 0.
        noise_norm: What the L2 norm of the noise in that average is expected to be; `None` for round 0.
    """

    round: int
    accuracy: float | None
    loss: float | None
    clip_norm: float
    cohort_size: int | None
    epsilon: float
    seconds: float
    update_norm: float | None = None
    noise_norm: float | None = None

    @property
    def signal_to_noise(self) -> float | None:
        """Size of the average without its noise, estimated from private outputs, over that of the noise."""
        if self.update_norm is None or not self.noise_norm:
            return None
        return math.sqrt(max(0.0, self.update_norm**2 - self.noise_norm**2)) / self.noise_norm

    def repeats(self, other: "Round") -> bool:
        """Whether this is the same release as `other`: all but the time it took, and whether it was evaluated."""
        mine, theirs = vars(self), vars(other)
        compared = {field.name for field in fields(Round)} - {"seconds", "epsilon"}
        either_unknown = {"accuracy", "loss", "update_norm", "noise_norm"}
        return all(
            mine[name] == theirs[name] or (name in either_unknown and None in (mine[name], theirs[name]))
            for name in compared
        )


def second_release(round_num: int) -> CheckpointError:
    """Returns what is said of a round that was drawn again and came out otherwise."""
    message = _(
        "Expected round {number} to come out as it did before the interruption, and it did not: another machine, "
        "or another version of TensorFlow or of this program, rounds otherwise. Going on would release the round "
        "a second time. Start the plan as a new run."
    )
    return CheckpointError(message.format(number=round_num))


def fraction_clipped(plan: PrivacyPlan, before: Round, after: Round) -> float | None:
    """Returns what the noisy count said of a round: the fraction of updates above the clip norm, in [0, 1].

    Read back from the step of the clip norm (Andrew et al. 2021, <https://arxiv.org/abs/1905.03871>, section 3.1),
    so it is a private output. `None` where clipping is fixed, and nothing was counted; and where the step ended at the
    lowest or the highest clip norm, which it would have passed.
    """
    return plan.clipping.fraction_clipped(before.clip_norm, after.clip_norm)


def divergence(rows: Sequence[Round]) -> str:
    """Returns what is wrong with the loss of the last evaluated round, in a sentence; empty if nothing is.

    A loss diverges that is not finite, or half as high again as the lowest one and above half of the untrained model's.
    """
    losses = [(row.round, row.loss) for row in rows if row.loss is not None]
    if not losses:
        return ""
    number, last = losses[-1]
    if not math.isfinite(last):
        return _(
            "Diverged: the loss is not finite in round {number}. Less noise per client or a smaller step may help."
        ).format(number=number)
    best_at, best = min(losses, key=lambda found: found[1])
    if last > 1.5 * best and last > losses[0][1] / 2:
        return _(
            "Diverging: the loss is {last:.3f} in round {number}, after {best:.3f} in round {best_at}. Less noise per "
            "client (more clients, a lower multiplier) or a smaller step may help."
        ).format(last=last, number=number, best=best, best_at=best_at)
    return ""
