"""Every knob of the product: its name, range, default, step and help, written once.

Pages build their controls from these, the command line its options, and `Plan` its checks; so a value
that one of them accepts is accepted by all.
"""

import math
import os
import reprlib
from dataclasses import dataclass
from numbers import Real
from typing import Any

from dpcore import rounding
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_found = reprlib.Repr()
_found.maxstring = _found.maxother = _found.maxlong = 80


def excerpt(value: Any) -> str:
    """Returns what was found instead of what was expected, as a sentence has room for it.

    >>> excerpt("120"), excerpt([[[0] * 1000]])
    ("'120'", '[[[0, 0, 0, 0, 0, 0, ...]]]')
    """
    return _found.repr(value)


def refusal(name: str, message: str, value: Any, **words: str) -> InvalidValueError:
    """Returns the error that says what a value should be, and what it is.

    Args:
        name: What it is called.
        message: A sentence with places for {name} and {value}.
        value: What was found.
        words: What goes into its other places.
    """
    return InvalidValueError(name, message.format(name=name, value=excerpt(value), **words))


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One number that a user sets.

    Label and help stand here in English, marked for translation.

    Attributes:
        name: What plans, links and options call it.
        label: What a person reads beside the control, where pages have one.
        minimum: The lowest value allowed (excluded where `above_minimum`).
        maximum: The highest value allowed (excluded where `below_maximum`).
        default: Where its control begins: at the tutorial's value, where that has one.
        step: What one key press changes.
        integer: Whether the value counts something.
        above_minimum: Whether the minimum itself is excluded.
        below_maximum: Whether the maximum itself is excluded.
        help: What the knob does, with the unit.
    """

    name: str
    label: str = ""
    minimum: float
    maximum: float
    default: float
    step: float = 1
    integer: bool = False
    above_minimum: bool = False
    below_maximum: bool = False
    help: str

    @property
    def described(self) -> str:
        """What the knob does and which numbers it takes, in the reader's language.

        >>> TOLERANCE.described.split(". ")[-1]
        'Above 0 and below 1.'
        """
        words = {
            (False, False): N_("From {low} to {high}."),
            (True, False): N_("Above {low}, up to {high}."),
            (False, True): N_("From {low} to below {high}."),
            (True, True): N_("Above {low} and below {high}."),
        }[self.above_minimum, self.below_maximum]
        # Fifteen digits: what is whole is written out, and 0.1 stays 0.1.
        within = _(words).format(low=f"{self.minimum:,.15g}", high=f"{self.maximum:,.15g}")
        return f"{_(self.help)} {within}"

    def check(self, value: Any, maximum: float | None = None, advice: str | None = None) -> Any:
        """Returns `value` as a plain `int` or `float`, or says why it is refused.

        Plain matters: `dp-accounting` miscounts composed Gaussian events whose noise is an `int` or a
        `numpy.float32` (measured: 1.96665 where 1.98888 is right).

        Neither `True` nor "120" is a number here: a file that has one of them means something else.

        Args:
            value: The number to check.
            maximum: A tighter upper end, where another knob sets one.
            advice: What to do about a refusal, where more can be said than "choose one in the range".

        Raises:
            InvalidValueError: If the value is not finite, not whole where it counts something, or out of
                range.
        """
        top = self.maximum if maximum is None else min(self.maximum, maximum)
        try:
            number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        except OverflowError:
            number = math.inf
        inside = (self.minimum < number or (number == self.minimum and not self.above_minimum)) and (
            number < top or (number == top and not self.below_maximum)
        )
        if inside and not (self.integer and number != int(number)):
            return int(number) if self.integer else number + 0.0  # no minus before a zero
        left, right = "(" if self.above_minimum else "[", ")" if self.below_maximum else "]"
        message = (
            _("Expected {name} to be a whole number in {interval}, found {value}.")
            if self.integer
            else _("Expected {name} to be a number in {interval}, found {value}.")
        )
        refused = refusal(
            self.name,
            message,
            value,
            interval=f"{left}{rounding.given(self.minimum)}, {rounding.given(top)}{right}",
        )
        if advice and math.isfinite(number):
            raise InvalidValueError(self.name, f"{refused} {advice}")
        raise refused


NOISE_MULTIPLIER = Knob(
    name="noise_multiplier",
    label=N_("Noise multiplier"),
    minimum=0.0,
    maximum=1e9,
    default=1.2,
    step=0.01,
    help=N_("Standard deviation of the Gaussian noise on the sum, in units of the clip norm. 0 gives no privacy."),
)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Returns `value` if it is one of the choices.

    Raises:
        InvalidValueError: If it is not.
    """
    if value not in choices:
        message = _("Expected {name} to be one of {choices}, found {value}.")
        raise refusal(name, message, value, choices=", ".join(choices))
    return value


# Below it, what an accountant computes overflows (and the noise protects nobody): 0 says so plainly.
LEAST_NOISE = 0.001

CLIENTS_PER_ROUND = Knob(
    name="clients_per_round",
    label=N_("Clients per round"),
    minimum=1,
    maximum=1_000_000_000,
    default=120,
    integer=True,
    help=N_(
        "Expected size of a round's cohort. With Poisson sampling, each user is sampled independently with probability "
        "clients / population."
    ),
)
ROUNDS = Knob(
    name="rounds",
    label=N_("Rounds"),
    minimum=0,
    maximum=1_000_000,
    default=100,
    integer=True,
    help=N_("Number of training rounds. Each releases one noisy average."),
)
POPULATION = Knob(
    name="population",
    label=N_("Population"),
    minimum=1,
    maximum=1_000_000_000,
    default=3383,
    integer=True,
    help=N_("Number of users that the cohorts are sampled from."),
)
DELTA = Knob(
    name="delta",
    label=N_("Delta"),
    minimum=0.0,
    maximum=1.0,
    default=1e-5,
    step=1e-6,
    below_maximum=True,
    help=N_(
        "Additive slack of the guarantee: P[M(D) in S] <= e^epsilon P[M(D') in S] + delta. Choose it well below 1 / "
        "population."
    ),
)
TARGET_EPSILON = Knob(
    name="target_epsilon",
    label=N_("Target epsilon"),
    minimum=0.0,
    maximum=1_000.0,
    default=2.0,
    step=0.05,
    above_minimum=True,
    help=N_("The epsilon that the plan may reach. Smaller is more private."),
)
TRUE_POSITIVE_RATE = Knob(
    name="true_positive_rate",
    label=N_("Maximum TPR"),
    minimum=0.0,
    maximum=1.0,
    default=0.05,
    step=0.01,
    above_minimum=True,
    help=N_(
        "The true-positive rate that the optimal attack may reach: the fraction of the users that took part whom it "
        "classifies as participants."
    ),
)
FALSE_POSITIVE_RATE = Knob(
    name="false_positive_rate",
    label=N_("False-positive rate (FPR)"),
    minimum=1e-12,
    maximum=1.0,
    default=0.01,
    step=0.01,
    below_maximum=True,
    help=N_(
        "The fraction of the users that did not take part whom the attack classifies as participants all the same."
    ),
)
PRIOR = Knob(
    name="prior",
    label=N_("Prior probability of membership"),
    minimum=0.0,
    maximum=1.0,
    default=0.5,
    step=0.01,
    above_minimum=True,
    below_maximum=True,
    help=N_("The attacker's probability, before seeing anything released, that the user took part."),
)
NOISE_TO_CLIENTS_RATIO = Knob(
    name="noise_to_clients_ratio",
    label=N_("Noise-to-clients ratio"),
    minimum=0.0,
    maximum=10.0,
    default=0.01,
    step=0.001,
    above_minimum=True,
    help=N_(
        "Noise multiplier over clients per round, in units of the clip norm. Holding it holds the effective noise: a "
        "model that tolerates it at a small cohort tolerates it at a large one."
    ),
)
# A shorter average than the lowest moves no weight: one of 0.05 has its neighbours 4e-9 away, and a millionth on 200,000
# weights is 2e-9 on each. From there on, what float32 loses to underflow is nothing (`dpcore.mechanisms.clipping`).
CLIP_NORM = Knob(
    name="clip_norm",
    label=N_("Clip norm"),
    minimum=1e-6,
    maximum=1e6,
    default=0.1,
    step=0.01,
    help=N_("The L2 bound on a user's update, where it is fixed: it then costs no privacy of its own."),
)
INITIAL_CLIP_NORM = Knob(
    name="initial_clip_norm",
    label=N_("Initial clip norm"),
    minimum=CLIP_NORM.minimum,
    maximum=CLIP_NORM.maximum,
    default=0.1,
    step=0.01,
    help=N_(
        "The L2 bound on a user's update in round 1. From then on it follows the noisy count of the updates below "
        "it."
    ),
)
MAX_PARTICIPATIONS = Knob(
    name="max_participations",
    label=N_("Maximum participations"),
    minimum=1,
    maximum=1_000_000,
    default=4,
    integer=True,
    help=N_("In how many rounds a user may take part, at most. As many as the rounds need unless given."),
)
MIN_SEPARATION = Knob(
    name="min_separation",
    label=N_("Minimum separation"),
    minimum=1,
    maximum=1_000_000,
    default=28,
    integer=True,
    help=N_(
        "Rounds from one participation of a user to the next, at least: rounds i < j have j - i of at least this. As "
        "many as there are users for unless given."
    ),
)
BANDS = Knob(
    name="bands",
    label=N_("Bands"),
    minimum=1,
    maximum=1_000,
    default=16,
    integer=True,
    help=N_("Rounds whose noise is correlated at a time. At most the separation of a user's rounds."),
)
TARGET_UNCLIPPED_QUANTILE = Knob(
    name="target_unclipped_quantile",
    label=N_("Target quantile"),
    minimum=0.0,
    maximum=1.0,
    default=0.5,
    step=0.01,
    help=N_("The quantile of the update norms that the clip norm follows: the fraction of updates left unclipped."),
)
CLIP_LEARNING_RATE = Knob(
    name="clip_learning_rate",
    label=N_("Clip learning rate"),
    minimum=0.001,  # below, float32 no longer tells what the count said from a step of the clip norm
    maximum=10.0,
    default=0.2,
    step=0.01,
    help=N_("The clip norm's geometric step: a round changes it by a factor of at most exp(this)."),
)
CLIPPED_COUNT_STDDEV = Knob(
    name="clipped_count_stddev_per_client",
    minimum=1e-6,
    maximum=10.0,
    default=0.05,
    step=0.01,
    help="Standard deviation of the noise on the count of unclipped updates, over clients per round.",
)

# How a model is trained. Within these, no sum of the server's leaves float32, whatever the users send: at noise 1e9
# and clip norm 1e6, a million rounds at the largest step and momentum come to 1e30.
CLIENT_LEARNING_RATE = Knob(
    name="client_learning_rate",
    label=N_("Client learning rate"),
    minimum=1e-6,
    maximum=1_000.0,
    default=0.01,
    step=0.01,
    help=N_("Step of a user's own SGD."),
)
SERVER_LEARNING_RATE = Knob(
    name="server_learning_rate",
    label=N_("Server learning rate"),
    minimum=1e-6,
    maximum=1_000.0,
    default=1.0,
    step=0.1,
    help=N_("Step of the server's SGD on the noisy average."),
)
SERVER_MOMENTUM = Knob(
    name="server_momentum",
    label=N_("Server momentum"),
    minimum=0.0,
    maximum=0.999,
    default=0.9,
    step=0.01,
    help=N_("Momentum of the server's SGD."),
)
BATCH_SIZE = Knob(
    name="batch_size",
    label=N_("Batch size"),
    minimum=1,
    maximum=1_000_000,
    default=32,
    integer=True,
    help=N_("Examples in a user's batch; the last of an epoch may be short."),
)
LOCAL_EPOCHS = Knob(
    name="local_epochs",
    label=N_("Local epochs"),
    minimum=1,
    maximum=5,
    default=1,
    integer=True,
    help=N_("How often a sampled user goes through all their examples in a round, newly shuffled each time."),
)
WRITER = Knob(
    name="writer",
    label=N_("Writer"),
    minimum=1,
    maximum=24,
    default=3,
    integer=True,
    help=N_("Number of the user whose update is shown, 1 to 24: the first of the Writers."),
)
SEED = Knob(
    name="seed",
    label=N_("Seed"),
    minimum=0,
    maximum=2**32 - 1,
    default=0,
    integer=True,
    help=N_("The same plan with the same seed draws the same clients."),
)
EVAL_EVERY = Knob(
    name="eval_every",
    label=N_("Evaluate every"),
    minimum=1,
    maximum=100_000,
    default=5,
    integer=True,
    help=N_("Rounds between two evaluations on the whole test set. Round 0 and the last are always evaluated."),
)
SEEDS = Knob(
    name="seeds",
    minimum=1,
    maximum=20,
    default=1,
    integer=True,
    help=N_("Runs per setting, 1 to 20, each with a seed of its own. Several seeds show the random variation."),
)
CANARIES = Knob(
    name="canaries",
    label=N_("Canaries"),
    minimum=16,
    maximum=2048,
    default=1000,
    integer=True,
    help=N_("Canaries of an audit: so many with one coin for the whole run, and as many with one for each round."),
)
TOLERANCE = Knob(
    name="tolerance",
    label=N_("Tolerated loss of accuracy"),
    minimum=0.0,
    maximum=1.0,
    default=0.05,
    step=0.01,
    above_minimum=True,
    below_maximum=True,
    help=N_("How far below the non-private baseline the accuracy may lie, as a fraction of all test examples."),
)
SMOOTHING = Knob(
    name="smoothing",
    label=N_("Smoothing"),
    minimum=0.0,
    maximum=1.0,
    default=0.0,
    step=0.05,
    below_maximum=True,
    help=N_("Weight of the rounds before in a moving average of each curve. 0 shows the numbers as they are."),
)
PARALLEL_RUNS = Knob(
    name="parallel_runs",
    label=N_("Parallel runs"),
    minimum=1,
    maximum=64,
    default=max(1, (os.cpu_count() or 1) // 2),
    integer=True,
    help=N_("How many queued runs train at the same time on this machine."),
)

# What one visitor of a shared dashboard may ask for. The defaults let everybody do the tutorial's study.
MOST_ROUNDS = Knob(
    name="most_rounds",
    minimum=1,
    maximum=ROUNDS.maximum,
    default=300,
    integer=True,
    help="Maximum rounds of a visitor's run.",
)
MOST_CLIENTS = Knob(
    name="most_clients",
    minimum=1,
    maximum=CLIENTS_PER_ROUND.maximum,
    default=500,
    integer=True,
    help="Maximum clients per round of a visitor's run.",
)
MOST_MINUTES = Knob(
    name="most_minutes",
    minimum=1,
    maximum=100_000,
    default=30,
    integer=True,
    help="Maximum minutes that a visitor's run may train; it is then stopped after its current round.",
)
MOST_QUEUED = Knob(
    name="most_queued",
    minimum=1,
    maximum=1000,
    default=6,
    integer=True,
    help="Maximum runs of one visitor that wait or train at the same time.",
)
MOST_SESSIONS = Knob(
    name="most_sessions",
    minimum=1,
    maximum=10_000,
    default=100,
    integer=True,
    help="Maximum tabs of all visitors that are open at the same time.",
)
# A new browser is a new visitor: what all visitors together take must have an end as well.
MOST_QUEUED_BY_ALL = 300
LEAST_FREE_BYTES = 2_000_000_000
MOST_STUDIES = 6  # of one visitor, that are going: each is looked at whenever a run ends
MOST_STUDIES_KEPT = 100  # of one visitor, whatever became of them: everybody's list has them
# Of a study's grid, which a link alone may ask for.
MOST_PLANS = 1_000
MOST_GRID_TEXT = 1_000  # characters of one of its lists
MOST_RECORD_TEXT = 4_000  # characters of a run's record in an address
CLUSTER_WORKERS = Knob(
    name="workers",
    minimum=1,
    maximum=64,
    default=2,
    integer=True,
    help="Processes on this machine that share the clients of a round. They end with what started them.",
)
