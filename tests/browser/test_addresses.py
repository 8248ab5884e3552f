"""The address in a real Chromium: it holds the point of every page, and reload, Back and Forward show that point."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from dpcore.ui.core.frame import PAGES
from tests.browser.conftest import box, go, settled, typed

pytestmark = pytest.mark.slow
POINT = {"noise_multiplier": "1.49", "clients_per_round": "160", "clipping": "fixed", "clip_norm": "0.3"}
KNOBS = ("noise_multiplier", "clients_per_round", "clip_norm")
HELD = {
    "accountant": POINT,
    "train": POINT,
    "learn": {name: POINT[name] for name in ("noise_multiplier", "clients_per_round")},
    "study": {name: POINT[name] for name in ("clipping", "clip_norm")},
}


def shows(tab: Page, name: str, held: dict[str, str]) -> None:
    """Waits until the address is that of a page at this point, and its controls show it."""
    tab.wait_for_function(
        "([name, held]) => location.pathname === '/' + name && JSON.stringify([...new URLSearchParams(location.search)]"
        ".filter(([key]) => key !== 'screen').sort()) === JSON.stringify(Object.entries(held).sort())",
        arg=[name, held],
    )
    settled(tab)
    if name == "learn":
        return  # its first screen has none of them
    for knob in held.keys() & KNOBS:
        expect(box(tab, knob)).to_have_value(held[knob])


def test_the_address_of_every_page_holds_the_point(tab, url):
    tab.goto(f"{url}/accountant?{'&'.join(f'{name}={text}' for name, text in POINT.items())}")
    shows(tab, "accountant", POINT)
    names = [path.removeprefix("pages/").removesuffix(".py") for path in PAGES]
    walk = [name for name in names if name != "accountant"]
    steps = tab.evaluate("history.length")
    for name in walk:
        go(tab, name)
        shows(tab, name, HELD.get(name, {}))
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        steps += 1
        assert tab.evaluate("history.length") == steps, name
    tab.reload()
    for name in walk[-2::-1]:
        tab.go_back()
        shows(tab, name, HELD.get(name, {}))
    tab.go_back()
    shows(tab, "accountant", POINT)
    tab.go_forward()
    tab.go_forward()
    shows(tab, walk[1], HELD.get(walk[1], {}))


def test_back_and_forward_show_what_was_there_and_a_default_too(tab, url):
    tab.goto(f"{url}/accountant")
    settled(tab)
    go(tab, "train")
    shows(tab, "train", {})
    steps = tab.evaluate("history.length")
    typed(tab, "noise_multiplier", "1.3")
    shows(tab, "train", {"noise_multiplier": "1.3"})
    typed(tab, "rounds", "2e2")
    shows(tab, "train", {"noise_multiplier": "1.3", "rounds": "200"})
    assert tab.evaluate("history.length") == steps  # a move is no step to go back
    second = tab.context.new_page()
    second.goto(tab.url)
    shows(second, "train", {"noise_multiplier": "1.3", "rounds": "200"})
    second.close()
    tab.go_back()
    shows(tab, "accountant", {})
    expect(box(tab, "noise_multiplier")).to_have_value("1.2")
    tab.go_forward()
    shows(tab, "train", {"noise_multiplier": "1.3", "rounds": "200"})
    expect(box(tab, "rounds")).to_have_value("200")
    tab.get_by_role("radio", name="日本語").click()
    expect(tab.locator("h1")).to_have_text("この保証のもとで、モデルは何を学べる？")
    shows(tab, "train", {"noise_multiplier": "1.3", "rounds": "200", "lang": "ja"})


def test_a_whole_number_is_taken_as_it_is_typed_or_refused(tab, url):
    tab.goto(f"{url}/accountant")
    rounds, refused = box(tab, "rounds"), tab.get_by_role("alert").filter(has_text="Expected Rounds")
    for text, shown, said in (
        ("2e6", "2000000", "found 2000000."),
        ("10.5", "10.5", "found 10.5."),
        ("-3", "-3", "found -3."),
        ("2e3", "2000", ""),
        ("1e400", "100", ""),  # none: the default, as for an empty box
    ):
        rounds.fill(text)
        rounds.press("Enter")
        expect(rounds).to_have_value(shown)
        if said:
            expect(refused).to_contain_text(said)
        else:
            expect(refused).to_have_count(0)
        expect(tab).to_have_url(re.compile(f"rounds={shown}$" if shown != "100" else "accountant$"))


@pytest.mark.parametrize("name", ["accountant", "learn"])
def test_a_link_that_cannot_be_taken_whole_says_so(tab, url, name):
    query = "clients_per_round=1e400&Noise_Multiplier=3&screen=nope&rounds=7&rounds=8&delta=0.001&x=%3Cimg%20src=x%3E%00"
    tab.goto(f"{url}/{name}?{query}")
    notice = tab.get_by_role("alert").filter(has_text="Not all of this link was taken")
    expect(notice).to_contain_text("found 1e400. Its default is used: 120.")
    expect(notice).to_contain_text("Perhaps noise_multiplier is meant.")
    expect(notice.get_by_role("listitem")).to_have_count(5)
    expect(notice.locator("img")).to_have_count(0)
    expect(tab.get_by_test_id("stException")).to_have_count(0)
    settled(tab)
    asked = dict(parse_qsl(urlsplit(tab.url).query))
    assert asked == ({"delta": "0.001"} if name == "accountant" else {})


@pytest.mark.parametrize("path", ["learn?screen=game", "learn?screen=update", "train?rounds=100"])
def test_one_press_of_back_leaves_a_page_that_wrote_its_address_while_it_opened(tab, url, path):
    """A draw that is kept, or a default that need not be said: Streamlit adds a step to the history for it."""
    tab.goto("about:blank")
    tab.goto(f"{url}/{path}")
    tab.wait_for_function("path => !location.href.endsWith(path)", arg=path)
    settled(tab)
    shown = tab.url
    tab.go_back()
    tab.wait_for_url("about:blank")
    tab.go_forward()
    settled(tab)
    assert tab.url == shown
