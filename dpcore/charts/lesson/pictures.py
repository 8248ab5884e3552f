"""Pictures of the lesson: weights as images, since a weight of its model belongs to a pixel.

Digits are ink on paper in either theme; changes of weights go from orange over paper to blue, which every eye can tell
apart, and the bar beside them says which is which.
"""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dpcore import rounding
from dpcore.language import _

PAPER, INK, FALLS, RISES = "#F7F7F7", "#1A1A1A", "#D55E00", "#0072B2"


def update(own: np.ndarray, steps: np.ndarray) -> go.Figure:
    """Returns a user's own digits beside their update, a frame for each local step.

    Args:
        own: Up to four images, ink 1, [images, side, side].
        steps: The update of the weights of their class after each step, [steps, side, side].
    """
    drawn = make_subplots(1, 2, horizontal_spacing=0.04, subplot_titles=[_("Local data"), _("Update sent")])
    drawn.add_heatmap(
        z=tiled(own, columns=2), colorscale=[PAPER, INK], zmin=0, zmax=1, showscale=False, row=1, col=1
    )
    drawn.add_heatmap(z=steps[-1], **_changes(float(np.abs(steps[-1]).max())), row=1, col=2)
    drawn.frames = [
        go.Frame(
            name=_("Step {number} of {total}").format(number=number, total=len(steps)),
            data=[go.Heatmap(z=step)],
            traces=[1],
        )
        for number, step in enumerate(steps, start=1)
    ]
    _as_images(drawn, height=310, aspect=2.05)
    return drawn


def averages(
    averages: np.ndarray, clients: tuple[int, ...], *, noise_multiplier: float, largest: float
) -> go.Figure:
    """Returns the average update of every class as it is released, a frame for each number of clients.

    Args:
        averages: In units of the clip norm, [clients, classes, side, side].
        clients: How many were averaged.
        noise_multiplier: Named above the picture, divided by the clients.
        largest: What has the strongest colour, in the same unit.
    """
    tiles = [tiled(average, columns=len(average) // 2) for average in averages]
    drawn = go.Figure(go.Heatmap(z=tiles[-1], **_changes(largest)))
    # Above the picture: as wide as a phone, in one line, from its left edge to above the colour bar.
    above = [
        {
            "text": _("effective noise: {noise} / {clients} = {ratio} clip norms").format(
                noise=rounding.noise(noise_multiplier), clients=count, ratio=rounding.ratio(noise_multiplier, count)
            ),
            "showarrow": False,
            **{"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper", "yanchor": "bottom"},
        }
        for count in clients
    ]
    drawn.frames = [
        go.Frame(
            name=_("{clients} clients").format(clients=count),
            data=[go.Heatmap(z=tile)],
            layout={"annotations": [words]},
        )
        for count, tile, words in zip(clients, tiles, above, strict=True)
    ]
    _as_images(drawn, height=280, aspect=2.4)
    drawn.update_layout(annotations=[above[-1]])
    return drawn


def tiled(images: np.ndarray, *, columns: int) -> np.ndarray:
    """Returns images [images, side, side] as one, row by row; places that are left over are 0."""
    count, side, _side = images.shape
    rows = -(-count // columns)
    filled = np.zeros((rows * columns, side, side), np.float32)
    filled[:count] = images
    return filled.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)


def _changes(largest: float) -> dict:
    """How a heat map shows weights that rise or fall by up to `largest`."""
    return {
        "colorscale": [FALLS, PAPER, RISES],
        "zmin": -largest,
        "zmax": largest,
        "hovertemplate": "%{z:.2g}<extra></extra>",
        "colorbar": {
            "tickvals": [-largest, 0, largest],
            "ticktext": [_("falls"), "0", _("rises")],
            "thickness": 10,
            "outlinewidth": 0,
            "lenmode": "pixels",  # beside the top of the picture, however small that is
            "len": 140,
            "y": 1,
            "yanchor": "top",
        },
    }


def _as_images(drawn: go.Figure, *, height: int, aspect: float) -> None:
    """Square pixels, the first row at the top, and no axes; as high as its width asks for, up to a height."""
    drawn.update_layout(
        template="none",
        height=height,
        meta={"aspect": aspect},
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        uirevision="keep",
    )
    bare = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "constrain": "domain"}
    drawn.update_xaxes(**bare)
    drawn.update_yaxes(**bare, autorange="reversed", constraintoward="top")
    for axis in drawn.select_yaxes():
        axis.scaleanchor = axis.anchor or "x"
