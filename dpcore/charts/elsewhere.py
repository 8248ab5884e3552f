"""A chart of a run from elsewhere: numbers in, a plotly figure out."""

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes
from dpcore.charts.lines import figure, hover, show_legend
from dpcore.language import _


def over_rounds(table: pd.DataFrame, *, claimed: float | None, delta: float) -> go.Figure:
    """Returns epsilon over released rounds, with what was claimed of all of them.

    Args:
        table: Columns `round` and `epsilon`.
        claimed: What the framework has said; `None` for nothing.
        delta: Named in the title of the axis.
    """
    chart = figure(_("Released rounds"), _("Epsilon (delta {delta})").format(delta=rounding.given(delta)))
    texts = [
        _("After {round:,} rounds: ε = {epsilon}").format(round=number, epsilon=rounding.epsilon(epsilon))
        for number, epsilon in table.itertuples(index=False)
    ]
    chart.add_scatter(
        x=table["round"],
        y=table["epsilon"],
        mode="lines+markers",
        name=_("Holds, after these rounds"),
        **hover(texts),
    )
    if claimed is not None:
        words = _("Claimed of all rounds: ε = {epsilon}").format(epsilon=rounding.given(claimed))
        chart.add_scatter(
            x=[0, table["round"].max()],
            y=[claimed, claimed],
            mode="lines",
            line={"dash": "dash"},
            name=_("Claimed"),
            **hover([words, words]),
        )
    chart.update_xaxes(**axes.whole_ticks(table["round"].max()))
    axes.begin_at_zero(chart)
    show_legend(chart)
    return chart
