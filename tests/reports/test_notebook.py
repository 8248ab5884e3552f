"""Notebooks: a run or a study that trains on TFF alone, whatever order its cells were made in."""

import ast
import json
import subprocess
import sys

import pytest

from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.mechanisms.participation import FixedSize
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.reports import notebook
from dpcore.reports import run as report
from dpcore.rounds import Round
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study

PLAN = Plan(privacy=PrivacyPlan(population=60, clients_per_round=10, rounds=2, noise_multiplier=0.9))


@pytest.fixture
def store(home_of_few):
    return Store(home_of_few)


@pytest.fixture
def run(store):
    run_id = store.create(PLAN, engine="vectorized", eval_every=5)
    store.begin(run_id)
    for number, accuracy in ((0, 0.1), (1, None), (2, 0.4321)):
        row = Round(
            round=number, accuracy=accuracy, loss=accuracy, clip_norm=0.1, cohort_size=5, epsilon=1.7, seconds=1.0
        )
        store.append(run_id, row)
    store.end(run_id, "finished")
    return store.run(run_id)


@pytest.fixture
def study(store, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    base = Plan(
        privacy=PrivacyPlan(population=60, clients_per_round=1, noise_multiplier=0.0, rounds=2),
        training=TrainingPlan(model="linear"),
    )
    asked = Study(
        plan=base,
        noise_multipliers=(0.0, 0.9),
        clients_per_round=(10,),
        rounds=(2,),
        seeds=(0,),
        target_epsilon=None,
    )
    study_id = schedule.start(store, asked)
    yield schedule.current(store, study_id)
    for queued in store.queue():
        store.begin(queued.run_id)
        store.end(queued.run_id, "stopped")


def cells(text, kind):
    told = json.loads(text)
    assert (told["nbformat"], told["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in told["cells"]}) == len(told["cells"])
    for cell in told["cells"]:
        more = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"id", "cell_type", "metadata", "source"} | more
    return [cell["source"] for cell in told["cells"] if cell["cell_type"] == kind]


def program(text):
    return "\n\n\n".join(cells(text, "code"))


def test_a_runs_cells_are_its_script(store, run):
    code = program(notebook.of_run(store, run, with_paths=True))
    folder = "folder = Path(sys.argv[1])"
    script = report.script_for(store, run.plan)
    assert script.count(folder) == 1
    written, exported = ast.parse(code), ast.parse(script)
    other = [ast.unparse(node) for node in exported.body[1:]]
    assert [
        ast.unparse(node)
        if "'datasets'" not in ast.unparse(node) and "/datasets/" not in ast.unparse(node)
        else folder
        for node in written.body
    ] == other
    for cell in cells(notebook.of_run(store, run, with_paths=True), "code"):
        compile(cell, "cell", "exec")  # each by itself
    assert "dpcore" not in code


def test_it_says_the_guarantee_and_what_was_reached(store, run):
    text = "\n".join(cells(notebook.of_run(store, run, with_paths=True), "markdown"))
    assert "-differential privacy for each user" in text
    assert "| 2 | 0.4321 |" in text
    assert "seed 0" in text
    with speaking("ja"):
        assert notebook.of_run(store, run, with_paths=True) == notebook.of_run(store, run, with_paths=True)
        assert "-differential privacy" in notebook.of_run(store, run, with_paths=True)


def test_visitors_are_not_told_where_the_data_are(store, run):
    assert str(store.home) in notebook.of_run(store, run, with_paths=True)
    assert str(store.home) not in notebook.of_run(store, run, with_paths=False)


def test_a_study_repeats_only_what_differs(store, study):
    code = cells(notebook.of_study(store, study, with_paths=True), "code")
    assert sum("def keras_model" in cell for cell in code) == 1
    assert sum("process.initialize()" in cell for cell in code) == 2
    assert sum("worker_binary" in cell for cell in code) == 1
    assert "worker_binary" in code[-1]


def test_what_there_is_no_script_of_is_refused_with_its_reason(store):
    plan = Plan(
        privacy=PrivacyPlan(
            population=60, clients_per_round=10, rounds=2, noise_multiplier=0.9, participation=FixedSize()
        )
    )
    run = store.run(store.create(plan, engine="vectorized", eval_every=5))
    with pytest.raises(InvalidValueError, match="TFF alone has no such sampler"):
        notebook.of_run(store, run, with_paths=True)


@pytest.mark.slow
def test_a_studys_notebook_trains_on_tff_alone(store, study, tmp_path):
    """All of its cells, in their order, in one process; it is the longer one of the two."""
    (tmp_path / "cells.py").write_text(program(notebook.of_study(store, study, with_paths=True)))
    with (tmp_path / "output").open("w+") as output:
        done = subprocess.run(
            [sys.executable, "cells.py"], cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, timeout=900
        )
        output.seek(0)
        said = output.read()
    assert done.returncode == 0, said
    assert said.count("round 2: ") == 2
