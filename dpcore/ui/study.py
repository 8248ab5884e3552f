"""A study in the tutorial's five steps: asked, run, read."""

import pandas as pd
import streamlit as st

from dpcore import datasets, limits
from dpcore.charts import lines
from dpcore.charts import studies as charts
from dpcore.errors import EpsilonLabError, InvalidValueError
from dpcore.plan import MODELS, Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.reports import study as report
from dpcore.runs import studies
from dpcore.runs.store import Store
from dpcore.ui import actions, chart, controls, data
from dpcore.ui import plan as plan_controls

_POLL_SECONDS = 2.0


def ask(store: Store) -> None:
    """Shows what a new study asks, to be changed, and the button that runs all of it."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            noises = st.text_input(
                "Noise multipliers of the sweep",
                "0, 0.5, 0.75, 1",
                key="noises",
                bind="query-params",
                help="With commas between; 0 is the noise-free run that the others are held against.",
            )
            clients = st.text_input("Clients per round", "50", key="cohorts", bind="query-params", help=_SEVERAL)
            rounds = st.text_input("Rounds", "100", key="lengths", bind="query-params", help=_SEVERAL)
            rates = st.text_input("Client learning rates", "0.01", key="rates", bind="query-params", help=_SEVERAL)
            seeds = st.number_input(
                "Seeds a setting", 1, 20, 1, key="seeds", bind="query-params", help="Several show what is chance."
            )
            clipping = plan_controls.clipping_control()
        with right:
            final = st.toggle("Find the clients, and train the final run", True, key="final", bind="query-params")
            target = controls.knob(limits.TARGET_EPSILON, low=0.1, high=20, logarithmic=True)
            delta = controls.knob(limits.DELTA, low=1e-10, high=1e-2, logarithmic=True)
            tolerance = controls.knob(limits.TOLERANCE, low=0.01, high=0.3)
            accountant = st.radio(
                "Accountant of the final run",
                accounting.ACCOUNTANTS[::-1],
                format_func={"pld": "PLD, tight", "rdp": "RDP, as the tutorial"}.__getitem__,
                key="accountant",
                bind="query-params",
                horizontal=True,
            )
            one, two = st.columns(2)
            with one:
                dataset = data.choose(datasets.names(store.home))
            model = two.selectbox("Model", MODELS, key="model", bind="query-params")
        with controls.explain():
            privacy = PrivacyPlan(
                population=datasets.num_users(dataset, store.home),
                noise_multiplier=0.0,
                clients_per_round=1,
                delta=delta,
                clipping=clipping,
            )
            fingerprint = datasets.fingerprint(dataset, store.home)
            training = TrainingPlan(dataset=dataset, dataset_fingerprint=fingerprint, model=model)
            study = studies.Study(
                plan=Plan(privacy=privacy, training=training),
                noise_multipliers=_numbers("Noise multipliers", noises, float),
                clients_per_round=_numbers("Clients per round", clients, int),
                rounds=_numbers("Rounds", rounds, int),
                client_learning_rates=_numbers("Client learning rates", rates, float),
                clippings=(clipping,),
                seeds=tuple(range(seeds)),
                tolerance=tolerance,
                target_epsilon=target if final else None,
                accountant=accountant,
            )
        plans = study.grid()
        seconds, measured = studies.seconds(store, plans, study.engine)
        st.caption(
            f"{len(plans)} runs{' and the final one' * final}: about {seconds / 60:.1f} minutes for the sweep, "
            f"{'as measured here' if measured else 'by the figures of the benchmarks'}. Runs that are there already are "
            "taken as they are."
        )
        if st.button("Run all", type="primary", key="run_all"):
            with controls.explain():
                st.query_params["study"] = studies.start(store, study)
            st.rerun()


_SEVERAL = "One number, or several with commas between for a grid."


def _numbers(label: str, text: str, kind: type) -> tuple:
    try:
        found = tuple(kind(part) for part in text.replace(";", ",").split(",") if part.strip())
    except ValueError as err:
        raise InvalidValueError(
            label, f"Expected {label} to be numbers with commas between, found {text!r}."
        ) from err
    if not found:
        raise InvalidValueError(label, f"Expected at least one number for {label}, found none.")
    return tuple(dict.fromkeys(found))


def show(store: Store, study_id: str) -> None:
    """Shows a study's five steps, looking again every two seconds while it is going."""
    with controls.explain():
        now = studies.look(store, study_id)

    def steps() -> None:
        if _steps(store, study_id) != now.status:
            st.rerun()

    st.fragment(steps, run_every=_POLL_SECONDS if now.open else None)()
    st.subheader("Take it with you")
    with st.container(horizontal=True):
        st.download_button("The plan as JSON", now.study.to_json, f"{study_id}.json", "application/json")
        st.download_button(
            "The numbers as CSV",
            lambda: report.rounds_table(store, now.runs).to_csv(index=False),
            f"{study_id}.csv",
            "text/csv",
        )
        st.download_button(
            "A report as one HTML page", lambda: report.html(store, study_id), f"{study_id}.html", "text/html"
        )


def _steps(store: Store, study_id: str) -> str:
    now = studies.look(store, study_id)
    study, reading = now.study, now.reading
    done, total = studies.rounds_done(now)
    with st.container():
        st.progress(
            done / total if total else 0.0,
            text=f"{now.status.capitalize()} · {now.finished} of {len(now.runs)} runs · {done:,} of {total:,} rounds",
        )
        if now.status == "stuck":
            st.error(now.message, icon=":material/error:")
        with st.container(horizontal=True):
            if now.status in ("going",):
                st.button("Pause", on_click=actions.attempt, args=(studies.pause, store, study_id), key="pause")
            elif now.status in ("stuck", "paused"):
                st.button("Go on", on_click=actions.attempt, args=(studies.go_on, store, study_id), key="go_on")

    with st.container():
        st.header("1. Sweep the noise at a small cohort")
        st.write(
            "Small cohorts are cheap to simulate, and what harms a model is the noise on the average update: the noise "
            "multiplier over the clients. So the sweep asks how much of it the model bears, before anything is private."
        )
        st.dataframe(_table(now), hide_index=True, column_config=_COLUMNS)
    with st.container():
        st.header("2. Read it")
        st.write(
            f"A noise is bearable if it, and every smaller one, ends at most {study.tolerance:g} below the noise-free "
            "accuracy. With several seeds, the band is the range over them."
        )
        rounds = report.rounds_table(store, now.sweep)
        for column, metric in zip(st.columns(2), lines.METRICS, strict=True):
            with column:
                _curves(rounds, metric, max(study.rounds), studies.SWEEP)
        for sentence in now.sentences:
            st.write(sentence)
    with st.container():
        if study.target_epsilon is not None:
            _calibration(study, reading)
            _result(store, now)
    return now.status


_COLUMNS = {
    "accuracy": st.column_config.NumberColumn(format="%.3f", help="The mean over the seeds"),
    "band": st.column_config.NumberColumn(format="%.3f", help="Half the range over the seeds"),
    "difference": st.column_config.NumberColumn(format="%+.3f", help="Against the noise-free mean"),
}


def _table(now: studies.Progress) -> pd.DataFrame:
    table = pd.DataFrame(studies.table(now))
    return (
        table.assign(epsilon=[statement.epsilon_text(value) for value in table["epsilon"]]) if len(table) else table
    )


def _curves(rounds: pd.DataFrame, metric: str, total: int, part: str) -> None:
    table = report.by_setting(rounds, metric)
    words = report.last_words(table)
    chart.show(
        charts.by_round(table, metric, title=lines.METRICS[metric], total_rounds=total),
        key=f"{part}_{metric}",
        label=f"{lines.METRICS[metric]} by round. Last: {words or 'nothing known yet'}.",
        table=table,
    )


def _calibration(study: studies.Study, reading: studies.Reading) -> None:
    st.header("3. Find the clients that make it private")
    st.write(
        "More clients at the same noise on the average cost no accuracy, and each of them hides better. So both are "
        f"raised together until the plan reaches epsilon {study.target_epsilon:g} at delta {study.plan.privacy.delta!r}."
    )
    if reading.bearable is None:
        st.caption("Known when the sweep is read.")
        return
    for column, accountant in zip(st.columns(2), accounting.ACCOUNTANTS, strict=True):
        with column:
            try:
                privacy = studies.final_plan(study, reading.bearable, accountant).privacy
            except EpsilonLabError as err:
                st.error(str(err))
                continue
            st.metric(
                f"Clients per round by {accountant.upper()}{', taken' * (accountant == study.accountant)}",
                f"{privacy.clients_per_round:,} at noise {privacy.noise_multiplier:g}",
                border=True,
            )


def _result(store: Store, now: studies.Progress) -> None:
    st.header("4. Train the final model")
    st.write(
        "The same rounds with these clients and this noise. Its guarantee is for this run alone: what the sweep has "
        "spent on the same users comes on top, unless it was done on public data (see the Ledger)."
    )
    for run in now.final:
        st.write(
            f"[{run.title}](runs?runs={run.run_id}): {run.status}, round {run.last_round or 0} of "
            f"{run.plan.privacy.rounds}"
        )
    if not now.final:
        st.caption("Queued when the clients are known.")
    st.header("5. Hold it against the noise-free model")
    st.write(
        "If the argument holds, the private model learns what the noise-free one does. What is lost, and whether it is "
        "more than chance, stands here."
    )
    if now.result is None or now.baseline is None:
        st.caption("Known when the final run has finished.")
        return
    plan, charged = now.result.plan, now.result.charged
    one, two, three = st.columns(3)
    one.metric("Noise-free accuracy", f"{now.baseline.mean:.1%}", border=True)
    lost = now.result.mean - now.baseline.mean
    two.metric("Private accuracy", f"{now.result.mean:.1%}", f"{lost:+.1%}", border=True)
    epsilon = accounting.epsilon(charged).value
    three.metric("Epsilon", statement.epsilon_text(epsilon), border=True)
    st.write(" ".join([statement.sentence(charged, epsilon), *studies.caveats(now)]))
    baseline = [run for run in now.sweep if run.plan.privacy.noise_multiplier == 0]
    rounds = report.rounds_table(store, [*baseline, *now.final])
    for column, metric in zip(st.columns(2), lines.METRICS, strict=True):
        with column:
            _curves(rounds, metric, plan.privacy.rounds, studies.FINAL)
