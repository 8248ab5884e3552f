"""What tests of the queue share."""

import pytest

from dpcore.runs.process import processes, supervisor


@pytest.fixture
def no_processes(monkeypatch):
    """Queues runs that nobody begins."""
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    monkeypatch.setattr(processes, "launch", lambda *given, **named: pytest.fail("was started"))
