"""How a figure looks in print: black on white, in a journal's one or two columns, with letters of 8 points.

A page's colours are the browser's; so this says what a printed figure has instead, for Python and for the script that
draws in the page (`ui/assets/chart.js`). A figure is laid out as on the screen, and then made smaller as a whole.
"""

import copy
from typing import Any

import plotly.graph_objects as go

INCHES = {"column": 3.3, "page": 7.0}
DOTS_PER_INCH = 300
_PIXELS_PER_INCH = 96  # of CSS
_SCREEN_LETTERS, _PRINT_LETTERS = 14, 8 * _PIXELS_PER_INCH / 72
SCALE = _PRINT_LETTERS / _SCREEN_LETTERS
LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "colorway": ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D31", "#3F3F3F"],  # the light theme's
    "font": {"family": "Arial, Helvetica, sans-serif", "color": "black", "size": _SCREEN_LETTERS},
}
AXIS = {"gridcolor": "#D9DEE3", "zerolinecolor": "#D9DEE3"}


def for_browsers() -> dict[str, Any]:
    """Returns all of it as the script in the page takes it."""
    widths = {name: size(inches) for name, inches in INCHES.items()}
    return {
        "layout": LAYOUT,
        "axis": AXIS,
        "widths": widths,
        "scales": {"svg": SCALE, "png": SCALE * DOTS_PER_INCH / _PIXELS_PER_INCH},
    }


def size(inches: float) -> float:
    """Returns the width, in pixels, in which a figure is laid out that is so wide in print.

    >>> size(1.0)
    126.0
    """
    return inches * _PIXELS_PER_INCH / SCALE


def printed(figure: go.Figure, inches: float) -> go.Figure:
    """Returns a copy of a figure in its print form, as wide as laid out; `SCALE` makes it as wide as it is in print."""
    drawn = go.Figure(copy.deepcopy(figure.to_dict()))
    width = size(inches)
    aspect = (drawn.layout.meta or {}).get("aspect")
    height = min(width / aspect, drawn.layout.height or 400) if aspect else drawn.layout.height or 400
    drawn.update_layout(LAYOUT, autosize=False, width=width, height=height)
    drawn.update_xaxes(AXIS)
    drawn.update_yaxes(AXIS)
    return drawn
