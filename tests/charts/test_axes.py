"""Axes of every chart, where plotly by itself would make numbers up: of one number, of equal ones, of none."""

import math

import numpy as np
import pandas as pd
import pytest

from dpcore.charts import axes, data, lines, studies
from dpcore.charts.lesson import mistakes, rounds


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], (0, 1)),
        ([math.nan], (0, 1)),
        ([0.55], (0.45, 0.65)),
        ([0.55, 0.55], (0.45, 0.65)),
        ([0.55, math.nan], (0.45, 0.65)),
        ([0.999], (0.899, 1)),
        ([0.0, 0.01], (0, 0.105)),
        ([0.1, 0.8], (0.065, 0.835)),
        ([0.0, 1.0], (0, 1)),
    ],
)
def test_fractions_are_never_above_all_or_below_nothing(values, expected):
    assert axes.fractions(values)["range"] == pytest.approx(expected)


def drawn(losses, metric="loss"):
    table = pd.DataFrame({"round": range(len(losses)), metric: losses})
    return lines.metric_by_round({"run": table}, metric, noise={"run": 0.5}, title="", total_rounds=10)


def by_setting(losses):
    rows = [("noise 1", 1.0, number, loss, loss, loss) for number, loss in enumerate(losses)]
    table = pd.DataFrame(rows, columns=["setting", "noise", "round", "mean", "low", "high"])
    return studies.by_round(table, "loss", title="", total_rounds=10)


@pytest.mark.parametrize("chart", [drawn, by_setting])
def test_an_amount_begins_at_0_and_of_none_there_are_no_ticks(chart):
    for losses in ([2.3], [0.0], [2.3, math.inf], [math.nan, 1e30], [1e-9]):
        axis = chart(losses).layout.yaxis
        assert (axis.rangemode, axis.range, axis.tickvals) == ("tozero", None, None), losses
        assert axis.exponentformat == "power"  # and not 400μ
    for losses in ([], [math.nan], [math.inf, math.inf], [None, None]):
        axis = chart(losses).layout.yaxis
        assert (axis.range, axis.tickvals) == ((0, 1), ()), losses


def seen(ticks, low, high):
    """The ticks of an axis by factors between two numbers."""
    if "dtick" in ticks:
        step = float(ticks["dtick"].removeprefix("L"))
        found = step * np.arange(math.ceil(low / step), math.floor(high / step) + 1)
    else:
        found = np.array([tick for tick in ticks["tickvals"] if low <= tick <= high])
    return found


@pytest.mark.parametrize("span", [1.02, 1.5, 2, 3.4, 5, 9, 12, 100, 1e4, 1e7, 1e20])
def test_an_axis_by_factors_has_some_ticks_and_not_too_many(span):
    for low in [digit * 10.0**power for digit in (1.0, 1.7, 4.9) for power in (-30, -7, 0, 1, 5, 9)]:
        ticks = axes.factors([low * span, low])
        # Plotly's own within a decade (D1) stand at two heights: these are given, or a step apart.
        assert "tickvals" in ticks or ticks["dtick"].startswith("L")
        margin = span**0.05
        found = seen(ticks, low / margin, low * span * margin)
        assert 2 <= len(found) <= 12, (low, found)
        assert ticks["tickformat"] == "~g"
        assert len({f"{tick:.6g}" for tick in found}) == len(found)


@pytest.mark.parametrize("value", [1e-7, 0.4, 1.7, 120, 3e8])
def test_a_number_alone_stands_between_ticks(value):
    for values in ([value], [value, value], [0.0, value, math.inf, math.nan]):
        found = seen(axes.factors(values), value / 10, value * 10)
        assert 3 <= len(found) <= 6
        assert found[0] <= value <= found[-1]
    assert {0.3, 1.0, 3.0} <= set(axes.factors([])["tickvals"])


def test_what_is_counted_has_no_halves():
    drawn = data.examples_per_user(pd.DataFrame({"from": [1], "to": [2], "users": [3]}))
    assert (drawn.layout.xaxis.dtick, drawn.layout.yaxis.dtick) == (1, 1)
    assert data.examples_per_user(pd.DataFrame({"from": [1], "to": [90], "users": [30]})).layout.xaxis.dtick is None


def test_shares_of_many_classes_are_told_apart_and_that_of_one_is_no_more_than_all():
    many = data.label_balance(pd.DataFrame({"class": range(300), "share": 1 / 300})).layout.yaxis
    assert (many.tickformat, many.range) == ("~%", pytest.approx((0, 1.05 / 300)))
    assert data.label_balance(pd.DataFrame({"class": ["one"], "share": 1.0})).layout.yaxis.range == (0, 1)


def test_bars_of_nothing_have_room_all_the_same():
    assert mistakes.epsilon_bars(pd.DataFrame({"what": ["one"], "epsilon": [0.0]})).layout.xaxis.range == (0, 1.5)


def test_epsilons_of_the_lesson_that_are_close_together_have_ticks():
    close = pd.DataFrame({"round": [1, 2], "sampled": [2.0, 2.5], "known": [2.1, 2.9]})
    drawn = rounds.sampling([np.arange(3)] * 2, close, population=3, user=1, shown=[1, 2])
    assert drawn.layout.yaxis2.dtick == "L0.2"
