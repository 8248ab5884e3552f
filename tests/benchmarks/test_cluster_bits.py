import json
import os
import shutil

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and `ip`, for namespaces"),
]


def test_all_ways_have_the_same_digest(smallest):
    result = json.loads(smallest("cluster_bits"))
    assert result["same"] is True
    assert len(result["digests"]) == 3
    assert set(map(len, result["digests"].values())) == {64}
    assert result["kills"] == 1
