"""The process that trains one run: `python -m dpcore.runs.worker HOME RUN_ID`.

The only one that loads TensorFlow. Everything it has to say goes into the store; its output is a log.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dpcore import datasets, isolated
from dpcore.errors import DatasetError, EpsilonLabError
from dpcore.locks import lock
from dpcore.runs import supervisor
from dpcore.runs.store import Run, Store

_POLL_SECONDS = 0.2


def main(home: Path, run_id: str) -> None:
    """Trains a queued run to its end, whatever that is, and leaves the run's last status in the store."""
    store = Store(home)
    terminated = threading.Event()  # and not a write to the store: the signal may come in the middle of one
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())

    def stop_requested() -> bool:
        return terminated.is_set() or store.run(run_id).stop_requested

    with lock(supervisor.worker_lock(store, run_id), wait=True):
        try:
            status = _when_it_is_our_turn(store, run_id, stop_requested)
            store.end(run_id, status)
        except EpsilonLabError as err:
            traceback.print_exc()
            store.end(run_id, "failed", str(err))
        except BaseException as err:
            traceback.print_exc()
            store.end(
                run_id,
                "failed",
                f"{type(err).__name__}: {err}. The log: {store.folder(run_id) / 'worker.log'}",
            )
            raise


def _when_it_is_our_turn(store: Store, run_id: str, stop_requested: Callable[[], bool]) -> str:
    """One run trains at a time under one home: two would each take twice as long."""
    while not stop_requested():
        with lock(store.home / "training.lock", wait=False) as our_turn:
            if our_turn:
                return _train(store, store.run(run_id), stop_requested) if store.begin(run_id) else "stopped"
        store.say(run_id, "Waiting for another run to end")
        time.sleep(_POLL_SECONDS)
    return "stopped"


def _train(store: Store, run: Run, stop_requested: Callable[[], bool]) -> str:
    run_id, plan = run.run_id, run.plan

    def progress(what: str, fraction: float) -> None:
        store.say(run_id, f"{what}: {fraction:.0%}")

    progress("Reading the data", 0.0)
    dataset = datasets.load(plan.training.dataset, store.home, progress)
    if plan.training.dataset_fingerprint not in (None, dataset.fingerprint):
        raise DatasetError(
            f"Expected {dataset.name} with the content {plan.training.dataset_fingerprint}, found "
            f"{dataset.fingerprint}: it was imported anew since. Start the run again for what is there now."
        )
    store.say(run_id, isolated.problem() or "Starting TensorFlow (some seconds)", dataset.fingerprint)
    from dpcore.learning import engines, model, training  # seconds and a gigabyte: not before there is a use

    reports = training.run(
        plan,
        dataset,
        engines.create(run.engine, plan, dataset),
        model.Evaluation(plan, dataset),
        eval_every=run.eval_every,
        stop_requested=stop_requested,
    )
    for report in reports:
        store.append(run_id, report)
        if report.round == 0:
            store.say(run_id, isolated.problem())
    _save_weights(store.folder(run_id) / "weights.npz", report.weights)
    return "finished" if report.round == plan.privacy.rounds else "stopped"


def _save_weights(path: Path, weights: list[np.ndarray]) -> None:
    """Writes the model so that the file is whole or not there."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, *weights)
    partial.replace(path)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # the log is for what this program says
    main(Path(sys.argv[1]), sys.argv[2])
