"""A run or a study as a Jupyter notebook that trains it again, with TensorFlow Federated alone.

Its cells are the exported script's (`run.tff_script`), cut where definitions begin or end. A study's second run repeats
only the cells that differ from what stands there already. The form is nbformat 4.5, which is JSON.
"""

import ast
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dpcore import datasets
from dpcore.errors import InvalidValueError
from dpcore.language import _, speaking
from dpcore.reports.run import script_for, script_refusal
from dpcore.reports.study import setting_label
from dpcore.runs.access.protocol import StoreAccess
from dpcore.runs.store.run_rows import Run
from dpcore.runs.studies import findings
from dpcore.runs.studies.progress import Progress

_FOLDER = "folder = Path(sys.argv[1])"
_END = "# TFF computes in a child process"  # which all runs share
_ABOUT = (
    "Needs Python 3.11 with tensorflow-federated 0.87.0 and tensorflow-privacy 0.9.0, and the folder of the data set's "
    "arrays. TFF's noise is never seeded, so this repeats a run in distribution, and not to the last bit."
)


def of_run(store: StoreAccess, run: Run, *, with_paths: bool) -> str:
    """Returns a run as a notebook, which trains its plan.

    Args:
        store: Where it is.
        run: The run.
        with_paths: Whether it says where this machine has the data.

    Raises:
        InvalidValueError, DatasetError: If there is no script of it.
    """
    return _notebook([_text(f"# {run.title}\n\n{_ABOUT}"), *_runs(store, [run], with_paths=with_paths)])


def of_study(store: StoreAccess, now: Progress, *, with_paths: bool) -> str:
    """Returns a study as a notebook, which trains those of its runs that there are scripts of; arguments as of `of_run`.

    Raises:
        InvalidValueError: If there is a script of none.
    """
    with speaking("en"):  # as the script is
        about = f"# {findings.question(now.study)}\n\n{_ABOUT}"
        refused = list(dict.fromkeys(filter(None, (script_refusal(run.plan) for run in now.runs))))
    runs = [run for run in now.runs if not script_refusal(run.plan)]
    if refusal := study_refusal(now):
        raise InvalidValueError("participation", refusal)
    left_out = "".join(f"\n\nLeft out: {reason}" for reason in refused)
    return _notebook([_text(about + left_out), *_runs(store, runs, with_paths=with_paths)])


def study_refusal(now: Progress) -> str:
    """Returns why there is no notebook of a study, in a sentence; empty where there is one."""
    refusals = [script_refusal(run.plan) for run in now.runs]
    return "" if "" in refusals else next(iter(refusals), _("Expected a study with runs, found none yet."))


def _runs(store: StoreAccess, runs: list[Run], *, with_paths: bool) -> Iterator[dict[str, Any]]:
    """Yields the cells that train runs, one after the other."""
    there: list[str] = []
    end = ""
    for run in runs:
        folder = datasets.entry(run.plan.training.dataset, store.home).folder if with_paths else Path("data")
        script = script_for(store, run.plan).replace(_FOLDER, f"folder = Path({str(folder)!r})")
        body, _mark, end = script.partition(_END)
        about, *cells = _cut(body)
        yield _text(_said(store, run, about))
        for cell, before in itertools.zip_longest(cells, there):
            if cell is not None and (cell != before or cell is cells[-1]):
                yield _code(cell)
        there = cells
    yield _code(_END + end)


def _said(store: StoreAccess, run: Run, docstring: str) -> str:
    """Returns what stands above the cells of a run: its setting, its guarantee, and what came of it here."""
    with speaking("en"):
        label, seed = setting_label(run.plan, mechanism=False), run.plan.training.seed
    found = [row for row in store.rounds(run.run_id) if row.accuracy is not None]
    rows = "".join(f"| {row.round} | {row.accuracy:.4f} |\n" for row in found)
    guarantee = docstring[docstring.index("The guarantee:") : docstring.index("The plan:")]
    seeded = "without a seed" if seed is None else f"seed {seed}"
    table = f"\n\nWhat it reached here:\n\n| round | accuracy |\n| --: | --: |\n{rows}" if rows else ""
    return f"## {label}, {seeded}\n\n{guarantee.strip()}{table}"


def _cut(script: str) -> list[str]:
    """Returns a script's docstring, and its text cut where imports, definitions and all else begin or end."""
    tree, lines = ast.parse(script), script.splitlines(keepends=True)

    def kind(node: ast.stmt) -> str:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return "import"
        return "definition" if isinstance(node, ast.FunctionDef | ast.ClassDef) else "other"

    cells, begin = [ast.get_docstring(tree) or ""], tree.body[0].end_lineno or 0
    for _kind, nodes in itertools.groupby(tree.body[1:], kind):
        end = list(nodes)[-1].end_lineno or 0
        cells.append("".join(lines[begin:end]).strip("\n"))
        begin = end
    return cells


def _text(words: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": words}


def _code(source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source.strip("\n"),
        "outputs": [],
        "execution_count": None,
    }


def _notebook(cells: Iterable[dict[str, Any]]) -> str:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    told = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python", "version": "3.11"}},
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
    }
    return json.dumps(told, indent=1, ensure_ascii=False)
