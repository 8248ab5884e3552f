"""What is decided for all runs is kept."""

import pytest

from dpcore.errors import InvalidValueError
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy


def test_what_is_decided_about_a_data_set_is_kept(store):
    decided = Policy(name="writers", budget_epsilon=3.0, budget_delta=1e-6, public=True)
    store.set_policy(decided)
    assert Store(store.home).policy("writers") == decided
    assert store.policy("other") == Policy(name="other")


def test_the_number_of_runs_side_by_side_is_kept_and_checked(store):
    store.set_parallel_runs(3)
    assert Store(store.home).parallel_runs() == 3
    with pytest.raises(InvalidValueError, match="parallel_runs"):
        store.set_parallel_runs(0)
