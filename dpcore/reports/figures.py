"""The figures of a run or a study, with their tables: what a paper shows of them."""

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import lines
from dpcore.charts import studies as charts
from dpcore.language import N_, _
from dpcore.reports.study import by_setting, rounds_table
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import findings
from dpcore.runs.studies.progress import Progress

Figures = dict[str, tuple[go.Figure | None, pd.DataFrame]]
_OF_RUN = {**lines.METRICS, "epsilon": N_("Epsilon spent")}


def of_run(store: StoreAccess, run: Run) -> Figures:
    """Returns a run's figures by name, each with its table."""
    rounds, privacy = rounds_table(store, [run]), run.plan.privacy
    told = rounds[["round", *_OF_RUN]]
    return {
        name: (
            lines.metric_by_round(
                {run.title: told},
                name,
                noise={run.title: privacy.noise_multiplier},
                title=_(title),
                total_rounds=privacy.rounds,
            ),
            told[["round", name]],
        )
        for name, title in _OF_RUN.items()
    }


def of_study(store: StoreAccess, now: Progress) -> Figures:
    """Returns a study's figures by name, each with its table; of the settings, the table alone."""
    finals = {run.run_id for run in now.final}
    rounds = rounds_table(store, now.runs)
    sweep = rounds[~rounds["run"].isin(finals)]
    found: Figures = {"settings": (None, pd.DataFrame(findings.table(now)))}
    for name, title in lines.METRICS.items():
        table = by_setting(sweep, name)
        found[name] = (charts.by_round(table, name, title=_(title), total_rounds=max(now.study.rounds)), table)
    return found
