"""The engine broken on purpose, and what an audit sees of that: in a process of its own, with its answer in a file.

It is on the Writers alone, which are nobody's data, and no run: the store does not know it, no ledger is charged with it,
and its model is thrown away. What stays is what the audit has seen, one file for each break.
"""

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dpcore import datasets, files, limits, messages, program
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.learning import broken
from dpcore.locks import is_held, take
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy.auditing import result
from dpcore.privacy.auditing.attacks import Bound
from dpcore.privacy.auditing.ingredients import Ingredient
from dpcore.privacy.auditing.plug_in import PlugIn
from dpcore.privacy.auditing.result import Result
from dpcore.runs.process import processes

DATASET = "writers"
BREAKS, CHOICES, NONE = broken.BREAKS, broken.CHOICES, broken.NONE
_FOLDER, _LOCK = "audit_demo", "lock"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """How far a demonstration is.

    Attributes:
        name: What was broken: one of `BREAKS`, or `NONE`.
        round: The last round that is done.
        rounds: How many there are.
        result: What its audit shows; `None` before it has ended.
        message: Why it has none; empty where it has, or may still come to one.
    """

    name: str
    round: int = 0
    rounds: int = int(limits.ROUNDS.default)
    result: Result | None = None
    message: str = ""


def plan(home: Path, rounds: int = Demo.rounds) -> Plan:
    """Returns the plan that shows breaks best: 50 clients, noise 1.0."""
    population = datasets.num_users(DATASET, home)
    return Plan(
        privacy=PrivacyPlan(population=population, clients_per_round=50, noise_multiplier=1.0, rounds=rounds)
    )


def start(home: Path, name: str) -> None:
    """Begins a demonstration, in a process that outlives its caller.

    Raises:
        InvalidValueError: If there is no such break, or another demonstration goes on.
    """
    broken.check(name)
    held = take(_lock(home))
    if held is None:
        message = _(
            "Expected one demonstration at a time, found another one that goes on. Wait for it, or stop it."
        )
        raise InvalidValueError("break", message)
    try:
        write(home, Demo(name=name))
        process = processes.launch(
            "dpcore.runs.audit.demo_worker", str(home), name, log=home / _FOLDER / "log", keep=(held,)
        )
        _lock(home).write_text(json.dumps([process.pid, name]))
    finally:
        os.close(held)
    threading.Thread(target=process.wait, daemon=True).start()  # so that no zombie stays


def measure(home: Path, name: str, plan: Plan, *, canaries: int, tell: Callable[[int], None]) -> Result:
    """Returns what an audit shows of an engine that is broken so. It trains: not in the dashboard's process."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    dataset = datasets.load(DATASET, home)
    from dpcore.learning.broken import engine  # seconds, and nothing else here needs it

    return result.of(engine.trace(name, plan, dataset, canaries=canaries, tell=tell), plan.privacy)


def going(home: Path) -> str:
    """Returns the name of what goes on; empty where nothing does."""
    return _process(home)[1] if is_held(_lock(home)) else ""


def stop(home: Path) -> None:
    """Ends what goes on, at once."""
    # While the lock is held, that is the id of a living process and of no other.
    if is_held(_lock(home)) and (pid := _process(home)[0]):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def current(home: Path, name: str) -> Demo | None:
    """Returns how far the last demonstration of a break is; `None` without one of this version of the program."""
    try:
        demo = _from_values(json.loads(_file(home, name).read_text()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # not there, damaged, of another version
        return None
    if demo.result is None and not demo.message and going(home) != name:
        return replace(demo, message=_("It was ended before it was done. Nothing of it is left to look at."))
    return demo


def write(home: Path, demo: Demo) -> None:
    """Keeps how far a demonstration is."""
    values = asdict(demo) | {"message": messages.to_json(demo.message), "program": program.code_digest()}
    files.write_private(_file(home, demo.name), json.dumps(values).encode(), lasting=False)


def _from_values(values: dict[str, Any]) -> Demo:
    if values.pop("program") != program.code_digest():
        raise ValueError("of another version")
    shown = values.pop("result")
    return Demo(
        **values
        | {
            "message": messages.from_json(values["message"]),
            "result": None
            if shown is None
            else Result(
                **shown
                | {
                    "ingredients": tuple(Ingredient(**row) for row in shown["ingredients"]),
                    "bounds": tuple(Bound(**row) for row in shown["bounds"]),
                    "plug_in": PlugIn(**shown["plug_in"]),
                }
            ),
        }
    )


def _process(home: Path) -> tuple[int, str]:
    with suppress(OSError, ValueError, TypeError):
        pid, name = json.loads(_lock(home).read_text())
        return int(pid), str(name)
    return 0, ""


def _lock(home: Path) -> Path:
    return home / _FOLDER / _LOCK


def _file(home: Path, name: str) -> Path:
    return home / _FOLDER / f"{name}.json"
