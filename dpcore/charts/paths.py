"""A chart of the noise on a model's path: tables in, plotly figures out."""

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes
from dpcore.charts.lines import DASHES, figure, hover, plain, show_legend
from dpcore.language import _


def noise_by_round(table: pd.DataFrame, *, own: str) -> go.Figure:
    """Returns the noise that has added up by each round, a line for each way to run a plan.

    Args:
        table: Column `round`, and one for each way, by its name.
        own: The name of the plan's own way, whose line is thick.
    """
    chart = figure(_("Round"), _("Noise on the model's path (clip norms)"))
    rounds = table["round"]
    for number, name in enumerate(table.columns.drop("round")):
        chart.add_scatter(
            x=rounds,
            y=table[name],
            mode="lines",
            name=plain(name),
            line={"dash": DASHES[number % len(DASHES)], "width": 4 if name == own else 2},
            **hover(f"{plain(name)}: {rounding.up(value)}" for value in table[name]),
        )
    chart.update_xaxes(**axes.whole_ticks(rounds.max()))
    axes.begin_at_zero(chart)
    show_legend(chart)
    return chart
