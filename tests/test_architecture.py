"""The two borders, and the layers: read from the imports themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py")), *sorted((ROOT / "dpcore").rglob("*.py"))]

# What each part of dpcore may import from dpcore, besides itself and the modules at its top.
ALLOWED = {
    "privacy": set(),
    "datasets": set(),
    "charts": {"privacy"},
    "lesson": {"datasets", "privacy"},
    "learning": {"datasets", "privacy"},
    "cluster": {"datasets", "learning", "privacy"},
    "runs": {"cluster", "datasets", "learning", "privacy"},
    "reports": {"runs", "charts", "datasets", "privacy"},
    "ui": {"cluster", "reports", "runs", "charts", "lesson", "privacy", "datasets"},
}
TOP = {
    "language": set(),
    "errors": set(),
    "limits": {"errors", "language"},
    "rng": set(),
    "home": {"errors", "language"},
    "locks": set(),
    "files": set(),
    "rounds": {"clipping", "plan", "language"},
    "plan": {"errors", "limits", "language", "strict_json"},
    "clipping": {"limits", "plan"},
    "zeroing": set(),
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_pages_and_ui_import_streamlit(path):
    allowed = path.name == "app.py" or path.parent.name in ("pages", "ui")
    assert allowed or not any(name.split(".")[0] == "streamlit" for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_learning_imports_tensorflow(path):
    heavy = {name for name in imports(path) if name.split(".")[0].startswith("tensorflow")}
    assert path.parent.name == "learning" or not heavy


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parent.name in ALLOWED], ids=lambda path: str(path.relative_to(ROOT))
)
def test_parts_import_downwards(path):
    part = path.parent.name
    used = {name.split(".")[1] for name in imports(path) if name.startswith("dpcore.")}
    assert used & set(ALLOWED) <= ALLOWED[part] | {part}


@pytest.mark.parametrize("name", TOP)
def test_top_modules_import_downwards(name):
    used = {n.split(".")[1] for n in imports(ROOT / "dpcore" / f"{name}.py") if n.startswith("dpcore.")}
    assert used <= TOP[name] | {name}


def test_the_dashboard_process_never_loads_tensorflow():
    """Imports all that pages import, in a process of its own, and looks."""
    modules = sorted(
        {name for path in FILES if path.parent.name in ("pages", "ui") for name in imports(path)} | {"dpcore.cli"}
    )
    program = "import importlib.util, sys\n" + "\n".join(
        f"try: import {name}\nexcept ModuleNotFoundError: pass" for name in modules
    )
    program += "\nprint([m for m in sys.modules if m.split('.')[0].startswith('tensorflow')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True, timeout=400
    )
    assert done.stdout.strip().endswith("[]")
