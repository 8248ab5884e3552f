"""How cohorts are formed and with what noise, as a study varies them."""

from dataclasses import dataclass, field, replace
from typing import Any

from dpcore import limits, strict_json
from dpcore.language import _
from dpcore.mechanisms.noise import Independent, Noise
from dpcore.mechanisms.participation import Participation, Poisson
from dpcore.plan import PrivacyPlan, codec


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """One way to form cohorts, with one kind of noise.

    Attributes:
        participation: How cohorts are formed.
        noise: Whether the noise of the rounds is independent, or correlated.
        noise_multipliers: With which it is trained; empty for those of the study.
    """

    participation: Participation = field(default_factory=Poisson)
    noise: Noise = field(default_factory=Independent)
    noise_multipliers: tuple[float, ...] = ()

    def of(self, plan: PrivacyPlan, **numbers: Any) -> PrivacyPlan:
        """Returns a plan with it, and with other numbers; noise of nothing is independent, and one and the same run."""
        noise = self.noise if numbers.get("noise_multiplier", plan.noise_multiplier) else Independent()
        return replace(plan, participation=self.participation, noise=noise, **numbers)

    def to_values(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "participation": codec.tagged(self.participation),
            "noise": codec.tagged(self.noise),
            "noise_multipliers": list(self.noise_multipliers),
        }

    @classmethod
    def from_values(cls, values: Any) -> "Mechanism":
        """Reads what `to_values` wrote.

        Raises:
            InvalidValueError: If it is not such an object.
        """
        values = strict_json.fields_of(cls, values, "mechanisms", may_lack=("noise_multipliers",))
        multipliers = values.get("noise_multipliers", [])
        if not isinstance(multipliers, list):
            message = _("Expected {name} to be a list, found {value}.")
            raise limits.refusal("noise_multipliers", message, multipliers)
        return cls(
            participation=codec.read_part("participation", values["participation"]),
            noise=codec.read_part("noise", values["noise"]),
            noise_multipliers=tuple(multipliers),
        )


def parts(plan: PrivacyPlan) -> tuple[str, str]:
    """Returns how a plan forms its cohorts and what noise it adds, in a few words each.

    >>> parts(PrivacyPlan(participation=codec.read_part("participation", {"kind": "schedule"})))
    ('Known schedule (28 apart)', 'independent')
    """
    words, apart = _(plan.cohorts.title), plan.cohorts.pattern(plan.fleet).separation
    if apart > 1:
        words = _("{participation} ({separation:,} apart)").format(participation=words, separation=apart)
    return words, plan.noise.label


def label(plan: PrivacyPlan) -> str:
    """Returns `parts` as one text.

    >>> label(PrivacyPlan())
    'Poisson sampling, independent'
    """
    return ", ".join(parts(plan))


def is_usual(plan: PrivacyPlan) -> bool:
    """Whether it goes without saying: Poisson sampling, or everybody, with independent noise."""
    return all(getattr(plan, name) == usual for name, usual in codec.USUAL.items())
