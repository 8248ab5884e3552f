import json
import re

import pytest

pytestmark = pytest.mark.slow


def test_every_contender_is_timed(smallest, tmp_path):
    file = tmp_path / "rounds.json"
    said = smallest("rounds", "--write", str(file))
    results = json.loads(file.read_text())["results"]
    assert [result["contender"] for result in results] == ["tutorial", "tff", "vectorized"]
    for result in results:
        assert re.search(rf"{result['clients']} +{result['contender']} +{result['seconds']:.3f} ", said)
        assert 0 < result["floor_seconds"] < result["seconds"] < 300
        assert result["memory_mb"] > 50
        assert result["rounds"] == 1
