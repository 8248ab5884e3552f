"""What a final model alone shows of canaries, whoever trained it: lower bounds on its run's epsilon, and an estimate.

The attacker sees the model before and after training, no round between, and knows every canary's direction: only the
coins are left to guess. What they find out is at most what somebody finds who sees all rounds, so a lower bound for them
is one for the plan, whose epsilon is against the second. Momentum, clip norms that move and other steps of the server
only weigh the rounds: guesses go by which canary is farther along its direction, and no bound assumes how far that is.

Assumed, for all of it: each canary is a user like all others. Its fair coin says whether it is in the population at all;
if so, it is sampled, clipped and added up as everybody is, and sends the same update each time. Then the guarantee holds
for each coin with all others given, which is what the theorems ask for.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpcore import rounding
from dpcore.language import N_, _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.auditing import attacks, result
from dpcore.privacy.auditing.attacks import Bound
from dpcore.privacy.auditing.ingredients import ALARM_LEVEL

METHODS = {
    attacks.ONE_RUN: result.METHODS[attacks.ONE_RUN],
    attacks.PLAN_F_DP: result.METHODS[attacks.PLAN_F_DP],
    attacks.GAUSSIAN_F_DP: N_(
        "If the run is one Gaussian for each user, as the plan says, with other noise (Mahloujifar et al. 2024)"
    ),
}
CANNOT_SEE = (
    N_("step, noise and sampling of a round: for that, rounds have to be looked at"),
    N_("whether canaries were sampled, clipped and added up as users are: that is taken from whoever trained"),
    result.OUTSIDE_COORDINATES,
    result.BESIDE_MODEL,
)
_SEEN = 3.0  # standard errors: what is nearer to 0 may be chance


@dataclass(frozen=True, kw_only=True)
class FinalModel:
    """All that the audit of a final model shows.

    Attributes:
        claim: The epsilon of the plan, of all its rounds to whoever sees them all.
        claim_p: How often attacks would be as right as they were if the claim holds, at most.
        delta: The plan's.
        rounds: The plan's.
        canaries: How many tossed a coin.
        taking_part: How many of them were in.
        bounds: What attacks show at least, each with its confidence.
        cosine: An estimate (Andrew et al. 2023), and no bound.
        moved: How far canaries that were in moved the model along their directions, in standard errors of what
            directions that nobody sent show. Near 0, nothing of canaries is seen.
    """

    claim: float
    claim_p: float
    delta: float
    rounds: int
    canaries: int
    taking_part: int
    bounds: tuple[Bound, ...]
    cosine: float
    moved: float

    @property
    def most(self) -> float:
        """The most that an attack shows; 0 where none does."""
        return max(bound.epsilon for bound in self.bounds)

    @property
    def alarms(self) -> tuple[str, ...]:
        """`result.CLAIM` if attacks refute the plan's epsilon; none does not mean that it holds."""
        return (result.CLAIM,) if self.claim_p < ALARM_LEVEL else ()

    def to_values(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self) | {"bounds": [asdict(bound) for bound in self.bounds], "alarms": list(self.alarms)}


def of(
    coins: NDArray[np.bool_], scores: NDArray[np.float64], outside: NDArray[np.float64], plan: PrivacyPlan
) -> FinalModel:
    """Returns what a final model shows; a second.

    The guesses of each attack are fixed in number before anything is seen, and share the confidence: `attacks.GUESSED`.

    Args:
        coins: Which canaries were in, bool [num_canaries].
        scores: How far the model has moved along each canary's direction, on any scale, float64 [num_canaries].
        outside: The same of directions that nobody sent, float64 [num_bystanders], at least two of them.
        plan: What is claimed.
    """
    counts = attacks.guesses(coins, scores)
    # Where a user may be absent in a round, what a run tells of them is a mixture, and no Gaussian's mu has its epsilon.
    of_plan = (
        attacks.plan_f_dp(plan, counts) if plan.event.is_sampled else attacks.gaussian_f_dp(counts, plan.delta)
    )
    inside = scores[coins]
    spread = float(outside.std(ddof=1)) / np.sqrt(max(len(inside), 1))
    return FinalModel(
        claim=accounting.epsilon(plan).value,
        claim_p=attacks.refutation(plan, counts),
        delta=plan.delta,
        rounds=plan.rounds,
        canaries=len(coins),
        taking_part=len(inside),
        bounds=(attacks.one_run(counts, plan.delta), of_plan),
        cosine=attacks.cosine_of(inside, outside, plan.delta),
        moved=float((inside.mean() - outside.mean()) / spread) if len(inside) and spread else 0.0,
    )


def sentence(shown: FinalModel) -> str:
    """Returns what may be said of it. Never that anything is so."""
    attacked = _(
        "Of {canaries:,} canaries, {taking_part:,} took part. By the final model alone, no attack that was tried shows "
        "more than {most}, where the plan claims at most {claim}."
    ).format(
        canaries=shown.canaries,
        taking_part=shown.taking_part,
        most=rounding.up(shown.most),
        claim=rounding.epsilon(shown.claim),
    )
    alarm = _("ALARM: attacks were right more often than the plan's epsilon allows.") if shown.alarms else ""
    return " ".join(part for part in (attacked, alarm, _trace(shown.moved)) if part)


def _trace(moved: float) -> str:
    """Returns what seems wrong with how canaries were sent, by what the model shows of them; empty where nothing does."""
    if moved <= -_SEEN:
        return _(
            "Canaries have moved the model against their directions, so nothing of this is of use. An update is what a "
            "client adds to the weights: were they sent as gradients, or are the initial and the final weights swapped?"
        )
    if moved < _SEEN:
        return _(
            "The canaries have left no trace that can be told from noise: they were few or rare, or the noise is large; "
            "or they were not sent, or the weights are not of this manifest's run."
        )
    return ""


def limits_sentence() -> str:
    """Returns what the audit of a final model cannot see, and what its numbers are not."""
    return _(
        "A bound is of somebody who sees the model before and after training and guesses who took part; whoever sees "
        "every round may find out more. It does not see: {list}. A low bound says that these attacks found little, and "
        "nothing of others."
    ).format(list="; ".join(map(_, CANNOT_SEE)))
