"""The documents: what they name is there."""

import ast
import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dpcore import language
from dpcore.cli import app

ROOT = Path(__file__).parents[1]
GUARDS, GLOSSARY = ROOT / "docs" / "PRIVACY.md", ROOT / "docs" / "GLOSSARY.md"
TOP = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")]
DOCUMENTS = [*TOP, *sorted((ROOT / "docs").glob("*.md"))]
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def guards(text):
    """Every `tests/path.py::test_name` of a text."""
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)


def links(text):
    """Where a text's links and pictures lead, in this repository."""
    found = re.findall(r"\]\(([^)\s]+)[^)]*\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def commands(text):
    """What a text would have the reader type after `python -m dpcore`."""
    return [shlex.split(found, comments=True) for found in re.findall(r"python -m dpcore\b ?([^`&|\n]*)", text)]


def understood(words):
    """Whether these are a command and options of its own. It is asked for its help, so nothing is carried out."""
    return CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


def functions(path):
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_pitfall_has_a_guard_that_exists():
    text = GUARDS.read_text()
    missing = [f"{path}::{name}" for path, name in guards(text) if name not in functions(ROOT / path)]
    assert missing == []
    assert len(guards(text)) == text.count("::")  # none is written so that it is not looked at
    pitfalls = text.split("## Pitfalls")[1].split("\n- **")[1:]
    assert len(pitfalls) >= 17
    assert [one.split("**")[0] for one in pitfalls if not guards(one)] == []


@every_document
def test_every_link_leads_to_a_file(path):
    assert [link for link in links(path.read_text()) if not (path.parent / link).exists()] == []


@every_document
def test_every_command_is_one(path):
    assert [words for words in commands(path.read_text()) if not understood(words)] == []


def test_the_readme_names_links_and_commands():
    text = TOP[0].read_text()
    assert links(text)
    assert {"account", "train", "study"} <= {words[0] for words in commands(text)}


@pytest.mark.parametrize("words", [["acount"], ["runs", "qeue"], ["account", "--noises", "1.2"]])
def test_what_is_no_command_is_found(words):
    assert not understood(words)


@every_document
def test_every_target_of_make_is_one(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    spans = re.findall(r"`([^`]+)`", path.read_text().replace("```", "`"))
    assert {target for span in spans for target in re.findall(r"\bmake ([a-z-]+)", span)} <= targets


def test_every_japanese_term_is_one_of_the_pages():
    catalogue = (language.LOCALE / "ja" / "LC_MESSAGES" / "messages.po").read_text()
    rows = [line.split(" | ") for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 30
    assert [term for _, term, _ in rows if term not in catalogue] == []


def test_every_example_in_a_docstring_answers_what_it_says():
    paths = [path for path in sorted((ROOT / "dpcore").rglob("*.py")) if ">>>" in path.read_text()]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    told = {name: doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS) for name in names}
    assert {name: result for name, result in told.items() if result.failed or not result.attempted} == {}
