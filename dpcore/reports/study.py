"""A study as one HTML page that needs nothing else, and as a table of numbers."""

import time
from collections.abc import Iterable
from typing import Any

import pandas as pd

from dpcore import limits, rounding
from dpcore.charts import lines
from dpcore.charts import studies as charts
from dpcore.language import _
from dpcore.plan import AdaptiveClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, ledger, statement
from dpcore.reports import page
from dpcore.rounds import Round
from dpcore.runs import reporting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import findings, mechanisms, schedule

_COLUMNS = [
    *("run", "dataset", "setting", "noise", "clients", "rounds", "population", "adjacency", "participation"),
    *("max participations", "min separation", "noise kind", "bands", "seed"),
    *("round", "accuracy", "loss", "epsilon", "delta", "no guarantee because"),
]


def rounds_table(store: StoreAccess, runs: list[Run]) -> pd.DataFrame:
    """Returns one row per evaluated round: its run, all that the run's epsilon depends on, and what was measured."""
    return table_of_runs((run, store.rounds(run.run_id)) for run in runs)


def table_of_runs(runs: Iterable[tuple[Run, list[Round]]]) -> pd.DataFrame:
    """Returns `rounds_table` of runs whose rounds are at hand."""
    runs = list(runs)
    named = not all(mechanisms.is_usual(run.plan.privacy) for run, _rounds in runs)
    rows = [
        {
            "run": run.run_id,
            "dataset": run.plan.training.dataset,
            "setting": setting_label(run.plan, mechanism=named),
            "noise": run.plan.privacy.noise_multiplier,
            "clients": run.plan.privacy.clients_per_round,
            "rounds": run.plan.privacy.rounds,
            "population": run.plan.privacy.population,
            "adjacency": run.plan.privacy.adjacency,
            **_mechanism(run.plan.privacy),
            "seed": run.plan.training.seed,
            "round": row.round,
            "accuracy": row.accuracy,
            "loss": row.loss,
            "epsilon": row.epsilon,
            "delta": run.plan.privacy.delta,
            "no guarantee because": ledger.why_uncovered(run.charged),
        }
        for run, rounds in runs
        for row in rounds
        if row.accuracy is not None
    ]
    table = pd.DataFrame(rows, columns=_COLUMNS)
    if table["dataset"].nunique() > 1:
        table["setting"] = [
            f"{data}, {words}" for data, words in zip(table["dataset"], table["setting"], strict=True)
        ]
    return table


def _mechanism(privacy: PrivacyPlan) -> dict[str, Any]:
    """Returns how cohorts are formed and what noise is added, a name and the numbers of each."""
    often, apart = privacy.cohorts.pattern(privacy.fleet)
    return {
        "participation": privacy.cohorts.kind,
        "max participations": often,
        "min separation": apart,
        "noise kind": privacy.noise.kind,
        "bands": getattr(privacy.noise, limits.BANDS.name, None),
    }


def setting_label(plan: Plan, *, mechanism: bool) -> str:
    """Returns what all runs of one setting share, in words: all that a study may vary but the seed.

    Args:
        plan: That of one of them.
        mechanism: Whether how cohorts are formed, and with what noise, has to be said.
    """
    privacy = plan.privacy
    words = [
        _("noise {noise}").format(noise=rounding.noise(privacy.noise_multiplier)),
        _("{clients} clients").format(clients=privacy.clients_per_round),
        _("{rounds} rounds").format(rounds=privacy.rounds),
    ]
    words += _unusual_training(plan.training)
    if privacy.clipping != AdaptiveClipping():
        words.append(privacy.clipping.details)
    if mechanism:
        words += mechanisms.parts(privacy)
    return ", ".join(words)


def _unusual_training(training: TrainingPlan) -> list[str]:
    """Returns what a study may vary of training, in words, where it is not the usual."""
    named = {
        "client_learning_rate": _("learning rate {rate}"),
        "server_learning_rate": _("server learning rate {rate}"),
        "server_momentum": _("momentum {rate}"),
        "local_epochs": _("{rate} local epochs"),
    }
    return [
        words.format(rate=rounding.given(getattr(training, name)))
        for name, words in named.items()
        if getattr(training, name) != getattr(TrainingPlan, name)
    ]


def by_setting(rounds: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Returns `setting`, `noise`, `round`, and `mean`, `low` and `high` of a metric over so many `seeds`.

    All rounds of a setting are over the same runs: those that are at their end, or all while none is. Else a mean would
    step, and a band narrow, where one run is behind or was evaluated at other rounds than the others.
    """
    keys = ["noise", "setting"]
    at_the_end = rounds["run"].isin(rounds["run"][rounds["round"] == rounds["rounds"]])
    any_is = at_the_end.groupby([rounds[key] for key in keys]).transform("any")
    kept = rounds[at_the_end | ~any_is]
    kept = kept.assign(runs=kept.groupby(keys)["run"].transform("nunique"))
    grouped = kept.groupby([*keys, "round", "runs"], as_index=False)
    table = grouped.agg(mean=(metric, "mean"), low=(metric, "min"), high=(metric, "max"), seeds=("run", "nunique"))
    return table[table["seeds"] == table.pop("runs")].reset_index(drop=True)


def html(store: StoreAccess, study_id: str) -> str:
    """Returns a study as a page: what was asked, what came of it, the statement, and how to repeat it."""
    now = schedule.current(store, study_id)
    rounds = rounds_table(store, now.runs)
    sentences = findings.sentences(now)
    finals = {run.run_id for run in now.final}
    sweep = rounds[~rounds["run"].isin(finals)]
    about = _(
        "{study} on {dataset}, {status}, {finished} of {runs} runs. By Epsilon Lab, {date}; {accountant}."
    ).format(
        study=study_id,
        dataset=now.study.plan.training.dataset,
        status=_(now.status),
        finished=now.finished,
        runs=len(now.runs),
        date=time.strftime("%Y-%m-%d"),
        accountant=accounting.VERSION,
    )
    diagnostic = _(
        "Accuracy: the mean over the seeds on the whole test set, a diagnostic that the guarantee does not cover. "
        "Band: half the range over the seeds."
    )
    parts = [
        page.heading(findings.question(now.study), level=1),
        page.paragraph(about),
        *(page.highlighted(words) for words in sentences[-2:]),
        page.heading(_("Results by setting")),
        page.table(
            [
                {name: _number(name, value) for name, value in row.items() if value is not None or name != "band"}
                for row in findings.table(now)
            ]
        ),
        page.paragraph(" ".join(findings.conditions(now))),
        page.paragraph(diagnostic),
        "<ul>" + "".join(f"<li>{page.escaped(words)}</li>" for words in sentences) + "</ul>",
        page.heading(_("Round by round")),
        *(
            _figure(sweep, metric, _(title), max(now.study.rounds), first=metric == "accuracy")
            for metric, title in lines.METRICS.items()
        ),
    ]
    if now.final_setting is not None:
        final = max(now.final, key=lambda run: run.redrawn)  # whose charge is the result's
        parts += [
            page.heading(_("The statement of the final run")),
            page.paragraph(statement.sentence(final.charged, accounting.epsilon(final.charged).value)),
            page.statement(reporting.rows(store, final)),
        ]
    parts += page.to_repeat(
        _("Save this as study.json, then: python -m dpcore study run --spec study.json"), now.study.to_json()
    )
    return page.document(_("Study {study}").format(study=study_id), parts)


def _number(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name == "epsilon":
        return rounding.epsilon(value)
    if name == "noise":
        return rounding.noise(value)
    if name == "part":
        return _(value)
    return (
        f"{value:+.1%}" if name == "difference" else f"{value:.1%}" if name in ("accuracy", "band") else f"{value}"
    )


def last_values(table: pd.DataFrame, metric: str) -> str:
    """Returns what each line of `by_setting` of a metric ends at."""
    last = table.groupby(["noise", "setting"]).tail(1)
    return "; ".join(
        f"{name}: {lines.written(metric, mean)}" for name, mean in zip(last["setting"], last["mean"], strict=True)
    )


def _figure(rounds: pd.DataFrame, metric: str, title: str, total: int, *, first: bool) -> str:
    table = by_setting(rounds, metric)
    drawn = charts.by_round(table, metric, title=title, total_rounds=total)
    caption = _("{title}. Last: {values}.").format(title=title, values=last_values(table, metric))
    return page.figure(drawn, caption, first=first)
