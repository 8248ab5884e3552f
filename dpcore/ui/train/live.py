"""A run as it grows: the same for the tab that started it, another tab, and tomorrow's."""

import time
from datetime import timedelta
from statistics import fmean

import pandas as pd
import streamlit as st

from dpcore import language, limits, rounding
from dpcore.charts import lines
from dpcore.language import N_, _
from dpcore.privacy import accounting, ledger, statement
from dpcore.reports import notebook
from dpcore.reports import run as report
from dpcore.rounds import Round, divergence, fraction_clipped
from dpcore.runs import reporting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import Run
from dpcore.ui.audit import by_round
from dpcore.ui.core import actions, address, chart, frame, plans, states, tables
from dpcore.ui.server import visitors
from dpcore.ui.train import cluster, fairness, pinned

POLL_SECONDS = 1.0
_RECENT = 20  # rounds that the pace is taken from
_SILENT_SECONDS = 30.0
_PRIVATE, _DIAGNOSTIC = (
    N_(":material/lock: Covered by the guarantee"),
    N_(":material/visibility: Not covered: diagnostics"),
)
_UNCOVERED = N_(":material/lock_open: Outputs without a guarantee")
_CURVES = {
    **lines.METRICS,
    "clip_norm": N_("Clip norm"),
    "signal_to_noise": N_("Signal-to-noise ratio of the average"),
}


def label(run: Run) -> str:
    """One line that tells runs apart."""
    privacy = run.plan.privacy
    line = _("{run} · {status} · noise {noise} · {clients} clients · {rounds} rounds").format(
        run=run.title,
        status=states.name(run.status),
        noise=rounding.noise(privacy.noise_multiplier),
        clients=privacy.clients_per_round,
        rounds=privacy.rounds,
    )
    audited = _("audited") if run.audit is not None else ""
    return " · ".join(filter(None, [line, plans.unusual_mechanism(privacy), audited]))


def show(store: StoreAccess, run_id: str) -> None:
    """Shows a run, looking for new rounds every second until it has ended."""
    run = supervisor.current(store, run_id)

    def look() -> None:
        if _look(store, run_id) != run.status:
            st.rerun()  # it has just ended, or begun again: once more as a whole

    frame.fragment(look, run_every=POLL_SECONDS if run.active else None)
    _compare(store, run)
    cluster.show(store, run_id)
    actions.describe(store, run)
    if not run.active and run.last_round is not None:
        with st.expander(
            _("The statement, to report with the model"), key="statement", on_change="rerun"
        ) as opened:
            if opened.open:
                rate = limits.FALSE_POSITIVE_RATE.default
                st.markdown(reporting.markdown(store, run, false_positive_rate=rate))
        fairness.show(store, run)
        _take_along(store, run)


def _compare(store: StoreAccess, run: Run) -> None:
    """Shows the ways to hold a run against others."""
    with st.container(horizontal=True, vertical_alignment="center"):
        earlier = [one.run_id for one in supervisor.runs(store) if one.run_id != run.run_id and one.last_round]
        if earlier and run.last_round:
            st.page_link(
                "pages/runs.py",
                label=_("Compare with the run before"),
                icon=":material/compare_arrows:",
                query_params=address.query("runs", runs=[run.run_id, earlier[0]]),
            )
        pinned.button(run)


def _take_along(store: StoreAccess, run: Run) -> None:
    refusal = report.script_refusal(run.plan)
    # What a button downloads is made in another thread, once somebody presses it.
    with st.container(horizontal=True):
        st.download_button(
            _("The run as JSON"),
            lambda: report.as_json(store, run),
            f"{run.run_id}.json",
            help=_("Its plan, as input for `train --plan`, and all its results."),
        )
        st.download_button(
            _("A report as one HTML page"),
            language.in_current_language(lambda: report.html(store, run)),
            f"{run.run_id}.html",
            help=_("Its curves, its statement, and how to reproduce it, in one self-contained file."),
        )
        st.download_button(
            _("A script that uses TFF only"),
            lambda: report.script_for(store, run.plan),
            "run_on_tff.py",
            disabled=bool(refusal),
            help=refusal
            or _("A Python program that trains this plan with TensorFlow Federated, without Epsilon Lab."),
        )
        st.download_button(
            _("A notebook that uses TFF only"),
            lambda: notebook.of_run(store, run, with_paths=not visitors.hosted()),
            "train_on_tff.ipynb",
            "application/x-ipynb+json",
            disabled=bool(refusal),
            help=refusal or _("The same as a Jupyter notebook, with what this run reached."),
        )
        st.caption(
            _("The model itself, with all of these: `{command}`").format(
                command=f"python -m dpcore runs export {run.run_id} FOLDER"
            )
        )


def _look(store: StoreAccess, run_id: str) -> str:
    """Draws what is known now; returns the run's status."""
    run = supervisor.current(store, run_id)
    if run.status == "queued":
        supervisor.wake(store)  # should its runner have been killed
    # All tabs that look at a run share what one of them has drawn.
    baseline = pinned.table(store, beside=run_id)
    held = "" if baseline is None else f"{pinned.run_id()} {len(baseline)}"
    rows, drawn = _drawn(
        str(store.home),
        run_id,
        run.last_round,
        language.current(),
        held,
        _store=store,
        _run=run,
        _baseline=baseline,
    )
    planned = accounting.epsilon(run.charged).value
    # What comes and goes has a place of its own: else all below it would be built anew, and every chart lose its zoom.
    with st.container():
        _progress(store, run, rows)
    for number, pair in enumerate((("accuracy", "loss"), ("clip_norm", "signal_to_noise"))):
        for column, metric in zip(st.columns(2), pair, strict=True):
            with column:
                figure, words, table = drawn[metric]
                chart.show(figure, key=f"by_round_{metric}", label=words, table=table)
        if not number:
            with st.container():
                _figures(run, rows, planned)
    by_round.show(store, run, rows, planned)
    told = _("Run {run}, engine {engine}, model {model}, data {data}.").format(
        run=run_id,
        engine=run.engine,
        model=run.plan.training.model,
        data=" ".join(filter(None, [run.plan.training.dataset, run.dataset_fingerprint])),
    )
    st.caption(
        f"{told} {statement.sentence(run.charged, planned)} {statement.seed_warning(run.plan.training.seed)}"
    )
    return run.status


@st.cache_data(max_entries=100, show_spinner=False)
def _drawn(
    home: str,
    run_id: str,
    last_round: int | None,
    code: str,
    held: str,
    _store: StoreAccess,
    _run: Run,
    _baseline: pd.DataFrame | None,
) -> tuple[list[Round], dict[str, tuple[str, str, pd.DataFrame]]]:
    """Returns a run's rounds; and of each curve its figure as JSON, its sentence and its table.

    Cached by the language as well, by its code, and by the baseline that is pinned.
    """
    rows = [row for row in _store.rounds(run_id) if last_round is not None and row.round <= last_round]
    table = tables.rounds(rows)
    return rows, {metric: _curve(table, metric, _(title), _run, _baseline) for metric, title in _CURVES.items()}


def _curve(
    table: pd.DataFrame, metric: str, title: str, run: Run, baseline: pd.DataFrame | None
) -> tuple[str, str, pd.DataFrame]:
    shown = table.dropna(subset=[metric])[["round", metric]]
    words = _("{title}: no data yet.").format(title=title)
    if len(shown):
        first, last = shown.iloc[0], shown.iloc[-1]
        words = _("{title}: from {first} in round {begin:.0f} to {last} in round {end:.0f}.").format(
            title=title,
            first=lines.written(metric, first[metric]),
            begin=first["round"],
            last=lines.written(metric, last[metric]),
            end=last["round"],
        )
    privacy = run.plan.privacy
    figure = lines.metric_by_round(
        {title: table},
        metric,
        noise={title: privacy.noise_multiplier},
        title=title,
        total_rounds=privacy.rounds,
        baseline=baseline,
    )
    return figure.to_json(), words, shown


def _progress(store: StoreAccess, run: Run, rows: list[Round]) -> None:
    total, done = run.plan.privacy.rounds, rows[-1].round if rows else 0
    words = [
        states.name(run.status).capitalize(),
        _("round {done} of {total}").format(done=done, total=total),
    ]
    if run.seconds:
        # not by the wall clock, which may jump
        words.append(_("{time} of training").format(time=_clock(run.seconds)))
    if run.active and done:
        pace = fmean(row.seconds for row in rows[-_RECENT:])
        words += [
            _("{pace:.2g} rounds per second").format(pace=1 / pace),
            _("{time} remaining").format(time=_clock((total - done) * pace)),
        ]
    st.progress(done / total, text=" · ".join(words))
    with st.container(horizontal=True, vertical_alignment="center"):
        actions.show(store, run)
        states.next_step(run.status)
    if run.status == "queued":
        waiting = [one.run_id for one in store.queue()]
        place = waiting.index(run.run_id) + 1 if run.run_id in waiting else 1
        st.info(
            _("Number {place} of {waiting} in the queue.").format(place=place, waiting=max(1, len(waiting))),
            icon=":material/hourglass_top:",
        )
    if run.status == "running" and run.beat and time.monotonic() - run.beat > _SILENT_SECONDS:
        silent = _clock(time.monotonic() - run.beat)
        st.warning(
            _("The worker has not responded for {time}.").format(time=silent),
            icon=":material/hourglass_disabled:",
        )
    diverged = divergence(rows)
    said = language.translated(run.message)
    if run.status in ("failed", "interrupted"):
        st.error(visitors.without_paths(said), icon=":material/error:")
        if not visitors.hosted():  # a log names folders of the machine
            with st.expander(_("The worker's log"), key="log", on_change="rerun") as log:
                if log.open:
                    st.code(supervisor.log_tail(store, run.run_id) or _("It is empty."), language=None)
    elif run.message:
        st.info(visitors.without_paths(said), icon=":material/info:")
    if diverged and said != diverged:
        st.warning(
            _("{diverged} The guarantee stays that of all planned rounds.").format(diverged=diverged),
            icon=":material/trending_up:",
        )
    if run.redrawn:
        st.warning(
            _(
                "{redrawn} rounds were drawn again after an interruption, as they could not be repeated exactly: "
                "the ledger charges {charged} rounds."
            ).format(redrawn=run.redrawn, charged=run.charged.rounds),
            icon=":material/replay:",
        )


def _figures(run: Run, rows: list[Round], planned: float) -> None:
    evaluated = next((row for row in reversed(rows) if row.accuracy is not None), None)
    last = rows[-1] if rows else None
    clipped = fraction_clipped(run.plan.privacy, *rows[-2:]) if len(rows) > 1 else None
    private = {
        _("Epsilon spent (plan: {planned})").format(planned=rounding.epsilon(planned)): (
            # Runs from before PLD was asked have RDP's epsilon, which can be more than all rounds cost by PLD.
            rounding.epsilon(min(run.epsilon, planned)) if last else "–",
            _("Privacy loss of each user over the rounds so far, an upper bound."),
        ),
        _("Clip norm"): (rounding.up(last.clip_norm) if last else "–", _("The L2 bound on a user's update.")),
        _("Fraction clipped"): (
            "–" if clipped is None else f"{clipped:.0%}",
            _("The fraction of updates above the clip norm, from the noisy count of the last round."),
        ),
        _("Signal-to-noise ratio"): (
            "–" if last is None or last.signal_to_noise is None else f"{last.signal_to_noise:.2f}",
            _("Estimated norm of the average update without its noise, over that of the noise."),
        ),
    }
    diagnostics = {
        _("Accuracy"): (f"{evaluated.accuracy:.1%}" if evaluated else "–", _("On the whole test set.")),
        _("Loss"): (
            f"{evaluated.loss:.3f}" if evaluated else "–",
            _("Mean cross-entropy on the whole test set."),
        ),
        _("Cohort"): (
            last.cohort_size if last and last.cohort_size is not None else "–",
            _("Users that took part in the last round. It varies, and is not released."),
        ),
    }
    left, right = st.columns([4, 3])
    outputs = _UNCOVERED if ledger.why_uncovered(run.charged) else _PRIVATE
    for column, heading, group in ((left, outputs, private), (right, _DIAGNOSTIC, diagnostics)):
        with column, st.container(border=True):
            st.caption(_(heading))
            for place, (name, (value, tip)) in zip(st.columns(len(group)), group.items(), strict=True):
                place.metric(name, value, help=tip)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
