import pandas as pd

from dpcore.charts import studies


def test_the_name_of_a_run_makes_no_link_in_the_frontier():
    name = '<a href="https://evil.example">Sign in again</a>'
    row = {"run": "1", "plan": name, "noise": 0.5, "ratio": 0.01, "accuracy": 0.5, "best": True, "epsilon": 1.0}
    drawn = studies.frontier(pd.DataFrame([row]), "epsilon")
    texts = [text for trace in drawn.data for text in trace.text or ()]
    assert texts == ['&lt;a href="https://evil.example"&gt;Sign in again&lt;/a&gt;']
