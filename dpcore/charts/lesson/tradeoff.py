"""Pictures of a finished study: accuracy growing round by round, and what it costs."""

from collections.abc import Collection

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes, colours, studies
from dpcore.charts.lines import METRICS, SYMBOLS, figure, hover, show_legend
from dpcore.language import _

_ACCURACY = METRICS["accuracy"]  # by a name: what collects words would take the key for one


def by_round(table: pd.DataFrame, *, total_rounds: int, accepted: float, beyond: Collection[str]) -> go.Figure:
    """Returns accuracy over rounds as `studies.by_round`, with a frame for each evaluated round.

    Args:
        table: As there.
        total_rounds: The planned number of rounds.
        accepted: The largest epsilon that is.
        beyond: Settings with a larger one: they stay in their place, but faint.
    """
    drawn = studies.by_round(table, "accuracy", title=_(_ACCURACY), total_rounds=total_rounds)
    drawn.update_layout(height=480)
    for line, after in zip(drawn.data, (*drawn.data[1:], None), strict=True):
        band = line.name is None  # it comes before its line
        if (after if band else line).name in beyond:
            if band:
                line.opacity = 0.1
            else:
                line.update(opacity=0.75, line_width=1.5, name=f"{line.name} (ε > {rounding.given(accepted)})")
    drawn.frames = [
        go.Frame(
            name=_("Round {number}").format(number=last),
            # A band goes there and back over the rounds: what is left of it up to a round is its band up to there.
            data=[
                {axis: [value for x, value in zip(line.x, line[axis], strict=True) if x <= last] for axis in "xy"}
                for line in drawn.data
            ],
        )
        for last in sorted(table["round"].unique())
    ]
    return drawn


def accuracy_by_epsilon(table: pd.DataFrame, *, accepted: float) -> go.Figure:
    """Returns final accuracy against epsilon, by factors, and the largest epsilon that is accepted.

    Args:
        table: One row per setting: `setting`, `noise`, `clients`, `epsilon` (infinite without noise), `accuracy`, `band`
            (half the range over the seeds).
        accepted: The epsilon.
    """
    drawn = figure(_("Epsilon"), _(_ACCURACY))
    known = table[table["epsilon"] < float("inf")]
    for number, row in enumerate(known.itertuples()):
        drawn.add_scatter(
            x=[row.epsilon],
            y=[row.accuracy],
            mode="markers",
            name=_("noise {noise}").format(noise=rounding.noise(row.noise)),
            marker={"size": 12, "symbol": SYMBOLS[number % len(SYMBOLS)], "color": colours.of_noise(row.noise)},
            error_y={"type": "data", "array": [row.band], "thickness": 1.5},
            **hover(
                [f"{row.setting}<br>ε = {rounding.epsilon(row.epsilon)}<br>{_(_ACCURACY)}: {row.accuracy:.1%}"]
            ),
        )
    # Named in the legend: beside the points, words would lie on lines and on each other where the chart is small.
    for row in table[table["noise"] == 0].itertuples():
        drawn.add_hline(
            y=row.accuracy,
            line={"dash": "dot", "color": colours.of_noise(0)},
            name=_("non-private baseline"),
            showlegend=True,
        )
    drawn.add_vline(
        x=accepted,
        line={"dash": "dash", "width": 2, "color": "#808080"},
        name=_("largest acceptable ε"),
        showlegend=True,
    )
    show_legend(drawn)
    drawn.update_xaxes(type="log", rangemode="normal", tickvals=[0.5, 1, 2, 4, 8, 16], range=[-0.4, 1.3])
    drawn.update_yaxes(**axes.fractions())
    drawn.update_layout(hovermode="closest")
    return drawn
