"""Runs beside each other: one colour a setting, a shade a seed, the mean of a setting with its range, and a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dpcore.charts import axes, colours
from dpcore.charts.lines import BASELINE, DASHES, figure, plain, show_legend, show_rounds, thinned
from dpcore.language import N_, _

AXES = {"round": N_("Round"), "epsilon": N_("Epsilon spent"), "seconds": N_("Seconds of training")}
# Seen on white and on near-black alike.
_PALETTE = ("#1F86A6", "#D55E00", "#009E73", "#CC79A7", "#8C6D31", "#7A6FD0", "#C0504D", "#5F7C8A")
_SHADES = (0.95, 0.7, 0.5, 0.35)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A run that is drawn.

    Attributes:
        name: What it is called.
        setting: What it shares with runs that differ in their seed alone.
        noise: Its noise multiplier, which gives a setting its colour where no two have the same.
        table: A row a round: `round`, `epsilon`, `seconds` (since its beginning), and metrics.
    """

    name: str
    setting: str
    noise: float
    table: pd.DataFrame


def smoothed(values: Sequence[float], weight: float) -> np.ndarray:
    """Returns an exponential moving average, float64 [values], without a pull to 0 at its beginning.

    >>> smoothed([1.0, 1.0, 4.0], 0.5).round(3).tolist()
    [1.0, 1.0, 2.714]
    """
    total, mass, found = 0.0, 0.0, []
    for value in values:
        total, mass = weight * total + (1 - weight) * value, weight * mass + 1 - weight
        found.append(total / mass)
    return np.array(found, float)


def metric(
    runs: Sequence[Line],
    name: str,
    *,
    against: str,
    title: str,
    total_rounds: int,
    smoothing: float = 0.0,
    baseline: pd.DataFrame | None = None,
) -> go.Figure:
    """Returns one metric of several runs.

    Args:
        runs: In the order of the legend.
        name: The metric: a column of their tables; rows without a value are left out.
        against: A key of `AXES`.
        title: The title of the metric's axis.
        total_rounds: The length of an axis of rounds.
        smoothing: The weight of what was before, in [0, 1).
        baseline: The table of a run that is pinned.
    """
    drawn = figure(_(AXES[against]), title)
    if baseline is not None:
        _add_baseline(drawn, baseline, name, against)
    colour, settings = _colours(runs), [run.setting for run in runs]
    for setting in dict.fromkeys(settings):
        members = [run for run in runs if run.setting == setting]
        several = len(members) > 1 and against == "round"
        dash = DASHES[list(dict.fromkeys(settings)).index(setting) % len(DASHES)]
        for rank, run in enumerate(members):
            known = thinned(run.table.dropna(subset=[name, against]))
            drawn.add_scatter(
                x=known[against],
                y=smoothed(known[name], smoothing),
                mode="lines+markers" if len(known) < 2 else "lines",
                name=plain(run.name),
                opacity=_SHADES[rank % len(_SHADES)] * (0.6 if several else 1),
                line={"dash": dash, "color": colour[setting], "width": 1.2 if several else 2.2},
            )
        if several:
            _add_mean(drawn, members, name, setting, colour[setting], smoothing)
    show_legend(drawn)
    if against == "round":
        show_rounds(drawn, name, total_rounds)
    elif name == "accuracy":
        drawn.update_yaxes(**axes.fractions())
    return drawn


def difference(
    first: Line, second: Line, name: str, *, title: str, total_rounds: int
) -> tuple[go.Figure, pd.DataFrame]:
    """Returns by how much the second run's metric exceeds the first's, at rounds that both have; and that as a table."""
    tables = [run.table.dropna(subset=[name])[["round", name]] for run in (first, second)]
    both = tables[0].merge(tables[1], on="round", suffixes=("_first", "_second"))
    both["difference"] = both[f"{name}_second"] - both[f"{name}_first"]
    drawn = figure(_("Round"), title)
    drawn.add_hline(y=0, line={"color": BASELINE["color"], "width": 1})
    drawn.add_scatter(x=both["round"], y=both["difference"], mode="lines+markers", line={"color": _PALETTE[0]})
    drawn.update_xaxes(range=[-0.02 * total_rounds, 1.02 * total_rounds], **axes.whole_ticks(total_rounds))
    if name == "accuracy":
        drawn.update_yaxes(tickformat="+.0%")
    return drawn, both[["round", "difference"]]


def _add_baseline(drawn: go.Figure, table: pd.DataFrame, name: str, against: str) -> None:
    """Draws a run that others are held against, in grey and behind them."""
    known = thinned(table.dropna(subset=[name, against]))
    drawn.add_scatter(
        x=known[against],
        y=known[name],
        mode="lines",
        name=_("Pinned baseline"),
        line=BASELINE,
        showlegend=True,
    )


def _add_mean(
    drawn: go.Figure, runs: Sequence[Line], name: str, setting: str, colour: str, smoothing: float
) -> None:
    """Draws the mean over the seeds of a setting, at rounds that all of them have, and their range as a band."""
    together = pd.concat(
        [run.table.dropna(subset=[name]).set_index("round")[name] for run in runs], axis=1, join="inner"
    ).sort_index()
    rounds = together.index
    drawn.add_scatter(
        x=[*rounds, *rounds[::-1]],
        y=[*together.max(axis=1), *together.min(axis=1)[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=colour,
        opacity=0.15,
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
    drawn.add_scatter(
        x=rounds,
        y=smoothed(together.mean(axis=1), smoothing),
        mode="lines",
        name=_("{setting}: mean of {seeds} seeds").format(setting=plain(setting), seeds=len(runs)),
        line={"color": colour, "width": 3},
    )


def _colours(runs: Sequence[Line]) -> dict[str, str]:
    """Returns the colour of each setting: that of its noise, where no other has the same."""
    noises = {run.setting: run.noise for run in runs}
    if len(set(noises.values())) == len(noises):
        return {setting: colours.of_noise(noise) for setting, noise in noises.items()}
    return {setting: _PALETTE[number % len(_PALETTE)] for number, setting in enumerate(noises)}
