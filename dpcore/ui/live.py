"""A run as it grows: the same for the tab that started it, another tab, and tomorrow's."""

import time
from datetime import timedelta

import pandas as pd
import streamlit as st

from dpcore import limits
from dpcore.charts import lines
from dpcore.privacy import accounting, statement
from dpcore.runs import reporting, supervisor
from dpcore.runs.store import Round, Run, Store
from dpcore.ui import chart, tables

POLL_SECONDS = 1.0


def label(run: Run) -> str:
    """One line that tells runs apart."""
    privacy = run.plan.privacy
    return (
        f"{run.run_id} · {run.status} · noise {privacy.noise_multiplier:g} · "
        f"{privacy.clients_per_round} clients · {privacy.rounds} rounds"
    )


def show(store: Store, run_id: str) -> None:
    """Shows a run, looking for new rounds every second until it has ended."""
    active = store.run(run_id).active

    def look() -> None:
        if _look(store, run_id) != active:
            st.rerun()  # it has just ended: once more as a whole, then without polling

    st.fragment(look, run_every=POLL_SECONDS if active else None)()


def _look(store: Store, run_id: str) -> bool:
    """Draws what is known now; returns whether the run is still active."""
    run = supervisor.current(store, run_id)
    rows = store.rounds(run_id)
    planned = accounting.epsilon(run.plan.privacy).value
    _progress(store, run, rows)
    _figures(run, rows, planned)
    total = run.plan.privacy.rounds
    table = tables.rounds(rows)
    left, right = st.columns(2)
    with left:
        _curve(table, "accuracy", "Accuracy on the test set", total)
    with right:
        _curve(table, "loss", "Loss on the test set", total)
    st.caption(
        f"Run {run_id}, engine {run.engine}, model {run.plan.training.model}, data {run.plan.training.dataset} "
        f"{run.dataset_fingerprint or ''}. {statement.sentence(run.plan.privacy, planned)} "
        f"{statement.rehearsal(run.plan.training.seed)} Accuracy, loss and cohort size are diagnostics outside "
        "the guarantee."
    )
    if not run.active:
        with st.expander("The statement, to report with the model"):
            rate = limits.FALSE_POSITIVE_RATE.default
            st.markdown(reporting.markdown(store, run, false_positive_rate=rate))
    return run.active


def _progress(store: Store, run: Run, rows: list[Round]) -> None:
    total, done = run.plan.privacy.rounds, rows[-1].round if rows else 0
    spent = (run.ended or time.time()) - (run.started or run.created)
    words = [run.status.capitalize(), f"round {done} of {total}"]
    if run.started:
        words.append(f"{_clock(spent)} elapsed")
    if run.active and done:
        # Rounds alone: starting up is over and does not come again.
        words.append(f"{_clock((total - done) * sum(row.seconds for row in rows[1:]) / done)} remaining")
    place, button = st.columns([5, 1], vertical_alignment="center")
    place.progress(done / total, text=" · ".join(words))
    if run.active:
        button.button(
            "Stopping …" if run.stop_requested else "Stop",
            key="stop",
            on_click=store.request_stop,
            args=(run.run_id,),
            disabled=run.stop_requested,
            help="Ends the run after the round it is in. What it has learnt is kept.",
            width="stretch",
        )
    if run.status == "failed":
        st.error(run.message, icon=":material/error:")
        with st.expander("The worker's log"):
            st.code(supervisor.log_tail(store, run.run_id), language=None)
    elif run.message:
        st.info(run.message, icon=":material/hourglass_top:")


def _figures(run: Run, rows: list[Round], planned: float) -> None:
    evaluated = next((row for row in reversed(rows) if row.accuracy is not None), None)
    last = rows[-1] if rows else None
    with st.container(horizontal=True):
        st.metric("Accuracy", f"{evaluated.accuracy:.1%}" if evaluated else "–", border=True)
        st.metric("Loss", f"{evaluated.loss:.3f}" if evaluated else "–", border=True)
        st.metric(
            f"Epsilon spent of {statement.epsilon_text(planned)}",
            # Runs from before PLD was asked have RDP's epsilon, which can be more than all rounds cost by PLD.
            statement.epsilon_text(min(last.epsilon, planned)) if last else "–",
            border=True,
        )
        st.metric("Clip norm", f"{last.clip_norm:.4f}" if last else "–", border=True)
        st.metric("Cohort", last.cohort_size if last and last.cohort_size is not None else "–", border=True)


def _curve(table: pd.DataFrame, metric: str, title: str, total: int) -> None:
    shown = table.dropna(subset=[metric])
    words = f"{title}: no round evaluated yet."
    if len(shown):
        first, last = shown[metric].iloc[0], shown[metric].iloc[-1]
        words = f"{title}: from {first:.3f} in round 0 to {last:.3f} in round {shown['round'].iloc[-1]}."
    chart.show(
        lines.metric_by_round(table, metric, title=title, total_rounds=total),
        key=metric,
        label=words,
        table=shown[["round", metric]],
    )


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
