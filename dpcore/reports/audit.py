"""The audit of a run, of a demonstration, of two runs together or of a final model alone, as JSON."""

from typing import Any

from dpcore import strict_json
from dpcore.language import speaking
from dpcore.privacy.auditing import final_model, result
from dpcore.privacy.auditing.final_model import FinalModel
from dpcore.privacy.auditing.result import Result
from dpcore.runs.audit.compared import Comparison
from dpcore.runs.store.run_rows import Run


def values(shown: Result, *, seeded: bool) -> dict[str, Any]:
    """Returns all that an audit shows, with what may be said of it and what it cannot see."""
    with speaking("en"):  # as all that JSON says
        return shown.to_values() | {
            "sentence": result.sentence(shown),
            "cannot_see": result.limits_sentence(seeded=seeded),
        }


def final_values(shown: FinalModel) -> dict[str, Any]:
    """Returns the same of a final model alone."""
    with speaking("en"):
        return shown.to_values() | {
            "sentence": final_model.sentence(shown),
            "cannot_see": final_model.limits_sentence(),
        }


def of_run(run: Run, shown: Result) -> dict[str, Any]:
    """Returns the same of a run, with which it is."""
    told = values(shown, seeded=run.plan.training.seed is not None)
    return {"run_id": run.run_id, "canaries": run.audit, **told}


def of_two(found: Comparison) -> dict[str, Any]:
    """Returns what the noises of two runs have in common."""
    with speaking("en"):
        return {"runs": list(found.runs), "by_design": found.by_design, **found.sharing.to_values()} | {
            "sentence": found.sentence
        }


def as_json(run: Run, shown: Result) -> str:
    """Returns the audit of a run; infinity is the string "inf"."""
    return strict_json.dumps(of_run(run, shown), indent=1)
