import pandas as pd

from dpcore.charts import privacy


def drawn(name: str, x: list[float], pld: list[float], rdp: list[float], epsilon: float = 1.0):
    curve = pd.DataFrame({name: x, "PLD": pld, "RDP": rdp})
    return privacy.epsilon_against(
        curve, x_title="", point=(x[1], epsilon), delta=1e-5, logarithmic=name != "rounds"
    )


def test_a_probability_has_powers_of_ten():
    axis = drawn("delta", [1e-10, 1e-5, 1e-2], [3, 1, 0.5], [4, 1.1, 0.6]).layout.xaxis
    assert (axis.exponentformat, axis.tickvals) == ("power", None)
    assert 300.0 in drawn("clients_per_round", [1, 2, 3], [1, 1, 1], [1, 1, 1]).layout.xaxis.tickvals
