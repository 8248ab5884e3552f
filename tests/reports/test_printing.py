"""Figures as PDF: the size that they have in print, and what is said where nobody can draw them."""

import re
import shutil
import zlib

import pandas as pd
import pytest

from dpcore.charts import lines, printed
from dpcore.errors import StoreError
from dpcore.reports import printing

ROUNDS = pd.DataFrame({"round": [0, 50, 100], "accuracy": [0.1, 0.6, 0.786]})


@pytest.fixture
def figure():
    return lines.metric_by_round(
        {"</script><b>mine": ROUNDS},
        "accuracy",
        noise={"</script><b>mine": 1.0},
        title="Accuracy",
        total_rounds=100,
    )


@pytest.mark.parametrize(("inches", "width"), [(3.3, 415.8), (7.0, 882)])
def test_a_printed_figure_is_white_and_as_wide_as_it_is_laid_out(figure, inches, width):
    drawn = printed.printed(figure, inches)
    assert drawn.layout.width == pytest.approx(width)
    assert width * printed.SCALE / 96 == pytest.approx(inches, abs=0.01)
    assert drawn.layout.paper_bgcolor == drawn.layout.plot_bgcolor == "white"
    assert drawn.layout.font.size * printed.SCALE * 72 / 96 == pytest.approx(8)  # points
    assert figure.layout.paper_bgcolor is None  # the page's own stays as it was


def test_a_bitmap_has_300_dots_per_inch():
    told = printed.for_browsers()
    for name, inches in printed.INCHES.items():
        assert told["widths"][name] * told["scales"]["png"] == pytest.approx(300 * inches, rel=1e-9)


def test_a_square_figure_stays_one(figure):
    figure.update_layout(meta={"aspect": 1}, height=400)
    assert printed.printed(figure, 3.3).layout.height == pytest.approx(400)
    assert printed.printed(figure, 2.0).layout.height == pytest.approx(printed.size(2.0))


def test_without_chromium_it_says_so(figure, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(StoreError, match=r"Install it .* or take SVG from the chart's own button"):
        printing.write({"accuracy": figure}, tmp_path, width="page")
    assert not list(tmp_path.iterdir())


def test_a_browser_that_draws_nothing_is_an_error(figure, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    with pytest.raises(StoreError, match="found nothing"):
        printing.write({"accuracy": figure}, tmp_path, width="page")


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, printing._NAMES)), reason="no Chromium here")
def test_a_pdf_is_one_page_of_its_size_with_lines_and_letters(figure, tmp_path):
    (file,) = printing.write({"accuracy": figure}, tmp_path, width="column")
    content = file.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    width, height = map(float, re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", content).groups())
    assert width / 72 == pytest.approx(3.3, abs=0.02)
    assert height / 72 == pytest.approx(320 * printed.SCALE / 96, abs=0.02)
    assert b"/Font" in content  # letters, and no picture of them
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL)
    drawn = b"".join(zlib.decompress(one) for one in streams if one[:1] == b"x")
    assert len(re.findall(rb" [lm]\n", drawn)) > 20  # axes, grid and the line
