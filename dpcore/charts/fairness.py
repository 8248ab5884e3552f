"""Who a model is accurate for, of several models side by side: tables in, plotly figures out."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import axes
from dpcore.charts.lines import figure, hover, plain, show_legend
from dpcore.language import _

_PATTERNS = ("", "/", "x", ".")  # so that bars differ without colour


def by_user(tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Returns how many users have which accuracy.

    Args:
        tables: By the name of the model: columns `from`, `to` and `share`.
    """
    drawn = figure(_("Accuracy of a user"), _("Share of users"))
    for number, (name, table) in enumerate(tables.items()):
        words = [
            _("{share:.1%} of users have an accuracy of {low:.0%} to {high:.0%}").format(
                share=row["share"], low=row["from"], high=row["to"]
            )
            for row in table.to_dict("records")
        ]
        _bars(drawn, number, name, (table["from"] + table["to"]) / 2, table["share"], words)
    drawn.update_xaxes(range=[0, 1], tickformat=".0%")
    drawn.update_yaxes(tickformat=".0%")
    return _finished(drawn, tables)


def by_group(tables: Mapping[str, pd.DataFrame], title: str) -> go.Figure:
    """Returns the accuracy of groups.

    Args:
        tables: By the name of the model: columns `group` (words) and `accuracy`.
        title: What the groups are.
    """
    drawn = figure(title, _("Accuracy"))
    for number, (name, table) in enumerate(tables.items()):
        words = [_("accuracy {accuracy:.3f}").format(accuracy=accuracy) for accuracy in table["accuracy"]]
        _bars(drawn, number, name, table["group"].map(plain), table["accuracy"], words)
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(**axes.fractions())
    return _finished(drawn, tables)


def _bars(drawn: go.Figure, number: int, name: str, x: pd.Series, y: pd.Series, words: list[str]) -> None:
    drawn.add_bar(
        x=x,
        y=y,
        name=plain(name),
        marker={"pattern": {"shape": _PATTERNS[number % len(_PATTERNS)]}},
        **hover(words),
    )


def _finished(drawn: go.Figure, tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    drawn.update_layout(hovermode="closest", barmode="group")
    if len(tables) > 1:
        show_legend(drawn, height=360)
    return drawn
