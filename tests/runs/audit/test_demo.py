"""The demonstration of a broken engine as a process: one at a time, to be stopped, and nothing to do with any run."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dpcore.cli import app
from dpcore.errors import InvalidValueError
from dpcore.learning import broken
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy.auditing import result
from dpcore.runs.audit import demo
from dpcore.runs.audit.demo import Demo
from dpcore.runs.process import processes
from dpcore.runs.store import Store
from tests.privacy.auditing import simulated


@pytest.fixture
def idle(monkeypatch):
    """What is started does nothing, and holds the lock as long as it lives; ends it afterwards."""
    started = []

    def launch(*arguments, log, keep):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, pass_fds=keep
            )
        )
        return started[-1]

    monkeypatch.setattr(processes, "launch", launch)
    yield started
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()


def test_there_is_one_at_a_time_and_it_can_be_stopped(tmp_path, idle):
    assert (demo.going(tmp_path), demo.current(tmp_path, "clip-off")) == ("", None)
    demo.start(tmp_path, "clip-off")
    assert demo.going(tmp_path) == "clip-off"
    assert demo.current(tmp_path, "clip-off") == Demo(name="clip-off")
    with pytest.raises(InvalidValueError, match=r"found another one that goes on\. Wait for it, or stop it"):
        demo.start(tmp_path, "clip-twice")
    demo.stop(tmp_path)
    idle[0].wait()
    assert demo.going(tmp_path) == ""
    assert "ended before it was done" in demo.current(tmp_path, "clip-off").message
    demo.stop(tmp_path)  # nobody: it is not another process by the same id
    demo.start(tmp_path, demo.NONE)
    assert demo.going(tmp_path) == demo.NONE


def test_what_is_no_break_is_not_started(tmp_path, idle):
    with pytest.raises(InvalidValueError, match="Expected break to be one of none, clip-off, "):
        demo.start(tmp_path, "clip")
    assert idle == []


def test_what_came_of_it_is_read_as_it_was_written(tmp_path):
    plan = demo.plan(tmp_path).privacy
    assert (plan.clients_per_round, plan.noise_multiplier, plan.rounds) == (50, 1.0, Demo.rounds)
    shown = result.of(simulated.trace(1, breaks="noise half"), simulated.PLAN)
    (tmp_path / "audit_demo").mkdir()
    demo.write(tmp_path, Demo(name="noise-half", round=100, result=shown))
    assert demo.current(tmp_path, "noise-half").result == shown
    assert shown.alarms
    file = tmp_path / "audit_demo" / "noise-half.json"
    for damaged in (
        file.read_text()[:-9],
        "null",
        "{}",
        json.dumps(json.loads(file.read_text()) | {"program": "older"}),
    ):
        file.write_text(damaged)
        assert demo.current(tmp_path, "noise-half") is None


def small(rounds=24):
    privacy = PrivacyPlan(population=60, clients_per_round=12, rounds=rounds, noise_multiplier=1.0)
    return Plan(privacy=privacy, training=TrainingPlan(model="linear"))


@pytest.mark.slow
def test_the_process_writes_what_the_audit_saw_and_no_run(home_of_few, monkeypatch):
    from dpcore.runs.audit import demo_worker

    monkeypatch.setattr(demo, "plan", lambda home: small())
    (home_of_few / "audit_demo").mkdir(exist_ok=True)
    demo_worker.main(home_of_few, "clip-off")
    shown = demo.current(home_of_few, "clip-off")
    assert (shown.message, shown.round, shown.result.rounds) == ("", 24, 24)
    assert "step_of_round_canaries" in shown.result.alarms
    assert Store(home_of_few).runs(deleted=None) == []
    monkeypatch.setattr(broken, "check", lambda name: 1 / 0)
    demo_worker.main(home_of_few, "clip-off")
    assert demo.current(home_of_few, "clip-off").message == "It has failed: ZeroDivisionError: division by zero."


@pytest.mark.slow
def test_an_honest_one_can_be_had_on_the_command_line(home_of_few, monkeypatch):
    """To see that no alarm rings; as the page has it."""
    monkeypatch.setattr(demo, "plan", lambda home, rounds: small(rounds))
    arguments = [
        "audit",
        "demo",
        "--break",
        "none",
        "--rounds",
        "3",
        "--canaries",
        "100",
        "--home",
        str(home_of_few),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "BROKEN" not in done.output
    assert done.stdout.endswith("No alarm rang. Nothing was broken.\n")
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert (told["broken"], told["alarms"], told["rounds"]) == ("none", [], 3)


def test_the_command_tells_what_each_break_is():
    said = CliRunner().invoke(app, ["audit", "--help"], env={"COLUMNS": "300"}).stdout
    for name, words in broken.CHOICES.items():
        assert f"{name}: {words}" in said
