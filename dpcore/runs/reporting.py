"""The statement of a run: its plan's, with what is known of its data and of the other runs on them."""

from dpcore import datasets, limits
from dpcore.datasets import population
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.learning import engines
from dpcore.privacy import accounting, statement
from dpcore.privacy.conduct import Conduct
from dpcore.privacy.risk import risk
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run


def rows(
    store: StoreAccess, run: Run, *, false_positive_rate: float = limits.FALSE_POSITIVE_RATE.default
) -> list[tuple[str, str]]:
    """Returns the statement of a run, one line per item."""
    plan, training = run.charged, run.plan.training
    rows = statement.table(
        plan,
        accounting.account(plan),
        risk(plan),
        false_positive_rate=false_positive_rate,
        training=training,
        done=conduct(run),
        ledger=budget.sentence(budget.balance(store, training.dataset)),
        data=_data(store, run),
    )
    from dpcore.runs.audit import recorded  # SciPy: half a second, which a list of runs does not wait for

    audit = recorded.sentence(store, run)
    return [*rows, (_("Audit"), audit)] if audit else rows


def markdown(store: StoreAccess, run: Run, *, false_positive_rate: float) -> str:
    """Returns the statement of a run as Markdown."""
    plan = run.charged
    return statement.markdown(
        plan, accounting.account(plan), rows(store, run, false_positive_rate=false_positive_rate)
    )


def conduct(run: Run) -> Conduct:
    """Returns how a run was carried out, as far as it came."""
    return Conduct(
        status=run.status,
        engine=run.engine,
        seeded=engines.replays_exactly(run.engine) and run.plan.training.seed is not None,
        begun=run.started is not None,
        released=run.last_round or 0,
        planned=run.plan.privacy.rounds,
        redrawn=run.redrawn,
        lost=run.redrawn > 0 or (run.may_have_released and not run.active),
    )


def warnings(run: Run) -> list[str]:
    """Returns what whoever reads the epsilon of a run must know, a sentence each."""
    return [words for words in (*run.charged.warnings, statement.seed_warning(run.plan.training.seed)) if words]


def _data(store: StoreAccess, run: Run) -> str:
    """Which data a run was trained on, and what was looked at when they were prepared, outside the guarantee."""
    name, content = run.plan.training.dataset, run.dataset_fingerprint
    words = _("{dataset}, content {content}.").format(dataset=name, content=content or _("not read yet"))
    try:
        manifest = datasets.entry(name, store.home).manifest
    except EpsilonLabError:
        manifest = None
    asked = content or run.plan.training.dataset_fingerprint
    if manifest is None:
        more = _("They are not here any more: what was looked at to prepare them is not known.") if content else ""
    elif asked not in (None, manifest.fingerprint):
        more = _(
            "There are others of this name now, content {content}: what was looked at to prepare those of the run is not "
            "known."
        ).format(content=manifest.fingerprint)
    else:
        more = _(manifest.description.access_note)
        if manifest.users_without_train:
            users = population.label(num_users=manifest.num_users, users_without_train=manifest.users_without_train)
            more = f"{users}. {more}"
    return f"{words} {more}".rstrip()
