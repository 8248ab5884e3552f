"""The tutorial's method: how much noise does a model bear, and how many clients make that noise private enough?

A sweep over noise at a small cohort shows what the model bears. Its noise on the average, z / clients, is held while
the clients are raised until the wanted (epsilon, delta) is reached; that plan is trained, and compared with the
noise-free one. Source: the TensorFlow Federated tutorial "Differential Privacy in TFF"; the scaling argument is that of
McMahan et al. (2018), <https://arxiv.org/abs/1710.06963>, section 3.
"""

from contextlib import suppress
from dataclasses import replace

from dpcore import datasets
from dpcore.errors import (
    EpsilonLabError,
    InvalidValueError,
    NotAllowedError,
    StoreError,
    StudyNotFoundError,
)
from dpcore.language import N_, _, speaking
from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.runs.access import visiting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.runs.store.study_rows import StudyRow
from dpcore.runs.studies.outcome import Setting, final_plan, sweep_outcome
from dpcore.runs.studies.progress import Progress
from dpcore.runs.studies.study import FINAL, SWEEP, WRITERS, Study


def current(store: StoreAccess, study_id: str) -> Progress:
    """Returns a study as it is now, and queues what it can go on with.

    Raises:
        StudyNotFoundError: If there is none of this id.
    """
    advance(store, study_id)
    for row in store.studies(study_id):
        study = Study.from_json(row.spec)
        attached = {part: _attached(store, row, part) for part in (SWEEP, FINAL)}
        sweep, final = ([run for run in part if not _thrown_away(run, row)] for part in attached.values())
        outcome = sweep_outcome(study, sweep)
        as_planned = {"finished"} if row.going else {"finished", "cancelled"}  # a pause takes runs out of the queue
        ended = [run for run in [*sweep, *final] if not run.active and run.status not in as_planned]
        if row.going:
            ended += [run for part in attached.values() for run in part if _thrown_away(run, row)]
        done = outcome.complete and all(one.status == "finished" for one in final)
        wants_final = study.target_epsilon is not None and outcome.tolerable is not None
        if done and (final or not wants_final):
            status, message = "finished", ""
            visiting.acting_for(store, row.owner).set_going(study_id, False)
        elif row.message or ended:
            status, message = N_("stuck"), row.message or _ended(ended)
        else:
            status, message = (N_("going") if row.going else N_("paused")), ""
        return Progress(
            study=study,
            sweep=sweep,
            final=final,
            outcome=outcome,
            status=status,
            message=message,
            owner=row.owner,
        )
    message = _("No study has the id {study!r}. List them with: python -m dpcore study list")
    raise StudyNotFoundError(message.format(study=study_id))


def _ended(runs: list[Run]) -> str:
    found = ", ".join(
        _("{run} is {status}").format(run=run.run_id, status=_("in the bin") if run.deleted else _(run.status))
        for run in runs
    )
    return _("{found}: go on, or look at it on the page Runs.").format(found=found)


def start(store: StoreAccess, study: Study) -> str:
    """Begins a study, or goes on with the one that asks the same; returns its id.

    Raises:
        EpsilonLabError: Where a visitor asks for more than their share, or the Writers cannot stand in for the data:
            before any of it is queued.
    """
    check_baseline(store, study)
    there = _usable(store, study, visiting.owner(store))
    visiting.check(store, [plan for plan in study.grid() if plan not in there])
    study_id = store.create_study(study.to_json())
    go_on(store, study_id)
    return study_id


def check_baseline(store: StoreAccess, study: Study) -> None:
    """Says no to a noise-free run on the Writers for data that are not like them.

    Raises:
        InvalidValueError: If they are not.
    """
    dataset = study.plan.training.dataset
    if study.baseline == WRITERS and not datasets.like_writers(dataset, store.home):
        message = _(
            "Expected data like the Writers, 28x28 images of ten classes, to train the non-private baseline on the "
            "Writers, found {dataset}. Train it on the data set itself, or leave it out."
        )
        raise InvalidValueError("baseline", message.format(dataset=dataset))


def go_on(store: StoreAccess, study_id: str) -> None:
    """Lets a study queue its runs again, also those that were stopped or have failed."""
    store.set_going(study_id, True)
    advance(store, study_id, again=True)


def pause(store: StoreAccess, study_id: str) -> None:
    """Queues no more runs for a study, and takes out of the queue those that wait."""
    store.set_going(study_id, False)
    for row in store.studies(study_id):
        for run in [*runs_of_part(store, row, SWEEP), *runs_of_part(store, row, FINAL)]:
            if run.status == "queued" and visiting.owns(store, run.owner):
                supervisor.stop(store, run.run_id)


def advance(store: StoreAccess, study_id: str, *, again: bool = False) -> None:
    """Queues what a study needs and does not have yet; says in its row why it cannot go on.

    Args:
        store: Where it is.
        study_id: Which.
        again: Whether runs that were stopped or have failed are tried again: not by itself, or it would for ever.
    """
    # In English: what has no key of what keeps a study from going on is stored as it is said.
    with lock(store.home / "studies.lock", wait=True), speaking("en"):
        for row in store.studies(study_id):
            if not row.going:
                return
            store = visiting.acting_for(store, row.owner)  # whoever it is that looks
            try:
                study = Study.from_json(row.spec)
                _queue(store, row, SWEEP, study, study.grid(), again)
                (row,) = store.studies(study_id)
                outcome = sweep_outcome(study, runs_of_part(store, row, SWEEP))
                if study.target_epsilon is not None and outcome.tolerable is not None:
                    _queue(store, row, FINAL, study, final_runs(study, outcome.tolerable), again)
            except StoreError:
                raise
            except EpsilonLabError as err:  # no room in the budget, or no number of clients reaches the target
                store.set_going(study_id, False, err.message)


def final_runs(study: Study, tolerable: Setting) -> list[Plan]:
    """Returns the plans of the final runs, one a seed."""
    final = final_plan(study, tolerable, study.accountant)
    return [replace(final, training=replace(final.training, seed=seed)) for seed in study.seeds]


def advance_all(store: StoreAccess) -> None:
    """Advances every study that is going: called when a run has ended, and when somebody looks."""
    for row in store.studies():
        if row.going:
            advance(store, row.study_id)


def _queue(store: StoreAccess, row: StudyRow, part: str, study: Study, plans: list[Plan], again: bool) -> None:
    """Sees to it that each plan has a run in this part of a study: one that is there already, or a new one."""
    mine = {run.plan: run for run in sorted(_attached(store, row, part), key=lambda run: not run.deleted)}
    usable, cluster = _usable(store, study, row.owner), store.cluster(row.study_id, own=True)
    for plan in plans:
        there = mine.get(plan)
        if there is not None and not again:
            continue  # also one that somebody threw away: nothing is trained anew that nobody asks for
        if there is not None and not _thrown_away(there, row) and (there.active or there.status == "finished"):
            continue
        ours = there is not None and visiting.owns(store, there.owner)
        if there is not None and ours and not there.deleted and there.status in ("interrupted", "stopped"):
            if cluster is not None:  # another one than before, it may be
                with suppress(NotAllowedError):  # a visitor's stays where it is
                    store.set_cluster(cluster, there.run_id)
            supervisor.resume(store, there.run_id)
            continue
        if there is not None:
            store.detach(row.study_id, there.run_id)
        if plan in usable:
            run_id = usable[plan].run_id
        else:
            run_id = supervisor.start(
                store,
                plan,
                engine=study.engine,
                eval_every=study.eval_every,
                cluster=cluster,
                audit=study.audit_of(plan),
            )
        store.attach(row.study_id, run_id, part)


def existing_runs(store: StoreAccess, study: Study) -> dict[Plan, Run]:
    """Returns the runs that a study goes on with when whoever has this store begins it: as `_queue` decides."""
    owner = visiting.owner(store)
    runs = _usable(store, study, owner)
    for row in store.studies():
        if row.spec != study.to_json() or row.owner != owner:
            continue
        for run in [*_attached(store, row, SWEEP), *_attached(store, row, FINAL)]:
            kept = (run.active or run.status == "finished") and not _thrown_away(run, row)
            resumed = (
                run.status in ("interrupted", "stopped") and visiting.owns(store, run.owner) and not run.deleted
            )
            if kept or resumed:
                runs[run.plan] = run
    return runs


def _usable(store: StoreAccess, study: Study, owner: str) -> dict[Plan, Run]:
    """Returns the runs that a study of this owner can take: whoever's have finished, and its owner's that may yet."""
    runs = sorted(supervisor.runs(store), key=lambda run: run.status == "finished")
    return {
        run.plan: run
        for run in runs
        if run.engine == study.engine
        and run.audit == study.audit_of(run.plan)  # canaries are noise to the model: small, and not what was asked
        and (run.status == "finished" or (run.active and run.owner == owner))
    }


def runs_of_part(store: StoreAccess, row: StudyRow, part: str) -> list[Run]:
    """Returns the runs of a part of a study as they are now; of those in the bin, what others have thrown there."""
    return [run for run in _attached(store, row, part) if not _thrown_away(run, row)]


def _thrown_away(run: Run, row: StudyRow) -> bool:
    """Whether a run is no part of a study any more: its owner alone can take one out."""
    return run.deleted is not None and run.owner == row.owner


def _attached(store: StoreAccess, row: StudyRow, part: str) -> list[Run]:
    ids = row.runs.get(part, [])
    return [run for run in supervisor.runs(store, deleted=None) if run.run_id in ids]
