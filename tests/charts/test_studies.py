import pandas as pd

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
    assert dotted.showlegend is False  # all these look alike


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
