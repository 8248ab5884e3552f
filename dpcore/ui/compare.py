"""Several runs side by side."""

import pandas as pd
import streamlit as st

from dpcore.charts import lines
from dpcore.privacy import accounting
from dpcore.privacy.statement import epsilon_text
from dpcore.runs import supervisor
from dpcore.runs.store import Run, Store
from dpcore.ui import chart, tables


def show(store: Store, run_ids: list[str]) -> None:
    """Shows the curves of up to eight runs in one chart each, their last figures, and in what their plans differ."""
    if len(run_ids) > lines.MOST_LINES:
        st.info(f"The first {lines.MOST_LINES} of {len(run_ids)} runs are shown.", icon=":material/info:")
    runs = [supervisor.current(store, run_id) for run_id in run_ids[: lines.MOST_LINES]]
    names = _names(runs)
    rounds = {name: tables.rounds(store.rounds(run.run_id)) for name, run in names.items()}
    for column, (metric, title) in zip(st.columns(2), lines.METRICS.items(), strict=True):
        with column:
            st.subheader(title)
            known = {name: table.dropna(subset=[metric]) for name, table in rounds.items()}
            last = ", ".join(f"{name}: {table[metric].iloc[-1]:.3f}" for name, table in known.items() if len(table))
            chart.show(
                lines.metric_by_round(
                    rounds,
                    metric,
                    noise={name: run.plan.privacy.noise_multiplier for name, run in names.items()},
                    title=title,
                    total_rounds=max(run.plan.privacy.rounds for run in runs),
                ),
                key=f"compare_{metric}",
                label=f"{title} by round. Last: {last or 'nothing known yet'}.",
                table=pd.concat(
                    [table.assign(run=name)[["run", "round", metric]] for name, table in known.items()]
                ),
            )
    st.subheader("The plans, and what came of them")
    facts = pd.DataFrame({name: _facts(run) for name, run in names.items()})
    differing = facts.nunique(axis=1) > 1
    st.dataframe(facts.assign(**{"": ["differs" if yes else "" for yes in differing]}))


def _names(runs: list[Run]) -> dict[str, Run]:
    """Short names that tell the runs apart."""
    names = {}
    for run in runs:
        name = (
            run.name or f"noise {run.plan.privacy.noise_multiplier:g}, {run.plan.privacy.clients_per_round} clients"
        )
        names[f"{name} ({run.run_id[-4:]})" if name in names else name] = run
    return names


def _facts(run: Run) -> dict[str, str]:
    privacy, training = run.plan.privacy, run.plan.training
    return {
        "status": run.status,
        "accuracy": "–" if run.accuracy is None else f"{run.accuracy:.4f}",
        "epsilon": epsilon_text(accounting.epsilon(run.charged).value),
        "delta": repr(privacy.delta),
        "noise multiplier": f"{privacy.noise_multiplier:g}",
        "clients per round": f"{privacy.clients_per_round:,}",
        "rounds": f"{run.last_round or 0:,} / {privacy.rounds:,}",
        "population": f"{privacy.population:,}",
        "clipping": repr(privacy.clipping),
        "zeroing": str(privacy.zeroing),
        "data": training.dataset,
        "model": training.model,
        "client learning rate": f"{training.client_learning_rate:g}",
        "server learning rate": f"{training.server_learning_rate:g}",
        "server momentum": f"{training.server_momentum:g}",
        "batch size": str(training.batch_size),
        "seed": str(training.seed),
        "engine": run.engine,
        "minutes": f"{run.seconds / 60:.1f}",
        "run": run.run_id,
    }
