import pandas as pd

from dpcore.charts.lesson import tradeoff


def test_a_line_is_faint_and_says_why_where_its_epsilon_is_not_accepted():
    table = pd.DataFrame(
        {
            "setting": ["noise 0.5", "noise 0.5", "noise 1", "noise 1"],
            "noise": [0.5, 0.5, 1.0, 1.0],
            "round": [0, 5, 0, 5],
            "mean": 0.5,
            "low": 0.4,
            "high": 0.6,
        }
    )
    drawn = tradeoff.by_round(table, total_rounds=5, accepted=2.0, beyond={"noise 0.5"})
    band, faint, _band, full = drawn.data
    assert (faint.name, full.name) == ("noise 0.5 (ε > 2)", "noise 1")
    assert band.opacity < faint.opacity < 1
    assert full.opacity is None


def test_what_is_drawn_of_the_price_is_named_beside_the_picture():
    table = pd.DataFrame(
        {
            "setting": ["none", "some"],
            "noise": [0.0, 1.0],
            "clients": 50,
            "epsilon": [float("inf"), 1.0],
            "accuracy": [0.8, 0.6],
            "band": 0.01,
        }
    )
    drawn = tradeoff.accuracy_by_epsilon(table, accepted=2.0)
    named = [part.name for part in (*drawn.data, *drawn.layout.shapes) if part.showlegend is not False]
    assert named == ["noise 1", "non-private baseline", "largest acceptable ε"]
    assert not drawn.layout.annotations
