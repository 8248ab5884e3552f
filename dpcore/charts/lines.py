"""Line charts: numbers in, plotly figures out. Colours and font come from the page that shows them."""

import pandas as pd
import plotly.graph_objects as go


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
    empty.update_xaxes(title=x_title, rangemode="tozero")
    empty.update_yaxes(title=y_title)
    return empty


def metric_by_round(rounds: pd.DataFrame, metric: str, *, title: str, total_rounds: int) -> go.Figure:
    """Returns one evaluated metric over rounds, on an axis as long as the plan, so that it visibly grows.

    Args:
        rounds: Columns `round` and `metric`; rows without a value are left out.
        metric: The column to draw.
        title: The title of the axis.
        total_rounds: The planned number of rounds.
    """
    evaluated = rounds.dropna(subset=[metric])
    drawn = figure("Round", title)
    drawn.add_scatter(x=evaluated["round"], y=evaluated[metric], mode="lines+markers", name=title)
    drawn.update_xaxes(range=[-0.02 * total_rounds, 1.02 * total_rounds])
    if metric == "accuracy":
        drawn.update_yaxes(range=[0, 1], tickformat=".0%")
    else:
        drawn.update_yaxes(rangemode="tozero")
    return drawn
