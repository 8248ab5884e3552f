"""A figure that can be played, in a real Chromium: its controls, the keyboard, and what stays as it is."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from dpcore.ui.lesson import guide
from tests.browser.conftest import box, control, go, press, settled, typed

pytestmark = pytest.mark.slow


def opened(tab: Page, url: str, screen: str = "noise") -> None:
    tab.goto(f"{url}/learn?screen={screen}")
    expect(tab.locator(".epsilon-lab-player output")).to_be_visible()
    tab.locator(".js-plotly-plot .main-svg").first.wait_for()


def frame(tab: Page) -> str:
    return tab.locator(".epsilon-lab-player output").inner_text()


def drawn(tab: Page) -> str:
    """All that the graph has drawn of its last trace."""
    return json.dumps(tab.evaluate("Array.from(document.querySelector('.js-plotly-plot')._fullData.at(-1).z[9])"))


def test_frames_are_stepped_through_by_keyboard_and_slider(tab, url):
    opened(tab, url)
    expect(tab.locator(".epsilon-lab-player output")).to_have_text("400 clients")  # the answer first
    tab.wait_for_timeout(1000)
    assert frame(tab) == "400 clients"  # nothing plays by itself
    last = drawn(tab)
    back = tab.get_by_role("button", name="Step back")
    back.focus()
    tab.keyboard.press("Enter")
    expect(tab.locator(".epsilon-lab-player output")).to_have_text("200 clients")
    assert drawn(tab) != last
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Step forward")).to_be_focused()
    tab.keyboard.press("Space")
    expect(tab.locator(".epsilon-lab-player output")).to_have_text("400 clients")
    assert drawn(tab) == last
    slider = tab.get_by_role("slider", name="Frame shown")
    slider.press("Home")
    expect(tab.locator(".epsilon-lab-player output")).to_have_text("10 clients")
    assert slider.get_attribute("aria-valuetext") == "10 clients"
    for part in tab.locator(".epsilon-lab-player").locator("button, input").all():
        place = part.bounding_box()
        assert min(place["width"], place["height"]) >= 24


def test_play_goes_to_the_end_and_begins_again_without_a_word_to_the_server(tab, url):
    opened(tab, url)
    tab.evaluate(
        "() => { window.sent = 0; const send = WebSocket.prototype.send;"
        "WebSocket.prototype.send = function (...all) { window.sent++; return send.apply(this, all); }; }"
    )
    tab.evaluate("document.querySelector('.js-plotly-plot').marked = true")
    toggle = tab.get_by_role("button", name="Play", exact=True)
    toggle.click()
    # A frame is shown for less than a second: looked for in every picture that the browser draws, and paused in the same.
    tab.wait_for_function(
        "() => { const bar = document.querySelector('.epsilon-lab-player');"
        "if (bar.querySelector('output').textContent !== '20 clients') return false;"
        "bar.querySelector('button').click(); return true; }"
    )
    held = frame(tab)
    tab.wait_for_timeout(1200)
    assert frame(tab) == held == "20 clients"
    toggle.click()
    expect(tab.locator(".epsilon-lab-player output")).to_have_text("400 clients")
    expect(toggle).to_be_visible()  # it has stopped at the end
    tab.evaluate(
        "() => { window.seen = []; const shown = document.querySelector('.epsilon-lab-player output');"
        "new MutationObserver(() => window.seen.push(shown.textContent))"
        ".observe(shown, { childList: true, characterData: true, subtree: true }); }"
    )
    toggle.click()
    tab.wait_for_function("window.seen[0] === '10 clients'")
    assert tab.evaluate("window.sent") == 0
    assert tab.evaluate("document.querySelector('.js-plotly-plot').marked") is True


def test_a_control_moves_the_figure_and_the_frame_stays(tab, url):
    opened(tab, url)
    tab.evaluate("document.querySelector('.js-plotly-plot').marked = true")
    tab.get_by_role("slider", name="Frame shown").press("Home")
    tab.get_by_role("slider", name="Frame shown").press("ArrowRight")
    before = drawn(tab)
    typed(tab, "noise_multiplier", "0.2")
    expect(tab.get_by_text("At noise multiplier 0.2")).to_be_visible()
    assert frame(tab) == "20 clients"
    tab.wait_for_function("JSON.stringify(document.querySelector('.js-plotly-plot').layout).includes('0.2 / 20')")
    assert drawn(tab) != before
    assert tab.evaluate("document.querySelector('.js-plotly-plot').marked") is True


def test_less_motion_is_slower_and_still_plays(browser, url):
    page = browser.new_context(reduced_motion="reduce").new_page()
    opened(page, url)
    page.wait_for_timeout(500)
    assert frame(page) == "400 clients"
    page.evaluate(
        """() => {
          const shown = document.querySelector(".epsilon-lab-player output");
          window.changes = [];
          new MutationObserver(() => {
            if (window.changes.at(-1)?.[1] !== shown.textContent)
              window.changes.push([performance.now(), shown.textContent]);
          }).observe(shown, { childList: true, characterData: true, subtree: true });
        }"""
    )
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("window.changes.length >= 5")
    changes = page.evaluate("window.changes")
    assert [text for _, text in changes[:2]] == ["10 clients", "20 clients"]
    assert changes[4][0] - changes[1][0] > 2500  # a second a frame; the first waits for the chart
    page.context.close()


def test_for_a_lecture_the_screen_is_alone_and_turned_by_a_presenter(tab, url):
    tab.set_viewport_size({"width": 1280, "height": 720})
    opened(tab, url, "clipping&lecture=true")
    low = tab.locator(".main-svg").first.bounding_box()["height"]
    press(tab, "lesson_lecture")
    expect(tab.get_by_test_id("stSidebar")).to_be_visible()
    tab.wait_for_function("low => document.querySelector('.main-svg').clientHeight > low", arg=low)
    press(tab, "lesson_lecture")
    tab.wait_for_function("low => document.querySelector('.main-svg').clientHeight === low", arg=low)
    expect(tab.get_by_test_id("stSidebar")).to_be_hidden()
    expect(tab.get_by_role("heading", level=1)).to_be_attached()
    for screen in ("noise", "sampling", "correlated", "game"):
        tab.wait_for_function(
            "() => { const play = document.querySelector('.epsilon-lab-player button');"
            "return play && play.getBoundingClientRect().bottom < innerHeight; }"
        )
        tab.keyboard.press("PageDown")
        expect(tab.get_by_role("heading", name=guide.SCREENS[screen].heading)).to_be_visible()
    tab.keyboard.press("PageUp")
    expect(tab.get_by_role("heading", name=guide.SCREENS["correlated"].heading)).to_be_visible()
    expect(tab).to_have_url(re.compile("lecture=true"))


def test_on_a_phone_the_picture_stays_in_sight_of_its_control(tab, url):
    tab.set_viewport_size({"width": 390, "height": 844})
    opened(tab, url, "sampling")
    settled(tab)
    slider = tab.get_by_test_id("stSlider")
    slider.evaluate("at => at.scrollIntoView({ block: 'end' })")
    for seen in (slider, tab.locator(".epsilon-lab-chart").first):
        expect(seen).to_be_in_viewport(ratio=0.98)  # a scroll ends on a whole pixel, a control need not


def test_a_picture_leaves_no_empty_space_below_it(tab, url):
    opened(tab, url, "update")
    tab.wait_for_function(
        "() => { const { clientHeight } = document.querySelector('.epsilon-lab-chart');"
        "return 250 < clientHeight && clientHeight <= 310; }"
    )
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.wait_for_function("document.querySelector('.epsilon-lab-chart').clientHeight < 200")
    tab.wait_for_function("document.querySelector('.js-plotly-plot .main-svg').clientHeight < 200")


def test_a_link_of_the_lesson_opens_its_plan_and_no_earlier_one(tab, url):
    """Noise at its default, which Streamlit takes out of an address, after another noise and everybody."""
    tab.goto(f"{url}/accountant?everybody=true&noise_multiplier=30")
    noise = box(tab, "noise_multiplier")
    expect(noise).to_have_value("30")
    go(tab, "learn")
    control(tab, "lesson_screen").get_by_role("radio").nth(5).click()
    go(tab, "accountant", inside="stMain")
    headline = tab.get_by_test_id("stMetricValue").first
    expect(noise).to_have_value("1.2")
    expect(headline).to_have_text("1.708")
    tab.goto(f"{url}/learn?screen=mistakes&lesson_claim=everybody")
    control(tab, "claim_everybody").get_by_text("it holds").click()
    press(tab, "claim_answer")
    go(tab, "accountant", inside="stMain")
    expect(noise).to_have_value("30")
    expect(headline).to_have_text("1.272")
    tab.reload()
    expect(noise).to_have_value("30")
    expect(headline).to_have_text("1.272")


def test_the_lesson_leads_on_with_its_sliders_set(tab, url):
    opened(tab, f"{url}", "sampling&clients_per_round=500")
    go(tab, "accountant", inside="stMain")
    expect(tab.get_by_role("heading", name="How private is this plan?")).to_be_visible()
    expect(box(tab, "clients_per_round")).to_have_value("500")
