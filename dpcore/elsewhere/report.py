"""A verdict as JSON."""

from dataclasses import asdict
from typing import Any

from dpcore.elsewhere.account import Verdict
from dpcore.elsewhere.answers import open_questions


def as_values(verdict: Verdict) -> dict[str, Any]:
    """Returns what holds of a run, what was claimed and what is open."""
    log = verdict.log
    return {
        "guarantee": verdict.guarantee,
        "because": [str(reason) for reason in verdict.because],
        "holds": [asdict(one) for one in verdict.holds],
        "claimed": [asdict(one) for one in log.claimed] if log.claimed else None,
        "also_released": list(log.also_released or ()),
        "open": open_questions(log),
    }
