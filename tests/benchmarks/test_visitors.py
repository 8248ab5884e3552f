import re

import pytest

pytestmark = pytest.mark.slow


def test_what_a_visitor_waits_is_told(smallest):
    said = smallest("visitors")
    assert re.search(r"to the new epsilon: [1-9]\d* moves, median \d+\.\d\d s", said), said
    assert re.search(r"to the number to keep, where they stayed: [1-9]\d* moves, median \d+\.\d\d s", said), said
    assert re.search(r"server: \d+% of a core, \d+ MB", said)
    assert re.search(r"training: [\d.e+-]+ rounds a second", said)
