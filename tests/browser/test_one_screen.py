"""One screen: what is asked and what comes of it beside each other, in every window; and a newcomer's way, in clicks."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import box, control, go, press, settled, typed
from tests.browser.test_dashboard import points, wait_for_more_points

pytestmark = pytest.mark.slow
WINDOWS = ((1280, 720), (1440, 900), (1920, 1080))
# Of the first chart, and of what stands above it: whether all of it is in the window.
IN_SIGHT = """() => [document.querySelector('.epsilon-lab-chart'), document.querySelector('.st-key-stop button')]
  .map(one => one?.getBoundingClientRect())
  .map(box => !!box && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth)"""


class Clicks:
    """Counts what a person presses."""

    def __init__(self, page: Page):
        self._page = page
        page.evaluate("window.clicks = 0; addEventListener('click', (e) => { if (e.isTrusted) clicks++; }, true)")

    def so_far(self) -> int:
        return self._page.evaluate("window.clicks")


def test_the_chart_is_in_the_window_from_the_first_second(tab, url):
    tab.set_viewport_size({"width": 1280, "height": 720})
    tab.goto(f"{url}/train?noise_multiplier=0.5&clients_per_round=10&rounds=100000&eval_every=1")
    settled(tab)
    press(tab, "train")
    expect(control(tab, "stop")).to_be_visible()
    settled(tab)
    wait_for_more_points(tab, than=2)
    for width, height in WINDOWS:
        tab.set_viewport_size({"width": width, "height": height})
        tab.wait_for_function(f"() => ({IN_SIGHT})().every(Boolean)")
        assert tab.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
        ask, live = (control(tab, f"bench_{name}").bounding_box() for name in ("ask", "live"))
        assert ask["x"] + ask["width"] <= live["x"]
    before = points(tab, "Accuracy")
    wait_for_more_points(tab, than=before)
    press(tab, "stop")
    expect(control(tab, "stop")).to_have_count(0)


def test_a_phone_scrolls_to_the_charts_below_the_button(browser, url):
    phone = browser.new_page(viewport={"width": 390, "height": 844}, locale="en-US")
    phone.set_default_timeout(60_000)
    phone.goto(f"{url}/train?noise_multiplier=0.5&clients_per_round=10&rounds=100000&eval_every=1")
    settled(phone)
    press(phone, "train")
    phone.wait_for_function(f"() => ({IN_SIGHT})().every(Boolean)")
    ask, live, more = (control(phone, f"bench_{name}").bounding_box() for name in ("ask", "live", "more"))
    assert ask["y"] + ask["height"] <= live["y"]
    assert live["y"] + live["height"] <= more["y"]
    settled(phone)
    press(phone, "stop")
    expect(control(phone, "stop")).to_have_count(0)
    phone.close()


def test_a_study_grows_beside_its_grid(tab, url):
    tab.set_viewport_size({"width": 1280, "height": 720})
    tab.goto(f"{url}/study?noises=0.5,1&cohorts=20&lengths=3&final=false&baseline=none")
    settled(tab)
    press(tab, "run_all")
    expect(tab.get_by_text("1. Sweep the noise multiplier")).to_be_visible()
    settled(tab)
    tab.wait_for_function(
        "() => { const box = document.querySelector('.epsilon-lab-chart').getBoundingClientRect();"
        "return box.top >= 0 && box.bottom <= innerHeight; }"
    )
    expect(control(tab, "bench_ask").get_by_text("0.5, 1")).to_be_visible()
    expect(tab.get_by_text("Finished ·")).to_be_visible()
    control(tab, "bench_ask").get_by_role("link").click()  # the same once more, to be changed
    expect(control(tab, "noises").locator("input")).to_have_value("0.5, 1")
    expect(control(tab, "lengths").locator("input")).to_have_value("3")


def test_a_newcomer_trains_changes_a_knob_and_compares_in_few_clicks(browser, url):
    """Two runs side by side, and a notebook and a figure to take home, in nine clicks at most."""
    page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="en-US")
    page.set_default_timeout(60_000)
    page.goto(url)
    settled(page)
    clicks = Clicks(page)
    go(page, "train")
    settled(page)
    for name, few in (
        ("clients_per_round", "20"),
        ("rounds", "6"),
    ):  # so that the test ends soon; a person leaves them
        typed(page, name, few)
        settled(page)
    press(page, "train")
    wait_for_more_points(page, than=1)
    assert page.evaluate(IN_SIGHT)[0]  # moves, and nobody has scrolled
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    expect(page.get_by_text("Finished ·")).to_be_visible(timeout=180_000)
    box(page, "noise_multiplier").click()
    box(page, "noise_multiplier").fill("0.6")
    box(page, "noise_multiplier").press("Enter")
    expect(page).to_have_url(re.compile("noise_multiplier=0.6"))
    settled(page)
    press(page, "train")
    expect(control(page, "run").get_by_role("combobox")).to_have_value(
        re.compile("finished · noise 0.6"), timeout=180_000
    )
    with page.expect_download() as notebook:
        page.get_by_role("button", name="A notebook that uses TFF only").click()
    assert nbformat(notebook) == 4
    page.get_by_role("link", name="Compare with the run before").click()
    expect(page.get_by_text("Plans and results")).to_be_visible()
    settled(page)
    names = page.evaluate(
        "[...document.querySelector('.js-plotly-plot').data].map(trace => trace.name).filter(Boolean).sort()"
    )
    assert names == ["noise 0.6", "noise 1.2"]
    chart = page.locator(".epsilon-lab-chart").first
    chart.hover()
    with page.expect_download() as figure:
        chart.get_by_role("button", name="SVG for print, 3.3 inches wide").click()
    assert Path(figure.value.path()).read_text().startswith("<svg")
    assert clicks.so_far() <= 9
    page.close()


def nbformat(download) -> int:
    """The version of the form of a notebook that was downloaded."""
    return json.loads(Path(download.value.path()).read_text())["nbformat"]


def test_labels_stay_on_one_line_in_japanese_too(browser, url):
    page = browser.new_page(viewport={"width": 1280, "height": 720}, locale="ja-JP")
    page.set_default_timeout(60_000)
    sliders = "[data-testid=stSlider] [data-testid=stWidgetLabel] p"
    for name, labels in (("accountant", f"[data-testid=stMetricLabel] p, {sliders}"), ("train", sliders)):
        page.goto(f"{url}/{name}?lang=ja")
        settled(page)
        wrapped = page.evaluate(
            """(labels) => [...document.querySelectorAll(labels)].filter((label) => {
              const text = document.createRange();
              text.selectNodeContents(label);
              return new Set([...text.getClientRects()].map((line) => Math.round(line.top))).size > 1;
            }).map((label) => label.innerText)""",
            labels,
        )
        assert wrapped == [], name
    page.close()


def test_runs_fit_a_window_of_1024_pixels(browser, url):
    """Its table shows accuracy and its curve without being scrolled; a glance is what a list is for."""
    page = browser.new_page(viewport={"width": 1024, "height": 768}, locale="en-US")
    page.set_default_timeout(60_000)
    page.goto(f"{url}/runs")
    settled(page)
    table = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert table["x"] + table["width"] <= 1024
    # Status, run, noise, clients, round, epsilon, accuracy and its curve take some 650 pixels.
    assert table["width"] >= 660
    page.close()
