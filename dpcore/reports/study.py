"""A study as one HTML page that needs nothing else, and as a table of numbers."""

import time

import pandas as pd

from dpcore.charts import lines
from dpcore.charts import studies as charts
from dpcore.plan import FixedClipping, Plan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk
from dpcore.reports import page
from dpcore.runs import budget, studies
from dpcore.runs.store import Run, Store


def rounds_table(store: Store, runs: list[Run]) -> pd.DataFrame:
    """Returns a row an evaluated round: `run`, `noise`, `clients`, `seed`, `round`, `accuracy`, `loss`, `epsilon`."""
    rows = [
        {
            "run": run.run_id,
            "setting": label(run.plan),
            "noise": run.plan.privacy.noise_multiplier,
            "clients": run.plan.privacy.clients_per_round,
            "seed": run.plan.training.seed,
            "round": row.round,
            "accuracy": row.accuracy,
            "loss": row.loss,
            "epsilon": row.epsilon,
        }
        for run in runs
        for row in store.rounds(run.run_id)
        if row.accuracy is not None
    ]
    columns = ["run", "setting", "noise", "clients", "seed", "round", "accuracy", "loss", "epsilon"]
    return pd.DataFrame(rows, columns=columns)


def label(plan: Plan) -> str:
    """Returns what all runs of one setting share, in words: all that a study may vary but the seed."""
    privacy, clipping = plan.privacy, plan.privacy.clipping
    words = [
        f"noise {privacy.noise_multiplier:g}",
        f"{privacy.clients_per_round} clients",
        f"{privacy.rounds} rounds",
    ]
    if plan.training.client_learning_rate != TrainingPlan.client_learning_rate:
        words.append(f"learning rate {plan.training.client_learning_rate:g}")
    if isinstance(clipping, FixedClipping):
        words.append(f"clip norm {clipping.clip_norm:g}")
    return ", ".join(words)


def by_setting(rounds: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns `setting`, `noise`, `round`, and `mean`, `low` and `high` of a metric over the seeds."""
    keys = ["noise", "setting", "round"]
    grouped = rounds.groupby(keys, as_index=False)[metric].agg(["mean", "min", "max"])
    return grouped.rename(columns={"min": "low", "max": "high"})


def html(store: Store, study_id: str) -> str:
    """Returns a study as a page: what was asked, what came of it, the statement, and how to repeat it."""
    now = studies.look(store, study_id)
    rounds = rounds_table(store, now.runs)
    finals = {run.run_id for run in now.final}
    sweep = rounds[~rounds["run"].isin(finals)]
    parts = [
        "<h1>How much noise does the model bear, and what makes that private?</h1>",
        f"<p>{page.text(study_id)} on {page.text(now.study.plan.training.dataset)}, {now.status}, {now.finished} of "
        f"{len(now.runs)} runs. By Epsilon Lab, {time.strftime('%Y-%m-%d')}; {page.text(accounting.VERSION)}.</p>",
        *(f"<p class='answer'>{page.text(words)}</p>" for words in now.sentences[-2:]),
        "<h2>What came of each setting</h2>",
        page.table(
            [
                {name: _number(name, value) for name, value in row.items() if value is not None or name != "band"}
                for row in studies.table(now)
            ]
        ),
        "<p>Accuracy: the mean over the seeds on the whole test set, a diagnostic outside the guarantee. Band: half the "
        "range over the seeds.</p>",
        "<ul>" + "".join(f"<li>{page.text(words)}</li>" for words in now.sentences) + "</ul>",
        "<h2>Round by round</h2>",
        *(
            _figure(sweep, metric, title, max(now.study.rounds), first=metric == "accuracy")
            for metric, title in lines.METRICS.items()
        ),
    ]
    if now.result is not None:
        plan = now.result.plan
        charged = now.result.charged
        account = accounting.account(charged)
        rows = statement.table(
            charged,
            account,
            risk(charged),
            false_positive_rate=0.01,
            training=plan.training,
            ledger=budget.sentence(budget.balance(store, plan.training.dataset)),
            data=plan.training.dataset,
        )
        parts += [
            "<h2>The statement of the final run</h2>",
            f"<p>{page.text(statement.sentence(charged, account.headline.value))}</p>",
            page.table([{"what": name, "how it is here": value} for name, value in rows]),
        ]
    parts += [
        "<h2>To repeat it</h2>",
        "<p>Save this as study.json, then: python -m dpcore study run --spec study.json</p>",
        f"<pre>{page.text(now.study.to_json())}</pre>",
    ]
    return page.whole(f"Study {study_id}", parts)


def _number(name: str, value: float | str | None) -> str:
    if value is None:
        return "–"
    if name == "epsilon":
        return statement.epsilon_text(value)
    return (
        f"{value:+.3f}" if name == "difference" else f"{value:.3f}" if name in ("accuracy", "band") else f"{value}"
    )


def last_words(table: pd.DataFrame) -> str:
    """Returns what each line of `by_setting` ends at."""
    last = table.groupby(["noise", "setting"]).tail(1)
    return "; ".join(f"{name}: {mean:.3f}" for name, mean in zip(last["setting"], last["mean"], strict=True))


def _figure(rounds: pd.DataFrame, metric: str, title: str, total: int, *, first: bool) -> str:
    table = by_setting(rounds, metric)
    drawn = charts.by_round(table, metric, title=title, total_rounds=total)
    words = last_words(table)
    return page.figure(drawn, f"{title}. Last: {words}.", first=first)
