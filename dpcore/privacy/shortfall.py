"""Why a number that was looked for leaves a plan short of its target: what is missed is said, not passed over."""

from dataclasses import dataclass

from dpcore.language import N_, _
from dpcore.privacy.statement import epsilon_text, percent

TOLERATED = 0.01  # of the target

# By a name that programs can go by. `beyond` is what the next number would reach.
_REASONS = {
    "least_noise": N_("{least:g} is the least noise multiplier that there may be."),
    "noise_of_fewer_clients": N_(
        "fewer clients would mean less noise than {least:g}, the least that there may be."
    ),
    "fewest_clients": N_("no round has fewer clients than 1."),
    "all_users": N_("all {population:,} users take part in every round."),
    "most_rounds": N_("{most:,} rounds are the most that there may be."),
    "least_delta": N_("{least:g} is the least delta that is looked for."),
    "smallest_population": N_("there cannot be fewer users than the {population:,} of a round."),
    "whole_clients": N_("clients are whole, and {next:,} of them would reach {beyond}."),
    "whole_rounds": N_("rounds are whole, and {next:,} of them would reach {beyond}."),
    "whole_users": N_("users are whole, and {next:,} of them would reach {beyond}."),
    "noise_jump": N_("it jumps there, and noise {next:.12g} would reach {beyond}."),
    "delta_jump": N_("it jumps there, and delta {next:.12g} would reach {beyond}."),
}


_MEASURES = {
    "pld": N_("Epsilon is {reached}, below the target of {target}: {reason}"),
    "rdp": N_("Epsilon by RDP is {reached}, below the target of {target}: {reason}"),
    "true_positive_rate": N_("At most {reached} are found, below the {target} that may be: {reason}"),
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
        text = percent if is_rate else epsilon_text
        numbers = {key: text(value) if key == "beyond" else value for key, value in self.numbers.items()}
        return _(_MEASURES[self.measure]).format(
            reached=text(self.reached),
            target=percent(self.target) if is_rate else f"{self.target:.12g}",
            reason=_(_REASONS[self.name]).format(**numbers),
        )
