import math

import pandas as pd

from dpcore.charts import privacy


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
