"""What attacks show of a run as it grows: epsilon-hat over rounds, under the plan's epsilon over rounds."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from dpcore import language, rounding
from dpcore.charts import audit as charts
from dpcore.errors import EpsilonLabError
from dpcore.language import _
from dpcore.privacy.auditing import attacks
from dpcore.rounds import Round
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.audit import recorded
from dpcore.runs.store.run_rows import Run
from dpcore.ui.core import chart, states
from dpcore.ui.server import visitors

_MOST_POINTS = 32  # of the line: each takes some milliseconds


def show(store: StoreAccess, run: Run, rows: list[Round], planned: float) -> None:
    """Shows the chart of an audited run, which has a new point every so many rounds; nothing of another run.

    Args:
        store: Where it is.
        run: The run.
        rows: Its rounds so far.
        planned: The plan's epsilon after all of them.
    """
    if run.audit is None:
        return
    seen = _points(run, rows[-1].round if rows else 0)
    try:
        figure, words, table = _drawn(
            str(store.home),
            run.run_id,
            tuple(seen),
            language.current(),
            _store=store,
            _run=run,
            _rows=rows,
            _planned=planned,
        )
    except EpsilonLabError as err:  # what was kept is not there any more
        st.warning(visitors.without_paths(err.message), icon=":material/healing:")
        return
    chart.show(figure, key="by_round_epsilon_hat", label=words, table=table)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _(
                "Epsilon-hat is what attacks on canaries have shown so far, each point with {level} confidence by "
                "itself. A low one says that these attacks found little, and nothing of others."
            ).format(level="95%"),
            width="content",
        )
        states.link("audit", audited=run.run_id)


def _points(run: Run, done: int) -> list[int]:
    """The rounds that have a point: every so manieth and the last; by a power of two, so that a line keeps its points."""
    step, total = 1, run.plan.privacy.rounds
    while total > step * _MOST_POINTS:
        step *= 2
    seen = list(range(step, done + 1, step))
    return [*seen, done] if done == total and done % step else seen


@st.cache_data(max_entries=100, show_spinner=False)
def _drawn(
    home: str,
    run_id: str,
    seen: tuple[int, ...],
    code: str,
    _store: StoreAccess,
    _run: Run,
    _rows: list[Round],
    _planned: float,
) -> tuple[str, str, pd.DataFrame]:
    """Returns the figure as JSON, its sentence and its table. Cached by the language as well, by its code."""
    title = _("Epsilon-hat over rounds")
    table = pd.DataFrame({"round": list(seen), "epsilon": 0.0, "epsilon_hat": 0.0})
    words = _("{title}: no data yet.").format(title=title)
    if seen:
        spent = {row.round: min(row.epsilon, _planned) for row in _rows}
        trace = recorded.trace(_store, replace(_run, last_round=seen[-1]))
        table["epsilon"] = [spent[number] for number in seen]
        table["epsilon_hat"] = attacks.epsilon_by_round(trace, _run.plan.privacy, rounds=seen)
        words = _(
            "{title}: after round {number}, attacks show at least {shown}, and the plan allows at most {epsilon}."
        ).format(
            title=title,
            number=seen[-1],
            shown=rounding.down(table["epsilon_hat"].iloc[-1]),
            epsilon=rounding.epsilon(table["epsilon"].iloc[-1]),
        )
    figure = charts.epsilon_hat(table, total_rounds=_run.plan.privacy.rounds)
    return figure.to_json(), words, table
