"""The statement of a run: its plan's, with what is known of its data and of the other runs on them."""

from dpcore import datasets, limits
from dpcore.datasets import federated, population
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk
from dpcore.runs import budget
from dpcore.runs.run_rows import Run
from dpcore.runs.store import Store


def rows(
    store: Store, run: Run, *, false_positive_rate: float = limits.FALSE_POSITIVE_RATE.default
) -> list[tuple[str, str]]:
    """Returns the statement of a run, a line an item."""
    plan, training = run.charged, run.plan.training
    data = _("{dataset}, content {content}.").format(
        dataset=training.dataset, content=run.dataset_fingerprint or _("not read yet")
    )
    manifest = _manifest(store, training.dataset)
    if manifest and manifest.users_without_train:
        users = population.in_words(num_users=manifest.num_users, users_without_train=manifest.users_without_train)
        data += f" {users}."
    return statement.table(
        plan,
        accounting.account(plan),
        risk(plan),
        false_positive_rate=false_positive_rate,
        training=training,
        ledger=budget.sentence(budget.balance(store, training.dataset)),
        data=f"{data} {_(manifest.description.access_note) if manifest else ''}",
    )


def markdown(store: Store, run: Run, *, false_positive_rate: float) -> str:
    """Returns the statement of a run as Markdown."""
    plan = run.charged
    return statement.markdown(
        plan, accounting.account(plan), rows(store, run, false_positive_rate=false_positive_rate)
    )


def _manifest(store: Store, dataset: str) -> federated.Manifest | None:
    """What is known of a data set; `None` if it is gone."""
    try:
        return datasets.entry(dataset, store.home).manifest
    except EpsilonLabError:
        return None
