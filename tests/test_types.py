"""The types that the program says of itself, as `make check` reads them; and that the checker would see a wrong one."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def checked(*arguments):
    """What the checker says; with the cache of `make check`, as it takes twenty seconds without."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_the_program_is_what_it_says_it_is():
    said = checked()
    assert said.startswith("Success: no issues found"), said


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ("store: StoreAccess = Visited(Store(Path()), 3)", 'expected "str"  [arg-type]'),
        (
            "def move(store: StoreAccess) -> None: store.append('run', row)",
            '"StoreAccess" has no attribute "append"',
        ),
        ("class Half:\n    home = Path()\nstore: StoreAccess = Half()", "[assignment]"),
        ("processes.claim(Visited(Store(Path()), ''), Run())", '"Visited"; expected "Store"'),
    ],
)
def test_a_store_that_is_asked_for_too_much_is_seen(tmp_path, wrong, seen):
    file = tmp_path / "wrong.py"
    imports = (
        "from pathlib import Path\n"
        "from dpcore.runs.access.protocol import StoreAccess\n"
        "from dpcore.runs.access.visiting import Visited\n"
        "from dpcore.runs.process import processes\n"
        "from dpcore.runs.store import Store\n"
        "from dpcore.runs.store.run_rows import Run\n"
    )
    file.write_text(imports + wrong + "\n")
    assert seen in checked(file)
