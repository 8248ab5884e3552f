"""How cohorts are formed and with what noise, as a study varies them."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dpcore import limits, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.mechanisms import choices
from dpcore.mechanisms.noise import Independent, Noise
from dpcore.mechanisms.participation import ADD_OR_REMOVE, Fleet, Participation, Poisson
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


def combined(
    participations: Sequence[str], noises: Sequence[str], fleet: Fleet, **numbers: int | None
) -> tuple[list[Mechanism], list[InvalidValueError]]:
    """Returns every way to form cohorts with every kind of noise; and why some, if not all, do not go together.

    Args:
        participations: Kinds of the former.
        noises: Kinds of the latter.
        fleet: The numbers that they depend on.
        numbers: `max_participations`, `min_separation` and `bands`, each for those that have it.

    Raises:
        InvalidValueError: If there is no such kind, a number is given that none of them has, or none go together.
    """
    kinds = list(itertools.product(dict.fromkeys(participations), dict.fromkeys(noises)))
    used = set().union(*(_numbers(*pair) for pair in kinds))
    found, refused = [], []
    for participation, noise in kinds:
        taken = _numbers(participation, noise)
        # A number that none of them has is refused by the first.
        own = {name: value for name, value in numbers.items() if name in taken or name not in used}
        forming, adding = choices.chosen(participation, noise, fleet, **own)
        try:
            forming.check(fleet, ADD_OR_REMOVE, adding)
        except InvalidValueError as err:
            if err.field != "noise":
                raise
            refused.append(err)
        else:
            found.append(Mechanism(participation=forming, noise=adding))
    if not found:
        raise refused[0]
    return found, refused


def placed(plan: PrivacyPlan, compared: Sequence[Mechanism]) -> tuple[PrivacyPlan, tuple[Mechanism, ...]]:
    """Returns the plan and the mechanisms of a study: a single one is the plan's own, several are compared."""
    if len(compared) > 1:
        return plan, tuple(compared)
    return replace(plan, participation=compared[0].participation, noise=compared[0].noise), ()


def _numbers(participation: str, noise: str) -> set[str]:
    """The names of the numbers that a way to form cohorts and a kind of noise have."""
    forming, adding = choices.PARTICIPATION_BY_KIND.get(participation), choices.NOISE_BY_KIND.get(noise)
    names = {knob.name for kind in (forming, adding) if kind for knob in kind.knobs}
    return names | {limits.BANDS.name} if forming and forming.groups_are_bands else names


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
