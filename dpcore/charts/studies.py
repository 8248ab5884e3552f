"""Charts of a study: numbers in, plotly figures out. Text colours and font come from the page."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes, colours
from dpcore.charts.lines import DASHES, METRICS, SYMBOLS, figure, plain, show_legend, show_rounds
from dpcore.language import N_, _

_MOST_NAMED = 30  # noises that a legend tells apart; of more, colours and the words at a point do

AXES = {
    "epsilon": N_("Epsilon"),
    "clients": N_("Clients per round"),
    "rounds": N_("Rounds"),
    "minutes": N_("Minutes of training"),
    "noise": N_("Noise multiplier"),
}


def by_round(table: pd.DataFrame, metric: str, *, title: str, total_rounds: int) -> go.Figure:
    """Returns a metric over rounds: one line per setting, the mean over seeds, with the range as a band.

    Args:
        table: Columns `setting` (words), `noise`, `round`, and `mean`, `low` and `high` of the metric.
        metric: Its name.
        title: The title of the axis.
        total_rounds: The planned number of rounds.
    """
    drawn = figure(_("Round"), title)
    for number, ((noise, name), rows) in enumerate(table.groupby(["noise", "setting"])):
        colour = colours.of_noise(noise)
        if (rows["high"] > rows["low"]).any():
            _band(drawn, rows["round"], rows, fillcolor=colour)
        drawn.add_scatter(
            x=rows["round"],
            y=rows["mean"],
            mode=_line(rows["mean"]),
            name=name,
            line={"color": colour, "dash": DASHES[number % len(DASHES)], "width": 2.5},
        )
    show_legend(drawn)
    show_rounds(drawn, metric, total_rounds)
    return drawn


def _line(values: pd.Series) -> str:
    """How a line is drawn: one through a single number would not be seen."""
    return "lines" if values.notna().sum() > 1 else "lines+markers"


def _band(drawn: go.Figure, x: pd.Series, table: pd.DataFrame, **how: str) -> None:
    """Fills what lies between the columns `low` and `high`."""
    drawn.add_scatter(
        x=[*x, *x[::-1]],
        y=[*table["high"], *table["low"][::-1]],
        mode="lines",  # of few points, plotly would mark each
        fill="toself",
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        **how,
    )


def frontier(table: pd.DataFrame, axis: str, runs: pd.DataFrame | None = None) -> go.Figure:
    """Returns accuracy against what it costs: the front that nothing else beats drawn and full, the rest open.

    Args:
        table: One row per setting: `run` (its runs' ids, with commas between), `plan` (words), `noise`, `ratio` (noise
            multiplier / clients), `accuracy` (the mean over its seeds), `best` (whether it is on the front), and the
            column of the axis; where they differ, also `mechanism` (words), each with a name of its own, `family`,
            `rounds` and `engine`, of which only settings that share all are joined, and `seeds`, `low` and `high`.
        axis: A key of `AXES`.
        runs: The same of single runs, to be drawn lightly behind.
    """
    drawn = figure(_(AXES[axis]), _(METRICS["accuracy"]))
    known = drawable(table, axis)
    single = known.head(0) if runs is None else drawable(runs, axis)
    _same_effective_noise(drawn, known, axis)
    front = known[known["best"]].sort_values(axis)
    drawn.add_scatter(
        x=front[axis],
        y=front["accuracy"],
        mode="lines",
        line={"width": 2, "shape": "hv", "color": "#808080"},
        name=_("Pareto front"),
        hoverinfo="skip",  # its corners are runs, which say more
    )
    told = ["noise", *(["mechanism"] if "mechanism" in known and known["mechanism"].nunique() > 1 else [])]
    lights = dict(list(single.groupby(told)))
    groups = [(_named(*what), rows, lights.get(what, single.head(0))) for what, rows in known.groupby(told)]
    if len(groups) > _MOST_NAMED:
        groups = [(_("settings"), known, single)]
    for number, (name, rows, light) in enumerate(groups):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        if len(light):
            look = {"size": 6, "symbol": symbol, "line": {"width": 0}}
            _points(drawn, light, axis, look, name, showlegend=False, opacity=0.5)
        shapes = [symbol + ("" if best else "-open") for best in rows["best"]]
        _points(drawn, rows, axis, {"size": 11, "symbol": shapes, "line": {"width": 2}}, name)
    show_legend(drawn, height=480)
    drawn.update_layout(hovermode="closest")
    if axis != "noise":
        drawn.update_xaxes(type="log", rangemode="normal", **axes.factors([*known[axis], *single[axis]]))
    drawn.update_yaxes(**axes.fractions([*known["accuracy"], *single["accuracy"]]))
    return drawn


def drawable(table: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Returns the rows that have a place on an axis of `AXES`: none is at infinity, nor, by factors, at 0."""
    return table[np.isfinite(table[axis]) & ((table[axis] > 0) | (axis == "noise"))]


def _named(noise: float, mechanism: str = "") -> str:
    name = _("noise {noise}").format(noise=rounding.noise(noise))
    return f"{name}, {mechanism}" if mechanism else name


def _points(drawn: go.Figure, rows: pd.DataFrame, axis: str, marker: dict, name: str, **how: Any) -> None:
    """Draws settings, or runs, each in the colour of its noise: a click on one opens it."""
    colour = [colours.of_noise(noise) for noise in rows["noise"]]
    drawn.add_scatter(
        x=rows[axis],
        y=rows["accuracy"],
        mode="markers",
        name=name,
        legendgroup=name,  # one press hides means and runs
        marker={**marker, "color": colour},
        marker_line_color=colour,
        cliponaxis=False,
        customdata=rows["run"],
        text=[plain(words) for words in rows["plan"]],
        hovertext=[_accuracy(row) for row in rows.to_dict("records")],
        hovertemplate="%{text}<br>%{hovertext}<extra></extra>",
        **how,
    )


def _same_effective_noise(drawn: go.Figure, known: pd.DataFrame, axis: str) -> None:
    """Joins settings of one family that differ in nothing but their clients, and the noise that goes with them."""
    shared = [name for name in ("family", "rounds", "ratio", "engine") if name in known]
    first = True
    for _shared, rows in known.groupby(shared):
        if rows[axis].nunique() > 1:
            line = rows.groupby(axis, as_index=False)["accuracy"].mean()
            drawn.add_scatter(
                x=line[axis],
                y=line["accuracy"],
                mode="lines",
                line={"dash": "dot", "width": 1, "color": "#808080"},
                name=_("same rounds and effective noise"),
                legendgroup="effective noise",
                hoverinfo="skip",
                showlegend=first,  # they look alike
            )
            first = False


def _accuracy(row: dict) -> str:
    """Says the accuracy of a setting, and over how many seeds it is the mean."""
    if row.get("seeds", 1) == 1:
        return _("accuracy {accuracy:.1%}").format(accuracy=row["accuracy"])
    return _("accuracy {accuracy:.1%}, the mean of {seeds} seeds ({low:.1%} to {high:.1%})").format(
        accuracy=row["accuracy"], seeds=row["seeds"], low=row["low"], high=row["high"]
    )


def forecast(table: pd.DataFrame, known: pd.DataFrame) -> go.Figure:
    """Returns the accuracy that is expected at each number of clients, with its band, and what was measured.

    Args:
        table: Columns `clients`, `accuracy`, `low`, `high`, `inside` (whether it lies between runs).
        known: Columns `clients`, `accuracy` of runs at that epsilon.
    """
    drawn = figure(_("Clients per round"), _("Predicted accuracy"))
    _band(drawn, table["clients"], table)
    inside = table["accuracy"].where(table["inside"])
    drawn.add_scatter(
        x=table["clients"], y=table["accuracy"], mode="lines", line={"dash": "dot"}, name=_("extrapolated")
    )
    drawn.add_scatter(x=table["clients"], y=inside, mode=_line(inside), line={"width": 3}, name=_("interpolated"))
    if len(known):
        drawn.add_scatter(
            x=known["clients"], y=known["accuracy"], mode="markers", marker={"size": 10}, name=_("measured")
        )
    show_legend(drawn)
    drawn.update_xaxes(type="log", rangemode="normal", **axes.factors(table["clients"]))
    drawn.update_yaxes(**axes.fractions())
    return drawn
