"""A study as one HTML page that needs nothing else, and as a table of numbers."""

import html as escaping
import time

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import studies as charts
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk
from dpcore.runs import budget, studies
from dpcore.runs.store import Run, Store

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; font-weight: 600; }
td, th { border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; white-space: pre-wrap; }
.answer { font-size: 1.3rem; border-left: 4px solid #0b6e8f; padding-left: 1rem; }
"""


def rounds_table(store: Store, runs: list[Run]) -> pd.DataFrame:
    """Returns a row an evaluated round: `run`, `noise`, `clients`, `seed`, `round`, `accuracy`, `loss`, `epsilon`."""
    rows = [
        {
            "run": run.run_id,
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
    columns = ["run", "noise", "clients", "seed", "round", "accuracy", "loss", "epsilon"]
    return pd.DataFrame(rows, columns=columns)


def by_noise(rounds: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns `noise`, `round`, and `mean`, `low` and `high` of a metric over the seeds."""
    grouped = rounds.groupby(["noise", "round"], as_index=False)[metric].agg(["mean", "min", "max"])
    return grouped.rename(columns={"min": "low", "max": "high"})


def html(store: Store, study_id: str) -> str:
    """Returns a study as a page: what was asked, what came of it, the statement, and how to repeat it."""
    now = studies.look(store, study_id)
    rounds = rounds_table(store, now.runs)
    finals = {run.run_id for run in now.final}
    sweep = rounds[~rounds["run"].isin(finals)]
    parts = [
        "<h1>How much noise does the model bear, and what makes that private?</h1>",
        f"<p>Study {_text(study_id)} on {_text(now.study.plan.training.dataset)}, {now.status}, {now.finished} of "
        f"{len(now.runs)} runs. Written by Epsilon Lab on {time.strftime('%Y-%m-%d')}; {_text(accounting.VERSION)}.</p>",
        *(f"<p class='answer'>{_text(words)}</p>" for words in now.sentences[-2:]),
        "<h2>What came of each setting</h2>",
        _table(
            [
                {name: _number(name, value) for name, value in row.items() if value is not None or name != "band"}
                for row in studies.table(now)
            ]
        ),
        "<p>Accuracy: the mean over the seeds on the whole test set, a diagnostic outside the guarantee. Band: half the "
        "range over the seeds.</p>",
        "<ul>" + "".join(f"<li>{_text(words)}</li>" for words in now.sentences) + "</ul>",
        "<h2>Round by round</h2>",
        _figure(sweep, "accuracy", "Accuracy on the test set", max(now.study.rounds), first=True),
        _figure(sweep, "loss", "Loss on the test set", max(now.study.rounds), first=False),
    ]
    if now.result is not None:
        plan = now.result.plan
        account = accounting.account(plan.privacy)
        rows = statement.table(
            plan.privacy,
            account,
            risk(plan.privacy),
            false_positive_rate=0.01,
            training=plan.training,
            ledger=budget.sentence(budget.balance(store, plan.training.dataset)),
            data=plan.training.dataset,
        )
        parts += [
            "<h2>The statement of the final run</h2>",
            f"<p>{_text(statement.sentence(plan.privacy, account.headline.value))}</p>",
            _table([{"what": name, "how it is here": value} for name, value in rows]),
        ]
    parts += [
        "<h2>To repeat it</h2>",
        "<p>Save this as study.json, then: python -m dpcore study run --spec study.json</p>",
        f"<pre>{_text(now.study.to_json())}</pre>",
    ]
    title = f"Study {study_id}"
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{_text(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )


def _text(words: str) -> str:
    return escaping.escape(str(words))


def _number(name: str, value: float | str | None) -> str:
    if value is None:
        return "–"
    if name == "epsilon":
        return statement.epsilon_text(value)
    return (
        f"{value:+.3f}" if name == "difference" else f"{value:.3f}" if name in ("accuracy", "band") else f"{value}"
    )


def _table(rows: list[dict[str, str]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(row.get(name, ''))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _figure(rounds: pd.DataFrame, metric: str, title: str, total: int, *, first: bool) -> str:
    table = by_noise(rounds, metric)
    drawn: go.Figure = charts.by_round(table, metric, title=title, total_rounds=total)
    drawn.update_layout(template="plotly_white")
    last = table.groupby("noise").tail(1)
    words = "; ".join(
        f"noise {noise:g}: {mean:.3f}" for noise, mean in zip(last["noise"], last["mean"], strict=True)
    )
    picture = drawn.to_html(full_html=False, include_plotlyjs=first, config={"displayModeBar": False})
    caption = f"<figcaption>{_text(title)}. Last: {_text(words)}.</figcaption>"
    return f"<figure role='figure' aria-label='{_text(title)}'>{picture}{caption}</figure>"
