import math

import pandas as pd
import pytest

from dpcore.charts import studies


def test_the_name_of_a_run_makes_no_link_in_the_frontier():
    name = '<a href="https://evil.example">Sign in again</a>'
    row = {"run": "1", "plan": name, "noise": 0.5, "ratio": 0.01, "accuracy": 0.5, "best": True, "epsilon": 1.0}
    drawn = studies.frontier(pd.DataFrame([row]), "epsilon")
    texts = [text for trace in drawn.data for text in trace.text or ()]
    assert texts == ['&lt;a href="https://evil.example"&gt;Sign in again&lt;/a&gt;']


def of_runs(epsilons: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run": [str(epsilon) for epsilon in epsilons],
            "plan": "plan",
            "noise": 0.5,
            "ratio": 0.01,
            "accuracy": 0.5,
            "best": [epsilon == min(epsilons) for epsilon in epsilons],
            "epsilon": epsilons,
        }
    )


def test_a_run_that_is_beaten_is_drawn_open():
    dotted, front, runs = studies.frontier(of_runs([1.0, 2.0]), "epsilon").data
    assert runs.marker.symbol == ("circle", "circle-open")
    assert front.line.color == "#808080"  # no noise level's
    assert dotted.showlegend  # the first of them stands for all, which look alike


def test_an_axis_by_factors_has_whole_numbers_however_close_the_runs_are():
    wide = studies.frontier(of_runs([1.0, 20.0]), "epsilon").layout.xaxis
    close = studies.frontier(of_runs([1.1, 1.2]), "epsilon").layout.xaxis
    assert {1.0, 3.0, 10.0} <= set(wide.tickvals)
    assert (close.tickvals, close.tickformat) == (None, "~g")


def test_a_study_that_has_not_begun_has_no_loss_below_0():
    table = pd.DataFrame(columns=["setting", "noise", "round", "mean", "low", "high"])
    axis = studies.by_round(table, "loss", title="Loss", total_rounds=20).layout.yaxis
    assert (axis.range, axis.tickvals) == ((0, 1), ())
    table.loc[0] = ["noise 1", 1.0, 0, 2.3, 2.3, 2.3]
    assert studies.by_round(table, "loss", title="Loss", total_rounds=20).layout.yaxis.rangemode == "tozero"


def test_the_band_of_a_short_line_has_no_dots_and_a_line_of_one_round_has_one():
    rows = [("noise 1", 1.0, number, 0.5, 0.4, 0.6) for number in range(0, 15, 5)]
    table = pd.DataFrame(rows, columns=["setting", "noise", "round", "mean", "low", "high"])
    band, line = studies.by_round(table, "accuracy", title="", total_rounds=10).data
    assert (band.mode, line.mode) == ("lines", "lines")  # plotly marks up to twenty points otherwise
    assert studies.by_round(table.head(1), "accuracy", title="", total_rounds=10).data[1].mode == "lines+markers"
    expected = pd.DataFrame({"clients": [10, 20, 40], "accuracy": 0.5, "low": 0.4, "high": 0.6})
    expected["inside"] = [False, True, False]
    band, beyond, between = studies.forecast(expected, expected.head(0)).data
    assert (band.mode, beyond.mode, between.mode) == ("lines", "lines", "lines+markers")


def settings(*rows):
    """Settings as (noise, clients, rounds, epsilon, accuracy); their ratio is that of noise and clients."""
    table = pd.DataFrame(rows, columns=["noise", "clients", "rounds", "epsilon", "accuracy"])
    alike = {"plan": "plan", "best": False, "minutes": 1.0, "family": 0}
    return table.assign(run=[str(n) for n in range(len(table))], ratio=table["noise"] / table["clients"], **alike)


def dotted(table, axis="epsilon"):
    return [list(trace.x) for trace in studies.frontier(table, axis).data if trace.line.dash == "dot"]


def test_a_dotted_line_joins_what_has_the_same_rounds_and_belongs_together():
    table = settings((0.5, 50, 30, 6.0, 0.6), (0.5, 50, 100, 8.0, 0.8), (1.0, 100, 100, 2.0, 0.8))
    assert dotted(table) == [[2.0, 8.0]]  # 30 and 100 rounds have no line between them
    assert dotted(table.assign(family=[0, 0, 1])) == []
    assert dotted(table.assign(engine=["vectorized", "vectorized", "tff"])) == []
    several = settings(
        (0.5, 50, 30, 6.0, 0.6), (1.0, 100, 30, 2.0, 0.6), (0.5, 50, 100, 8.0, 0.8), (1.0, 100, 100, 2.0, 0.8)
    )
    drawn = [trace for trace in studies.frontier(several, "clients").data if trace.line.dash == "dot"]
    assert [trace.showlegend for trace in drawn] == [True, False]
    assert len({(trace.name, trace.legendgroup) for trace in drawn}) == 1
    for axis in ("rounds", "clients", "minutes", "noise"):
        assert all(len(set(line)) > 1 for line in dotted(table, axis)), axis
    assert dotted(table, "clients") == [[50, 100]]
    assert dotted(table, "rounds") == dotted(table, "minutes") == []


def test_runs_of_several_seeds_are_light_behind_their_mean():
    table = settings((0.5, 50, 100, 8.0, 0.7)).assign(seeds=3, low=0.6, high=0.85, best=True, run="a,b,c")
    runs = settings(*[(0.5, 50, 100, 8.0, accuracy) for accuracy in (0.6, 0.65, 0.85)]).drop(columns="best")
    front, light, mean = studies.frontier(table, "epsilon", runs).data
    assert list(front.y) == list(mean.y) == [0.7]
    assert list(light.y) == [0.6, 0.65, 0.85]
    assert (light.opacity, mean.opacity) == (0.5, None)
    assert light.marker.size < mean.marker.size
    assert (light.showlegend, light.legendgroup) == (False, mean.legendgroup)
    assert mean.hovertext == ("accuracy 70.0%, the mean of 3 seeds (60.0% to 85.0%)",)
    assert list(mean.customdata) == ["a,b,c"]  # a click opens them all


def test_the_axis_of_accuracy_ends_at_all_and_takes_in_single_runs():
    one = studies.frontier(settings((0.5, 50, 100, 8.0, 0.55)), "epsilon").layout.yaxis
    assert one.range == pytest.approx((0.45, 0.65))
    table, runs = settings((0.5, 50, 100, 8.0, 0.9)), settings((0.5, 50, 100, 8.0, 0.3), (0.5, 50, 100, 8.0, 1.0))
    assert studies.frontier(table, "epsilon", runs).layout.yaxis.range == pytest.approx((0.265, 1))
    table, runs = table.assign(minutes=0.1), runs.assign(minutes=[0.02, 0.4])
    assert 0.3 in studies.frontier(table, "minutes", runs).layout.xaxis.tickvals  # as wide as its runs
    for axis in studies.AXES:
        for few in (table, table.head(0)):
            low, high = studies.frontier(few, axis).layout.yaxis.range
            assert 0 <= low < high <= 1


def test_what_has_no_place_on_an_axis_by_factors_is_not_on_the_front():
    table = settings((0.0, 50, 100, math.inf, 0.9), (0.5, 50, 100, 0.0, 0.8), (1.0, 50, 100, 2.0, 0.7))
    assert list(studies.drawable(table, "epsilon")["accuracy"]) == [0.7]
    assert list(studies.drawable(table, "noise")["accuracy"]) == [0.9, 0.8, 0.7]
    assert studies.frontier(table, "noise").layout.xaxis.rangemode == "tozero"  # no noise is below 0


def test_of_very_many_noises_a_frontier_is_one_set_of_points():
    noises = [0.5 + step / 100 for step in range(200)]
    table = settings(*((noise, 50, 100, 8 / noise, 0.5 + noise / 10) for noise in noises))
    front, points = [trace for trace in studies.frontier(table, "epsilon").data if trace.line.dash != "dot"]
    assert len(points.x) == 200
    assert len(set(points.marker.color)) > 100
    assert front.name == "Pareto front"
