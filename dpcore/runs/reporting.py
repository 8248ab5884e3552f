"""The statement of a run: its plan's, with what is known of its data and of the other runs on them."""

from dpcore import datasets
from dpcore.errors import EpsilonLabError
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk
from dpcore.runs import budget
from dpcore.runs.store import Run, Store


def markdown(store: Store, run: Run, *, false_positive_rate: float) -> str:
    """Returns the statement of a run as Markdown."""
    plan, training = run.charged, run.plan.training
    content = run.dataset_fingerprint or "not read yet"
    account = accounting.account(plan)
    rows = statement.table(
        plan,
        account,
        risk(plan),
        false_positive_rate=false_positive_rate,
        training=training,
        ledger=budget.sentence(budget.balance(store, training.dataset)),
        data=f"{training.dataset}, content {content}. {_access(store, training.dataset)}",
    )
    return statement.markdown(plan, account, rows)


def _access(store: Store, dataset: str) -> str:
    """What was looked at when the data were prepared, outside the guarantee; empty if nothing, or if they are gone."""
    try:
        manifest = datasets.entry(dataset, store.home).manifest
    except EpsilonLabError:
        return ""
    return manifest.description.access_note if manifest else ""
