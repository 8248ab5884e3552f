"""Who may do what on a dashboard that is served to others. Pure: who asks, and what there is, arrive as arguments.

Everybody may look at all runs and studies, and at the data sets that the rules name. A visitor may queue runs, within
limits, and do with runs and studies of their own what they like; never with another's. What belongs to the machine (data
sets, budgets, the bin, the order of the queue) is for whoever has its command line.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from dpcore import limits
from dpcore.errors import InvalidValueError, NotAllowedError
from dpcore.language import _
from dpcore.plan import Plan

_BROWSER_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What visitors may ask for.

    Attributes:
        most_rounds: Rounds of a run.
        most_clients: Expected clients of a round.
        most_queued: Runs of one visitor that wait or train.
        most_minutes: Of training, in all rounds of a run. A round of one model takes fifty times as long as of another.
        data: The data sets that they see and train on, by name; none: those that are built in.

    Raises:
        InvalidValueError: If one of them is out of its range.
    """

    most_rounds: int = int(limits.MOST_ROUNDS.default)
    most_clients: int = int(limits.MOST_CLIENTS.default)
    most_queued: int = int(limits.MOST_QUEUED.default)
    most_minutes: int = int(limits.MOST_MINUTES.default)
    data: tuple[str, ...] = ()

    def __post_init__(self):
        for knob in (limits.MOST_ROUNDS, limits.MOST_CLIENTS, limits.MOST_QUEUED, limits.MOST_MINUTES):
            object.__setattr__(self, knob.name, knob.check(getattr(self, knob.name)))
        object.__setattr__(self, "data", tuple(self.data))

    def out_of_time(self, *, owner: str, seconds: float) -> bool:
        """Whether a run has trained for as long as its owner's may: never out of time without one."""
        return bool(owner) and seconds >= 60 * self.most_minutes

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Rules":
        """Reads what `to_json` wrote; what is not said is the default."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})

    def check(self, plans: Sequence[Plan], *, own: int, all_visitors: int, free_bytes: int) -> None:
        """Says no to plans that a visitor may not queue, all of them together.

        Args:
            plans: What would be queued.
            own: How many runs of this visitor wait or train.
            all_visitors: How many of all visitors do.
            free_bytes: What the disk has room for.

        Raises:
            InvalidValueError: If one is too large; the field is the plan's.
            NotAllowedError: If there are too many.
        """
        for plan in plans:
            for field, most in (("rounds", self.most_rounds), ("clients_per_round", self.most_clients)):
                if getattr(plan.privacy, field) > most:
                    raise InvalidValueError(
                        field,
                        _(
                            "Expected {field} to be at most {most:,} on this shared dashboard, found {found:,}. "
                            "Lower it, or ask the administrator."
                        ).format(field=field, most=most, found=getattr(plan.privacy, field)),
                    )
        if own + len(plans) > self.most_queued:
            raise NotAllowedError(
                _(
                    "Expected at most {most} runs of one visitor to wait or train at a time, found {own} and {new} more. "
                    "Wait for one to end, stop one, or ask for fewer."
                ).format(most=self.most_queued, own=own, new=len(plans))
            )
        if all_visitors + len(plans) > limits.MOST_QUEUED_BY_ALL:
            raise NotAllowedError(
                _(
                    "Expected at most {most} runs of all visitors to wait or train, found {found}. Come back when some "
                    "have ended."
                ).format(most=limits.MOST_QUEUED_BY_ALL, found=all_visitors)
            )
        if free_bytes < limits.LEAST_FREE_BYTES:
            raise NotAllowedError(
                _(
                    "Expected at least {least:.0f} GB of free disk for a visitor's run, found {found:.1f} GB. Ask "
                    "the administrator to make room."
                ).format(least=limits.LEAST_FREE_BYTES / 1e9, found=free_bytes / 1e9)
            )


def only_the_machine(what: str) -> NotAllowedError:
    """Returns the refusal of what only whoever has the machine may do; `what` names it for the reader."""
    return NotAllowedError(
        _(
            "Expected the administrator of this dashboard, found a visitor: {what} is done at the machine's command "
            "line. Ask the administrator for it."
        ).format(what=what)
    )


def is_loopback(address: str | None) -> bool:
    """Whether a server bound to an address can be reached from its own machine only. No address is every address."""
    if address is not None and address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a name: who knows where it leads
        return False


def owner_by_browser(browser_id: str | None) -> str:
    """Returns the owner that stands for a browser's secret id; empty, which owns nothing, where that is none."""
    if not isinstance(browser_id, str) or not _BROWSER_ID.fullmatch(browser_id):
        return ""
    return _hash("browser", browser_id)


def owner_by_login(issuer: str | None, subject: str | None) -> str:
    """Returns the owner that stands for a person as an identity provider names them; empty where it names nobody."""
    if not issuer or not subject:
        return ""
    return _hash("login", issuer, subject)


def _hash(*parts: str) -> str:
    # As JSON, so that no two lists of parts are the same text. Only this is kept: who reads the store can become nobody.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
