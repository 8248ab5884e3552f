import ast
from pathlib import Path

import dpcore
from dpcore.privacy.many import kept

ROOT = Path(dpcore.__file__).parent
# What holds values and words, and computes nothing of an answer: accountants are asked with events.
NO_ARITHMETIC = {"plan/__init__", "privacy/__init__", "limits", "rounding", "language", "errors"}


def imported(path):
    """The modules of the program that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dpcore"):
            base = node.module.split(".")[1:]
            for name in node.names:
                for parts in ([*base, name.name], base):
                    found = "/".join(parts)
                    for one in (found, f"{found}/__init__"):
                        if found and (ROOT / f"{one}.py").is_file() and (ROOT / f"{one}.py").stat().st_size:
                            yield one


def test_names_depend_on_all_code_that_answers():
    known, found = set(), {"privacy/accounting", "privacy/ledger"}
    while found:
        known |= found
        found = {one for name in found for one in imported(ROOT / f"{name}.py")} - known - NO_ARITHMETIC
    assert {name for name in known if not name.startswith("privacy/many/")} == set(kept.ANSWERING)


def test_names_are_of_all_that_an_answer_depends_on():
    asked = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",)]
    assert len({kept.name(*parts) for parts in asked}) == 3
