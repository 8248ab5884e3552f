"""A run as the store knows it, and how it is read from its row."""

import functools
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dpcore import messages
from dpcore.language import N_
from dpcore.plan import LEAST_BOUND, Plan, PrivacyPlan, identity
from dpcore.privacy.many import kept
from dpcore.rounds import Round
from dpcore.runs.store import stored_plan

ACTIVE = (N_("queued"), N_("running"))
RESUMABLE = (N_("interrupted"), N_("stopped"), N_("failed"))
ENDED = (*RESUMABLE, N_("finished"), N_("cancelled"))


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as the store knows it.

    Attributes:
        message: What it does, or how it ended: in English, for `dpcore.language.translated`.
        status: queued, running, finished; stopped (by a person, or because the loss diverged); interrupted (its
            worker is gone); failed; cancelled (before it began).
        position: Its place in the queue; lower is earlier.
        beat: The machine's monotonic clock when its worker last said something; a jump of the wall clock does
            not move it.
        drawing: The round that was being drawn when it was last heard of, where that cannot be repeated exactly.
        redrawn: Rounds that were drawn again because they could not be repeated exactly. The ledger charges them.
        attempts: How often it began since its last new round.
        deleted: When it was put into the bin; `None` if it is not there.
        identity: What its random streams are named after, and what owns its checkpoint: its plan's fingerprint, as the
            version that began it made that; of an audited run, a name of its own (`identity.of_run`).
        audit: How many canaries of each kind it is audited with; `None` without an audit.
        owner: Whose it is, as `dpcore.hosting` names visitors; empty: of whoever has the machine.
        last_round: The last round that is known; `None` before the first.
        accuracy: Of the last evaluated round.
        epsilon: Spent up to the last round.
        accounted: Whether that is what the accountants of this version said, and not of another one, or nobody knows.
        seconds: Spent on its rounds.
        least_clip_norm: The lowest that its clip norm came to.
    """

    run_id: str
    created: float
    plan: Plan
    engine: str
    eval_every: int
    status: str
    message: str
    stop_requested: bool
    dataset_fingerprint: str | None
    started: float | None
    ended: float | None
    position: int
    name: str
    tags: str
    note: str
    stop_when_diverging: bool
    attempts: int
    beat: float | None
    drawing: int | None
    redrawn: int
    deleted: float | None
    identity: str = ""
    audit: int | None = None
    owner: str = ""
    last_round: int | None = None
    accuracy: float | None = None
    epsilon: float = 0.0
    seconds: float = 0.0
    least_clip_norm: float | None = None
    accounted: bool = False

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def complete(self) -> bool:
        """Whether all its rounds are done."""
        return self.last_round == self.plan.privacy.rounds

    @property
    def plan_fingerprint(self) -> str:
        """What is cited: its plan's name, as the version that began it made that."""
        return self.identity if self.audit is None else self.plan.fingerprint

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or self.run_id

    @property
    def may_have_released(self) -> bool:
        """Whether somebody may have seen a round of it, or still may."""
        return may_have_released(vars(self))

    @property
    def bounded(self) -> bool:
        """Whether its clip norm bounded every update, in every round; not always in older versions."""
        return self.plan.privacy.bounds_updates and (
            self.least_clip_norm is None or self.least_clip_norm >= LEAST_BOUND
        )

    @property
    def charged(self) -> PrivacyPlan:
        """The plan of all rounds that were drawn: planned, and drawn again; and clipped as low as they were."""
        privacy, least = self.plan.privacy, self.least_clip_norm
        if not self.redrawn and self.bounded:
            return privacy
        clipping = privacy.clipping
        if privacy.bounds_updates and not self.bounded and least is not None:
            clipping = stored_plan.lowered_clipping(clipping, least)
        return replace(privacy, rounds=privacy.rounds + self.redrawn, clipping=clipping)


def may_have_released(run: Mapping[str, Any]) -> bool:
    """Returns `Run.may_have_released` of a run whose status, last round, drawing and redrawn are given by name."""
    lost_in_a_round = run["status"] == "interrupted" and run["last_round"] is not None
    known = bool(run["last_round"]) or run["drawing"] is not None or run["redrawn"] > 0
    return run["status"] in (*ACTIVE, "finished") or lost_in_a_round or known


_DERIVED = {
    "last_round": "(SELECT max(round) FROM rounds WHERE rounds.run_id = runs.run_id)",
    "accuracy": "(SELECT accuracy FROM rounds WHERE rounds.run_id = runs.run_id AND accuracy IS NOT NULL "
    "ORDER BY round DESC LIMIT 1)",
    "epsilon": "coalesce((SELECT epsilon FROM rounds WHERE rounds.run_id = runs.run_id ORDER BY round DESC LIMIT 1), 0)",
    "seconds": "(SELECT coalesce(sum(seconds), 0) FROM rounds WHERE rounds.run_id = runs.run_id)",
    "least_clip_norm": "(SELECT min(clip_norm) FROM rounds WHERE rounds.run_id = runs.run_id)",
}
RUN_COLUMNS = ", ".join(
    f"{_DERIVED[field.name]} AS {field.name}" if field.name in _DERIVED else field.name for field in fields(Run)
)
ROUND_COLUMNS = ", ".join(field.name for field in fields(Round))


# Pages look at all runs every second or two, and a plan never changes.
read_plan = functools.lru_cache(maxsize=4096)(stored_plan.read)
_identity_of_before = functools.lru_cache(maxsize=4096)(identity.of_format_2)


def seal_of_epsilon(plan: str, redrawn: int, epsilon: float) -> str:
    """Returns what is noted beside an epsilon, which tells of another version's accountants, and of damage.

    Args:
        plan: The run's, as text.
        redrawn: Rounds that it had drawn again.
        epsilon: That of its last round.
    """
    return kept.name(b"epsilon", plan.encode(), repr((redrawn, float(epsilon))).encode()).hex()


def read_run(row: sqlite3.Row) -> Run:
    """Returns what a row of `RUN_COLUMNS` says."""
    values = dict(row)
    text = values["plan"]
    values["plan"] = read_plan(text)
    values["message"] = messages.from_json(values["message"])
    values["identity"] = values["identity"] or _identity_of_before(text)
    sealed = values["accounted"]
    values["accounted"] = bool(sealed) and sealed == seal_of_epsilon(text, values["redrawn"], values["epsilon"])
    for name in ("stop_requested", "stop_when_diverging"):
        values[name] = bool(values[name])
    run = Run(**values)
    return run if run.bounded else replace(run, epsilon=math.inf)  # whatever was said of it then
