"""Line charts: numbers in, plotly figures out. Colours and font come from the page that shows them."""

import html
from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import axes, colours
from dpcore.language import N_, _

MOST_LINES = 8
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star")
DASHES = ("solid", "dash", "dot", "dashdot")  # so that lines differ without colour
TITLE_FONT = {"size": 14}  # as all words: plotly's own are longer than a small chart
METRICS = {"accuracy": N_("Accuracy on the test set"), "loss": N_("Loss on the test set")}
BASELINE = {"color": "#808080", "dash": "dot", "width": 2}  # of the run that others are held against
_MOST_POINTS = 800  # of a line: more than a screen has columns for


def figure(x_title: str, y_title: str) -> go.Figure:
    """Returns an empty figure with titled axes, in the manner of all charts here."""
    empty = go.Figure()
    empty.update_layout(
        template="none",  # the page's colours, not plotly's
        height=320,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        showlegend=False,
        hovermode="x unified",
        uirevision="keep",  # zoom and hidden series survive an update
    )
    # Below the lowest number of the other axis, which stands in the same corner.
    empty.update_xaxes(title={"text": x_title, "font": TITLE_FONT}, rangemode="tozero", ticklabelstandoff=6)
    empty.update_yaxes(title={"text": y_title, "font": TITLE_FONT})
    return empty


def hover(texts: Iterable[str]) -> dict:
    """Returns how a trace says its points: in these words. Plotly itself would round to the nearest number."""
    return {"hovertext": list(texts), "hoverinfo": "text"}


def metric_by_round(
    tables: Mapping[str, pd.DataFrame],
    metric: str,
    *,
    noise: Mapping[str, float],
    title: str,
    total_rounds: int,
    baseline: pd.DataFrame | None = None,
) -> go.Figure:
    """Returns one metric over rounds, one line per run, on an axis as long as the plan, so that it visibly grows.

    Args:
        tables: By the name of the run: columns `round` and `metric`; rows without a value are left out.
        metric: The column to draw.
        noise: The noise multiplier of each run, which gives its colour.
        title: The title of the axis.
        total_rounds: The planned number of rounds.
        baseline: The rounds of a run that is pinned, drawn in grey.
    """
    drawn = figure(_("Round"), title)
    for number, (name, rounds) in enumerate(tables.items()):
        known = thinned(rounds.dropna(subset=[metric]))
        drawn.add_scatter(
            x=known["round"],
            y=known[metric],
            mode="lines+markers" if len(known) < 60 else "lines",
            name=plain(name),
            line={"dash": DASHES[number % len(DASHES)], "color": colours.of_noise(noise[name])},
        )
    if baseline is not None:  # last: the first line is the run's
        known = thinned(baseline.dropna(subset=[metric]))
        drawn.add_scatter(
            x=known["round"],
            y=known[metric],
            mode="lines",
            name=_("Pinned baseline"),
            line=BASELINE,
            showlegend=True,
        )
    if len(tables) > 1:
        show_legend(drawn)
    elif baseline is not None:
        show_legend(drawn, height=320)
    show_rounds(drawn, metric, total_rounds)
    return drawn


def written(metric: str, value: float) -> str:
    """Returns a number of a metric as people read it: accuracy as a percentage."""
    return f"{value:.1%}" if metric == "accuracy" else f"{value:.3f}"


def plain(words: str) -> str:
    """Returns what a person wrote as a chart shows it as it stands: plotly makes links of tags."""
    return html.escape(words, quote=False)


def show_legend(drawn: go.Figure, height: int = 400) -> None:
    """Writes the names above the chart, where plotly makes its margin as high as they need.

    Many names make the figure higher: on a phone each has a row, and the chart needs what is left.
    """
    rows = sum(trace.showlegend is not False for trace in drawn.data)
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    drawn.update_layout(showlegend=True, legend=legend, height=max(height, 300 + 20 * rows))


def show_rounds(drawn: go.Figure, metric: str, total_rounds: int) -> None:
    """Gives a chart over rounds the whole length of its plan; accuracy its whole range, and all else one from 0."""
    drawn.update_xaxes(range=[-0.02 * total_rounds, 1.02 * total_rounds], **axes.whole_ticks(total_rounds))
    if metric == "accuracy":
        drawn.update_yaxes(**axes.fractions())
    else:
        axes.begin_at_zero(drawn)


def thinned(table: pd.DataFrame) -> pd.DataFrame:
    """Returns every so manieth row and the last, where there are more than a line can show.

    The step is a power of two, so that a growing line keeps its points.
    """
    step = 1
    while len(table) > step * _MOST_POINTS:
        step *= 2
    return table if step == 1 else pd.concat([table.iloc[:-1:step], table.iloc[-1:]])
