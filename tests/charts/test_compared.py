"""Runs beside each other."""

import numpy as np
import pandas as pd
import pytest

from dpcore.charts import compared
from dpcore.charts.compared import Line


def line(setting, seed, accuracy, noise=0.5):
    table = pd.DataFrame(
        {
            "round": [0, 5, 10],
            "accuracy": accuracy,
            "loss": [2.0, 1.0, 0.5],
            "epsilon": [0.0, 0.5, 0.8],
            "seconds": [0.0, 2.0, 4.0],
        }
    )
    return Line(name=f"{setting}, seed {seed}", setting=setting, noise=noise, table=table)


RUNS = [line("a", 0, [0.1, 0.4, 0.6]), line("a", 1, [0.1, 0.2, 0.8]), line("b", 0, [0.1, 0.3, 0.5])]
HOW = {"title": "Accuracy", "total_rounds": 10}


def test_a_setting_has_one_colour_a_shade_a_seed_and_the_mean_of_its_seeds():
    drawn = compared.metric(RUNS, "accuracy", against="round", **HOW)
    by_name = {trace.name: trace for trace in drawn.data if trace.name}
    one, two, other = (by_name[run.name] for run in RUNS)
    mean = by_name["a: mean of 2 seeds"]
    assert one.line.color == two.line.color == mean.line.color != other.line.color
    assert one.opacity != two.opacity
    assert list(mean.y) == pytest.approx([0.1, 0.3, 0.7])
    (band,) = [trace for trace in drawn.data if trace.fill == "toself"]
    assert list(band.y) == pytest.approx([0.1, 0.4, 0.8, 0.6, 0.2, 0.1])


@pytest.mark.parametrize(("against", "x"), [("epsilon", [0.0, 0.5, 0.8]), ("seconds", [0.0, 2.0, 4.0])])
def test_against_epsilon_or_time_each_run_is_a_line(against, x):
    drawn = compared.metric(RUNS, "loss", against=against, **HOW)
    assert [list(trace.x) for trace in drawn.data] == [x] * 3


def test_smoothing_leaves_what_is_constant_and_none_leaves_all():
    assert compared.smoothed([3.0] * 5, 0.9) == pytest.approx([3.0] * 5)
    assert list(compared.smoothed([1.0, 5.0], 0.0)) == [1.0, 5.0]
    drawn = compared.metric(RUNS[:1], "accuracy", against="round", smoothing=0.5, **HOW)
    assert drawn.data[0].y[-1] == pytest.approx((0.1 / 8 + 0.4 / 4 + 0.6 / 2) / (7 / 8))


def test_a_baseline_is_grey_and_behind_and_a_difference_is_over_rounds_of_both():
    drawn = compared.metric(RUNS[2:], "accuracy", against="round", baseline=RUNS[0].table, **HOW)
    assert drawn.data[0].line.color == "#808080"
    assert list(drawn.data[0].y) == [0.1, 0.4, 0.6]
    short = Line(name="s", setting="s", noise=1.0, table=RUNS[1].table.iloc[1:])
    _figure, table = compared.difference(RUNS[0], short, "accuracy", **HOW)
    assert list(table["round"]) == [5, 10]
    assert np.allclose(table["difference"], [-0.2, 0.2])
