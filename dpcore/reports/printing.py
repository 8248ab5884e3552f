"""Figures as PDF, by the Chromium that is on the machine: lines and letters stay what they are at any size."""

import html
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from dpcore.charts import printed
from dpcore.errors import StoreError
from dpcore.language import _

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_FLAGS = ("--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--no-pdf-header-footer")
_SECONDS = 120


def chromium() -> str:
    """Returns where Chromium is.

    Raises:
        StoreError: If there is none.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        message = _(
            "Expected Chromium, which draws figures as PDF, found none of {names}. Install it (Debian: apt install "
            "chromium), or take SVG from the chart's own button on the page."
        )
        raise StoreError(message.format(names=", ".join(_NAMES)))
    return found


def write(figures: Mapping[str, go.Figure], folder: Path, *, width: str) -> list[Path]:
    """Writes figures in their print form, each into a PDF of its size; returns the files.

    Args:
        figures: By the name of the file, without its ending.
        folder: Where to; it is there.
        width: How wide they are: one of `printed.INCHES`.

    Raises:
        StoreError: If there is no Chromium, or it draws nothing.
    """
    program, written = chromium(), []
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "plotly.js").write_text(get_plotlyjs())
        for name, figure in figures.items():
            page = Path(scratch) / "figure.html"
            page.write_text(_page(printed.printed(figure, printed.INCHES[width]), name))
            target = folder / f"{name}.pdf"
            _print(program, page, target, Path(scratch) / "profile")
            written.append(target)
    return written


def _print(program: str, page: Path, target: Path, profile: Path) -> None:
    target.unlink(missing_ok=True)
    # As root, which a container's user often is, its sandbox refuses to work; what it draws is our own page.
    rooted = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [program, *_FLAGS, *rooted, f"--user-data-dir={profile}", f"--print-to-pdf={target}", page.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        said = done.stderr.strip().splitlines()[-1:] or [""]
    except (OSError, subprocess.TimeoutExpired) as err:
        said = [str(err)]
    if not target.exists():
        raise StoreError(
            _("Expected Chromium to write {file}, found nothing: {reason}").format(file=target, reason=said[0])
        )


def _page(figure: go.Figure, title: str) -> str:
    """Returns a page that is as large as the figure is in print, and has nothing else."""
    width, height = (side * printed.SCALE for side in (figure.layout.width, figure.layout.height))
    values = {
        "@TITLE@": html.escape(title),
        "@WIDTH@": f"{width}px",
        "@HEIGHT@": f"{height}px",
        "@SCALE@": f"{printed.SCALE}",
        "@FIGURE@": figure.to_json().replace("</", "<\\/"),  # in a script element, `</` would end it
    }
    page = Path(__file__).with_name("figure.html.in").read_text()
    for name, value in values.items():
        page = page.replace(name, value)
    return page
