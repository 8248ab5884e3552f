"""Charts of the lesson that go from round to round."""

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dpcore import rounding
from dpcore.charts import axes
from dpcore.charts.lesson.pictures import INK, PAPER
from dpcore.charts.lines import TITLE_FONT, figure, hover, show_legend
from dpcore.language import _

_GREY = "#808080"
_ASPECT = 2.0  # of the field of users: columns over rows


def clipping(norms: list[np.ndarray], clip_norms: np.ndarray) -> go.Figure:
    """Returns the clip norm on its way through the norms of the updates, a frame for each round.

    Args:
        norms: L2 norms of the updates of each round's cohort.
        clip_norms: What each round was clipped to, and last the one after them all.
    """
    rounds = np.arange(1, len(norms) + 1)
    drawn = figure(_("Round"), _("L2 norm of an update"))
    frames = [_cohort(number, of_round, clip_norms) for number, of_round in enumerate(norms, start=1)]
    line, cut, whole = frames[-1]
    drawn.add_scatter(**line, mode="lines", name=_("clip norm"), line={"width": 4})
    drawn.add_scatter(**cut, mode="markers", name=_("clipped"), marker={"symbol": "x", "size": 8})
    drawn.add_scatter(**whole, mode="markers", name=_("not clipped"), marker={"symbol": "circle", "size": 8})
    drawn.add_scatter(
        x=rounds,
        y=[float(np.median(of_round)) for of_round in norms],
        mode="lines",
        name=_("true median (not released)"),
        line={"color": _GREY, "dash": "dot", "width": 2},
    )
    drawn.frames = [
        go.Frame(
            name=_("Round {number} of {total}").format(number=number, total=len(norms)),
            data=[go.Scatter(**part) for part in parts],
        )
        for number, parts in enumerate(frames, start=1)
    ]
    everything = np.concatenate([*norms, clip_norms])
    everything = everything[everything > 0]
    drawn.update_xaxes(range=[-1, len(norms) + 3])
    ends = everything.min() / 1.5, everything.max() * 1.5
    drawn.update_yaxes(type="log", range=np.log10(ends).tolist(), **axes.factors(ends))
    show_legend(drawn, height=460)
    drawn.update_layout(hovermode="closest")
    return drawn


def _cohort(number: int, norms: np.ndarray, clip_norms: np.ndarray) -> list[dict]:
    """The clip norm so far; the updates of a round that are above it, and those below."""
    place = number + np.linspace(-1.2, 1.2, len(norms))
    above = norms > np.float32(clip_norms[number - 1])
    return [
        {"x": np.arange(1, number + 1), "y": clip_norms[:number]},
        {"x": place[above], "y": norms[above]},
        {"x": place[~above], "y": norms[~above]},
    ]


def sampling(
    cohorts: list[np.ndarray], epsilons: pd.DataFrame, *, population: int, user: int, shown: list[int]
) -> go.Figure:
    """Returns a field of users of whom each round's cohort lights up, above epsilon with and without that secret.

    Args:
        cohorts: Users of each round.
        epsilons: Columns `round`, `sampled` and `known`.
        population: How many users there are.
        user: Whose rounds are counted.
        shown: The rounds that have a frame, ascending.
    """
    columns = math.ceil(math.sqrt(_ASPECT * population))
    rows = math.ceil(population / columns)
    drawn = make_subplots(2, 1, row_heights=[0.58, 0.42], vertical_spacing=0.06, subplot_titles=["-"])
    _add_epsilons(drawn, epsilons)
    frames = [_round(number, cohorts, epsilons, columns, user) for number in shown]
    _add_round(drawn, *frames[-1][0])
    _add_user(drawn, user % columns, user // columns)
    _add_field(drawn, population, rows, columns)
    drawn.frames = [
        go.Frame(
            name=_("Round {number} of {total}").format(number=number, total=len(cohorts)),
            data=[go.Scatter(**part) for part in parts],
            traces=[2, 3],
            layout={"annotations": notes},
        )
        for number, (parts, notes) in zip(shown, frames, strict=True)
    ]
    drawn.update_layout(
        template="none",
        height=520,
        margin={"l": 60, "r": 20, "t": 30, "b": 45},
        showlegend=False,
        hovermode="closest",
        uirevision="keep",
        annotations=frames[-1][1],
    )
    drawn.update_xaxes(visible=False, row=1, col=1)
    drawn.update_yaxes(visible=False, autorange="reversed", row=1, col=1)
    drawn.update_xaxes(title={"text": _("Round"), "font": TITLE_FONT}, range=[0, 1.02 * len(cohorts)], row=2, col=1)
    ticks = axes.factors([*epsilons["sampled"], *epsilons["known"]])
    drawn.update_yaxes(title={"text": _("Epsilon"), "font": TITLE_FONT}, type="log", **ticks, row=2, col=1)
    return drawn


def _add_epsilons(drawn: go.Figure, epsilons: pd.DataFrame) -> None:
    """Adds both curves of epsilon, below the field."""
    for name, label, dash in (
        ("known", _("without amplification"), "dash"),
        ("sampled", _("with amplification by sampling"), "solid"),
    ):
        drawn.add_scatter(
            x=epsilons["round"],
            y=epsilons[name],
            name=label,
            line={"dash": dash, "width": 3},
            **hover(
                f"{number:,}: ε = {rounding.epsilon(epsilon)}"
                for number, epsilon in zip(epsilons["round"], epsilons[name], strict=True)
            ),
            row=2,
            col=1,
        )


def _add_round(drawn: go.Figure, lit: dict, now: dict) -> None:
    """Adds what moves from round to round: the users who are lit, and where epsilon stands."""
    square = {"symbol": "square", "size": 6}
    drawn.add_scatter(**lit, mode="markers", marker=square, hoverinfo="skip", row=1, col=1)
    here = {"size": 12, "symbol": "diamond", "color": _GREY}
    drawn.add_scatter(**now, mode="markers", marker=here, hoverinfo="skip", row=2, col=1)


def _add_user(drawn: go.Figure, column: int, row: int) -> None:
    """Adds the ring around the user whose rounds are counted."""
    drawn.add_scatter(
        x=[column] * 2,
        y=[row] * 2,
        mode="markers",
        # Dark on a light one, to be seen on any colour.
        marker={"symbol": "circle-open", "size": 16, "color": [PAPER, INK], "line": {"width": [7, 3]}},
        hoverinfo="skip",
        row=1,
        col=1,
    )


def _add_field(drawn: go.Figure, population: int, rows: int, columns: int) -> None:
    """Adds a grey square for each user."""
    field = np.zeros(rows * columns, np.float32)
    field[population:] = np.nan
    grey = "rgba(128,128,128,0.3)"
    drawn.add_heatmap(
        z=field.reshape(rows, columns), colorscale=[grey, grey], showscale=False, xgap=1, ygap=1, hoverinfo="skip"
    )


def _round(
    number: int, cohorts: list[np.ndarray], epsilons: pd.DataFrame, columns: int, user: int
) -> tuple[list[dict], list[dict]]:
    """What moves in a round: who is lit and where epsilon stands; and what is written."""
    came = cohorts[number - 1]
    row = epsilons.iloc[number - 1]
    kind = np.uint8 if columns < 256 else np.uint16
    lit = {"x": (came % columns).astype(kind), "y": (came // columns).astype(kind)}
    so_far = sum(bool((cohort == user).any()) for cohort in cohorts[:number])
    title = _("{came:,} users sampled; the ringed one in {times} of {number} rounds").format(
        came=len(came), times=so_far, number=number
    )
    # In the middle between the figure's edges, not the axes': on a phone it needs all the width.
    middle = {"x": 0.5, "xref": "paper", "xshift": -20}
    notes = [{**middle, "y": 1.01, "yref": "paper", "yanchor": "bottom", "text": title}]
    for name, words, beside in (
        ("known", _("ε = {epsilon} without amplification"), {"yanchor": "bottom", "yshift": 4}),
        (
            "sampled",
            _("ε = {epsilon} with amplification by sampling"),
            {"yanchor": "top", "yshift": -8},
        ),  # a curve that rises is above it
    ):
        notes.append(
            {
                "x": number,
                "y": math.log10(row[name]),
                "xref": "x2",
                "yref": "y2",
                "text": words.format(epsilon=rounding.epsilon(row[name])),
                "xanchor": "right" if number > len(cohorts) / 2 else "left",
                **beside,
            }
        )
    now = {"x": [number] * 2, "y": [row["known"], row["sampled"]]}
    return [lit, now], [note | {"showarrow": False} for note in notes]
