"""Every knob of the product: its name, range, default, step and help, written once.

Pages build their controls from these, the command line its options, and `Plan` its checks; so a value
that one of them accepts is accepted by all.
"""

import math
import os
from dataclasses import dataclass
from typing import Any

from dpcore.errors import InvalidValueError


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One number that a user sets.

    Attributes:
        name: The field of the plan that it sets.
        label: What a person reads beside the control.
        minimum: The lowest value allowed (excluded where `above_minimum`).
        maximum: The highest value allowed (excluded where `below_maximum`).
        default: The value of the TensorFlow Federated tutorial.
        step: What one key press changes.
        integer: Whether the value counts something.
        above_minimum: Whether the minimum itself is excluded.
        below_maximum: Whether the maximum itself is excluded.
        help: One sentence, with the unit and what the knob does.
    """

    name: str
    label: str
    minimum: float
    maximum: float
    default: float
    step: float
    integer: bool = False
    above_minimum: bool = False
    below_maximum: bool = False
    help: str

    def check(self, value: float, maximum: float | None = None, advice: str | None = None) -> Any:
        """Returns `value` as a plain `int` or `float`, or says why it is refused.

        Plain matters: `dp-accounting` miscounts composed Gaussian events whose noise is an `int` or a
        `numpy.float32` (measured: 1.96665 where 1.98888 is right).

        Args:
            value: The number to check.
            maximum: A tighter upper end, where another knob sets one.
            advice: What to do about a refusal, where more can be said than "choose one in the range".

        Raises:
            InvalidValueError: If the value is not finite, not whole where it counts something, or out of
                range.
        """
        top = self.maximum if maximum is None else min(self.maximum, maximum)
        left, right = "(" if self.above_minimum else "[", ")" if self.below_maximum else "]"
        kind = "a whole number" if self.integer else "a number"
        expected = f"Expected {self.name} to be {kind} in {left}{self.minimum:g}, {top:g}{right}"
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError) as err:
            raise InvalidValueError(self.name, f"{expected}, found {str(value)[:40]}.") from err
        inside = (self.minimum < number or (number == self.minimum and not self.above_minimum)) and (
            number < top or (number == top and not self.below_maximum)
        )
        if not math.isfinite(number) or not inside or (self.integer and number != int(number)):
            message = f"{expected}, found {str(value)[:40]}. {advice or ''}".rstrip()
            raise InvalidValueError(self.name, message)
        return int(number) if self.integer else number


NOISE_MULTIPLIER = Knob(
    name="noise_multiplier",
    label="Noise multiplier",
    minimum=0.0,
    maximum=1e9,
    default=1.2,
    step=0.01,
    help="Standard deviation of the Gaussian noise on the sum, in units of the clip norm. 0 is no privacy.",
)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Returns `value` if it is one of the choices.

    Raises:
        InvalidValueError: If it is not.
    """
    if value not in choices:
        raise InvalidValueError(name, f"Expected {name} to be one of {', '.join(choices)}, found {value!r}.")
    return value


# Below it, what an accountant computes overflows (and the noise protects nobody): 0 says so plainly.
LEAST_NOISE = 0.001

CLIENTS_PER_ROUND = Knob(
    name="clients_per_round",
    label="Clients per round",
    minimum=1,
    maximum=1_000_000_000,
    default=120,
    step=1,
    integer=True,
    help="Expected size of a round's cohort. Each user joins independently with probability "
    "clients / population (Poisson sampling).",
)
ROUNDS = Knob(
    name="rounds",
    label="Rounds",
    minimum=0,
    maximum=1_000_000,
    default=100,
    step=1,
    integer=True,
    help="How many rounds of training: each releases one noisy average.",
)
POPULATION = Knob(
    name="population",
    label="Population",
    minimum=1,
    maximum=1_000_000_000,
    default=3383,
    step=1,
    integer=True,
    help="How many users the cohorts are drawn from.",
)
DELTA = Knob(
    name="delta",
    label="Delta",
    minimum=0.0,
    maximum=1.0,
    default=1e-5,
    step=1e-6,
    below_maximum=True,
    help="The probability that the epsilon bound is allowed to fail. Well below 1 / population.",
)
TARGET_EPSILON = Knob(
    name="target_epsilon",
    label="Target epsilon",
    minimum=0.0,
    maximum=1_000.0,
    default=2.0,
    step=0.05,
    above_minimum=True,
    help="The privacy loss that the plan may reach. Smaller is more private.",
)
TRUE_POSITIVE_RATE = Knob(
    name="true_positive_rate",
    label="Users found, at most",
    minimum=0.0,
    maximum=1.0,
    default=0.05,
    step=0.01,
    above_minimum=True,
    help="The fraction of the users that took part whom the best attack may find.",
)
FALSE_POSITIVE_RATE = Knob(
    name="false_positive_rate",
    label="Wrongly accused",
    minimum=0.0,
    maximum=1.0,
    default=0.01,
    step=0.01,
    above_minimum=True,
    below_maximum=True,
    help="The fraction of the users that did not take part whom the attack accuses all the same.",
)
PRIOR = Knob(
    name="prior",
    label="Suspicion beforehand",
    minimum=0.0,
    maximum=1.0,
    default=0.5,
    step=0.01,
    above_minimum=True,
    below_maximum=True,
    help="How probable the attacker thinks it, before looking, that the user took part.",
)
NOISE_TO_CLIENTS_RATIO = Knob(
    name="noise_to_clients_ratio",
    label="Noise-to-clients ratio",
    minimum=0.0,
    maximum=10.0,
    default=0.01,
    step=0.001,
    above_minimum=True,
    help="Noise multiplier over clients per round: the noise on the average, in units of the clip norm. "
    "A model that bears it at a small cohort bears it at a large one.",
)
CLIP_NORM = Knob(
    name="clip_norm",
    label="Clip norm",
    minimum=0.0,
    maximum=1e6,
    default=0.1,
    step=0.01,
    above_minimum=True,
    help="The L2 bound on a user's update, where it is fixed: it then costs no privacy of its own.",
)
SEED = Knob(
    name="seed",
    label="Seed",
    minimum=0,
    maximum=2**32 - 1,
    default=0,
    step=1,
    integer=True,
    help="The same plan with the same seed draws the same clients.",
)
EVAL_EVERY = Knob(
    name="eval_every",
    label="Evaluate every",
    minimum=1,
    maximum=100_000,
    default=5,
    step=1,
    integer=True,
    help="Rounds between two evaluations on the whole test set. Round 0 and the last are always evaluated.",
)
TOLERANCE = Knob(
    name="tolerance",
    label="Tolerated loss of accuracy",
    minimum=0.0,
    maximum=1.0,
    default=0.05,
    step=0.01,
    above_minimum=True,
    below_maximum=True,
    help="How far below the noise-free accuracy a model may lie, as a fraction of all test examples.",
)
PARALLEL_RUNS = Knob(
    name="parallel_runs",
    label="Runs side by side",
    minimum=1,
    maximum=64,
    default=max(1, (os.cpu_count() or 1) // 2),
    step=1,
    integer=True,
    help="How many queued runs train at the same time on this machine.",
)
