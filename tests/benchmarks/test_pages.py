import re

import pytest

pytestmark = pytest.mark.slow


def test_pages_are_timed_beside_the_floor(smallest, figures):
    said = smallest("pages")
    for name in ("bare", "Epsilon Lab", "Accountant", "Learn"):
        (line,) = [line for line in said.splitlines() if line.startswith(f"{name} ")]
        assert len(figures(line)) > 1
        assert min(figures(line)) > 0
    assert re.search(r"epsilon against the floor: \d+\.\d\d", said)
