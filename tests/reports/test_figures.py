"""What `runs export --figures` and `study export --figures` leave: figures, tables and a notebook of what there is."""

import json
import shutil

import pandas as pd
import pytest

from dpcore.charts import printed
from dpcore.cli import options
from dpcore.reports import figures as figures_of
from dpcore.reports import printing
from tests.reports import test_notebook as notebooks
from tests.test_cli import command

run, store, study = notebooks.run, notebooks.store, notebooks.study
TABLES = ("tex", "md", "csv", "parquet")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would be drawn, by name and width: Chromium itself is tested with one of them."""
    found = {}
    monkeypatch.setattr(printing, "chromium", lambda: "")
    monkeypatch.setattr(printing, "write", lambda figures, folder, width: found.update(figures, width=width))
    return found


def files(folder):
    return {file.name for file in folder.iterdir()}


def test_widths_are_those_that_figures_are_printed_in():
    assert sorted(options.FiguresWidth) == sorted(printed.INCHES)


def test_of_a_run(store, run, drawn, tmp_path):
    done = command(
        *("runs", "export", run.run_id, "--figures", str(tmp_path / "out"), "--width", "column"), home=store.home
    )
    assert done.returncode == 0, done.stderr
    names = {f"{name}.{form}" for name in ("accuracy", "loss", "epsilon") for form in TABLES}
    assert files(tmp_path / "out") == names | {"train_on_tff.ipynb"}
    assert set(drawn) == {"accuracy", "loss", "epsilon", "width"}
    assert drawn["width"] == "column"
    assert pd.read_parquet(tmp_path / "out" / "accuracy.parquet")["accuracy"].tolist() == [0.1, 0.4321]
    assert "43.2" in (tmp_path / "out" / "accuracy.tex").read_text()
    assert json.loads((tmp_path / "out" / "train_on_tff.ipynb").read_text())["nbformat"] == 4


def test_of_a_study_that_goes_on(store, study, drawn, tmp_path):
    done = command("study", "export", "--figures", str(tmp_path / "out"), home=store.home)
    assert done.returncode == 0, done.stderr
    names = {f"{name}.{form}" for name in ("settings", "accuracy", "loss") for form in TABLES}
    assert files(tmp_path / "out") == names | {"train_on_tff.ipynb"}
    assert set(drawn) == {"accuracy", "loss", "width"}


@pytest.mark.parametrize("command_line", [("runs", "export", "RUN"), ("study", "export")])
def test_without_anything_to_write_it_says_what_is_missing(store, run, command_line):
    done = command(*(run.run_id if word == "RUN" else word for word in command_line), home=store.home)
    assert done.returncode == 2
    assert "or --figures FOLDER, found neither" in " ".join(done.stderr.split())


def test_without_chromium_nothing_is_written(store, run, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    done = command("runs", "export", run.run_id, "--figures", str(tmp_path / "out"), home=store.home)
    assert done.returncode == 2
    assert "Expected Chromium, which draws figures as PDF" in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


def test_a_run_before_its_first_round_has_empty_figures(store):
    run = store.run(store.create(notebooks.PLAN, engine="vectorized", eval_every=5))
    found = figures_of.of_run(store, run)
    assert [len(table) for _figure, table in found.values()] == [0, 0, 0]
