"""Several runs side by side."""

import pandas as pd
import streamlit as st

from dpcore import limits, rounding
from dpcore.charts import compared, lines
from dpcore.language import _
from dpcore.privacy import accounting, ledger
from dpcore.reports import labels
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.ui.core import chart, choices, columns, controls, plans, states, tables
from dpcore.ui.train import pinned


def show(store: StoreAccess, run_ids: list[str]) -> None:
    """Shows the curves of up to eight runs in one chart each, their last figures, and in what their plans differ."""
    if len(run_ids) > lines.MOST_LINES:
        st.info(
            _("The first {shown} of {runs} runs are shown.").format(shown=lines.MOST_LINES, runs=len(run_ids)),
            icon=":material/info:",
        )
    runs = [supervisor.current(store, run_id) for run_id in run_ids[: lines.MOST_LINES]]
    drawn = _lines(store, runs)
    total = max(run.plan.privacy.rounds for run in runs)
    against, smoothing = _how()
    baseline = pinned.table(store)
    for column, (metric, words) in zip(st.columns(2), lines.METRICS.items(), strict=True):
        with column:
            title = _(words)
            st.subheader(title)
            known = {line.name: line.table.dropna(subset=[metric]) for line in drawn}
            ends = {name: table[metric].iloc[-1] for name, table in known.items() if len(table)}
            last = ", ".join(f"{name}: {lines.written(metric, end)}" for name, end in ends.items())
            chart.show(
                compared.metric(
                    drawn,
                    metric,
                    against=against,
                    title=title,
                    total_rounds=total,
                    smoothing=smoothing,
                    baseline=None if baseline is None else _since_the_beginning(baseline),
                ),
                key=f"compare_{metric}",
                label=_("{title} by round. Last: {last}.").format(title=title, last=last or _("no data yet")),
                table=pd.concat(
                    [
                        table.assign(run=name)[list(dict.fromkeys(["run", "round", against, metric]))]
                        for name, table in known.items()
                        if len(table)
                    ]
                    or [pd.DataFrame(columns=["run", "round", metric])]
                ),
            )
    _plans(drawn, runs)
    if len(runs) == 2:
        _difference(drawn[0], drawn[1], total)


def _lines(store: StoreAccess, runs: list[Run]) -> list[compared.Line]:
    settings, names = labels.of_settings([run.plan for run in runs]), labels.of_runs(runs)
    return [
        compared.Line(
            name=name,
            setting=setting,
            noise=run.plan.privacy.noise_multiplier,
            table=_since_the_beginning(tables.rounds(store.rounds(run.run_id))),
        )
        for run, setting, name in zip(runs, settings, names, strict=True)
    ]


def _since_the_beginning(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the rounds of a run with the seconds of all so far."""
    return table.assign(seconds=table["seconds"].cumsum())


def _how() -> tuple[str, float]:
    """Shows what the charts are drawn against, and how smooth; returns it."""
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        against: str = choices.linked(
            st.segmented_control,
            _("Against"),
            tuple(compared.AXES),
            key="x_axis",
            format_func=lambda name: _(compared.AXES[name]),
            required=True,
            help=_("What the charts are drawn against: rounds, the epsilon that they have spent, or time."),
        )
    with right:
        smoothing = controls.knob(limits.SMOOTHING, low=0.0, high=0.95)
    return against, limits.SMOOTHING.check(smoothing)


def _difference(first: compared.Line, second: compared.Line, total: int) -> None:
    """Shows by how much the second of two runs is more accurate than the first."""
    words = _("Difference of accuracy: {second} minus {first}").format(first=first.name, second=second.name)
    st.subheader(words)
    figure, table = compared.difference(
        first, second, "accuracy", title=_("Difference of accuracy"), total_rounds=total
    )
    chart.show(figure, key="compare_difference", label=words, table=table)


def _plans(drawn: list[compared.Line], runs: list[Run]) -> None:
    st.subheader(_("Plans and results"))
    facts = pd.DataFrame({line.name: _facts(run) for line, run in zip(drawn, runs, strict=True)})
    if not facts.loc["no guarantee because"].any():
        facts = facts.drop("no guarantee because")
    differing = facts.nunique(axis=1) > 1
    only = st.toggle(
        _("Only what differs"),
        key="only_differing",
        help=_("Otherwise all that the plans say, and all results."),
    )
    facts.insert(0, "", [_("differs") if yes else "" for yes in differing])
    if only:
        facts = facts[differing]
    facts.index = [columns.heading(name) for name in facts.index]
    st.dataframe(facts, height="content", column_config={"_index": st.column_config.Column("", width="medium")})


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
