"""Axes that are alike in every chart: fractions end at 100%, amounts begin at 0, and factors have ticks of one height.

What plotly makes of few, equal or unknown numbers by itself is often none: an axis of accuracy to 150%, a loss below 0.
"""

import math
from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

_LEAST_SPAN = 0.2  # of an axis of fractions: a shorter one makes mountains of what another seed moves
# Spans of an axis by factors: below the first, steps are as on a linear one; from the last on, powers of ten are enough.
_SHORT, _MEDIUM, _LONG = 5.0, 15.0, 1e4


def whole_ticks(most: float) -> dict:
    """Returns how an axis that counts something is ticked: between few of them, plotly would name halves."""
    return {"dtick": 1} if most < 5 else {}


def fractions(values: Iterable[float] = ()) -> dict:
    """Returns how an axis of fractions is drawn: around these values, never beyond 0 or 1; whole without any."""
    known = [value for value in values if math.isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    spare = max(0.05 * (high - low), (_LEAST_SPAN - (high - low)) / 2)
    # As many digits as it takes: whole percents would give neighbours one name where somebody zooms in.
    return {"range": [max(0.0, low - spare), min(1.0, high + spare)], "tickformat": "~%", "hoverformat": ".1%"}


def begin_at_zero(drawn: go.Figure) -> None:
    """Lets the vertical axis of a chart begin at 0; where no number is drawn, plotly would make ticks up."""
    known = any(np.isfinite(np.array(trace.y, float)).any() for trace in drawn.data if trace.y is not None)
    if known:
        drawn.update_yaxes(rangemode="tozero", exponentformat="power")
    else:
        drawn.update_yaxes(range=[0, 1], tickvals=[])


def factors(values: Iterable[float]) -> dict:
    """Returns how an axis by factors is ticked that has these numbers; those that it cannot have do not count.

    Plotly would name the steps between powers of ten by a single digit; or all of them, and put those that begin with a
    1 lower than the others.
    """
    known = [value for value in values if 0 < value < math.inf] or [1.0]
    low, high = min(known), max(known)
    if low == high:  # alone, it is in the middle of two decades
        low, high = low / 10, high * 10
    span = high / low
    if span < _SHORT:
        return {"tickformat": "~g", "dtick": f"L{_step((high - low) / 4):.12g}"}
    steps = (1, 2, 5) if span < _MEDIUM else (1, 3) if span < _LONG else (1,)
    every = 1 + int(math.log10(span) / 8)  # of the powers of ten: names need room
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    # Some more on either side: for margins, and for those who zoom out.
    powers = range((first // every - 2) * every, last + 2 * every + 1, every)
    return {"tickformat": "~g", "tickvals": [float(f"{step}e{power}") for power in powers for step in steps]}


def _step(wanted: float) -> float:
    """The round number that is nearest to a step, by factors."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return min((power * digit for digit in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / wanted)))
