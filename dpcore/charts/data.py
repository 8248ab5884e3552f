"""Charts of a data set: numbers in, plotly figures out. Colours and font come from the page."""

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import axes
from dpcore.charts.lines import figure
from dpcore.language import _


def examples_per_user(table: pd.DataFrame) -> go.Figure:
    """Returns how many users have how many examples.

    Args:
        table: Columns `from`, `to` (examples, both included) and `users`.
    """
    drawn = figure(_("Examples to train on"), _("Users"))
    drawn.add_bar(
        x=table["from"], y=table["users"], width=table["to"] - table["from"] + 1, offset=0, name=_("users")
    )
    drawn.update_xaxes(**axes.whole_ticks(table["to"].max()))
    drawn.update_yaxes(**axes.whole_ticks(table["users"].max()))
    drawn.update_layout(height=260)
    return drawn


def label_balance(table: pd.DataFrame) -> go.Figure:
    """Returns the share of each class.

    Args:
        table: Columns `class` and `share`, a fraction of the training examples.
    """
    drawn = figure(_("Class"), _("Share of examples"))
    drawn.add_bar(x=table["class"], y=table["share"], name=_("share"))
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(**axes.fractions() | {"range": [0, min(1.0, 1.05 * table["share"].max())]})
    drawn.update_layout(height=260)
    return drawn
