"""Line charts: numbers in, plotly figures out. Colours and font come from the page that shows them."""

import pandas as pd
import plotly.graph_objects as go

from dpcore.privacy.statement import epsilon_text


def _figure(x_title: str, y_title: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        template="none",  # the page's colours, not plotly's
        height=320,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        showlegend=False,
        hovermode="x unified",
        uirevision="keep",  # zoom and hidden series survive an update
    )
    figure.update_xaxes(title=x_title, rangemode="tozero")
    figure.update_yaxes(title=y_title)
    return figure


def epsilon_by_round(curve: pd.DataFrame, *, rounds: int, delta: float) -> go.Figure:
    """Returns the privacy spent over rounds.

    Args:
        curve: Columns `round` and `epsilon`.
        rounds: The planned number, marked on the curve.
        delta: Named in the title of the axis.
    """
    figure = _figure("Round", f"Epsilon spent (delta {delta:g})")
    figure.add_scatter(x=curve["round"], y=curve["epsilon"], mode="lines", name="epsilon")
    end = curve[curve["round"] == rounds]
    figure.add_scatter(
        x=end["round"],
        y=end["epsilon"],
        mode="markers+text",
        text=[epsilon_text(value) for value in end["epsilon"]],
        textposition="top left",
        marker={"size": 10},
        name="this plan",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_yaxes(rangemode="tozero")
    return figure


def metric_by_round(rounds: pd.DataFrame, metric: str, *, title: str, total_rounds: int) -> go.Figure:
    """Returns one evaluated metric over rounds, on an axis as long as the plan, so that it visibly grows.

    Args:
        rounds: Columns `round` and `metric`; rows without a value are left out.
        metric: The column to draw.
        title: The title of the axis.
        total_rounds: The planned number of rounds.
    """
    evaluated = rounds.dropna(subset=[metric])
    figure = _figure("Round", title)
    figure.add_scatter(x=evaluated["round"], y=evaluated[metric], mode="lines+markers", name=title)
    figure.update_xaxes(range=[-0.02 * total_rounds, 1.02 * total_rounds])
    if metric == "accuracy":
        figure.update_yaxes(range=[0, 1], tickformat=".0%")
    else:
        figure.update_yaxes(rangemode="tozero")
    return figure
