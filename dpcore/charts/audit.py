"""Pictures of an audit: what was measured over what was planned, and what attacks show under what the plan claims."""

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes, lines
from dpcore.language import _

_LEAST, _MOST = 0.05, 20.0  # what is further out stands at the edge; its number is in the hover and in the table
_PLANNED, _QUIET, _ALARM = "#808080", "#3D8FB0", "#D9622B"  # the latter two with symbols of their own


def ratios(table: pd.DataFrame) -> go.Figure:
    """Returns the ratio of each ingredient to its plan, with its interval; what rings is a cross.

    Args:
        table: Columns `name` (words), `ratio`, `low`, `high` and `alarms`, one row for each ingredient.
    """
    drawn = lines.figure(_("Measured over planned"), "")
    drawn.add_vline(x=1, line={"color": _PLANNED, "dash": "dash"})
    inside = table[["ratio", "low", "high"]].clip(_LEAST, _MOST)
    for alarms, words, symbol, colour in (
        (False, _("no alarm"), "circle", _QUIET),
        (True, _("ALARM"), "x", _ALARM),
    ):
        rows, shown = table[table["alarms"] == alarms], inside[table["alarms"] == alarms]
        if not len(rows):
            continue
        drawn.add_scatter(
            x=shown["ratio"],
            y=rows["name"],
            mode="markers",
            name=words,
            marker={"symbol": symbol, "size": 11, "color": colour},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": shown["high"] - shown["ratio"],
                "arrayminus": shown["ratio"] - shown["low"],
                "color": colour,
                "thickness": 2,
            },
            **lines.hover(
                f"{row.name}: {rounding.short([row.ratio])[0]} ({rounding.down(row.low)} – {rounding.up(row.high)})"
                for row in rows.itertuples(index=False)
            ),
        )
    drawn.update_xaxes(type="log", **axes.factors([*inside["low"], *inside["high"], 1.0]))
    drawn.update_yaxes(
        autorange="reversed", automargin=True, categoryorder="array", categoryarray=list(table["name"])
    )
    drawn.update_layout(hovermode="closest")
    lines.show_legend(drawn, height=110 + 34 * len(table))
    return drawn


def epsilon_hat(table: pd.DataFrame, *, total_rounds: int) -> go.Figure:
    """Returns what attacks show after each round, under what the plan claims.

    Args:
        table: Columns `round`, `epsilon` (of the plan, an upper bound) and `epsilon_hat` (a lower bound).
        total_rounds: The planned number of rounds.
    """
    drawn = lines.figure(_("Round"), _("Epsilon-hat and epsilon of the plan"))
    for name, words, dash, symbol, read in (
        ("epsilon", _("Epsilon of the plan (upper bound)"), "dash", "square", rounding.epsilon),
        ("epsilon_hat", _("Epsilon-hat: what attacks show (lower bound, 95%)"), "solid", "circle", rounding.down),
    ):
        drawn.add_scatter(
            x=table["round"],
            y=table[name],
            mode="lines+markers",
            name=words,
            line={"dash": dash, "color": _PLANNED if name == "epsilon" else _QUIET},
            marker={"symbol": symbol},
            **lines.hover(f"{words}: {read(value)}" for value in table[name]),
        )
    lines.show_legend(drawn)
    lines.show_rounds(drawn, "epsilon", total_rounds)
    return drawn
