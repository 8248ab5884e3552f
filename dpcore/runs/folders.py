"""A run's own folder: what its ledger needs is kept there too, should the file of runs be lost."""

import json
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

from dpcore import files
from dpcore.errors import InvalidValueError
from dpcore.language import N_
from dpcore.runs import stored_plan

_PLAN_FILE = "run.json"
_KEPT = ("created", "plan", "engine", "eval_every", "redrawn")  # what is in it
_NEVER_BY_ITSELF = 1000


def keep(folder: Path, values: dict) -> None:
    """Writes into a run's folder what its ledger needs; `values`, named as in `Run`, may be more than that."""
    told = {name: values[name] for name in (*_KEPT, "owner", "purged") if name in values}
    files.write(folder / _PLAN_FILE, json.dumps(told | {"plan": values["plan"].to_json()}).encode())


def keep_missing(runs: Path, db: sqlite3.Connection) -> None:
    """Writes what an older version has not written into the runs' folders."""
    for row in db.execute(f"SELECT run_id, {', '.join(_KEPT)}, owner FROM runs"):
        folder = runs / row["run_id"]
        if folder.exists() and not (folder / _PLAN_FILE).exists():
            with suppress(InvalidValueError):
                keep(folder, dict(row) | {"plan": stored_plan.read(row["plan"])})


def read_back(runs: Path, db: sqlite3.Connection) -> None:
    """Adds the runs that only their folders know, so that the ledger still charges them."""
    for kept in sorted(runs.glob(f"*/{_PLAN_FILE}")):
        with suppress(ValueError, KeyError, TypeError, OSError, sqlite3.Error):
            told, done = json.loads(kept.read_text()), (kept.parent / "weights.npz").exists()
            values = {name: told[name] for name in _KEPT} | {
                "run_id": kept.parent.name,
                "status": "finished" if done else "interrupted",
                "message": N_("Read back from its folder: the file of runs did not have it any more."),
                # How far it was is not known: a round may have been lost, and nobody begins it again unasked.
                "drawing": 1,
                "attempts": _NEVER_BY_ITSELF,
            }
            if told.get("owner"):  # else nobody but the machine's own person could ever do anything with it
                values["owner"] = str(told["owner"])
            if told.get("purged"):
                values |= {"purged": 1, "deleted": told["created"]}
            db.execute(
                f"INSERT OR IGNORE INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                list(values.values()),
            )


def size(folder: Path) -> int:
    """Returns the bytes in a run's folder."""
    total = 0
    for found in folder.glob("**/*"):
        with suppress(FileNotFoundError):
            total += found.stat().st_size if found.is_file() else 0
    return total


def clear(folder: Path, *, charged: bool) -> None:
    """Removes what is in a run's folder; where the ledger charges the run, but for what it needs."""
    for found in folder.glob("*"):
        if found.name != _PLAN_FILE or not charged:
            shutil.rmtree(found) if found.is_dir() else found.unlink(missing_ok=True)
