"""What a sweep says, of runs that are written by hand."""

import pytest

from dpcore.runs.studies import findings, schedule
from dpcore.runs.studies.outcome import Setting, differ
from tests.runs.tutorial import BASE, TUTORIAL, finish

pytestmark = pytest.mark.usefixtures("no_processes")


def test_a_larger_noise_that_got_lucky_is_not_bearable(store):
    schedule.start(store, TUTORIAL)
    for run in store.queue():
        lucky = {0.5: 0.6, 0.75: 0.79}
        finish(store, run, lucky.get(run.plan.privacy.noise_multiplier))
    (row,) = store.studies()
    now = schedule.current(store, row.study_id)
    assert now.outcome.tolerable is None
    assert now.status == "finished"
    assert "No noise multiplier of the sweep is within the tolerance" in findings.sentences(now)[-1]


def test_settings_differ_by_more_than_their_seeds():
    def setting(*accuracies):
        return Setting(plan=BASE, charged=BASE.privacy, accuracies=accuracies)

    close = setting(0.79, 0.80, 0.795, 0.795)
    assert differ(close, setting(0.785, 0.795, 0.79, 0.79)) is False
    assert differ(close, setting(0.70, 0.71, 0.70, 0.71)) is True
    assert differ(close, setting(0.70, 0.71, 0.70)) is None
