"""All runs as a table to choose from."""

import hashlib

import pandas as pd
import streamlit as st

from dpcore import rounding
from dpcore.language import _
from dpcore.privacy import ledger
from dpcore.runs.access import budget
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.process import supervisor
from dpcore.runs.store.run_rows import ACTIVE, ENDED, Run
from dpcore.ui.core import actions, address, choices, columns, frame, parameters, plans, states

_POLL_SECONDS = 2.0
_CHOSEN = "runs"


def open_run(run_id: str) -> None:
    """Leaves for the page of runs, where this one is chosen."""
    address.put(_CHOSEN, [run_id])
    address.leave_for("runs")


def choose(store: StoreAccess) -> list[str]:
    """Shows the runs that pass the filters, and returns the ids of those that are chosen (also by the link)."""
    one, two = st.columns([2, 3], vertical_alignment="bottom")
    words = one.text_input(
        _("Search"),
        max_chars=parameters.MOST_CHARACTERS,
        key=address.key("find", ""),
        placeholder=_("id, name, tag, note, data set, engine ..."),
        help=_("Words that the id, name, tags, note, data set or engine of a run must contain."),
    )
    wanted = choices.linked(
        two.pills,
        _("Status"),
        [*ACTIVE, *ENDED],
        key="status",
        format_func=states.sign,
        selection_mode="multi",
        help=_("Only runs in these states; none chosen is all."),
    )
    there = store.runs()
    known = {run.run_id for run in there}
    for run_id in address.drop(_CHOSEN, known.union(actions.just_deleted())):
        address.missing(_CHOSEN, run_id)
    chosen = address.value(_CHOSEN, [])
    active = any(run.active for run in there)

    def look() -> None:
        runs = [run for run in supervisor.runs(store) if _passes(run, words, wanted)]
        now = _table(store, runs, chosen)
        if now != chosen:
            address.put(_CHOSEN, now or None)
            st.rerun()
        if any(run.active for run in runs) and not active:
            st.rerun()  # one has begun since: from now on, look again and again

    frame.fragment(look, run_every=_POLL_SECONDS if active else None)
    return [run_id for run_id in chosen if run_id in known]


def _passes(run: Run, words: str, wanted: list[str]) -> bool:
    text = " ".join([run.run_id, run.name, run.tags, run.note, run.plan.training.dataset, run.engine]).lower()
    return (not wanted or run.status in wanted) and all(word in text for word in words.lower().split())


def _table(store: StoreAccess, runs: list[Run], chosen: list[str]) -> list[str]:
    """Shows runs, those that are chosen marked; returns the ids of those that are marked now."""
    if not runs:
        st.info(_("No run matches these filters."), icon=":material/filter_alt_off:")
        return chosen
    curves = store.curves("accuracy")
    costs = budget.epsilons_alone(runs)
    table = pd.DataFrame(
        [_row(run, cost, curves.get(run.run_id, [])) for run, cost in zip(runs, costs, strict=True)]
    )
    table = table.drop(columns=[name for name in ("no guarantee because", "tags") if not table[name].any()])
    if not any(plans.unusual_mechanism(run.plan.privacy) for run in runs):
        table = table.drop(columns="mechanism")
    # Streamlit remembers rows by their place: with other runs in the table it must forget them.
    ids = [run.run_id for run in runs]
    key = hashlib.sha256(",".join(ids).encode()).hexdigest()[:12]
    marked = st.dataframe(
        columns.rounded(table),
        hide_index=True,
        key=f"runs_{key}",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(run_id) for run_id in chosen if run_id in ids]}},
        placeholder="–",
        height="auto",
        column_config=columns.shown(table, accuracy="%.1f%%")
        | {
            "created": st.column_config.DatetimeColumn(columns.heading("created"), format="YYYY-MM-DD HH:mm"),
            "by round": st.column_config.LineChartColumn(
                columns.heading("by round"), help=_("Accuracy by round"), y_min=0, y_max=1, width="small"
            ),
        },
    )
    hidden = [run_id for run_id in chosen if run_id not in ids]
    return hidden + [ids[row] for row in marked.selection.rows]


def _row(run: Run, epsilon: float, curve: list[float]) -> dict:
    privacy = run.plan.privacy
    return {
        "status": states.sign(run.status),
        "run": run.title,
        "noise": privacy.noise_multiplier,
        "mechanism": plans.mechanism(privacy),
        "clients": privacy.clients_per_round,
        "round": f"{run.last_round or 0} / {privacy.rounds}",
        "epsilon": rounding.epsilon(epsilon),
        "accuracy": None if run.accuracy is None else 100 * run.accuracy,
        "by round": curve or None,
        "no guarantee because": ledger.why_uncovered(run.charged),
        "minutes": run.seconds / 60,
        "data": run.plan.training.dataset,
        "model": run.plan.training.model,
        "engine": run.engine,
        "seed": _("none") if run.plan.training.seed is None else str(run.plan.training.seed),
        "tags": run.tags,
        "created": pd.Timestamp(run.created, unit="s", tz="UTC").tz_convert(None),
    }
