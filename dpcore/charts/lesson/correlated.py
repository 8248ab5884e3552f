"""The picture of noise that adds up over rounds: on one line fresh in each round, on another correlated."""

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts.lines import figure, show_legend
from dpcore.language import _

_FRAMES = 25
_GREY = "#808080"
_DASHES = {"independent": "solid", "correlated": "dash"}


def paths(table: pd.DataFrame) -> go.Figure:
    """Returns what noise adds up to, a frame for some of the rounds, between the root mean squares of either kind.

    Args:
        table: Columns `round`, and of either kind its sum and its root mean square, in clip norms: `independent`,
            `independent_rms`, `correlated` and `correlated_rms`.
    """
    drawn = figure(_("Round"), _("Sum of the noise (clip norms)"))
    names = {"independent": _("independent noise"), "correlated": _("correlated noise")}
    spread = {"independent": _("± its root mean square"), "correlated": _("± that of correlated noise")}
    for name, dash in _DASHES.items():
        drawn.add_scatter(
            x=table["round"],
            y=table[name],
            mode="lines",
            name=names[name],
            line={"width": 3, "dash": dash},
            hovertemplate="%{y:.2f}",
        )
    for name, dash in _DASHES.items():
        # One line that goes out along the upper curve and back along the lower.
        drawn.add_scatter(
            x=[*table["round"], None, *table["round"]],
            y=[*table[f"{name}_rms"], None, *-table[f"{name}_rms"]],
            mode="lines",
            name=spread[name],
            line={"width": 1.5, "color": _GREY, "dash": "dot" if dash == "solid" else "dashdot"},
            hovertemplate="%{y:.2f}",
        )
    rounds, columns = len(table), table.drop(columns="round")
    limit = 1.05 * float(columns.abs().to_numpy().max())
    drawn.update_xaxes(range=[0, rounds + 1])
    drawn.update_yaxes(range=[-limit, limit])  # fixed, so that nothing moves while it plays but what is added
    step = max(1, rounds // _FRAMES)
    drawn.frames = [
        go.Frame(
            name=_("Round {number} of {total}").format(number=last, total=rounds),
            data=[{"x": table["round"].head(last), "y": table[name].head(last)} for name in _DASHES],
        )
        for last in sorted({*range(step, rounds, step), rounds})
    ]
    show_legend(drawn, height=460)
    return drawn
