import pytest

pytestmark = pytest.mark.slow


def test_the_memory_of_one_process_over_several_runs_is_told(smallest, figures):
    (line,) = smallest("worker_memory").splitlines()[1:]
    runs, first, after_run, most, last = figures(line)
    assert (runs, after_run) == (3, 3)
    assert first > 30
    assert most > 30
    assert last >= 0  # a process that has ended has none
