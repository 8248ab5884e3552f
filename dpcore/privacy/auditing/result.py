"""What an audit shows of a run, in numbers and in words; and what it cannot show, which is said with it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dpcore import rounding
from dpcore.language import N_, _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, gaussian
from dpcore.privacy.auditing import attacks, ingredients
from dpcore.privacy.auditing.attacks import Bound
from dpcore.privacy.auditing.ingredients import Ingredient
from dpcore.privacy.auditing.plug_in import PlugIn, plug_in
from dpcore.privacy.auditing.trace import Trace

INGREDIENTS = {
    ingredients.RUN_STEP: N_("Step of a canary in clip norms, by canaries of the run"),
    ingredients.ROUND_STEP: N_("Step of a canary in clip norms, by canaries of the rounds"),
    ingredients.STEP_BY_ROUND: N_("Dispersion of the step over the rounds"),
    ingredients.ACROSS_DIRECTIONS: N_("Noise on the sum, across directions"),
    ingredients.ACROSS_ROUNDS: N_("Noise on the sum, across rounds"),
    ingredients.NOISE_OF_A_ROUND: N_("Noise on the sum, of the round with the least"),
    ingredients.NOISE_OF_A_LAYER: N_("Noise on the sum, of the layer with the least"),
    ingredients.CORRELATION: N_("Largest correlation between the noise of two rounds"),
    ingredients.RATE: N_("Participation rate"),
    ingredients.RATE_BY_ROUND: N_("Dispersion of participation over the rounds"),
    ingredients.RATE_BY_CANARY: N_("Dispersion of participation over the canaries"),
}
METHODS = {
    attacks.ONE_RUN: N_("Guesses of fair coins, nothing else assumed (Steinke et al. 2023)"),
    attacks.PLAN_F_DP: N_(
        "If the run is the plan's mechanism with other noise, by the accountant (Mahloujifar et al. 2024)"
    ),
    attacks.CLOPPER_PEARSON: N_(
        "Estimate, no bound: as if canaries of one run were independent trials (Clopper-Pearson, with bystanders)"
    ),
    attacks.GAUSSIAN_F_DP: N_(
        "Of one round, to somebody who knows its cohort, if it is a Gaussian (Mahloujifar et al. 2024)"
    ),
}
CLAIM = "claim"
OUTSIDE_COORDINATES = N_("what is wrong outside the coordinates that canaries use")
BESIDE_MODEL = N_("whatever leaks beside the model: timing, memory, logs")
CANNOT_SEE = (
    N_(
        "clipping that is wrong for users alone, or on the workers of a cluster: canaries are clipped on the server"
    ),
    OUTSIDE_COORDINATES,
    N_("the noise on the count of unclipped updates"),
    N_("zeroing of outlying updates"),
    N_("noise that is shared with another run: two audits beside each other can show that"),
    BESIDE_MODEL,
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that the audit of a run shows, of its first rounds or of all of them.

    Attributes:
        claim: The epsilon of the plan, after all its rounds.
        claim_of_a_round: That of one round, to somebody who knows its cohort.
        claim_p: How often attacks would be as right as they were if the claim holds, at most.
        delta: The plan's.
        rounds: How many were looked at.
        planned_rounds: How many the plan has; all epsilons of the run are of so many.
        ingredients: What was measured, beside what was planned.
        plug_in: The epsilons of what was measured: an estimate.
        bounds: What attacks show at least.
        cosine: An estimate from the final model alone, and no bound.
    """

    claim: float
    claim_of_a_round: float
    claim_p: float
    delta: float
    rounds: int
    planned_rounds: int
    ingredients: tuple[Ingredient, ...]
    plug_in: PlugIn
    bounds: tuple[Bound, ...]
    cosine: float

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of what is not as the plan says; `CLAIM`, if attacks refute that. None does not mean that all is."""
        refuted = (CLAIM,) if self.claim_p < ingredients.ALARM_LEVEL else ()
        return (*(row.name for row in self.ingredients if row.alarms), *refuted)

    @property
    def most(self) -> float:
        """The most that an attack shows of the run; 0 where none does."""
        return max((bound.epsilon for bound in self.bounds if bound.scope == attacks.RUN), default=0.0)

    def claimed(self, bound: Bound) -> float:
        """Returns the epsilon that the plan claims of what a bound is of."""
        return self.claim if bound.scope == attacks.RUN else self.claim_of_a_round

    def to_values(self) -> dict[str, Any]:
        """The same as JSON has it."""
        names = ("name", "planned", "measured", "low", "high", "p")
        return {
            "claim": self.claim,
            "delta": self.delta,
            "rounds": self.rounds,
            "planned_rounds": self.planned_rounds,
            "ingredients": [{name: getattr(row, name) for name in names} for row in self.ingredients],
            "plug_in_epsilon": self.plug_in.epsilon,
            "plug_in_low": self.plug_in.low,
            "plug_in_high": self.plug_in.high,
            "bounds": [asdict(bound) | {"claim": self.claimed(bound)} for bound in self.bounds],
            "claim_p": self.claim_p,
            "cosine_estimate": self.cosine,
            "alarms": list(self.alarms),
        }


def of(trace: Trace, plan: PrivacyPlan) -> Result:
    """Returns what an audited run of a plan shows; seconds for a hundred rounds."""
    rows = ingredients.ingredients(trace, plan)
    moved = 1.0 if trace.innovations is None else float(np.linalg.norm(trace.innovations, axis=0).max())
    moved *= plan.cohorts.movement(plan.adjacency)  # a user who is replaced moves a sum by two
    return Result(
        claim=accounting.epsilon(plan).value,
        claim_of_a_round=float(gaussian.epsilons(plan.noise_multiplier / moved, plan.delta)),
        claim_p=attacks.claim_p_value(trace, plan),
        delta=plan.delta,
        rounds=trace.rounds,
        planned_rounds=plan.rounds,
        ingredients=rows,
        plug_in=plug_in(rows, plan),
        bounds=attacks.attack(trace, plan),
        cosine=attacks.cosine_estimate(trace, plan.delta),
    )


def sentence(result: Result) -> str:
    """Returns what was measured, in a sentence or two, and what it comes to. Never that anything is so."""
    rows = {row.name: row for row in result.ingredients}
    steps = [rows[name] for name in (ingredients.ROUND_STEP, ingredients.RUN_STEP) if name in rows]
    noise = min(
        rows[name].measured for name in (ingredients.ACROSS_DIRECTIONS, ingredients.ACROSS_ROUNDS) if name in rows
    )
    words = {
        "noise": rounding.down(noise, 4),
        "low": rounding.down(result.plug_in.low),
        "high": rounding.up(result.plug_in.high),
    }
    if steps:
        step = min(steps, key=lambda row: row.high - row.low)
        reach = rounding.up((step.high - step.low) / 2, 1)
        measured = _(
            "Measured step {step} ± {reach} and noise {noise}, so by the same accountant {low} to {high}, where the plan "
            "says {claim}."
        ).format(
            step=rounding.short([step.measured])[0], reach=reach, claim=rounding.epsilon(result.claim), **words
        )
    else:
        measured = _(
            "Measured noise {noise}, so by the same accountant {low} to {high}, where the plan says {claim}."
        ).format(claim=rounding.epsilon(result.claim), **words)
    attacked = _("No attack that was tried shows more than {most}.").format(most=rounding.up(result.most))
    seen = ""
    if result.rounds < result.planned_rounds:
        seen = _("So far {rounds:,} of {planned:,} rounds were looked at.").format(
            rounds=result.rounds, planned=result.planned_rounds
        )
    return " ".join(part for part in (seen, measured, attacked, _alarm_sentence(result)) if part)


def _alarm_sentence(result: Result) -> str:
    """Returns which alarms ring, in a sentence; empty where none does, which is no proof of anything."""
    if not result.alarms:
        return ""
    refuted = {CLAIM: N_("Attacks were right more often than the plan's epsilon allows")}
    told = "; ".join(_((INGREDIENTS | refuted)[name]) for name in result.alarms)
    return _("ALARM: what ran is not what the plan says. {alarms}.").format(alarms=told)


def limits_sentence(*, seeded: bool) -> str:
    """Returns what an audit cannot see, and what its numbers are not."""
    told = _(
        "An audit does not see: {list}. A low bound says that these attacks found little, and nothing of others."
    ).format(list="; ".join(map(_, CANNOT_SEE)))
    more = _(
        "A seeded run tests the arithmetic and not the secrecy: whoever knows the seed can recompute the noise."
    )
    return f"{told} {more}" if seeded else told


def place_sentence(canaries: int) -> str:
    """Returns what canaries are to the guarantee, in a sentence."""
    return _(
        "Audited with {canaries:,} canaries of the run and as many of the rounds. They are nobody: they are in no count "
        "and no divisor, and the guarantee is that of the users, who are sampled with the same probability."
    ).format(canaries=canaries)
