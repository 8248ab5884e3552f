"""What a chart's own buttons hand out: files for print, white whatever the theme, of the width that was asked for."""

import re
import struct
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dpcore.charts import printed
from tests.browser.conftest import settled

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_chart_is_downloaded_for_print(browser, url, theme):
    page = browser.new_page(viewport={"width": 1440, "height": 1200}, color_scheme=theme, locale="en-US")
    page.goto(f"{url}/accountant")
    settled(page)
    chart = page.locator(".epsilon-lab-chart").first
    chart.scroll_into_view_if_needed()
    chart.hover()
    for width, inches in printed.INCHES.items():
        for form in ("svg", "png"):
            with page.expect_download() as download:
                chart.get_by_role("button", name=f"{form.upper()} for print, {inches} inches wide").click()
            content = Path(download.value.path()).read_bytes()
            assert download.value.suggested_filename.endswith(f".{form}")
            if form == "png":
                assert struct.unpack(">I", content[16:20])[0] == pytest.approx(300 * inches, abs=1), width
            else:
                svg = content.decode()
                assert float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1]) / 96 == pytest.approx(
                    inches, abs=0.01
                )
                assert re.search(
                    r'<rect[^>]*style="fill: (white|rgb\(255, 255, 255\)|rgb\(100%, 100%, 100%\))', svg
                )
                assert "font-family: Arial" in svg.replace("&quot;", "")
    page.close()


def test_the_buttons_are_there_for_the_keyboard(tab, url):
    tab.goto(f"{url}/accountant")
    settled(tab)
    button = tab.locator(".epsilon-lab-chart").first.get_by_role("button", name="SVG for print, 7.0 inches wide")
    button.focus()
    expect(button).to_be_focused()
    expect(tab.locator(".epsilon-lab-chart").first.locator(".modebar")).to_have_css("opacity", "1")
    with tab.expect_download():
        tab.keyboard.press("Enter")
