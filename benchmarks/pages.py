"""Seconds until pages are there, beside a bare Streamlit app in one run: `python -m benchmarks.pages` (needs Chromium).

From the command to a usable Accountant: its epsilon shown, and its first chart. The floor is an app of two lines on the
same Streamlit, in the same Chromium: what no page can go below. Then, from the click on a page's link to its heading and
to the end of its script, in a server that is up.
"""

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

import benchmarks
from dpcore.ui.core.frame import PAGES

ROOT = Path(__file__).parents[1]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking".split()
)
REPEATS = 3
BARE = 'import streamlit as st\nst.title("Bare")\nst.metric("Epsilon", "1.708")\n'
STREAMLIT = "-m streamlit run app.py --server.headless true --browser.gatherUsageStats false".split()


@contextmanager
def started(command: list[str], port: int, folder: Path, home: Path) -> Iterator[float]:
    """Yields when a server began, once it listens; ends it afterwards."""
    environment = {**os.environ, "EPSILON_LAB_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as for anybody who starts it a second time
    begun = time.perf_counter()
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.01)
        yield begun
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def free_port() -> int:
    """Returns a free port below the ephemeral ones: who waits for one of those may end up connected to themselves."""
    for port in range(8700, 8800):
        with socket.socket() as one, suppress(OSError):
            one.bind(("localhost", port))
            return port
    raise OSError("Expected a free port from 8700 to 8799, found none.")


def cold(context: BrowserContext, command: list[str], port: int, folder: Path, home: Path) -> dict[str, float]:
    """Seconds from the command to each sign of a page."""
    with started(command, port, folder, home) as begun:
        page, seconds = context.new_page(), {"listens": time.perf_counter() - begun}
        page.goto(f"http://localhost:{port}", wait_until="commit")
        page.get_by_role("heading").first.wait_for()
        seconds["heading"] = time.perf_counter() - begun
        page.get_by_text("1.708", exact=True).first.wait_for()
        seconds["epsilon"] = time.perf_counter() - begun
        if folder == ROOT:
            page.locator(".js-plotly-plot .main-svg").first.wait_for()
            seconds["chart"] = time.perf_counter() - begun
        page.close()
    return seconds


def switch(page: Page, label: str) -> tuple[float, float]:
    """Seconds from the click on a page's link to its heading, and to the end of its script."""
    before = page.locator("h1").inner_text()
    begun = time.perf_counter()
    page.get_by_test_id("stSidebar").get_by_role("link", name=label).click()
    page.wait_for_function("before => (document.querySelector('h1')?.innerText ?? before) !== before", arg=before)
    heading = time.perf_counter() - begun
    page.wait_for_function("!document.querySelector('[data-test-script-state=running], [data-stale=true]')")
    whole = time.perf_counter() - begun
    page.wait_for_timeout(500)
    return heading, whole


def main() -> None:
    # Side by side; the first of each compiles, and is not counted, where there are several.
    repeats, labels = REPEATS + 1, list(PAGES.values())
    if benchmarks.options(__doc__).parse_args().smallest:
        repeats, labels = 1, labels[:2]
    port, chromium = free_port(), shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        bare, home = Path(folder) / "bare", Path(folder) / "home"
        bare.mkdir()
        (bare / "app.py").write_text(BARE)
        context = playwright.chromium.launch_persistent_context(
            Path(folder) / "browser", executable_path=chromium, args=FLAGS, viewport={"width": 1440, "height": 1000}
        )
        commands = {
            "bare": ([sys.executable, *STREAMLIT, "--server.port", str(port)], bare),
            "Epsilon Lab": ([sys.executable, "-m", "dpcore", "serve", "--port", str(port)], ROOT),
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, (command, where) in commands.items():
                found[name].append(cold(context, command, port, where, home))
        for name, runs in found.items():
            times = {sign: statistics.median(run[sign] for run in runs[1:] or runs) for sign in runs[0]}
            print(f"{name:<12}" + "".join(f"{sign:>10} {seconds:5.2f} s" for sign, seconds in times.items()))
            if name == "bare":
                floor = times
        print(f"epsilon against the floor: {times['epsilon'] / floor['epsilon']:.2f}\n")
        with started(*commands["Epsilon Lab"][:1], port, ROOT, home):
            page = context.new_page()
            page.goto(f"http://localhost:{port}")
            page.locator(".js-plotly-plot .main-svg").first.wait_for()
            page.wait_for_timeout(5000)  # what nobody waits for is imported meanwhile
            visits: dict[str, list[tuple[float, float]]] = {label: [] for label in labels}
            for _ in range(repeats):
                for label in [*labels[2:], *labels[:2]]:
                    visits[label].append(switch(page, label))
        print(f"{'switch to':<12}{'heading':>10}{'whole page':>14}   ms, medians")
        for label, times in visits.items():
            heading, whole = (1e3 * statistics.median(part) for part in zip(*(times[1:] or times), strict=True))
            print(f"{label:<12}{heading:>10.0f}{whole:>14.0f}")


if __name__ == "__main__":
    main()
