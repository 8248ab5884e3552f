"""Why a number that was looked for leaves a plan short of its target: what is missed is said, not passed over."""

from dataclasses import dataclass

from dpcore import rounding
from dpcore.language import N_, _

TOLERATED = 0.01  # of the target

# By a name that programs can go by. `beyond` is what the next number would reach.
_REASONS = {
    "least_noise": N_("{least} is the smallest noise multiplier allowed."),
    "noise_of_fewer_clients": N_(
        "fewer clients would mean a noise multiplier below {least}, the smallest allowed."
    ),
    "fewest_clients": N_("no round has fewer clients than 1."),
    "all_users": N_("all {population:,} users take part in every round."),
    "most_rounds": N_("{most:,} rounds are the most allowed."),
    "least_delta": N_("{least} is the smallest delta considered."),
    "smallest_population": N_("there cannot be fewer users than the {population:,} of a round."),
    "all_rounds": N_("each user takes part in all {rounds:,} rounds."),
    "not_formed": N_("beyond it, cohorts cannot be formed as the plan says."),
    "whole_participations": N_("participations are whole, and {next:,} of them would reach {beyond}."),
    "whole_clients": N_("clients are whole, and {next:,} of them would reach {beyond}."),
    "whole_rounds": N_("rounds are whole, and {next:,} of them would reach {beyond}."),
    "whole_users": N_("users are whole, and {next:,} of them would reach {beyond}."),
    "noise_jump": N_("the bound jumps there, and noise {next} would reach {beyond}."),
    "delta_jump": N_("the bound jumps there, and delta {next} would reach {beyond}."),
}


_MEASURES = {
    "pld": N_("Epsilon is {reached}, below the target of {target}: {reason}"),
    "rdp": N_("Epsilon by RDP is {reached}, below the target of {target}: {reason}"),
    "true_positive_rate": N_("TPR is at most {reached}, below the maximum TPR of {target}: {reason}"),
}


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """An answer that misses its target by more than is tolerated.

    Attributes:
        name: What keeps it there: one of a few names that are the same in every language.
        numbers: Those of its sentence.
        measure: What was to be reached: an accountant's epsilon, or a true-positive rate.
        reached: What the answer has of it.
        target: What it might have had.
    """

    name: str
    numbers: dict[str, float]
    measure: str
    reached: float
    target: float

    @property
    def sentence(self) -> str:
        """All of that in the reader's language."""
        is_rate = self.measure == "true_positive_rate"
        text = rounding.percent if is_rate else rounding.epsilon
        # Whole numbers have their commas from the sentence.
        given = {
            key: value if isinstance(value, int) else rounding.given(value) for key, value in self.numbers.items()
        }
        if "beyond" in self.numbers:
            given["beyond"] = text(self.numbers["beyond"])
        return _(_MEASURES[self.measure]).format(
            reached=text(self.reached),
            target=rounding.given_percent(self.target) if is_rate else rounding.given(self.target),
            reason=_(_REASONS[self.name]).format(**given),
        )
