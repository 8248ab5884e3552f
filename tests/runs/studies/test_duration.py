"""How long plans are said to take."""

import pytest

from dpcore.runs.studies import duration, schedule
from tests.runs.tutorial import TUTORIAL, work

pytestmark = pytest.mark.usefixtures("no_processes")


def test_estimates_are_fitted_to_what_was_measured(store):
    seconds, measured = duration.expected_seconds(store, TUTORIAL.grid(), "vectorized")
    assert (seconds > 10, measured) == (True, False)
    schedule.start(store, TUTORIAL)
    work(store)
    seconds, measured = duration.expected_seconds(store, TUTORIAL.grid(), "vectorized")
    assert measured
    assert seconds == pytest.approx(4 * 6.0)  # two rows of three seconds each
