"""What browser tests share: a server as `make run` starts it, and a Chromium that tells of errors in the page."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from dpcore.runs.store import Store
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

_PATIENCE = 60_000  # milliseconds: other tests use the same cores
expect.set_options(timeout=_PATIENCE)


@contextmanager
def serving(home: Path, port: int, *options: str, env: dict[str, str] | None = None, spare: bool = False):
    """The dashboard as `make run` starts it; but no worker waits where none is asked for: others use the cores."""
    command = [sys.executable, "-m", "dpcore", "serve", "--port", str(port), "--home", str(home), *options]
    command += [] if spare else ["--no-spare"]
    with answering(command, port, env) as server:
        yield server


@contextmanager
def answering(command: list[str], port: int, env: dict[str, str] | None = None):
    """A server, from when it answers until the end of the block."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=env)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                break
            except OSError:
                assert server.poll() is None, "the server ended"
                time.sleep(0.1)
        else:
            raise AssertionError("the server does not answer")
        yield server
    finally:
        server.kill()
        server.wait()


def settled(page: Page) -> None:
    """Waits until the script has run, and every chart that it has is drawn."""
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator('[data-test-script-state="running"]')).to_have_count(0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_function(
        "[...document.querySelectorAll('.epsilon-lab-chart')].every(chart => chart.querySelector('.main-svg'))",
        timeout=60_000,
    )


def control(page: Page, key: str) -> Locator:
    """The control with this key, in whatever words the page names it."""
    return page.locator(f".st-key-{key}")


def press(page: Page, key: str) -> None:
    """Presses the button with this key."""
    control(page, key).get_by_role("button").first.click()


def box(page: Page, name: str) -> Locator:
    """The box of a knob, by its name."""
    return control(page, name).locator("input")


def typed(page: Page, name: str, value: str) -> None:
    """Types a number into the box of a knob."""
    box(page, name).fill(value)
    box(page, name).press("Enter")


def go(page: Page, name: str, *, inside: str = "stSidebar") -> None:
    """Follows the link to a page, by the name of its file."""
    page.get_by_test_id(inside).locator(f"a[href^='{name}']").first.click()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    yield folder
    store = Store(folder)
    for run in store.runs():  # a worker outlives its server; it must not outlive a test that failed
        store.request_stop(run.run_id)


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def url(home, port):
    with serving(home, port):
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        assert "CI" not in os.environ, "CI must have Chromium"
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture(scope="module")
def context(browser):
    """One for all tabs of a module: it keeps the scripts that every page loads."""
    return browser.new_context(viewport={"width": 1440, "height": 1200}, locale="en-US")


@pytest.fixture
def tab(context):
    """A tab that fails the test if the page has an error of its own."""
    page, problems = context.new_page(), []
    page.set_default_timeout(_PATIENCE)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    # At a deep link Streamlit looks for its server below the page's own path first: two 404s, by design.
    assert not [text for text in problems if "404" not in text]
