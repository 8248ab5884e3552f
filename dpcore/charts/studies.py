"""Charts of a study: numbers in, plotly figures out. Text colours and font come from the page."""

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import colours
from dpcore.charts.lines import DASHES, LOG_TICKS, METRICS, SYMBOLS, figure, plain, show_legend, show_rounds
from dpcore.language import N_, _

AXES = {
    "epsilon": N_("Epsilon"),
    "clients": N_("Clients per round"),
    "rounds": N_("Rounds"),
    "minutes": N_("Minutes of training"),
    "noise": N_("Noise multiplier"),
}


def by_round(table: pd.DataFrame, metric: str, *, title: str, total_rounds: int) -> go.Figure:
    """Returns a metric over rounds: a line a setting, the mean over seeds, with the range as a band.

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
            mode="lines",
            name=name,
            line={"color": colour, "dash": DASHES[number % len(DASHES)], "width": 2.5},
        )
    show_legend(drawn)
    show_rounds(drawn, metric, total_rounds)
    return drawn


def _band(drawn: go.Figure, x: pd.Series, table: pd.DataFrame, **how: str) -> None:
    """Fills what lies between the columns `low` and `high`."""
    drawn.add_scatter(
        x=[*x, *x[::-1]],
        y=[*table["high"], *table["low"][::-1]],
        fill="toself",
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        **how,
    )


def frontier(table: pd.DataFrame, axis: str) -> go.Figure:
    """Returns accuracy against what it costs: the front that nothing else beats drawn and full, the rest open.

    Args:
        table: A row a run: `run`, `plan` (words), `noise`, `ratio` (noise multiplier / clients), `accuracy`,
            `best` (whether it is on the front), and the column of the axis.
        axis: A key of `AXES`.
    """
    drawn = figure(_(AXES[axis]), _(METRICS["accuracy"]))
    known = table[table[axis].map(lambda value: value != float("inf"))]
    for ratio, rows in known.groupby("ratio"):
        line = rows.groupby(axis, as_index=False)["accuracy"].mean()
        if len(line) > 1:
            drawn.add_scatter(
                x=line[axis],
                y=line["accuracy"],
                mode="lines",
                line={"dash": "dot", "width": 1, "color": "#808080"},
                name=_("noise / clients {ratio}").format(ratio=rounding.down(ratio)),
                hoverinfo="skip",
                showlegend=False,  # they look alike
            )
    front = known[known["best"]].sort_values(axis)
    drawn.add_scatter(
        x=front[axis],
        y=front["accuracy"],
        mode="lines",
        line={"width": 2, "shape": "hv", "color": "#808080"},
        name=_("nothing beats these"),
        hoverinfo="skip",  # its corners are runs, which say more
    )
    for number, (noise, rows) in enumerate(known.groupby("noise")):
        drawn.add_scatter(
            x=rows[axis],
            y=rows["accuracy"],
            mode="markers",
            name=_("noise {noise}").format(noise=rounding.noise(noise)),
            marker={
                "size": 11,
                "symbol": [SYMBOLS[number % len(SYMBOLS)] + ("" if best else "-open") for best in rows["best"]],
                "color": colours.of_noise(noise),
                "line": {"width": 2, "color": colours.of_noise(noise)},
            },
            customdata=rows["run"],
            text=[plain(words) for words in rows["plan"]],
            hovertemplate=_("%{text}<br>accuracy %{y:.3f}<extra></extra>"),
        )
    show_legend(drawn, height=480)
    drawn.update_layout(hovermode="closest")
    if axis != "noise":
        # Between runs that are close together there may be none of these ticks: then plotly's, written out.
        wide = known[axis].max() > 10 * known[axis].min()
        drawn.update_xaxes(type="log", **(LOG_TICKS if wide else {"tickformat": "~g"}))
    drawn.update_xaxes(rangemode="normal")
    drawn.update_yaxes(tickformat=".0%")
    return drawn


def predicted(table: pd.DataFrame, known: pd.DataFrame) -> go.Figure:
    """Returns the accuracy that is expected at each number of clients, with its band, and what was measured.

    Args:
        table: Columns `clients`, `accuracy`, `low`, `high`, `inside` (whether it lies between runs).
        known: Columns `clients`, `accuracy` of runs at that epsilon.
    """
    drawn = figure(_("Clients per round"), _("Accuracy expected"))
    _band(drawn, table["clients"], table)
    inside = table["accuracy"].where(table["inside"])
    drawn.add_scatter(
        x=table["clients"], y=table["accuracy"], mode="lines", line={"dash": "dot"}, name=_("beyond all runs")
    )
    drawn.add_scatter(x=table["clients"], y=inside, mode="lines", line={"width": 3}, name=_("between runs"))
    if len(known):
        drawn.add_scatter(
            x=known["clients"], y=known["accuracy"], mode="markers", marker={"size": 10}, name=_("measured")
        )
    show_legend(drawn)
    drawn.update_xaxes(type="log", rangemode="normal", **LOG_TICKS)
    drawn.update_yaxes(range=[0, 1], tickformat=".0%")
    return drawn
