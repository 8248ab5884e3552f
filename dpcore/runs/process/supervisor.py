"""What a person asks of runs: to queue one, to look, to stop it, to go on, to throw it away."""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dpcore import datasets
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import EpsilonLabError, InvalidValueError
from dpcore.language import N_, _
from dpcore.learning import canaries, engines
from dpcore.locks import is_held, lock, share
from dpcore.plan import Plan
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import memory, processes
from dpcore.runs.process.spare import LEAST_FREE_BYTES
from dpcore.runs.store.run_rows import RESUMABLE, Run

_LOST = N_("Its worker is gone (killed, or the machine restarted). What it has done is kept: resume it.")
_SPARE_SECONDS = 2.0
_MOST_ATTEMPTS = 3  # a run that comes no further is not begun again by itself


def log_tail(store: StoreAccess, run_id: str) -> str:
    """The end of what a run's worker printed; empty where there is none."""
    try:
        return processes.worker_log(store, run_id).read_text(errors="replace")[-5000:]
    except FileNotFoundError:
        return ""


def wake(store: StoreAccess) -> None:
    """Sees to it that a runner looks after the store, if there is anything to start."""
    looked_after = is_held(processes.runner_lock(store)) or is_held(processes.resident_lock(store))
    if store.queue() and not looked_after:
        runner = processes.launch("dpcore.runs.process.runner", str(store.home), log=store.home / "runner.log")
        # Waits for it, so that no zombie stays; as a daemon, so that it never holds this process back.
        threading.Thread(target=runner.wait, daemon=True).start()


def keep_spare(store: StoreAccess) -> None:
    """Has a worker waiting for as long as this process lives and there is memory; does not come back."""
    with suppress(OSError):  # a home that nobody can write to
        descriptor = share(processes.dashboards_lock(store))
        while store.home.exists():
            if memory.free_bytes() >= LEAST_FREE_BYTES and not is_held(processes.resident_lock(store)):
                log = store.home / "runner.log"
                processes.launch("dpcore.runs.process.resident", str(store.home), log=log).wait()
            time.sleep(_SPARE_SECONDS)
        os.close(descriptor)


def start(
    store: StoreAccess,
    plan: Plan,
    *,
    engine: str,
    eval_every: int,
    stop_when_diverging: bool = False,
    cluster: ClusterConfiguration | None = None,
    audit: int | None = None,
) -> str:
    """Queues a run, sees to it that it will be begun, and returns its id; on the store's cluster, or its own.

    Args:
        store: Where.
        plan: What is trained.
        engine: What trains.
        eval_every: Rounds between two evaluations.
        stop_when_diverging: Whether it is stopped when the loss explodes.
        cluster: Where its shards are computed; `None` for the store's.
        audit: How many canaries of each kind it is audited with; `None` for no audit.

    Raises:
        InvalidValueError: If it is the plan of an older run, which is not trained any more; if it is for another
            population than its data set has, or its model needs images, and there are none; if it cannot be audited.
        BudgetExceededError: If its data set's budget does not allow it.
    """
    Plan.from_json(plan.to_json())  # what an older version has trained need not be what this one does
    datasets.check_population(plan.training.dataset, store.home, plan.privacy.population)
    datasets.check_model(plan.training.dataset, store.home, plan.training.model)
    engines.check(engine, plan)
    if audit is not None:
        audit = check_audit(store, plan, audit, engine)
    # Under one lock, so that two runs cannot both be the last that the budget has room for.
    with lock(store.home / "ledger.lock", wait=True):
        budget.check(store, plan)
        run_id = store.create(
            plan,
            engine=engine,
            eval_every=eval_every,
            stop_when_diverging=stop_when_diverging,
            cluster=cluster,
            audit=audit,
        )
    wake(store)
    return run_id


def check_audit(store: StoreAccess, plan: Plan, audit: Any, engine: str) -> int:
    """Returns a number of canaries as a plain `int`, or says why a run cannot be audited with them.

    Raises:
        InvalidValueError: If it cannot.
    """
    count = canaries.check(plan, audit, engine)
    manifest = datasets.entry(plan.training.dataset, store.home).manifest
    if manifest is not None:  # else its run finds out
        canaries.check_model(count, canaries.model_size(plan, manifest))
    return count


def resume(store: StoreAccess, run_id: str) -> None:
    """Queues a run that ended before its last round, to go on from its last checkpoint.

    A round that was being drawn and cannot be repeated exactly is drawn again: the ledger charges it twice.

    Raises:
        InvalidValueError: If the run has not ended, has nothing to go on with, or its cohorts were drawn from users
            who only test as well.
        BudgetExceededError: If the budget has no room for a round drawn again.
    """
    with lock(store.home / "ledger.lock", wait=True):
        run = current(store, run_id)
        if run.status not in RESUMABLE or run.deleted:
            message = _("Expected a run that is {states}, found {run} {status}. It cannot be resumed.").format(
                states=", ".join(map(_, RESUMABLE)),
                run=run_id,
                status=_("in the bin") if run.deleted else _(run.status),
            )
            raise InvalidValueError("run", message)
        Plan.from_json(run.plan.to_json())  # an older version may have begun what this one refuses
        redrawn = run.redrawn + _draws_again(run)
        if redrawn and not run.plan.privacy.redraws:
            message = _(
                "Expected all rounds of {run} to be known, one was lost: drawn again, it would cost more than it was "
                "accounted for. Start its plan as a new run, which the ledger charges on its own."
            )
            raise InvalidValueError("run", message.format(run=run_id))
        datasets.check_population(run.plan.training.dataset, store.home, run.plan.privacy.population)
        replace(run.plan.privacy, rounds=run.plan.privacy.rounds + redrawn)  # not more than an accountant takes
        if new := charge_of_resuming(run):
            budget.check(store, new)
        store.requeue(run, redrawn=redrawn)
    wake(store)


def _draws_again(run: Run) -> int:
    """How many rounds of a run are lost, and drawn anew when it goes on."""
    return int(run.drawing is not None)  # noted by runs alone whose rounds cannot be drawn again as they were


def charge_of_resuming(run: Run) -> Plan | None:
    """Returns what the ledger is charged with when a run goes on, as a plan; `None` where it has paid for all of it."""
    again, privacy = _draws_again(run), run.plan.privacy
    new = again if run.may_have_released else privacy.rounds + run.redrawn + again
    return replace(run.plan, privacy=replace(privacy, rounds=new)) if new else None


def resume_interrupted(store: StoreAccess) -> list[str]:
    """Resumes every run whose worker was lost, but for those that come no further; returns their ids."""
    resumed = []
    for run in runs(store):
        if run.status == "interrupted" and run.attempts < _MOST_ATTEMPTS and not run.stop_requested:
            with suppress(EpsilonLabError):  # one that cannot go on is no reason to leave the others
                resume(store, run.run_id)
                resumed.append(run.run_id)
    wake(store)
    return resumed


def retry(store: StoreAccess, run_id: str) -> str:
    """Queues the plan of a run once more, as a new run with a charge of its own; returns its id."""
    run = store.run(run_id)
    again = start(
        store,
        run.plan,
        engine=run.engine,
        eval_every=run.eval_every,
        stop_when_diverging=run.stop_when_diverging,
        cluster=store.cluster(run_id, own=True),
        audit=run.audit,
    )
    store.describe(again, name=run.name, tags=run.tags, note=run.note)
    return again


def stop(store: StoreAccess, run_id: str, *, now: bool = False) -> None:
    """Takes a run out of the queue, or ends it after the round it is in; `now`: in the middle of it."""
    store.request_stop(run_id)
    if now:
        processes.kill_worker(store, run_id)


def move(store: StoreAccess, run_id: str, *, before: str | None) -> None:
    """Puts a queued run before another one, or (`None`) behind all.

    Raises:
        InvalidValueError: If one of them is not in the queue.
    """
    queued = [run.run_id for run in store.queue()]
    for one in filter(None, (run_id, before)):
        if one not in queued:
            message = _("Expected a run that is queued, found {run} {status}.")
            raise InvalidValueError("run", message.format(run=one, status=_(store.run(one).status)))
    store.move(run_id, before=before)


def delete(store: StoreAccess, run_id: str) -> None:
    """Puts a run into the bin, from where `Store.restore` brings it back.

    Raises:
        InvalidValueError: If it is queued or running.
    """
    run = current(store, run_id)
    if run.status == "interrupted":
        store.end(run_id, "interrupted", run.message)
    if not store.delete(run_id):
        message = _("Expected a run that has ended, found {run} {status}. Stop it first.")
        raise InvalidValueError("run", message.format(run=run_id, status=_(run.status)))


def current(store: StoreAccess, run_id: str) -> Run:
    """Returns a run as it is now: interrupted, if it was running and its worker no longer lives."""
    return _as_it_is(store, store.run(run_id))


def runs(store: StoreAccess, *, status: Iterable[str] = (), deleted: bool | None = False) -> list[Run]:
    """Returns `Store.runs`, each as it is now."""
    return [_as_it_is(store, run) for run in store.runs(status=status, deleted=deleted)]


def _as_it_is(store: StoreAccess, run: Run) -> Run:
    """Writes nothing, so that it also works where nothing can be written."""
    if run.status != "running" or processes.has_worker(store, run):
        return run
    again = store.run(run.run_id)  # it may have ended well between the two looks
    return replace(again, status="interrupted", message=_LOST) if again.status == "running" else again


def follow(store: StoreAccess, run_id: str) -> Iterator[tuple[Run, list[Round]]]:
    """Yields a run and its new rounds at every look; the last look is after its end."""
    seen = -1
    while True:
        run = current(store, run_id)  # before the rounds: when it has ended, they are complete
        if run.status == "queued":
            wake(store)  # its runner may have been killed
        rows = store.rounds(run_id, after=seen)
        seen = rows[-1].round if rows else seen
        yield run, rows
        if not run.active:
            return
        time.sleep(0.2)
