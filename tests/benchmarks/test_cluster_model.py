import json
from pathlib import Path

import pytest

from benchmarks import cluster_model

MEASURED = Path(__file__).parents[2] / "benchmarks" / "cluster.json"


def test_the_model_explains_what_was_measured_as_it_is_written_down():
    result = json.loads(MEASURED.read_text())
    found = cluster_model.report(result["rows"])
    assert found["costs"] == pytest.approx(result["costs"], rel=1e-6)
    assert found["median_error"] == pytest.approx(result["median_error"], rel=1e-6)
    assert found["median_error"] < 0.1
