"""What is fast, against what, measured in one run. Each module also runs at its smallest, in seconds, for the tests."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]

# These benchmarks on another checkout's program: its own may lack what is measured.
_ELSEWHERE = """
import importlib.util, runpy, sys
root, module, *sys.argv[1:] = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "benchmarks", f"{root}/benchmarks/__init__.py", submodule_search_locations=[f"{root}/benchmarks"]
)
sys.modules["benchmarks"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["benchmarks"])
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def options(description: str | None, *, compared: bool = False) -> argparse.ArgumentParser:
    """Returns a parser that knows `--smallest`; and where there is something to compare, `--against` and `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--smallest", action="store_true", help="once, and as little as there can be: to see that it works"
    )
    if compared:
        parser.add_argument("--against", type=Path, help="another checkout, whose program is measured as well")
        parser.add_argument(
            "--json", action="store_true", help="print the figures as one line of JSON, and no table"
        )
    return parser


def against(path: Path, argv: Sequence[str]) -> dict[str, Any]:
    """Returns the figures that a benchmark of this checkout prints with `--json` of the program in another one.

    Args:
        path: The other checkout.
        argv: The benchmark's module, such as `many_runs`, and its options.
    """
    name, *more = argv
    root = path.resolve()
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, str(_ROOT), f"benchmarks.{name}", *more, "--json"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
