import pytest

from tests.benchmarks.conftest import ROOT

pytestmark = pytest.mark.slow


def test_a_study_is_timed_beside_another_checkouts(smallest, figures):
    """The other checkout is this one."""
    line = smallest("study", "--dataset", "few", "--against", str(ROOT)).splitlines()[-1]
    settings, here, there, ratio = figures(line)
    assert settings == 2
    assert here > 0.1
    assert ratio == pytest.approx(here / there, abs=0.02 + 0.1 * here / there)  # of rounded figures
