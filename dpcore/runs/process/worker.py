"""The process that trains runs: `python -m dpcore.runs.process.worker HOME RUN_ID LOCK`; or `spare`, which calls this.

No page's process trains; this one does. It is started with its run's lock held (the descriptor LOCK), and holds it as
long as it trains. When the run has ended it takes the next one in the queue: to begin takes longer than many rounds.
Everything it has to say goes into the store; its output is a log.
"""

import gc
import math
import os
import secrets
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dpcore import datasets, files, isolated, program
from dpcore.datasets.federated import FederatedDataset
from dpcore.errors import (
    ClusterUnreachableError,
    DamagedCheckpointError,
    DatasetError,
    EpsilonLabError,
    InvalidValueError,
    StoreError,
)
from dpcore.language import N_, Message, _, sentences
from dpcore.plan import Plan
from dpcore.rng import Streams
from dpcore.rounds import divergence
from dpcore.runs import fairness
from dpcore.runs.process import clusters, processes
from dpcore.runs.process.kept import Kept
from dpcore.runs.process.spare import ENGINE
from dpcore.runs.store import Store, folders
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import schedule

# A round that replays exactly costs only time to do again; any other one is saved before anybody sees it.
_SAVE_SECONDS = 5.0
_OUT_OF_TIME = N_("Stopped after the minutes that a visitor's run may train on this dashboard: {minutes}")
_PROGRESS = Message("{what}: {share:.0%}", "{what}: {share:.0%}", {})


def main(home: Path, run_id: str, held: int) -> None:
    """Trains a run that was begun, and then those that wait, until there is none for this process."""
    program.code_digest()  # what is loaded now: a worker of a cluster must have the same, whatever is installed meanwhile
    store = Store(home)
    terminated = threading.Event()  # and not a write to the store: the signal may come in the middle of one
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    while True:
        status, message = _outcome(store, run_id, terminated)
        if status == "interrupted" and home.exists():
            store = Store(home)  # its file may be damaged: opening it again sets that aside, and reads the run back
        gc.collect()  # an engine's graphs hold each other: 300 MB a run that would wait for chance
        leaves = terminated.is_set() or status == "interrupted"
        engine = store.run(run_id).engine
        os.ftruncate(held, 0)  # who ends this run now must not kill what this process may train by then
        # Before the end is told: meanwhile nobody else begins a run in our place. Our own run still counts as running.
        following = None if leaves else _next(store, engine, room=store.parallel_runs() + 1)
        store.end(run_id, status, message)
        if status == "finished":
            for name in ("checkpoint", folders.KEY):
                (store.folder(run_id) / name).unlink(missing_ok=True)
        os.close(held)
        if leaves:
            return
        _tell_studies(store)
        if following is None:  # a study may have queued something
            following = _next(store, engine, room=store.parallel_runs())
        if following is None:
            return
        run_id, held = following


def _tell_studies(store: Store) -> None:
    """Lets every study go on that waited for this run; what goes wrong there is no matter of the next run."""
    try:
        schedule.advance_all(store)
    except Exception:
        traceback.print_exc()


def _outcome(store: Store, run_id: str, terminated: threading.Event) -> tuple[str, str]:
    """Trains a run; returns its last status and what there is to say, whatever that is."""

    def out_of_time(now: Run) -> bool:
        return rules.out_of_time(owner=now.owner, seconds=now.seconds)

    def stop_requested() -> bool:
        now = store.run(run_id)
        return terminated.is_set() or now.stop_requested or (limited and out_of_time(now))

    try:
        rules, begun = store.rules(), store.run(run_id)
        limited = not out_of_time(begun)  # else whoever has the machine has let it go on
        with ExitStack() as held:
            status, message = _train(store, begun, stop_requested, held)
        now = store.run(run_id)
        if status == "stopped" and terminated.is_set() and not now.stop_requested:
            return "interrupted", N_(
                "The worker was asked to end, as when the machine shuts down. Nothing is lost."
            )
        if status == "stopped" and not message and not now.stop_requested:
            message = _OUT_OF_TIME.format(minutes=rules.most_minutes)
        return status, message
    except (StoreError, OSError, ClusterUnreachableError) as err:  # the disk, most likely: the run is as it was
        traceback.print_exc()
        reason = err.message if isinstance(err, EpsilonLabError) else f"{err}."
        return "interrupted", sentences(reason, N_("Resume the run when that is mended."))
    except EpsilonLabError as err:
        traceback.print_exc()
        return "failed", err.message
    except Exception as err:
        traceback.print_exc()
        words, log = N_("{error}. The log: {file}"), processes.worker_log(store, run_id)
        return "failed", words.format(error=f"{type(err).__name__}: {err}", file=log)


def _next(store: Store, engine: str, *, room: int) -> tuple[str, int] | None:
    """Begins the run that is first in the queue, if it can follow on one of ours; returns its id and its lock."""
    try:
        queue = store.queue()
        if not queue or {engine, queue[0].engine} != {ENGINE}:
            return None
        if len(store.runs(status=["running"], deleted=None)) >= room:
            return None
        run_id, held = queue[0].run_id, processes.claim(store, queue[0])
        if held is None:
            return None
        processes.write_worker_pid(store, run_id, os.getpid())
        log_to(store, run_id)
        return run_id, held
    except (StoreError, OSError):  # a full disk: the run that has just ended must still be said to have
        traceback.print_exc()
        return None


def _train(store: Store, run: Run, stop_requested: Callable[[], bool], held: ExitStack) -> tuple[str, str]:
    """Trains from where the run is, with what `held` closes afterwards; returns its last status, and what to say."""
    run_id = run.run_id
    if run.complete and (store.folder(run_id) / "weights.npz").exists():
        return "finished", ""  # it was lost just before it could say so
    plan = Plan.from_json(run.plan.to_json())  # an older version may have queued what this one refuses
    dataset = _dataset(store, run_id, plan)
    store.say(run_id, isolated.problem() or N_("Starting (some seconds)"), dataset.fingerprint)
    from dpcore.learning import checkpoints, engines, evaluation, training  # a second: not before there is a use

    computes = clusters.shard_computer(store, run, dataset, stop_requested, held)
    key = _key(store, run)
    streams = Streams(secrets.randbits(128) if key is None else key, run.identity)
    engine = engines.create(run.engine, plan, dataset, computes, streams, run.audit)
    replays = key is not None and engines.replays_exactly(run.engine)
    kept = Kept(store, run, engine, dataset.fingerprint, replays=replays, save_seconds=_SAVE_SECONDS)
    held.callback(kept.close)
    resume = kept.load()
    row, state = resume or (None, None)
    evaluate = evaluation.Evaluation(plan, dataset)
    reports = training.run(
        plan,
        dataset,
        engine,
        evaluate,
        eval_every=run.eval_every,
        stop_requested=stop_requested,
        before_round=(lambda round_num: None) if replays else (lambda round_num: store.draw(run_id, round_num)),
        resume=resume,
        fresh_coins=not replays,
        redrawn=run.redrawn,
        streams=streams,
        canaries=run.audit,
    )
    evaluated = [one for one in store.rounds(run_id) if one.loss is not None]
    diverged, why = "", ""
    store.say(run_id, isolated.problem())
    for report in clusters.until_abandoned(reports):
        row, state = report.row, report.state
        kept.record(report)  # before the row: of each round whose row is there, it is
        store.append(run_id, row)
        if row.loss is not None:
            evaluated.append(row)
            diverged = divergence(evaluated)
        if diverged and run.stop_when_diverging:
            why = diverged
            break
    if row is None:  # given up before there was anything
        return "stopped", ""
    kept.to_disk()
    files.write(store.folder(run_id) / "weights.npz", checkpoints.to_npz(engine.model_weights(state)))
    _keep_fairness(store, run, dataset, evaluate.right(engine.model_weights(state)))
    if row.round == plan.privacy.rounds:
        return "finished", "" if row.loss is not None and math.isfinite(row.loss) else diverged
    kept.save(row, state)
    return "stopped", why


def _keep_fairness(store: Store, run: Run, dataset: FederatedDataset, right: NDArray[np.bool_]) -> None:
    """Keeps how accurate the last model is for whom; a run does not fail for want of it."""
    with suppress(InvalidValueError, OSError):
        fairness.keep(store.folder(run.run_id), fairness.of(dataset, right))


def _key(store: Store, run: Run) -> int | None:
    """Returns what the run's random numbers follow from: its seed, or a key that was drawn for it alone.

    That is kept, for its owner's eyes alone, from before anything is drawn to the end of the run: so a lost round comes
    out again as it was. `None` for a run without a seed that a version began which kept none.

    Raises:
        DamagedCheckpointError: If it is gone, and another one would draw what was not accounted for.
    """
    if run.plan.training.seed is not None:
        return run.plan.training.seed
    path = store.folder(run.run_id) / folders.KEY
    with suppress(FileNotFoundError, ValueError):
        return int(path.read_text(), 16)
    if run.last_round is None and run.drawing is None and not run.redrawn:
        key = secrets.randbits(128)
        files.write_private(path, f"{key:032x}".encode())
        return key
    if run.plan.privacy.redraws and run.audit is None:  # other canaries would go on with the audit of these
        return None
    raise DamagedCheckpointError(
        _(
            "Expected {file}, found no key there: without it this run cannot go on as it was accounted for. Start its "
            "plan as a new run, which the ledger charges on its own."
        ).format(file=path)
    )


def _dataset(store: Store, run_id: str, plan: Plan) -> FederatedDataset:
    """Returns a plan's data set, made or downloaded first where it has to be; refuses another content than the plan's."""

    def progress(what: str, fraction: float) -> None:
        store.say(run_id, _PROGRESS.format(what=what, share=fraction))

    progress(N_("Reading the data"), 0.0)
    dataset = datasets.load(plan.training.dataset, store.home, progress)
    if plan.training.dataset_fingerprint not in (None, dataset.fingerprint):
        raise DatasetError(
            _(
                "Expected {dataset} with the content {expected}, found {found}: it was imported anew since. Start the "
                "run again for what is there now."
            ).format(dataset=dataset.name, expected=plan.training.dataset_fingerprint, found=dataset.fingerprint)
        )
    return dataset


def log_to(store: Store, run_id: str) -> None:
    """Lets all that this process prints from here on go into a run's log."""
    with processes.worker_log(store, run_id).open("ab") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())


def set_up(home: str) -> None:
    """Makes of this process one that trains: before TensorFlow is loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # the log is for what this program says
    os.environ["EPSILON_LAB_HOME"] = home  # for the processes of a cluster that this one starts
    os.nice(10)  # who waits for a page goes first; where nobody does, it costs nothing


if __name__ == "__main__":
    set_up(sys.argv[1])
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
