"""Pictures of the attacker's game: what a training released of one user, and how guesses went."""

import pandas as pd
import plotly.graph_objects as go

from dpcore import rounding
from dpcore.charts import axes, colours
from dpcore.charts.lines import SYMBOLS, TITLE_FONT, figure, hover, show_legend
from dpcore.charts.privacy import bound_text
from dpcore.language import _

_FRAMES = 25


def release(table: pd.DataFrame) -> go.Figure:
    """Returns what is seen in each round, and below it the evidence adding up; its frames are the rounds.

    Args:
        table: Columns `round`, `seen` and `evidence`; and `joined`, once the truth may be told.
    """
    drawn = figure(_("Round"), _("Observed projection (clip norms)"))
    _add_observations(drawn, table)
    _add_truths(drawn)
    rounds, limit = len(table), 1.1 * max(1.0, table["evidence"].abs().max())
    # Fixed, so that nothing moves while it plays but what is added.
    drawn.update_xaxes(range=[0, rounds + 1], anchor="y2")
    reach = [min(0.0, table["seen"].min()) - 0.3, max(1.0, table["seen"].max()) + 0.3]
    drawn.update_layout(
        height=460,
        yaxis={"domain": [0.5, 1], "range": reach},
        yaxis2={
            "domain": [0, 0.4],
            "range": [-limit, limit],
            "title": {"text": _("Cumulative log-likelihood ratio"), "font": TITLE_FONT},
            "zeroline": False,
        },
    )
    step = max(1, rounds // _FRAMES)
    drawn.frames = [
        go.Frame(
            name=_("Round {number}").format(number=last),
            data=[
                {"x": table["round"].head(last), "y": table["seen"].head(last)},
                {"x": table["round"].head(last), "y": table["evidence"].head(last)},
            ],
        )
        for last in sorted({*range(step, rounds, step), rounds})
    ]
    return drawn


def _add_observations(drawn: go.Figure, table: pd.DataFrame) -> None:
    """Adds what is seen in each round, and the evidence so far; the rounds that the user joined, if that may be told."""
    told = "joined" in table
    drawn.add_scatter(
        x=table["round"],
        y=table["seen"],
        mode="markers",
        name=_("observed projection"),
        marker={
            "size": [11 if joined else 6 for joined in table["joined"]] if told else 6,
            "symbol": ["diamond" if joined else "circle" for joined in table["joined"]] if told else "circle",
        },
        hovertemplate="%{y:.2f}",
    )
    drawn.add_scatter(
        x=table["round"],
        y=table["evidence"],
        mode="lines",
        line={"width": 3},
        name=_("cumulative log-likelihood ratio"),
        yaxis="y2",
        hovertemplate="%{y:.2f}",
    )


def _add_truths(drawn: go.Figure) -> None:
    """Adds what is seen without noise of who takes part and who does not, and the end that the evidence has for each."""
    drawn.add_hline(y=1, line={"dash": "dash", "width": 1.5, "color": "#808080"}, yref="y")
    drawn.add_hline(y=0, line={"width": 1.5, "color": "#808080"}, yref="y2")
    for text, y in ((_("took part"), 1.0), (_("did not"), 0.0)):
        drawn.add_annotation(
            text=text,
            x=1,
            xref="paper",
            xanchor="right",
            y=y,
            yref="y2 domain",
            yanchor="top" if y else "bottom",
            showarrow=False,
        )


def scores(curve: pd.DataFrame, points: pd.DataFrame, *, noise_multiplier: float) -> go.Figure:
    """Returns what the guarantee allows, and where players are, with what their number of games leaves open.

    Args:
        curve: Columns `accused` and `at_most`, fractions: the most that any attack finds.
        points: One row per player with games of both kinds: `who`; `accused`, `accused_low`, `accused_high`, `found`,
            `found_low`, `found_high`, all fractions.
        noise_multiplier: The plan's; it gives the curve its colour.
    """
    drawn = figure(_("False-positive rate (FPR)"), _("True-positive rate (TPR)"))
    drawn.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name=_("random guessing"),
        line={"dash": "dot", "color": "#808080"},
        hoverinfo="skip",
    )
    drawn.add_scatter(
        x=curve["accused"],
        y=curve["at_most"],
        mode="lines",
        name=_("upper bound on the TPR (guarantee)"),
        line={"width": 3, "color": colours.of_noise(noise_multiplier)},
        **hover(bound_text(_("any attack"), *at) for at in zip(curve["accused"], curve["at_most"], strict=True)),
    )
    for number, row in enumerate(points.itertuples()):
        drawn.add_scatter(
            x=[row.accused],
            y=[row.found],
            mode="markers",
            name=row.who,
            marker={"size": 13, "symbol": SYMBOLS[number % len(SYMBOLS)]},
            error_x=_open(row.accused, row.accused_low, row.accused_high),
            error_y=_open(row.found, row.found_low, row.found_high),
            **hover([_so_far(row)]),
        )
    whole = axes.fractions() | {"range": [-0.02, 1.02]}  # so that a point at an end is seen whole
    drawn.update_xaxes(**whole)
    drawn.update_yaxes(**whole)
    show_legend(drawn, height=440)
    drawn.update_layout(hovermode="closest")
    return drawn


def _so_far(row) -> str:
    """Where a player is, and what is left open, never narrower than it is."""
    return _(
        "{who}: TPR {found_low} to {found_high}, FPR {accused_low} to {accused_high} ({level} confidence intervals)"
    ).format(
        level="95%",
        who=row.who,
        found_low=rounding.down_percent(row.found_low),
        found_high=rounding.percent(row.found_high),
        accused_low=rounding.down_percent(row.accused_low),
        accused_high=rounding.percent(row.accused_high),
    )


def _open(rate: float, low: float, high: float) -> dict:
    """An error bar from `low` to `high`."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - rate],
        "arrayminus": [rate - low],
        "thickness": 1.5,
    }
