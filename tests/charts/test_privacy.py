import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dpcore.charts import privacy
from dpcore.charts.lesson import game as charts
from dpcore.lesson import game
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk
from dpcore.ui.core import tables


def drawn(name: str, x: list[float], pld: list[float], rdp: list[float], epsilon: float = 1.0):
    curve = pd.DataFrame({name: x, "PLD": pld, "RDP": rdp})
    return privacy.epsilon_against(
        curve, x_title="", point=(x[1], epsilon), delta=1e-5, logarithmic=name != "rounds"
    )


def test_a_curve_is_named_where_it_is_last_seen():
    found = drawn("clients_per_round", [1, 10, 100, 1000], [0.5, 1, 4, 50], [0.6, 2, 40, 60])
    assert found.layout.yaxis.range == (0, 5)
    names = {name.text: (name.x, name.y, name.xanchor) for name in found.layout.annotations}
    assert names == {"PLD": (2, 4, "left"), "RDP": (1, 2, "right")}


def test_a_curve_that_is_not_seen_is_not_named():
    found = drawn("rounds", [1, 2, 3], [0.5, 1, math.inf], [90, 95, 99])
    assert [name.text for name in found.layout.annotations] == ["PLD"]


def test_the_number_of_the_plan_is_below_the_curve():
    rising = drawn("rounds", [1, 2, 3], [0.5, 1, 2], [0.6, 1.1, 2.2])
    falling = drawn("noise_multiplier", [1, 2, 3], [2, 1, 0.5], [2.2, 1.1, 0.6])
    assert [figure.data[-1].textposition for figure in (rising, falling)] == ["bottom right", "bottom left"]


def test_a_probability_has_powers_of_ten():
    axis = drawn("delta", [1e-10, 1e-5, 1e-2], [3, 1, 0.5], [4, 1.1, 0.6]).layout.xaxis
    assert (axis.exponentformat, axis.tickvals) == ("power", None)
    assert 300.0 in drawn("clients_per_round", [1, 2, 3], [1, 1, 1], [1, 1, 1]).layout.xaxis.tickvals


def said(figure):
    """What a figure says where somebody points at it, all traces together."""
    assert all(trace.hoverinfo in ("text", "skip") for trace in figure.data)  # else plotly rounds to the nearest
    texts = [np.ravel(trace.hovertext).tolist() for trace in figure.data if trace.hoverinfo == "text"]
    return [text for some in texts for text in some]


def numbers(text):
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d.,e-]*\d|\d", text)]


def test_every_point_of_the_map_is_a_plan_that_keeps_to_its_epsilon():
    plan = PrivacyPlan(noise_multiplier=1.23456789, clients_per_round=123)
    table = tables.surface(plan)
    grid = table.pivot(index="noise_multiplier", columns="clients_per_round", values="epsilon")
    figure = privacy.surface(
        grid.columns.to_numpy(float),
        grid.index.to_numpy(float),
        grid.to_numpy(float),
        point=(123, 1.23456789),
        ratio=1.23456789 / 123,
    )
    *points, this = said(figure)
    assert this == "this plan: 123 clients, noise 1.23456789"
    for text in points[::37]:
        if "∞" not in text:
            clients, noise, epsilon = numbers(text)
            asked = replace(plan, clients_per_round=int(clients), noise_multiplier=noise)
            assert accounting.epsilon(asked, Precision.PREVIEW).value <= epsilon
    assert "ratio 0.01" in [trace.name for trace in figure.data]  # 0.010037


@pytest.mark.parametrize("name", ["noise_multiplier", "delta", "rounds", "clients_per_round"])
def test_every_point_of_a_curve_is_a_plan_that_keeps_to_its_epsilon(name):
    plan = PrivacyPlan(noise_multiplier=1.23456789, delta=1.23456789e-5)
    at = getattr(plan, name)
    curve = tables.epsilon_against(plan, name)
    figure = privacy.epsilon_against(
        curve, x_title="Number", point=(at, 1.7), delta=plan.delta, logarithmic=name != "rounds"
    )
    texts = said(figure)
    assert texts[-1] == f"Number {at}, this plan: ε = 1.700"
    for text, epsilon in zip(texts, [*curve["PLD"], *curve["RDP"]], strict=False):
        if "∞" not in text:
            number, written = numbers(text)
            assert number in curve[name].to_numpy()
            assert epsilon <= written


def test_every_point_of_the_trade_off_is_one_that_there_is():
    plan = PrivacyPlan()
    table = tables.trade_off(plan, accounting.epsilon(plan).value)
    rate = 0.0100001
    texts = said(privacy.trade_off(table, point=(rate, float(risk(plan).true_positive_rate(rate)))))
    assert texts[-1].endswith("TPR at most 2.63% at 1.00001% FPR")
    for text in texts[: len(table)]:
        found, accused = numbers(text)
        assert float(risk(plan).true_positive_rate(accused / 100)) <= found / 100


def test_what_a_score_leaves_open_is_never_narrower():
    curve = pd.DataFrame({"accused": [0.001, 0.1], "at_most": [0.01234, 0.2]})
    low, high = game.confidence_interval(1, 3)
    rates = {"found": 1 / 3, "found_low": low, "found_high": high}
    point = {"who": "You", **rates, **{name.replace("found", "accused"): rate for name, rate in rates.items()}}
    texts = said(charts.scores(curve, pd.DataFrame([point]), noise_multiplier=1.2))
    assert texts[0] == "any attack: TPR at most 1.24% at 0.1% FPR"
    assert numbers(texts[-1])[0] / 100 <= low < high <= numbers(texts[-1])[1] / 100
