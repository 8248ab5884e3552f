"""The store as a visitor of a shared dashboard has it: all of it to look at, to change what is theirs.

Pages get no other, so that what a button does not offer is refused all the same. What is not named here is refused:
a method that is added to `Store` is closed to visitors until somebody has thought about it.
"""

import shutil
from collections.abc import Sequence
from typing import Any

from dpcore import datasets, hosting, limits
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import NotAllowedError
from dpcore.language import _
from dpcore.learning import engines
from dpcore.plan import Plan
from dpcore.runs.store import Store
from dpcore.runs.store.run_rows import ACTIVE, Run

LOOKING = frozenset(
    (
        "home folder look_again run runs unreadable queue rounds curves policy parallel_runs cluster rules studies"
    ).split()
)
ON_OWN_RUN = frozenset("request_stop describe delete restore end".split())
ON_OWN_STUDY = frozenset("attach detach".split())


class Visited:
    """A `Store` for one visitor.

    Args:
        store: All of it.
        owner: Who visits, as `dpcore.hosting` names them; empty: nobody that is known, who may only look.
    """

    def __init__(self, store: Store, owner: str):
        self._store = store
        self.owner = owner

    def __getattr__(self, name: str) -> Any:
        if name in LOOKING:
            return getattr(self._store, name)
        if name in ON_OWN_RUN:
            return self._guarded(name, lambda run_id: self._store.run(run_id).owner)
        if name in ON_OWN_STUDY:
            return self._guarded(name, self._owner_of_study)
        if name.startswith("_") or not hasattr(Store, name):
            raise AttributeError(name)

        def refuse(*values: Any, **named: Any) -> None:
            raise hosting.only_the_machine(name.replace("_", " "))

        return refuse

    def _guarded(self, name: str, owner_of) -> Any:
        def change(what: str, *values: Any, **named: Any) -> Any:
            self._check_own(what, owner_of(what))
            return getattr(self._store, name)(what, *values, **named)

        return change

    def _owner_of_study(self, study_id: str) -> str:
        return next((row.owner for row in self._store.studies(study_id)), "")

    def _check_own(self, what: str, owner: str) -> None:
        if not owns(self, owner):
            raise NotAllowedError(
                (
                    _(
                        "Expected {what} to be yours, found that of another visitor. Look at it, or run its plan again."
                    )
                    if owner
                    else _(
                        "Expected {what} to be yours, found that of the administrator. Look at it, or run its plan "
                        "again."
                    )
                ).format(what=what)
            )

    def check(self, plans: Sequence[Plan], *, but: str = "") -> None:
        """Says no to plans that this visitor may not queue, all of them together; `but` is a run that is not counted.

        Raises:
            InvalidValueError: If one is too large.
            NotAllowedError: If there are too many, its data would have to be fetched, or nobody knows who asks.
        """
        if not self.owner:
            raise NotAllowedError(
                _(
                    "Expected a visitor that is known, found none. Sign in, or let your browser keep this page's cookies."
                )
            )
        allowed = may_see(self, datasets.names(self.home))
        for name in dict.fromkeys(plan.training.dataset for plan in plans):
            if name not in allowed:
                raise NotAllowedError(
                    _(
                        "Expected a data set that visitors may train on ({names}), found {name}. Choose one of them, "
                        "or ask the administrator."
                    ).format(names=", ".join(allowed), name=name)
                )
            if datasets.must_be_fetched(name, self.home):
                raise hosting.only_the_machine(_("fetching the data set {name}").format(name=name))
        waiting = self._store.runs(status=ACTIVE, deleted=None)
        theirs = [run.owner for run in waiting if run.owner and run.run_id != but]
        self.rules().check(
            plans,
            own=theirs.count(self.owner),
            all_visitors=len(theirs),
            free_bytes=shutil.disk_usage(self.home).free,
        )

    def create(self, plan: Plan, *, engine: str, cluster: ClusterConfiguration | None = None, **how: Any) -> str:
        """Queues a run of this visitor's, as `Store.create`. The caller holds the ledger's lock.

        On the cluster of all runs, if there is one: a `cluster` of its own is for whoever has the machine to give.
        """
        self.check([plan])
        if engine != engines.NAMES[0]:  # TFF starts a server of its own: a gigabyte, and a port
            raise hosting.only_the_machine(_("training on the engine {engine}").format(engine=engine))
        return self._store.create(plan, engine=engine, **how, owner=self.owner)

    def requeue(self, run: Run, *, redrawn: int) -> bool:
        """Lets a run of this visitor's go on, behind those that wait. The caller holds the ledger's lock."""
        self._check_own(run.run_id, self._store.run(run.run_id).owner)
        self.check([run.plan], but=run.run_id)
        rules = self.rules()
        if rules.out_of_time(owner=self.owner, seconds=run.seconds):
            raise NotAllowedError(
                _(
                    "Expected a run that has trained for less than {most} minutes, found {run} with {found:.0f}. Its "
                    "results so far are kept: ask the administrator, or run a plan with fewer rounds."
                ).format(most=rules.most_minutes, run=run.run_id, found=run.seconds / 60)
            )
        return self._store.requeue(run, redrawn=redrawn, behind=True)

    def create_study(self, spec: str) -> str:
        """Keeps a study of this visitor's, as `Store.create_study`."""
        self.check([])
        kept = sum(row.owner == self.owner for row in self._store.studies())
        if kept >= limits.MOST_STUDIES_KEPT:  # one that asks only for runs that are there has no other end
            raise NotAllowedError(
                _("Expected at most {most} studies of one visitor, found {found}. Look at one of them.").format(
                    most=limits.MOST_STUDIES_KEPT, found=kept
                )
            )
        self._check_studies(spec)
        return self._store.create_study(spec, owner=self.owner)

    def set_going(self, study_id: str, going: bool, message: str = "") -> None:
        """Sets whether a study of this visitor's goes on, as `Store.set_going`."""
        self._check_own(study_id, self._owner_of_study(study_id))
        for row in self._store.studies(study_id) if going else []:
            self._check_studies(row.spec)
        self._store.set_going(study_id, going, message)

    def _check_studies(self, spec: str) -> None:
        going = [row.spec for row in self._store.studies() if row.going and row.owner == self.owner]
        if len(going) >= limits.MOST_STUDIES and spec not in going:
            raise NotAllowedError(
                _(
                    "Expected at most {most} studies of one visitor to go on at a time, found {found}. Pause one, or "
                    "wait for it."
                ).format(most=limits.MOST_STUDIES, found=len(going))
            )

    def recovered(self) -> str:
        """Returns nothing: what became of a damaged file is for whoever has the machine."""
        return ""


def owns(store: Store | Visited, owner: str) -> bool:
    """Whether whoever has this store may change what belongs to `owner`."""
    return not isinstance(store, Visited) or (bool(owner) and store.owner == owner)


def may_see(store: Store | Visited, names: Sequence[str]) -> tuple[str, ...]:
    """Returns those of these data sets that whoever has this store may see and train on."""
    allowed = (store.rules().data or datasets.NAMES) if isinstance(store, Visited) else names
    return tuple(name for name in names if name in allowed)


def owner(store: Store | Visited) -> str:
    """Returns who will own what is queued through this store; empty for whoever has the machine."""
    return store.owner if isinstance(store, Visited) else ""


def acting_for(store: Store | Visited, owner: str) -> Store | Visited:
    """Returns the store as the owner of a study has it, who is not always who looks: for what was asked already."""
    whole = store._store if isinstance(store, Visited) else store
    return Visited(whole, owner) if owner else whole


def check(store: Store | Visited, plans: Sequence[Plan]) -> None:
    """Says no to plans that whoever has this store may not queue; see `Visited.check`."""
    if isinstance(store, Visited):
        store.check(plans)
