"""Pictures of guarantees that are claimed, and of what they overlook."""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts.lines import figure, hover, show_legend
from dpcore.language import _

_PATTERNS = ("", "/", "x", ".", "-")


def epsilon_bars(table: pd.DataFrame) -> go.Figure:
    """Returns one bar per epsilon; one that is infinite leaves the picture.

    Args:
        table: Columns `what` (words) and `epsilon`.
    """
    drawn = figure(_("Epsilon"), "")
    known = table["epsilon"][np.isfinite(table["epsilon"])]
    top = 1.5 * (max(known, default=0.0) or 1.0)  # room for the numbers behind the bars, on a phone too
    drawn.add_bar(
        y=table["what"],
        x=[min(value, 1.2 * top) for value in table["epsilon"]],
        orientation="h",
        text=[rounding.epsilon(value) for value in table["epsilon"]],
        textposition=["inside" if math.isinf(value) else "outside" for value in table["epsilon"]],
        insidetextanchor="middle",
        textfont={"size": 18},
        marker={"pattern": {"shape": [_PATTERNS[row % len(_PATTERNS)] for row in range(len(table))]}},
        hoverinfo="skip",
        width=0.6,
    )
    drawn.update_xaxes(range=[0, top])
    drawn.update_yaxes(autorange="reversed", automargin=True)
    drawn.update_layout(hovermode=False, height=max(260, 70 * len(table) + 80))
    return drawn


def average_sensitivity(table: pd.DataFrame, *, expected: int, usual: tuple[float, float]) -> go.Figure:
    """Returns how far one user moves the average, by how many came; and what the noise is made for.

    Args:
        table: Columns `cohort`, `moved` and `allowed`, the latter two in clip norms.
        expected: The expected size of a cohort.
        usual: Between which sizes most cohorts are.
    """
    drawn = figure(_("Cohort size"), _("Sensitivity of the average (clip norms)"))
    drawn.add_vrect(
        x0=usual[0],
        x1=usual[1],
        fillcolor="#808080",
        opacity=0.15,
        line_width=0,
        annotation_text=_("central 95%"),
        annotation_position="top left",
    )
    drawn.add_scatter(
        x=table["cohort"],
        y=table["moved"],
        mode="lines",
        line={"width": 3},
        name=_("divided by the actual cohort size"),
        **hover(
            f"{size:,}: {rounding.up(moved)}" for size, moved in zip(table["cohort"], table["moved"], strict=True)
        ),
    )
    drawn.add_scatter(
        x=table["cohort"],
        y=table["allowed"],
        mode="lines",
        line={"width": 3, "dash": "dash"},
        name=_("divided by the expected size {expected}, as the noise assumes").format(expected=expected),
        **hover(map(rounding.down, table["allowed"])),
    )
    drawn.update_yaxes(rangemode="tozero")
    drawn.update_xaxes(rangemode="normal")
    show_legend(drawn, height=420)
    return drawn


def over_delta(curve: pd.DataFrame, points: pd.DataFrame, *, population: int) -> go.Figure:
    """Returns epsilon over delta, and from where on delta allows somebody's data to be published.

    Args:
        curve: Columns `delta` and `epsilon`.
        points: The same, and `what` (words): those that are spoken of.
        population: Users.
    """
    drawn = figure(_("Delta"), _("Epsilon"))
    drawn.add_vrect(
        x0=1 / population,
        x1=float(curve["delta"].max()),
        fillcolor="#808080",
        opacity=0.25,
        line_width=0,
    )
    # Not as the rectangle's own, which a logarithmic axis puts elsewhere.
    drawn.add_annotation(
        text=_("above 1 / population"),
        x=-math.log10(population),
        y=1,
        yref="y domain",
        xanchor="right",
        yanchor="top",
        showarrow=False,
    )
    drawn.add_scatter(
        x=curve["delta"],
        y=curve["epsilon"],
        mode="lines",
        line={"width": 3},
        name=_("Epsilon"),
        **hover(
            f"δ = {rounding.given(delta)}: ε = {rounding.epsilon(epsilon)}"
            for delta, epsilon in zip(curve["delta"], curve["epsilon"], strict=True)
        ),
    )
    drawn.add_scatter(
        x=points["delta"],
        y=points["epsilon"],
        mode="markers+text",
        text=[
            f"{what}: {rounding.epsilon(value)}"
            for what, value in zip(points["what"], points["epsilon"], strict=True)
        ],
        textposition=["bottom left" if delta >= 1 / population else "top right" for delta in points["delta"]],
        marker={"size": 12, "symbol": "diamond"},
        name="",
        cliponaxis=False,
        hoverinfo="skip",  # they say it without
    )
    ends = np.log10([curve["delta"].min(), curve["delta"].max()])
    drawn.update_xaxes(type="log", rangemode="normal", exponentformat="power", range=ends.tolist())
    drawn.update_yaxes(rangemode="tozero")
    drawn.update_layout(height=420, margin={"r": 30})
    return drawn


def sensitivity(table: pd.DataFrame) -> go.Figure:
    """Returns how far one user moves something, beside the noise on it.

    Args:
        table: Columns `what` (words), `moved` and `noise`, both fractions.
    """
    drawn = figure("", _("Change per round"))
    for name, title, pattern, percent in (
        ("moved", _("sensitivity to one user"), "", rounding.percent),
        ("noise", _("standard deviation of the noise"), "/", rounding.down_percent),
    ):
        drawn.add_bar(
            x=table["what"],
            y=table[name],
            name=title,
            text=list(map(percent, table[name])),
            hoverinfo="skip",
            textposition="outside",
            marker={"pattern": {"shape": pattern}},
            cliponaxis=False,
        )
    drawn.update_yaxes(tickformat="~%", rangemode="tozero")
    show_legend(drawn, height=420)
    drawn.update_layout(barmode="group")
    return drawn
