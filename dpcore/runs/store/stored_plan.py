"""Plans of runs that older versions took and this one does not: shown and charged as they are, and not trained again."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from dpcore import limits, strict_json
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.mechanisms.clipping import CLIPPINGS, Clipping
from dpcore.plan import MODELS, PLAN_VERSION, Plan, PrivacyPlan, TrainingPlan, codec


def read(text: str) -> Plan:
    """Returns the plan of a stored run, also where a number of it is out of today's range.

    What had no range in older versions is then of a class of this module, which checks little: everything else of a
    plan, and so what its rounds have cost, is as it was. `Plan.from_json` of its text says why it is not trained.

    Raises:
        InvalidValueError: If no version ever took it.
    """
    try:
        return Plan.from_json(text)
    except InvalidValueError as refusal:
        try:
            _version, values = strict_json.versioned(strict_json.loads(text), "plan", PLAN_VERSION)
            privacy = values["privacy"]
            clipping = _UNCHECKED[codec.clipping_kind(privacy["clipping"]).kind](**privacy["clipping"])
            changed = {"clipping": clipping, "zeroing": bool(privacy["zeroing"])}
            return Plan(privacy=PrivacyPlan(**privacy | changed), training=_Training(**values["training"]))
        except (InvalidValueError, ValueError, KeyError, TypeError, OverflowError):
            raise refusal from None


def lowered_clipping(clipping: Clipping, clip_norm: float) -> Clipping:
    """Returns a way to clip as if it had begun at a clip norm that it came to."""
    unchecked: Clipping = _UNCHECKED[clipping.kind](**asdict(clipping) | {clipping.begins_at: clip_norm})
    return unchecked


def _check_numbers(plan: Any, *others: str) -> None:
    """Refuses what was never a number of a plan, all of which are finite and none below 0."""
    for name in (field.name for field in fields(plan) if field.name not in others):
        value = getattr(plan, name)
        if not (isinstance(value, int | float) and 0 <= value < math.inf):
            raise limits.refusal(name, _("Expected {name} to be a number, found {value}."), value)


# Ways to clip as `read` takes them.
_UNCHECKED = {
    kind.kind: type(f"_{kind.__name__}", (kind,), {"__post_init__": _check_numbers}) for kind in CLIPPINGS
}


@dataclass(frozen=True, kw_only=True)
class _Training(TrainingPlan):
    def __post_init__(self) -> None:
        limits.check_choice("model", self.model, MODELS)
        if not isinstance(self.dataset, str):  # else nobody would be charged with it
            raise limits.refusal(
                "dataset", _("Expected {name} to be the name of a data set, found {value}."), self.dataset
            )
        _check_numbers(self, "dataset", "dataset_fingerprint", "model", "seed")
