import pytest

from tests.benchmarks.conftest import ROOT

pytestmark = pytest.mark.slow


def test_seconds_to_the_first_round_are_told_beside_another_checkouts(smallest, figures):
    """The other checkout is this one: what is told of it is of the same kind."""
    lines = smallest("start", "--against", str(ROOT)).splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == ["the same model", "another model"]
    for line in lines:
        here, repeats, there, ratio = figures(line.replace(": ", " ").replace(")", " "))
        assert repeats == 1
        assert 0.05 < here < 100
        assert ratio == pytest.approx(here / there, rel=0.1)  # of rounded figures
