"""A home with runs in every state, and what can become of its files."""

import math
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dpcore.errors import BudgetExceededError
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import ledger
from dpcore.privacy.precision import Precision
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.process import processes
from dpcore.runs.store import schema
from dpcore.runs.store.decisions import Policy

DATA = ("writers", "mine", "open", "free")


def row(number, **values):
    told = {"accuracy": None, "loss": None, "clip_norm": 0.1, "cohort_size": 5, "epsilon": 0.5, "seconds": 1.0}
    return Round(round=number, **(told | values))


def plan(dataset="writers", *, seed=0, noise=5.0) -> Plan:
    """Returns a plan without sampling: its epsilon is a closed form, and ledgers of it take no time."""
    privacy = PrivacyPlan(population=60, clients_per_round=60, noise_multiplier=noise)
    return Plan(privacy=privacy, training=TrainingPlan(dataset=dataset, seed=seed))


def train(store, what=None, *, engine="vectorized", rounds=3, status="finished") -> str:
    """Lets a run begin, show its rounds and end; returns its id."""
    run_id = store.create(what or plan(), engine=engine, eval_every=5)
    store.begin(run_id)
    processes.worker_log(store, run_id).write_text("a worker was here")
    for number in range(rounds):
        if engine == "tff" and number:
            store.draw(run_id, number)
        store.append(run_id, row(number))
    if status != "running":
        store.end(run_id, status)
    return run_id


def half_filled(store) -> None:
    """Makes what an older copy of the home has."""
    store.set_policy(Policy(name="writers", budget_epsilon=30.0))
    store.set_policy(Policy(name="open", public=True))
    store.set_policy(Policy(name="mine", public=True))
    train(store)
    train(store, plan(noise=4.9), status="stopped")
    store.create(plan(noise=5.1), engine="vectorized", eval_every=5)
    train(store, plan("open", noise=0.0))


def fill(store) -> None:
    """Makes what happened since: more runs, in every state, smaller budgets, and a mark that was taken back."""
    waiting = store.queue()[0].run_id
    stopped = next(run for run in store.runs() if run.status == "stopped")
    store.requeue(stopped, redrawn=0)
    store.begin(stopped.run_id)
    store.append(stopped.run_id, row(3))
    store.end(stopped.run_id, "finished")
    store.begin(waiting)
    store.end(waiting, "failed")  # before its first round: it costs nothing
    store.set_policy(Policy(name="mine", budget_epsilon=8.0, budget_delta=1e-6))
    store.set_policy(Policy(name="writers", budget_epsilon=9.0))
    lost = train(store, engine="tff", rounds=2, status="running")
    store.draw(lost, 2)
    store.end(lost, "interrupted")
    store.requeue(store.run(lost), redrawn=1)
    store.begin(lost)
    store.draw(lost, 2)
    store.end(lost, "interrupted")
    thrown = train(store, plan("mine", noise=5.3))
    store.delete(thrown)
    store.empty_bin()
    store.delete(train(store, plan("mine", noise=5.4), status="failed"))
    store.request_stop(store.create(plan("mine", noise=4.7), engine="vectorized", eval_every=5))
    store.create(plan("mine", noise=5.6), engine="vectorized", eval_every=5)
    store.describe(train(store, plan("free", seed=None), engine="vectorized"), name="for release", tags="paper")
    running = train(store, plan("free", noise=5.8), engine="tff", rounds=20, status="running")
    store.draw(running, 20)


@contextmanager
def log_only() -> Iterator[None]:
    """Leaves all that is written in the log, as if nobody had ever brought it into the file."""
    settle, pages = schema.settle, schema._LOG_PAGES
    schema.settle, schema._LOG_PAGES = lambda db: None, 0
    try:
        yield
    finally:
        schema.settle, schema._LOG_PAGES = settle, pages


@dataclass(frozen=True, kw_only=True)
class State:
    """What a home says to who reads its ledger."""

    spent: dict[str, float]
    policies: dict[str, Policy]
    runs: dict[str, tuple]
    unreadable: frozenset[str]


def spent(store, dataset) -> float:
    """What all runs on a data set come to at one delta, whatever was decided about it."""
    plans = [run.charged for run in budget.charged_runs(store, dataset)]
    if any(where in (dataset, None) for _, where in store.unreadable()):
        return math.inf
    return ledger.compose(plans, 1e-6, Precision.PREVIEW).headline.value


def state(store) -> State:
    runs = store.runs(deleted=None)
    assert len({run.run_id for run in runs}) == len(runs)
    return State(
        spent={name: spent(store, name) for name in DATA},
        policies={name: store.policy(name) for name in DATA},
        runs={
            run.run_id: (run.status, run.redrawn, run.may_have_released, run.deleted is None, run.name, run.plan)
            for run in runs
        },
        unreadable=frozenset(run_id for run_id, _ in store.unreadable()),
    )


def is_safe(before: State, after: State) -> bool:
    """Whether nothing is looser than it was."""
    return all(
        after.spent[name] >= before.spent[name]
        and _allowed(after.policies[name]) <= _allowed(before.policies[name])
        and (before.policies[name].public or not after.policies[name].public)
        for name in DATA
    )


def _allowed(policy: Policy) -> float:
    return math.inf if policy.budget_epsilon is None else policy.budget_epsilon


def is_refused(store, what) -> bool:
    try:
        budget.check(store, what)
    except BudgetExceededError:
        return True
    return False


def lose(path: Path, draw: random.Random, older: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut(path: Path, draw: random.Random, older: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: draw.randrange(len(content) or 1)])


def garble(path: Path, draw: random.Random, older: Path) -> None:
    """Up to 40 stretches of up to a page become nonsense; often just one byte."""
    content = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 1, 3, 40])):
        at, length = draw.randrange(len(content) or 1), draw.choice([1, 1, 1, 16, 512, 4096])
        content[at : at + length] = draw.randbytes(len(content[at : at + length]))
    path.write_bytes(content)


def zero(path: Path, draw: random.Random, older: Path) -> None:
    content = bytearray(path.read_bytes())
    at = draw.choice([0, draw.randrange(len(content) or 1)])
    length = draw.choice([1, 512, 4096, len(content)])
    content[at : at + length] = bytes(len(content[at : at + length]))
    path.write_bytes(content)


def set_back(path: Path, draw: random.Random, older: Path) -> None:
    """Puts the older copy there; where there was none then, nothing."""
    lose(path, draw, older)
    if older.is_dir():
        shutil.copytree(older, path)
    elif older.exists():
        shutil.copyfile(older, path)


SPOILS: tuple[Callable, ...] = (cut, garble, zero)
DAMAGES = (*SPOILS, lose, set_back)
