"""What tests of benchmarks share: each runs at its smallest, in a process of its own, on 60 writers."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def smallest(home_of_few):
    """Runs a benchmark, and returns what it prints."""

    def run(name, *options):
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--smallest", *options],
            cwd=ROOT,
            env=os.environ | {"EPSILON_LAB_HOME": str(home_of_few)},
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def figures():
    """Returns the numbers of a line, without those that are part of a name."""
    return lambda text: [float(number) for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", text)]
