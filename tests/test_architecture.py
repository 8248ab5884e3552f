"""The two borders, and the layers: read from the imports themselves."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dpcore.mechanisms import clipping, noise, participation

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "dpcore").rglob("*.py"))]

# What each part of dpcore may import from dpcore, besides itself and the modules at its top.
BELOW = {"mechanisms", "messages", "plan"}  # of whatever computes with a plan, or has something to say
ALLOWED = {
    "messages": set(),
    "mechanisms": set(),
    "plan": {"mechanisms"},
    "privacy": BELOW,
    "datasets": BELOW,
    "elsewhere": BELOW | {"privacy"},
    "charts": BELOW | {"privacy"},
    "lesson": BELOW | {"datasets", "privacy"},
    "learning": BELOW | {"datasets", "privacy"},
    "cluster": BELOW | {"datasets", "learning", "privacy"},
    "runs": BELOW | {"cluster", "datasets", "learning", "privacy"},
    "reports": BELOW | {"runs", "charts", "datasets", "privacy"},
    "ui": BELOW | {"cluster", "elsewhere", "reports", "runs", "charts", "lesson", "privacy", "datasets"},
    "cli": BELOW | {"cluster", "elsewhere", "reports", "runs", "ui", "lesson", "learning", "privacy", "datasets"},
}
TOP = {
    "language": set(),
    "errors": set(),
    "limits": {"errors", "language", "rounding"},
    "rng": set(),
    "rounding": set(),
    "home": {"errors", "language"},
    "locks": set(),
    "files": set(),
    "rounds": {"errors", "plan", "language"},
    "program": set(),
    "strict_json": {"errors", "limits", "language"},
    "hosting": {"errors", "language", "limits", "plan"},
    "isolated": {"language"},
}


def imports(path: Path, whole_file: bool = True) -> set[str]:
    """Modules that a file imports; at its top level only, unless `whole_file`."""
    tree = ast.parse(path.read_text())
    found = set()
    for node in ast.walk(tree) if whole_file else tree.body:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    return found


def part(path: Path) -> str:
    """The part of the program that a file belongs to, however deep it lies: a folder of dpcore, or what is beside it."""
    inside = path.relative_to(ROOT).parts
    if inside[0] != "dpcore":
        return "pages"
    return inside[1] if len(inside) > 2 else "top"


def uses(path: Path) -> set[str]:
    """The parts, and the modules at the top of dpcore, that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("dpcore.")}


def packages(path: Path) -> set[str]:
    """The packages that a file imports."""
    return {name.split(".")[0] for name in imports(path)}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_everything_has_a_place_among_the_layers():
    assert {part(path) for path in FILES} - {"pages", "top"} == set(ALLOWED)
    assert {path.stem for path in FILES if part(path) == "top"} - {"__init__", "__main__"} == set(TOP)


def test_only_pages_and_ui_import_streamlit():
    assert [named(p) for p in FILES if part(p) not in ("pages", "ui") and "streamlit" in packages(p)] == []


def test_only_learning_imports_tensorflow():
    heavy = {"tensorflow", "tensorflow_federated", "tensorflow_privacy"}
    assert [named(path) for path in FILES if part(path) != "learning" and packages(path) & heavy] == []


def test_parts_import_downwards():
    upwards = {
        named(path): sorted(found)
        for path in FILES
        if part(path) in ALLOWED and (found := uses(path) & set(ALLOWED) - ALLOWED[part(path)] - {part(path)})
    }
    assert upwards == {}


def test_top_modules_import_downwards():
    upwards = {
        name: sorted(found) for name in TOP if (found := uses(ROOT / "dpcore" / f"{name}.py") - TOP[name] - {name})
    }
    assert upwards == {}


# Who may look at the class of a part of a plan: what it is written in, and the parts themselves. Records of other
# programs have no plan: their kinds are texts that stood in a file.
CODECS = ("dpcore/mechanisms/", "dpcore/plan/", "dpcore/elsewhere/")
KINDS = {kind.__name__ for kind in (*clipping.CLIPPINGS, *participation.PARTICIPATIONS, *noise.NOISES)}


PARTS = {"clipping", "participation", "noise"}


def asks_for_a_kind(node: ast.AST) -> bool:
    """Whether code chooses by the class, the kind or the fields of a part of a plan, where it could ask its value."""
    names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    attributes = {name.attr for name in ast.walk(node) if isinstance(name, ast.Attribute)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        looks = node.func.id in ("isinstance", "issubclass", "type", "hasattr")
        return looks and bool((names | attributes) & KINDS or attributes & PARTS)
    if isinstance(node, ast.Compare):
        of_a_part = bool((names | attributes) & PARTS)
        fields = isinstance(node.left, ast.Constant) and node.left.value in ("clip_norm", "initial_clip_norm")
        return fields or (of_a_part and bool(attributes & {"kind", "title", "knobs"}))
    return isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name) and node.cls.id in KINDS


def test_only_mechanisms_and_the_codec_look_at_a_kind():
    asked = [
        f"{named(path)}:{node.lineno}"
        for path in FILES
        if not named(path).startswith(CODECS)
        for node in ast.walk(ast.parse(path.read_text()))
        if asks_for_a_kind(node)
    ]
    assert asked == []


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(plan.clipping, FixedClipping)",
        "type(plan.clipping) is kinds[0]",
        "plan.clipping.kind == 'fixed'",
        "participation.kind != 'full'",
        "'clip_norm' in values",
        "match clipping:\n case FixedClipping(): pass",
    ],
)
def test_the_guard_sees_a_choice_by_kind(code):
    assert any(map(asks_for_a_kind, ast.walk(ast.parse(code))))


def test_the_dashboard_process_never_loads_tensorflow():
    """Imports all that pages import, in a process of its own, and looks."""
    modules = sorted(
        {name for path in FILES if part(path) in ("pages", "ui") for name in imports(path)} | {"dpcore.cli"}
    )
    program = "import importlib.util, sys\n" + "\n".join(
        f"try: import {name}\nexcept ModuleNotFoundError: pass" for name in modules
    )
    program += "\nprint([m for m in sys.modules if m.split('.')[0].startswith('tensorflow')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True, timeout=400
    )
    assert done.stdout.strip().endswith("[]")


def strings(path: Path) -> list[str]:
    """The texts that a file holds, with the parts between the fields of those that are formatted."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


# A function, an arrow, a rule of a style sheet, an element's own style.
BROWSERS = re.compile(
    r"\bfunction\s*\w*\(|=>\s*[\w({\[]|[\w\]).*]\s*\{[^{}]*[\w-]+:[^{}]*;|<style>\s*\S|<script|style=[\"']"
)


def test_no_script_or_style_stands_in_python():
    """They are files in dpcore/ui/assets, or beside who writes them out, where `make check` lints them."""
    assert {named(path): texts for path in FILES if (texts := list(filter(BROWSERS.search, strings(path))))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "export default function ({ data }) { data.shown = true; }",
        "items.map((one) => one.name)",
        "body { color: #1a1a1a; }",
        "a:is(.b, [c]) { --height-beside: 320px; }",
        "<style>\nbody",
        '<img style="width: 9px">',
        "<script src='x.js'>",
    ],
)
def test_a_script_or_style_is_recognised(text):
    assert BROWSERS.search(text)


PYTHON = [*FILES, *sorted((ROOT / "benchmarks").glob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]
LONGEST, FULLEST, MOST_ALIKE = 60, 16, 4


def test_no_function_is_longer_than_sixty_lines():
    long = [
        f"{named(path)}: {node.name} ({lines} lines)"
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1) > LONGEST
    ]
    assert long == []


def test_no_folder_of_dpcore_holds_more_than_sixteen_files():
    counts = Counter(
        path.parent for path in (ROOT / "dpcore").rglob("*") if path.is_file() and path.suffix != ".pyc"
    )
    assert {named(folder): count for folder, count in counts.items() if count > FULLEST} == {}


def test_no_name_of_a_file_stands_in_five_folders():
    counts = Counter(path.stem for path in FILES if path.stem != "__init__")
    assert {stem: count for stem, count in counts.items() if count > MOST_ALIKE} == {}


ARRAYS = re.compile(r"\bndarray\b|\bNDArray\b|\bWeights\b|\bArray\b")
SHAPE = re.compile(r"\[[a-z_0-9][\w ,.+*/()-]*\]|of the shape|shape of|common shape")


def without_shapes(path: Path) -> list[str]:
    """The public functions of a file that take or return arrays, and whose docstring names no shape.

    What belongs to a class may leave that to the attributes of the class.
    """
    names = []
    for owner in ast.walk(ast.parse(path.read_text())):
        if not isinstance(owner, ast.Module | ast.ClassDef):
            continue
        for node in owner.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            annotations = [node.returns, *(arg.annotation for arg in [*node.args.args, *node.args.kwonlyargs])]
            text = " ".join(ast.unparse(annotation) for annotation in annotations if annotation)
            documented = ast.get_docstring(node) or ""
            if isinstance(owner, ast.ClassDef):
                documented += ast.get_docstring(owner) or ""
            if ARRAYS.search(text) and not SHAPE.search(documented):
                names.append(f"{named(path)}: {node.name}")
    return names


def test_functions_on_arrays_name_their_shapes():
    rooms = [
        path for room in ("datasets", "learning", "privacy") for path in (ROOT / "dpcore" / room).rglob("*.py")
    ]
    assert [name for path in sorted(rooms) for name in without_shapes(path)] == []
