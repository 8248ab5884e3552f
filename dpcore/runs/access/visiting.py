"""The store as a visitor of a shared dashboard has it: all of it to look at, to change what is theirs.

Pages get no other, so that what a button does not offer is refused all the same. What has no method here is closed: a
method that is added to `Store` is out of visitors' reach until somebody has thought about it.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from dpcore import datasets, hosting, limits
from dpcore.cluster.configuration import ClusterConfiguration
from dpcore.errors import NotAllowedError
from dpcore.hosting import Rules
from dpcore.language import _
from dpcore.learning import engines
from dpcore.plan import Plan
from dpcore.rounds import Round
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store import Store
from dpcore.runs.store.policies import Policy
from dpcore.runs.store.run_rows import ACTIVE, Run
from dpcore.runs.store.study_rows import StudyRow


class Visited:
    """A `Store` for one visitor. Each method does what the store's of this name does, or says why not.

    Args:
        store: All of it.
        owner: Who visits, as `dpcore.hosting` names them; empty: nobody that is known, who may only look.
    """

    def __init__(self, store: Store, owner: str):
        self._store = store
        self.owner = owner

    @property
    def home(self) -> Path:
        return self._store.home

    # Everybody may look.

    def folder(self, run_id: str) -> Path:
        return self._store.folder(run_id)

    def look_again(self) -> None:
        self._store.look_again()

    def run(self, run_id: str) -> Run:
        return self._store.run(run_id)

    def runs(self, *, status: Iterable[str] = (), deleted: bool | None = False) -> list[Run]:
        return self._store.runs(status=status, deleted=deleted)

    def unreadable(self) -> list[tuple[str, str | None]]:
        return self._store.unreadable()

    def queue(self) -> list[Run]:
        return self._store.queue()

    def rounds(self, run_id: str, after: int = -1) -> list[Round]:
        return self._store.rounds(run_id, after)

    def curves(self, metric: str) -> dict[str, list[float]]:
        return self._store.curves(metric)

    def evaluations(self) -> dict[str, list[tuple[int, float]]]:
        return self._store.evaluations()

    def studies(self, study_id: str | None = None) -> list[StudyRow]:
        return self._store.studies(study_id)

    def policy(self, dataset: str) -> Policy:
        return self._store.policy(dataset)

    def parallel_runs(self) -> int:
        return self._store.parallel_runs()

    def rules(self) -> Rules:
        return self._store.rules()

    def cluster(self, whose: str = "", *, own: bool = False) -> ClusterConfiguration | None:
        return self._store.cluster(whose, own=own)

    def recovered(self) -> str:
        """Returns nothing: what became of a damaged file is for whoever has the machine."""
        return ""

    # A run or a study is changed by its owner alone.

    def request_stop(self, run_id: str) -> None:
        self._check_own_run(run_id)
        self._store.request_stop(run_id)

    def end(self, run_id: str, status: str, message: str = "") -> None:
        self._check_own_run(run_id)
        self._store.end(run_id, status, message)

    def describe(
        self, run_id: str, *, name: str | None = None, tags: str | None = None, note: str | None = None
    ) -> None:
        self._check_own_run(run_id)
        self._store.describe(run_id, name=name, tags=tags, note=note)

    def delete(self, run_id: str) -> bool:
        self._check_own_run(run_id)
        return self._store.delete(run_id)

    def restore(self, run_id: str) -> None:
        self._check_own_run(run_id)
        self._store.restore(run_id)

    def attach(self, study_id: str, run_id: str, part: str) -> None:
        self._check_own_study(study_id)
        self._store.attach(study_id, run_id, part)

    def detach(self, study_id: str, run_id: str) -> None:
        self._check_own_study(study_id)
        self._store.detach(study_id, run_id)

    def _check_own_run(self, run_id: str) -> None:
        self._check_own(run_id, self._store.run(run_id).owner)

    def _check_own_study(self, study_id: str) -> None:
        self._check_own(study_id, next((row.owner for row in self._store.studies(study_id)), ""))

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

    def create(
        self,
        plan: Plan,
        *,
        engine: str,
        eval_every: int,
        stop_when_diverging: bool = False,
        cluster: ClusterConfiguration | None = None,
        audit: int | None = None,
    ) -> str:
        """Queues a run of this visitor's, as `Store.create`. The caller holds the ledger's lock.

        On the cluster of all runs, if there is one: a `cluster` of its own is for whoever has the machine to give.
        """
        self.check([plan])
        if engine != engines.NAMES[0]:  # TFF starts a server of its own: a gigabyte, and a port
            raise hosting.only_the_machine(_("training on the engine {engine}").format(engine=engine))
        return self._store.create(
            plan,
            engine=engine,
            eval_every=eval_every,
            stop_when_diverging=stop_when_diverging,
            owner=self.owner,
            audit=audit,
        )

    def requeue(self, run: Run, *, redrawn: int) -> bool:
        """Lets a run of this visitor's go on, behind those that wait. The caller holds the ledger's lock."""
        self._check_own_run(run.run_id)
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
        self._check_own_study(study_id)
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

    # What is decided for everybody is decided by whoever has the machine.

    def move(self, run_id: str, *, before: str | None) -> None:
        raise hosting.only_the_machine(_("moving a run in the queue"))

    def empty_bin(self) -> int:
        raise hosting.only_the_machine(_("emptying the bin"))

    def set_policy(self, policy: Policy) -> None:
        raise hosting.only_the_machine(_("deciding about a budget or a public mark"))

    def set_parallel_runs(self, count: int) -> None:
        raise hosting.only_the_machine(_("setting how many runs train in parallel"))

    def set_cluster(self, configuration: ClusterConfiguration | None, whose: str = "") -> None:
        raise hosting.only_the_machine(_("setting a cluster"))

    def set_rules(self, rules: Rules) -> None:
        raise hosting.only_the_machine(_("setting what visitors may ask for"))

    def forget_recovered(self) -> None:
        raise hosting.only_the_machine(_("marking as read what became of a damaged file"))


def owns(store: StoreAccess, owner: str) -> bool:
    """Whether whoever has this store may change what belongs to `owner`."""
    return not isinstance(store, Visited) or (bool(owner) and store.owner == owner)


def may_see(store: StoreAccess, names: Sequence[str]) -> tuple[str, ...]:
    """Returns those of these data sets that whoever has this store may see and train on."""
    allowed = (store.rules().data or datasets.NAMES) if isinstance(store, Visited) else names
    return tuple(name for name in names if name in allowed)


def owner(store: StoreAccess) -> str:
    """Returns who will own what is queued through this store; empty for whoever has the machine."""
    return store.owner if isinstance(store, Visited) else ""


def acting_for(store: StoreAccess, owner: str) -> StoreAccess:
    """Returns the store as the owner of a study has it, who is not always who looks: for what was asked already."""
    whole = store._store if isinstance(store, Visited) else store
    if not isinstance(whole, Store):
        raise TypeError(f"Expected a Store or a visitor's, found {type(store).__name__}.")
    return Visited(whole, owner) if owner else whole


def check(store: StoreAccess, plans: Sequence[Plan]) -> None:
    """Says no to plans that whoever has this store may not queue; see `Visited.check`."""
    if isinstance(store, Visited):
        store.check(plans)
