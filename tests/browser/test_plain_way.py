"""The way to set up and start that needs neither make nor uv, as the README has it."""

import os
import re
import subprocess
import sys

import pytest

from tests.browser.conftest import ROOT, answering, settled
from tests.ports import free_port

pytestmark = pytest.mark.slow
_PLAIN_WAY = (ROOT / "README.md").read_text().split("The plain way")[1]
COMMANDS = _PLAIN_WAY.split("```sh\n")[1].split("```")[0].splitlines()


def typed(command: str, venv: str) -> list[str]:
    """What a command of the README is made of, without its comment, for a virtual environment elsewhere."""
    return command.split("#")[0].replace(".venv", venv).split()


def test_pip_takes_the_whole_list_and_finds_nothing_missing(tmp_path):
    """Against the environment that the tests run in, so that nothing is downloaded: it was made of the same list."""
    make, install, _ = (typed(command, str(tmp_path / "venv")) for command in COMMANDS)
    subprocess.run([sys.executable, *make[1:]], check=True)
    pip, *what = install
    asked = [pip, "--python", sys.executable, *what, "--dry-run", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    listed = re.findall(r"^[\w.-]+(?:\[\w,]+)?==", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert done.stdout.count("already satisfied") == len(listed)
    assert "Would install" not in done.stdout


def test_streamlit_run_shows_the_dashboard(tab, tmp_path):
    streamlit, *what = typed(COMMANDS[2], ".venv")
    assert streamlit.endswith("/streamlit")
    port = free_port()
    command = [sys.executable, "-m", "streamlit", *what, "--server.port", str(port)]
    with answering(command, port, os.environ | {"EPSILON_LAB_HOME": str(tmp_path)}):
        tab.goto(f"http://localhost:{port}")
        settled(tab)
        assert tab.locator(".epsilon-lab-chart .main-svg").count() > 0
