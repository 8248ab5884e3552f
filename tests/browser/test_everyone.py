"""Every page for everybody: no error in the console, nothing that axe-core finds, nothing wider than the page."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dpcore.language import LANGUAGES
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.statement import epsilon_text
from dpcore.rounds import Round
from dpcore.runs.audit import demo
from dpcore.runs.audit import recorded as recording
from dpcore.runs.audit.demo import Demo
from dpcore.runs.store import Store
from dpcore.ui.core.frame import PAGES
from dpcore.ui.lesson import guide
from tests.browser.conftest import box, go, settled, typed
from tests.runs.audit import test_recorded as recorded

pytestmark = pytest.mark.slow
NAMES = [path.removeprefix("pages/").removesuffix(".py") for path in PAGES]
# WCAG 2.1, levels A and AA.
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# Of texts outside charts whose background axe-core could not tell: contrast against the nearest one that is opaque.
CONTRASTS = """selectors => selectors.map(one => document.querySelector(one)).filter(one => one && !one.closest("svg"))
  .map(one => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = colour => numbers(colour).slice(0, 3)
      .map(value => value / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
      .reduce((sum, value, channel) => sum + value * [0.2126, 0.7152, 0.0722][channel], 0);
    let behind = one;
    while (numbers(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
    const [dark, light] = [getComputedStyle(one).color, getComputedStyle(behind).backgroundColor]
      .map(luminance).sort((a, b) => a - b);
    return [(light + 0.05) / (dark + 0.05), one.innerText];
  })"""


@pytest.fixture(scope="module")
def home(home_of_few):
    return home_of_few


@pytest.fixture(scope="module")
def filled(home):
    """A store in which pages have something to show: data, a finished run and one that failed."""
    store = Store(home)
    for status, noise in (("finished", 1.2), ("finished", 0.75), ("failed", 0.5)):
        plan = Plan(privacy=PrivacyPlan(noise_multiplier=noise, clients_per_round=120, rounds=2))
        run_id = store.create(plan, engine="vectorized", eval_every=1)
        store.begin(run_id)
        for number, accuracy in enumerate((0.1, 0.4, 0.6)):
            row = Round(
                round=number,
                accuracy=accuracy,
                loss=2.3 - accuracy,
                clip_norm=0.1,
                cohort_size=118 if number else None,
                epsilon=0.3 * number,
                seconds=0.1,
                update_norm=0.2 if number else None,
                noise_norm=0.1 if number else None,
            )
            store.append(run_id, row)
        store.end(run_id, status, "ValueError: what went wrong" if status == "failed" else "")
    return store


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=AXE).response
    undecided = [
        node["target"][0] for one in found["incomplete"] if "contrast" in one["id"] for node in one["nodes"]
    ]
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        for node in one["nodes"]
    ] + [f"contrast {ratio:.2f}: {words}" for ratio, words in page.evaluate(CONTRASTS, undecided) if ratio < 4.5]


def fits(page: Page) -> None:
    """Waits until the page is no wider than the window, at every width that is looked after."""
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 1200})
        page.wait_for_function(
            "width => { const main = document.querySelector('[data-testid=stMain]');"
            "return innerWidth === width && main.scrollWidth - main.clientWidth <= 1; }",
            arg=width,
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_without_errors_accessible_and_fits(tab, url, filled, name):
    # Dark from the start: Streamlit misses a change of scheme that falls into the moment in which the page mounts.
    tab.emulate_media(color_scheme="dark")
    tab.goto(f"{url}/{name}?lang=ja")
    for scheme, code in (("dark", "ja"), ("light", "en")):
        tab.emulate_media(color_scheme=scheme)
        tab.get_by_role("radio", name=LANGUAGES[code]).click()
        expect(tab.locator(f"html[lang={code}]")).to_be_attached()
        settled(tab)
        tab.wait_for_function(
            "scheme => getComputedStyle(document.querySelector('.stApp')).colorScheme === scheme", arg=scheme
        )
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        assert violations(tab) == []
        fits(tab)


@pytest.mark.parametrize("name", ["accountant", "train"])
def test_a_schedule_with_correlated_noise_is_accessible_and_fits(tab, url, filled, name):
    """With the boxes of numbers that follow, and the table of assumptions, which a phone shows whole."""
    tab.goto(f"{url}/{name}?participation=schedule&noise=banded&clipping=fixed&noise_multiplier=3.988")
    settled(tab)
    expect(box(tab, "min_separation")).to_have_attribute("placeholder", re.compile(r"\d \(auto\)"))
    assert violations(tab) == []
    fits(tab)
    if name == "accountant":
        tab.set_viewport_size({"width": 390, "height": 1200})
        tab.wait_for_function(
            "() => { const table = document.querySelector('.st-key-assumptions table');"
            "return innerWidth === 390 && table.getBoundingClientRect().right <= 390; }"
        )


@pytest.mark.parametrize("screen", list(guide.SCREENS))
def test_a_screen_of_the_lesson_is_accessible(tab, url, screen):
    tab.goto(f"{url}/learn?screen={screen}")
    settled(tab)
    assert violations(tab) == []


def test_a_run_that_failed_says_why_to_everybody(tab, url, filled):
    (run,) = filled.runs(status=["failed"])
    tab.goto(f"{url}/runs?runs={run.run_id}")
    settled(tab)
    expect(tab.get_by_role("alert").filter(has_text="what went wrong")).to_be_visible()
    assert violations(tab) == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_audit_is_accessible_and_fits(tab, url, filled, code):
    """With its tables and pictures, those of a break as well; each in a place of its own for the keyboard."""
    run_id = filled.create(recorded.PLAN, engine="vectorized", eval_every=5, audit=recorded.CANARIES)
    recorded.train(filled, run_id, step=3.0)
    filled.end(run_id, "finished")
    shown = recording.analysis(filled, filled.run(run_id))
    (filled.home / "audit_demo").mkdir(exist_ok=True)
    demo.write(filled.home, Demo(name="clip-off", round=shown.rounds, result=shown))
    for page in (f"audit?audited={run_id}&break=clip-off", f"train?run={run_id}&audit=true"):
        tab.goto(f"{url}/{page}&lang={code}")
        settled(tab)
        expect(tab.get_by_test_id("stException")).to_have_count(0)
        assert violations(tab) == []
        fits(tab)
        for width in (390, 1440):  # tables as well, which would scroll by themselves
            tab.set_viewport_size({"width": width, "height": 1200})
            tab.wait_for_function(
                "width => innerWidth === width && [...document.querySelectorAll('[class*=st-key-audit_table] table')]"
                ".every(table => table.getBoundingClientRect().right <= width)",
                arg=width,
            )
    figure = tab.get_by_role("figure", name={"en": "Epsilon-hat over rounds", "ja": "ラウンドごとの ε̂"}[code])
    figure.focus()
    expect(figure).to_be_focused()


def test_the_language_changes_in_place_and_comes_along(tab, url):
    tab.goto(f"{url}/accountant")
    settled(tab)
    typed(tab, "noise_multiplier", "1.3")
    epsilon = epsilon_text(accounting.epsilon(PrivacyPlan(noise_multiplier=1.3)).value)
    expect(tab.get_by_text(epsilon, exact=True).first).to_be_visible()
    tab.get_by_role("radio", name="日本語").click()
    expect(tab.locator("h1")).to_have_text("このプランはどれくらいプライベート？")
    expect(tab.get_by_text(epsilon, exact=True).first).to_be_visible()
    expect(tab).to_have_url(re.compile("lang=ja"))
    go(tab, "ledger")
    expect(tab.locator("h1")).to_have_text("すべての実行を合わせると、どれだけ消費する？")
    expect(tab).to_have_url(re.compile("lang=ja"))


def test_all_of_the_accountant_is_reached_by_keyboard(tab, url):
    tab.goto(f"{url}/accountant")
    settled(tab)
    seen = set()
    for _ in range(80):
        tab.keyboard.press("Tab")
        seen.add(
            tab.evaluate(
                "(() => { const at = document.activeElement;"
                "return at.getAttribute('aria-label') || at.innerText || at.getAttribute('role') || at.tagName; })()"
            )
        )
    for control in ("Solve for", "Noise multiplier", "Noise multiplier: exact value", "Rounds: exact value"):
        assert any(control in label for label in seen), (control, seen)


def test_who_wants_less_motion_sees_none(tab, url):
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(f"{url}/accountant")
    settled(tab)
    longest = tab.evaluate(
        "Math.max(...[...document.querySelectorAll('*')].map(e =>"
        "Math.max(...getComputedStyle(e).transitionDuration.split(',').map(parseFloat))))"
    )
    assert longest < 0.001
