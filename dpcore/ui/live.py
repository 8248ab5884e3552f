"""A run as it grows: the same for the tab that started it, another tab, and tomorrow's."""

import time
from datetime import timedelta
from statistics import fmean

import pandas as pd
import streamlit as st

from dpcore import limits
from dpcore.charts import lines
from dpcore.privacy import accounting, statement
from dpcore.reports import run as report
from dpcore.rounds import Round, divergence, fraction_clipped
from dpcore.runs import reporting, supervisor
from dpcore.runs.store import Run, Store
from dpcore.ui import actions, chart, tables

POLL_SECONDS = 1.0
_RECENT = 20  # rounds that the pace is taken from
_SILENT_SECONDS = 30.0
_PRIVATE, _DIAGNOSTIC = ":material/lock: Private outputs", ":material/visibility: Non-private diagnostics"
_CURVES = {
    **lines.METRICS,
    "clip_norm": "Clip norm",
    "signal_to_noise": "Signal to noise of the average",
}


def label(run: Run) -> str:
    """One line that tells runs apart."""
    privacy = run.plan.privacy
    return (
        f"{run.title} · {run.status} · noise {privacy.noise_multiplier:g} · "
        f"{privacy.clients_per_round} clients · {privacy.rounds} rounds"
    )


def show(store: Store, run_id: str) -> None:
    """Shows a run, looking for new rounds every second until it has ended."""
    run = supervisor.current(store, run_id)

    def look() -> None:
        if _look(store, run_id) != run.active:
            st.rerun()  # it has just ended, or begun again: once more as a whole

    st.fragment(look, run_every=POLL_SECONDS if run.active else None)()
    actions.describe(store, run)
    if not run.active:
        with st.expander("The statement, to report with the model", key="statement", on_change="rerun") as opened:
            if opened.open:
                rate = limits.FALSE_POSITIVE_RATE.default
                st.markdown(reporting.markdown(store, run, false_positive_rate=rate))
        with st.container(horizontal=True):
            st.download_button("The run as JSON", lambda: report.as_json(store, run), f"{run_id}.json")
            st.download_button("A report as one HTML page", lambda: report.html(store, run), f"{run_id}.html")
            st.download_button("A script on TFF alone", lambda: report.script_of(store, run.plan), "run_on_tff.py")
            st.caption(f"The model itself, with all of these: `python -m dpcore runs export {run_id} FOLDER`")


def _look(store: Store, run_id: str) -> bool:
    """Draws what is known now; returns whether the run is still active."""
    run = supervisor.current(store, run_id)
    if run.status == "queued":
        supervisor.wake(store)  # should its runner have been killed
    # All tabs that look at a run share what one of them has drawn.
    rows, drawn = _drawn(str(store.home), run_id, run.last_round, _store=store, _run=run)
    planned = accounting.epsilon(run.charged).value
    # What comes and goes has a place of its own: else all below it would be built anew, and every chart lose its zoom.
    with st.container():
        _progress(store, run, rows)
    with st.container():
        _figures(run, rows, planned)
    for pair in (("accuracy", "loss"), ("clip_norm", "signal_to_noise")):
        for column, metric in zip(st.columns(2), pair, strict=True):
            with column:
                figure, words, table = drawn[metric]
                chart.show(figure, key=metric, label=words, table=table)
    st.caption(
        f"Run {run_id}, engine {run.engine}, model {run.plan.training.model}, data {run.plan.training.dataset} "
        f"{run.dataset_fingerprint or ''}. {statement.sentence(run.charged, planned)} "
        f"{statement.rehearsal(run.plan.training.seed)}"
    )
    return run.active


@st.cache_data(max_entries=100, show_spinner=False)
def _drawn(
    home: str, run_id: str, last_round: int | None, _store: Store, _run: Run
) -> tuple[list[Round], dict[str, tuple[str, str, pd.DataFrame]]]:
    """Returns a run's rounds; and of each curve its figure as JSON, its sentence and its table."""
    rows = [row for row in _store.rounds(run_id) if last_round is not None and row.round <= last_round]
    table = tables.rounds(rows)
    return rows, {metric: _curve(table, metric, title, _run) for metric, title in _CURVES.items()}


def _curve(table: pd.DataFrame, metric: str, title: str, run: Run) -> tuple[str, str, pd.DataFrame]:
    shown = table.dropna(subset=[metric])[["round", metric]]
    words = f"{title}: nothing known yet."
    if len(shown):
        first, last = shown.iloc[0], shown.iloc[-1]
        words = (
            f"{title}: from {first[metric]:.3f} in round {first['round']:.0f} to {last[metric]:.3f} in round "
            f"{last['round']:.0f}."
        )
    privacy = run.plan.privacy
    figure = lines.metric_by_round(
        {title: table},
        metric,
        noise={title: privacy.noise_multiplier},
        title=title,
        total_rounds=privacy.rounds,
    )
    return figure.to_json(), words, shown


def _progress(store: Store, run: Run, rows: list[Round]) -> None:
    total, done = run.plan.privacy.rounds, rows[-1].round if rows else 0
    words = [run.status.capitalize(), f"round {done} of {total}"]
    if run.seconds:
        words.append(f"{_clock(run.seconds)} of training")  # not by the wall clock, which may jump
    if run.active and done:
        pace = fmean(row.seconds for row in rows[-_RECENT:])
        words += [f"{1 / pace:.2g} rounds a second", f"{_clock((total - done) * pace)} remaining"]
    st.progress(done / total, text=" · ".join(words))
    actions.show(store, run)
    if run.status == "queued":
        waiting = [one.run_id for one in store.queue()]
        place = waiting.index(run.run_id) + 1 if run.run_id in waiting else 1
        st.info(f"Number {place} of {max(1, len(waiting))} in the queue.", icon=":material/hourglass_top:")
    if run.status == "running" and run.beat and time.monotonic() - run.beat > _SILENT_SECONDS:
        silent = _clock(time.monotonic() - run.beat)
        st.warning(f"Nothing was heard of the worker for {silent}.", icon=":material/hourglass_disabled:")
    if run.status in ("failed", "interrupted"):
        st.error(run.message, icon=":material/error:")
        with st.expander("The worker's log", key="log", on_change="rerun") as log:
            if log.open:
                st.code(supervisor.log_tail(store, run.run_id), language=None)
    elif run.message:
        st.info(run.message, icon=":material/info:")
    if (diverged := divergence(rows)) and diverged != run.message:
        st.warning(f"{diverged} The guarantee stays that of all planned rounds.", icon=":material/trending_up:")
    if run.redrawn:
        st.warning(
            f"{run.redrawn} rounds were drawn again after an interruption, as they could not be repeated exactly: "
            f"the ledger charges {run.charged.rounds} rounds.",
            icon=":material/replay:",
        )


def _figures(run: Run, rows: list[Round], planned: float) -> None:
    evaluated = next((row for row in reversed(rows) if row.accuracy is not None), None)
    last = rows[-1] if rows else None
    clipped = fraction_clipped(run.plan.privacy, *rows[-2:]) if len(rows) > 1 else None
    private = {
        f"Epsilon of {statement.epsilon_text(planned)}": (
            # Runs from before PLD was asked have RDP's epsilon, which can be more than all rounds cost by PLD.
            statement.epsilon_text(min(last.epsilon, planned)) if last else "–",
            "What the rounds so far have cost each user, an upper bound.",
        ),
        "Clip norm": (f"{last.clip_norm:.3g}" if last else "–", "The L2 bound on a user's update."),
        "Clipped": (
            "–" if clipped is None else f"{clipped:.0%}",
            "The fraction of updates above the clip norm, as the noisy count of the last round said.",
        ),
        "Signal / noise": (
            "–" if last is None or last.signal_to_noise is None else f"{last.signal_to_noise:.2f}",
            "Size of the average update without its noise, estimated, over that of the noise.",
        ),
    }
    diagnostics = {
        "Accuracy": (f"{evaluated.accuracy:.1%}" if evaluated else "–", "On the whole test set."),
        "Loss": (f"{evaluated.loss:.3f}" if evaluated else "–", "Mean cross-entropy on the whole test set."),
        "Cohort": (
            last.cohort_size if last and last.cohort_size is not None else "–",
            "Users that came to the last round; it varies, and is no part of what is released.",
        ),
    }
    left, right = st.columns([4, 3])
    for column, heading, group in ((left, _PRIVATE, private), (right, _DIAGNOSTIC, diagnostics)):
        with column, st.container(border=True):
            st.caption(heading)
            for place, (name, (value, tip)) in zip(st.columns(len(group)), group.items(), strict=True):
                place.metric(name, value, help=tip)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
