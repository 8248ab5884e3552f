import pandas as pd

from dpcore.charts import lines


def test_the_name_of_a_run_makes_no_link_in_a_legend():
    name = '<a href="https://evil.example">Sign in again</a>'
    table = pd.DataFrame({"round": [0, 1], "loss": [2.0, 1.0]})
    drawn = lines.metric_by_round({name: table}, "loss", noise={name: 0.5}, title="Loss", total_rounds=1)
    assert drawn.data[0].name == '&lt;a href="https://evil.example"&gt;Sign in again&lt;/a&gt;'
