import json
import os
import shutil

import pytest

from benchmarks import cluster_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and `ip`, for a namespace"),
]


def test_a_round_of_a_worker_is_taken_apart(smallest, tmp_path):
    file = tmp_path / "cluster.json"
    result = json.loads(smallest("cluster", "--json", str(file)))
    assert result == json.loads(file.read_text())
    assert [row["clients"] for row in result["rows"]] == [10, 20]
    for row in result["rows"]:
        assert 0 < row["computing_seconds"] < row["seconds"] < 300
        assert row["model_bytes"] > 600_000
    assert set(result["costs"]) == set(cluster_model.NAMES)
    assert len(result["ahead"]) == 21
