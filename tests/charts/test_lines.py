import pandas as pd

from dpcore.charts import lines


def test_the_name_of_a_run_makes_no_link_in_a_legend():
    name = '<a href="https://evil.example">Sign in again</a>'
    table = pd.DataFrame({"round": [0, 1], "loss": [2.0, 1.0]})
    drawn = lines.metric_by_round({name: table}, "loss", noise={name: 0.5}, title="Loss", total_rounds=1)
    assert drawn.data[0].name == '&lt;a href="https://evil.example"&gt;Sign in again&lt;/a&gt;'


def drawn_of(rounds: list[int], *, runs: int = 1, total_rounds: int = 20, metric: str = "loss"):
    table = pd.DataFrame({"round": rounds, metric: [1.0] * len(rounds)})
    names = [f"run {number}" for number in range(runs)]
    return lines.metric_by_round(
        dict.fromkeys(names, table), metric, noise=dict.fromkeys(names, 0.5), title="", total_rounds=total_rounds
    )


def test_a_chart_without_rounds_has_no_numbers_that_plotly_made_up():
    assert drawn_of([]).layout.yaxis.tickvals == ()
    assert drawn_of([0]).layout.yaxis.tickvals is None
    assert drawn_of([0]).layout.yaxis.rangemode == "tozero"
    assert drawn_of([], metric="accuracy").layout.yaxis.range == (0, 1)  # which it has in any case


def test_there_are_no_halves_of_rounds():
    assert drawn_of([0, 1], total_rounds=1).layout.xaxis.dtick == 1
    assert drawn_of([0, 1], total_rounds=20).layout.xaxis.dtick is None


def test_names_stand_above_the_chart_and_leave_it_room():
    few, many = drawn_of([0], runs=2).layout, drawn_of([0], runs=8).layout
    assert few.legend.yanchor == "bottom"
    assert few.legend.y > 1
    assert many.height - 8 * 20 >= 300
    assert few.height == 400
