"""A study in the tutorial's five steps, as it goes on and is read."""

from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dpcore import language, rounding
from dpcore.charts import lines
from dpcore.charts import studies as charts
from dpcore.errors import EpsilonLabError
from dpcore.language import N_, _
from dpcore.privacy import accounting, statement
from dpcore.reports import notebook
from dpcore.reports import study as report
from dpcore.runs.access import visiting
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.studies import findings, outlook, schedule
from dpcore.runs.studies.outcome import Setting, SweepOutcome, final_plan
from dpcore.runs.studies.progress import Progress, rounds_done
from dpcore.runs.studies.study import FINAL, NONE, OWN, SWEEP, WRITERS, Study
from dpcore.ui.core import actions, chart, columns, controls, frame, once_more, states
from dpcore.ui.core.bench import Bench
from dpcore.ui.core.markdown import plain
from dpcore.ui.core.parameters import LANGUAGE
from dpcore.ui.server import visitors
from dpcore.ui.study import question

_POLL_SECONDS = 2.0
_WIDTH = 285  # pixels that the longest of the numbers takes: two stand side by side on a small screen


def show(store: StoreAccess, study_id: str, place: Bench) -> None:
    """Shows what a study asks, and its five steps, looking again every two seconds while it is going."""
    with controls.explain():
        now = schedule.current(store, study_id)
    with place.ask:
        question.show(now.study)

    def steps() -> None:
        if _steps(store, study_id) != now.status:
            st.rerun()

    with place.live:
        frame.fragment(steps, run_every=_POLL_SECONDS if now.open else None)
    with place.more:
        _export(store, study_id, now)


def _export(store: StoreAccess, study_id: str, now: Progress) -> None:
    st.subheader(_("Export"))
    # What a button downloads is made in another thread, once somebody presses it.
    with st.container(horizontal=True):
        st.download_button(
            _("The plan as JSON"),
            now.study.to_json,
            f"{study_id}.json",
            "application/json",
            help=_("The plan of the study, as input for `study run --spec`."),
        )
        st.download_button(
            _("The numbers as CSV"),
            lambda: report.rounds_table(store, now.runs).to_csv(index=False),
            f"{study_id}.csv",
            "text/csv",
            help=_("One row per evaluated round of each run."),
        )
        st.download_button(
            _("A report as one HTML page"),
            language.in_current_language(lambda: report.html(store, study_id)),
            f"{study_id}.html",
            "text/html",
            help=_("The plan of the study, its results, and how to reproduce them, in one self-contained file."),
        )
        refusal = notebook.study_refusal(now)
        st.download_button(
            _("A notebook that uses TFF only"),
            lambda: notebook.of_study(store, now, with_paths=not visitors.hosted()),
            f"{study_id}.ipynb",
            "application/x-ipynb+json",
            disabled=bool(refusal),
            help=refusal
            or _("A Jupyter notebook that trains its runs with TensorFlow Federated, without Epsilon Lab."),
        )
        st.caption(
            _("Figures as PDF and tables as LaTeX: `{command}`").format(
                command=f"python -m dpcore study export --study-id {study_id} --figures FOLDER"
            )
        )


def _steps(store: StoreAccess, study_id: str) -> str:
    """Shows the steps; returns the state of the study."""
    now = schedule.current(store, study_id)
    with st.container():
        _state(now)
        with st.container(horizontal=True):
            _buttons(store, study_id, now)
    rounds = report.rounds_table(store, now.sweep)
    for column, metric in zip(st.columns(2), lines.METRICS, strict=True):
        with column:
            _curves(rounds, metric, max(now.study.rounds), SWEEP)
    with st.container():
        _sweep(now)
    with st.container():
        _outcome(now)
    with st.container():
        if now.study.target_epsilon is not None:
            _calibration(now.study, now.outcome)
            _final(now)
            _result(store, now)
    return now.status


def _state(now: Progress) -> None:
    done, total = rounds_done(now)
    st.progress(
        done / total if total else 0.0,
        text=_("{status} · {finished} of {runs} runs · {done:,} of {total:,} rounds").format(
            status=states.name(now.status).capitalize(),
            finished=now.finished,
            runs=len(now.runs),
            done=done,
            total=total,
        ),
    )
    waiting = now.status == "going" and not any(run.status == "running" for run in now.runs)
    states.next_step("waiting" if waiting else now.status, study=True)
    if now.status == "stuck":
        st.error(visitors.without_paths(language.translated(now.message)), icon=":material/error:")


def _buttons(store: StoreAccess, study_id: str, now: Progress) -> None:
    if not visiting.owns(store, now.owner):
        st.caption(
            _("This study belongs to somebody else: view it, or start one of your own with the same values.")
        )
    elif now.status == "going":
        tip = _("Takes its runs out of the queue; a run in progress finishes.")
        actions.button(_("Pause"), "pause", schedule.pause, store, study_id, tip=tip)
    elif now.status in ("stuck", "paused"):
        tip = _("Queues again what has not finished.")
        owed = outlook.pending_charges(visiting.acting_for(store, now.owner), now.study)
        with once_more.asking(store, _("Continue"), owed) as label:
            actions.button(label, "go_on", schedule.go_on, store, study_id, tip=tip)


def _sweep(now: Progress) -> None:
    if now.study.varies_mechanism:
        st.header(_("1. Train with each way to form cohorts, and each kind of noise"))
        st.write(
            _(
                "What costs accuracy is the noise that has added up in the model, over the clients. How much of it a "
                "guarantee takes depends on who may learn who took part, and on whether later rounds take back noise of "
                "earlier ones."
            )
        )
    else:
        st.header(_("1. Sweep the noise multiplier at a small cohort"))
        st.write(
            _(
                "Small cohorts are cheap to simulate, and what costs accuracy is the effective noise: the noise "
                "multiplier over the clients. So the sweep measures how much of it the model tolerates, before "
                "privacy is considered."
            )
        )
    table = _table(now)
    if len(table):
        shown = columns.rounded(table)
        st.dataframe(shown, hide_index=True, column_config=columns.shown(table), placeholder="–")
        st.caption(" ".join(findings.conditions(now)))


def _outcome(now: Progress) -> None:
    st.header(_("2. Result"))
    if now.study.varies_mechanism:
        st.write(_("With several seeds, the band is the range over them."))
    else:
        st.write(
            _(
                "A noise multiplier is tolerable if it, and every smaller one, ends at most {tolerance} points below the "
                "non-private baseline. With several seeds, the band is the range over them."
            ).format(tolerance=rounding.given(round(100 * now.study.tolerance, 10)))
        )
    if now.study.baseline == NONE:
        st.caption(_("There is no non-private baseline; the run with the least noise is used in its place."))
    for sentence in findings.of_sweep(now):
        st.write(sentence)


_PARTS = {SWEEP: N_("sweep"), FINAL: N_("final")}


def _table(now: Progress) -> pd.DataFrame:
    table = pd.DataFrame(findings.table(now))
    if not len(table):
        return table
    if now.study.varies_mechanism_alone:  # the same in all rows, where what differs takes more room
        table = table.drop(columns=["learning rate", "clipping", "delta"])
    return table.assign(
        part=[_(_PARTS[part]) for part in table["part"]],
        epsilon=[rounding.epsilon(value) for value in table["epsilon"]],
    )


def _curves(rounds: pd.DataFrame, metric: str, total: int, part: str) -> None:
    table = report.by_setting(rounds, metric)
    words, title = report.last_values(table, metric), _(lines.METRICS[metric])
    chart.show(
        charts.by_round(_telling_apart(table), metric, title=title, total_rounds=total),
        key=f"{part}_{metric}",
        label=_("{title} by round. Last: {last}.").format(title=title, last=words or _("no data yet")),
        table=table,
        **dict.fromkeys(("mean", "low", "high") if metric == "accuracy" else (), "percent"),
    )


def _telling_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Returns `by_setting` with only that in the settings' names in which they differ: a legend has little room."""
    parts = {name: name.split(", ") for name in table["setting"].unique()}
    if len(parts) < 2:
        return table
    shared = set.intersection(*map(set, parts.values()))
    short = {name: ", ".join(part for part in said if part not in shared) for name, said in parts.items()}
    return table.assign(setting=table["setting"].map(short))


def _calibration(study: Study, outcome: SweepOutcome) -> None:
    st.header(_("3. Solve for the clients per round"))
    target = study.target_epsilon or 0.0  # who asks for none is not shown this
    st.write(
        _(
            "More clients at the same effective noise cost no accuracy, and protect each user better. So clients and "
            "noise multiplier are raised together until the plan reaches epsilon {epsilon} at delta {delta}."
        ).format(epsilon=rounding.given(target), delta=rounding.given(study.plan.privacy.delta))
    )
    if outcome.tolerable is None:
        st.caption(_("Available when the sweep has been evaluated."))
        return
    with st.container(horizontal=True):  # what has no room beside the other goes below it
        for accountant in accounting.ACCOUNTANTS:
            try:
                privacy = final_plan(study, outcome.tolerable, accountant).privacy
            except EpsilonLabError as err:
                st.error(str(err))
                continue
            words = _("Clients per round by {accountant}")
            if accountant == study.accountant:
                words = _("Clients per round by {accountant} (selected)")
            st.metric(
                words.format(accountant=accountant.upper()),
                _("{clients:,} at noise {noise}").format(
                    clients=privacy.clients_per_round, noise=rounding.given(privacy.noise_multiplier)
                ),
                border=True,
                width=_WIDTH,
                help=_("Clients per round, and the noise multiplier that keeps the effective noise."),
            )


def _final(now: Progress) -> None:
    st.header(_("4. Train the final model"))
    st.write(
        _(
            "The same rounds with these clients and this noise multiplier. Its guarantee is for this run alone: what "
            "the sweep has spent on the same users is added, unless it was done on public data (see the Ledger)."
        )
    )
    for run in now.final:
        st.write(
            _("{run}: {status}, round {done} of {total}").format(
                run=f"[{plain(run.title)}](runs?{urlencode({LANGUAGE: language.current(), 'runs': run.run_id})})",
                status=states.name(run.status),
                done=run.last_round or 0,
                total=run.plan.privacy.rounds,
            )
        )
    if not now.final:
        st.caption(_("Queued when the clients per round are known."))


def _result(store: StoreAccess, now: Progress) -> None:
    st.header(_("5. Compare with the non-private baseline"))
    st.write(
        _(
            "If the argument holds, the private model is as accurate as the non-private baseline. The difference, "
            "and whether it exceeds the random variation, is shown here."
        )
    )
    if now.final_setting is None or now.baseline is None:
        st.caption(_("Available when the final run has finished."))
        return
    plan, charged = now.final_setting.plan, now.final_setting.charged
    epsilon = accounting.epsilon(charged).value
    _numbers(now, now.final_setting, now.baseline, epsilon)
    for sentence in findings.of_final(now):
        st.write(sentence)
    st.write(" ".join([statement.sentence(charged, epsilon), *findings.caveats(now)]))
    noise = now.baseline.plan.privacy.noise_multiplier
    baseline = [run for run in now.sweep if run.plan.privacy.noise_multiplier == noise]
    rounds = report.rounds_table(store, [*baseline, *now.final])
    for column, metric in zip(st.columns(2), lines.METRICS, strict=True):
        with column:
            _curves(rounds, metric, plan.privacy.rounds, FINAL)


def _numbers(now: Progress, result: Setting, baseline: Setting, epsilon: float) -> None:
    """Shows the accuracy of the final model beside that of the baseline, and its epsilon."""
    one, two, three = st.columns(3)
    base = {
        OWN: _("Accuracy of the non-private baseline"),
        WRITERS: _("Accuracy of the non-private baseline on the Writers"),
        NONE: _("Accuracy at noise {noise}"),
    }[now.study.baseline]
    one.metric(
        base.format(noise=rounding.noise(baseline.plan.privacy.noise_multiplier)),
        f"{baseline.mean:.1%}",
        border=True,
        help=_("The mean over the seeds of the sweep."),
    )
    lost = result.mean - baseline.mean
    two.metric(
        _("Accuracy of the private model"),
        f"{result.mean:.1%}",
        _("{points:+.1f} points").format(points=100 * lost),
        border=True,
        help=_("The mean over the seeds of the final runs; below it, the difference from {base}.").format(
            base=findings.baseline_name(now)
        ),
    )
    three.metric(
        _("Epsilon"),
        rounding.epsilon(epsilon),
        border=True,
        help=_("Of one final run, with all its rounds observed; an upper bound."),
    )
