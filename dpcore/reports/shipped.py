"""A finished study as one small file, as it is shipped with the lesson: a class need not wait for training.

It holds what the study asked, and of every run its row in the store and its evaluated rounds; all else that is said of
a study follows from these, by the same code as for one that was run here.
"""

import gzip
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

import dpcore
from dpcore import strict_json
from dpcore.errors import InvalidValueError, StoreError
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.reports.study import table_of_runs
from dpcore.rounds import Round
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import outcome, schedule
from dpcore.runs.studies.progress import Progress
from dpcore.runs.studies.study import FINAL, SWEEP, Study

TUTORIAL = Path(dpcore.__file__).parent / "lesson" / "tutorial_study.json.gz"
COMMAND = "python -m dpcore study run --seeds 3"  # what made it; `make lesson` does it again
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ShippedStudy:
    """A study that was run somewhere else.

    Attributes:
        program: The version of Epsilon Lab that ran it.
        accountant: What said its epsilons.
        made: The day on which it was written down, YYYY-MM-DD.
        now: The study with its runs, as `schedule.current` gives one that was run here.
        settings: One row per setting: `noise`, `clients`, `epsilon` as that accountant said it, and the mean
            `accuracy` over the seeds and `band`, half its range.
        rounds: As `reports.study.rounds_table`.
    """

    program: str
    accountant: str
    made: str
    now: Progress
    settings: pd.DataFrame
    rounds: pd.DataFrame


def export(store: StoreAccess, study_id: str) -> bytes:
    """Returns a study as gzipped JSON.

    Raises:
        StudyNotFoundError: If there is none of this id.
        StoreError: If it has not finished.
    """
    now = schedule.current(store, study_id)
    if now.status != "finished":
        raise StoreError(f"Expected a finished study, {study_id} is {now.status}: let it go on to its end first.")
    runs = {SWEEP: now.sweep, FINAL: now.final}
    told = {
        "version": _VERSION,
        "program": dpcore.__version__,
        "accountant": accounting.VERSION,
        "made": time.strftime("%Y-%m-%d", time.gmtime()),
        "study": json.loads(now.study.to_json()),
        "runs": [
            {
                "part": part,
                "run": asdict(run) | {"plan": json.loads(run.plan.to_json())},
                "epsilon": accounting.epsilon(run.charged).value,
                "warnings": list(run.charged.warnings),
                "rounds": [asdict(row) for row in store.rounds(run.run_id) if row.accuracy is not None],
            }
            for part, members in runs.items()
            for run in members
        ],
    }
    # The time of day is no part of it: the same study gives the same file.
    return gzip.compress(strict_json.dumps(told).encode(), mtime=0)


def _numbers(one: dict) -> dict:
    """Takes back what `strict_json` did to the numbers of a run or a round."""
    return one | {name: float(one[name]) for name in ("epsilon", "loss") if isinstance(one.get(name), str)}


def read(content: bytes) -> ShippedStudy:
    """Reads what `export` wrote.

    Raises:
        InvalidValueError: If it is not such a file, or comes from a newer version.
    """
    try:
        told = json.loads(gzip.decompress(content), object_hook=_numbers)
        if told["version"] != _VERSION:
            raise InvalidValueError("study", f"Expected results of version {_VERSION}; update the program.")
        parts: dict[str, list[Run]] = {SWEEP: [], FINAL: []}
        epsilons: dict[PrivacyPlan, float] = {}
        rounds = []
        for one in told["runs"]:
            run = Run(**one["run"] | {"plan": Plan.from_values(one["run"]["plan"])})
            parts[one["part"]].append(run)
            epsilons[run.plan.privacy] = max(one["epsilon"], epsilons.get(run.plan.privacy, 0.0))
            rounds.append((run, [Round(**row) for row in one["rounds"]]))
        study = Study.from_values(told["study"])
    except (OSError, EOFError, ValueError, KeyError, TypeError) as err:
        raise InvalidValueError("study", f"Expected a study as `study export` writes it: {err}") from err
    now = Progress(
        study=study,
        sweep=parts[SWEEP],
        final=parts[FINAL],
        outcome=outcome.sweep_outcome(study, parts[SWEEP]),
        status="finished",
        message="",
    )
    return ShippedStudy(
        program=told["program"],
        accountant=told["accountant"],
        made=told["made"],
        now=now,
        settings=pd.DataFrame(
            [
                {
                    "noise": one.plan.privacy.noise_multiplier,
                    "clients": one.plan.privacy.clients_per_round,
                    "epsilon": epsilons[one.plan.privacy],
                    "accuracy": one.mean,
                    "band": one.band,
                }
                for members in parts.values()
                for one in outcome.settings(members)
            ]
        ),
        rounds=table_of_runs(rounds),
    )
