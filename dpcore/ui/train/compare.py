"""Several runs side by side."""

import pandas as pd
import streamlit as st

from dpcore import rounding
from dpcore.charts import lines
from dpcore.language import _
from dpcore.privacy import accounting, ledger
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.ui.core import chart, columns, plans, states, tables


def show(store: StoreAccess, run_ids: list[str]) -> None:
    """Shows the curves of up to eight runs in one chart each, their last figures, and in what their plans differ."""
    if len(run_ids) > lines.MOST_LINES:
        st.info(
            _("The first {shown} of {runs} runs are shown.").format(shown=lines.MOST_LINES, runs=len(run_ids)),
            icon=":material/info:",
        )
    runs = [supervisor.current(store, run_id) for run_id in run_ids[: lines.MOST_LINES]]
    names = _names(runs)
    rounds = {name: tables.rounds(store.rounds(run.run_id)) for name, run in names.items()}
    for column, (metric, words) in zip(st.columns(2), lines.METRICS.items(), strict=True):
        with column:
            title = _(words)
            st.subheader(title)
            known = {name: table.dropna(subset=[metric]) for name, table in rounds.items()}
            last = ", ".join(
                f"{name}: {lines.written(metric, table[metric].iloc[-1])}"
                for name, table in known.items()
                if len(table)
            )
            chart.show(
                lines.metric_by_round(
                    rounds,
                    metric,
                    noise={name: run.plan.privacy.noise_multiplier for name, run in names.items()},
                    title=title,
                    total_rounds=max(run.plan.privacy.rounds for run in runs),
                ),
                key=f"compare_{metric}",
                label=_("{title} by round. Last: {last}.").format(title=title, last=last or _("no data yet")),
                table=pd.concat(
                    [
                        table.assign(run=name)[["run", "round", metric]]
                        for name, table in known.items()
                        if len(table)
                    ]
                    or [pd.DataFrame(columns=["run", "round", metric])]
                ),
            )
    st.subheader(_("Plans and results"))
    facts = pd.DataFrame({name: _facts(run) for name, run in names.items()})
    if not facts.loc["no guarantee because"].any():
        facts = facts.drop("no guarantee because")
    differing = facts.nunique(axis=1) > 1
    facts.insert(0, "", [_("differs") if yes else "" for yes in differing])
    facts.index = [columns.heading(name) for name in facts.index]
    st.dataframe(facts, height="content", column_config={"_index": st.column_config.Column("", width="medium")})


def _names(runs: list[Run]) -> dict[str, Run]:
    """Short names that tell the runs apart."""
    names = {}
    for run in runs:
        privacy = run.plan.privacy
        name = run.name or _("noise {noise}, {clients} clients").format(
            noise=rounding.noise(privacy.noise_multiplier), clients=privacy.clients_per_round
        )
        if not run.name:
            name = ", ".join(filter(None, [name, plans.unusual_mechanism(privacy)]))
        names[f"{name} ({run.run_id[-4:]})" if name in names else name] = run
    return names


def _facts(run: Run) -> dict[str, str]:
    privacy, training = run.plan.privacy, run.plan.training
    return {
        "status": states.name(run.status),
        "accuracy": "–" if run.accuracy is None else f"{run.accuracy:.1%}",
        "epsilon": rounding.epsilon(accounting.epsilon(run.charged).value),
        "no guarantee because": ledger.why_uncovered(run.charged),
        "delta": rounding.given(privacy.delta),
        "mechanism": plans.mechanism(privacy),
        "noise_multiplier": rounding.noise(privacy.noise_multiplier),
        "clients_per_round": f"{privacy.clients_per_round:,}",
        "rounds": f"{run.last_round or 0:,} / {privacy.rounds:,}",
        "population": f"{privacy.population:,}",
        "clipping": privacy.clipping.details,
        "zeroing": _("yes") if privacy.zeroing else _("no"),
        "adjacency": privacy.adjacency,
        "data": " ".join(filter(None, [training.dataset, run.dataset_fingerprint])),
        "model": training.model,
        "client learning rate": rounding.given(training.client_learning_rate),
        "server learning rate": rounding.given(training.server_learning_rate),
        "server momentum": rounding.given(training.server_momentum),
        "batch size": str(training.batch_size),
        "local epochs": str(training.local_epochs),
        "seed": _("none") if training.seed is None else str(training.seed),
        "engine": run.engine,
        "minutes": f"{run.seconds / 60:.1f}",
        "run": run.run_id,
    }
