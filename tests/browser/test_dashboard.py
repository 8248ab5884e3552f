"""The dashboard in a real Chromium: what a person does, from the Accountant to a stopped run."""

import re

import pytest
from playwright.sync_api import Page, expect

from dpcore.locks import lock
from dpcore.plan import Plan
from dpcore.rounds import Round
from dpcore.runs.store import Store
from tests.browser.conftest import box, control, go, press, serving, settled, typed
from tests.datasets.forms import small_files
from tests.ports import free_port

pytestmark = pytest.mark.slow


def metric(page: Page, label: str):
    named = page.get_by_test_id("stMetric").filter(has=page.get_by_text(label))
    return named.first.get_by_test_id("stMetricValue")


def points(page: Page, title: str) -> int:
    """How many points the chart with this title has."""
    return page.evaluate(
        "title => { const chart = [...document.querySelectorAll('.js-plotly-plot')]"
        ".find(c => c.layout.yaxis.title.text.startsWith(title)); return chart ? chart.calcdata[0].length : 0; }",
        title,
    )


def wait_for_more_points(page: Page, *, than: int) -> None:
    """Waits until a chart of the page has grown."""
    page.wait_for_function(
        "n => [...document.querySelectorAll('.js-plotly-plot')].some(c => c.calcdata?.[0].length > n)",
        arg=than,
        timeout=300_000,
    )


def shown_range(page: Page) -> list[float]:
    return page.evaluate("document.querySelector('.js-plotly-plot').layout.xaxis.range")


def zoom(page: Page) -> list[float]:
    """Draws a box over part of the first chart; returns what its x axis then shows."""
    at_rest = False  # what a worker says while it starts has gone, and nothing moves any more
    while not at_rest:
        settled(page)
        page.evaluate("document.querySelector('.js-plotly-plot').seen = true")
        page.wait_for_timeout(2000)
        at_rest = page.evaluate("!!document.querySelector('.js-plotly-plot')?.seen")
    whole = shown_range(page)
    box = page.evaluate(
        """() => {  // at once: an update may put another element in its place
          const plot = document.querySelector('.js-plotly-plot .nsewdrag');
          plot.scrollIntoView({ block: 'center', behavior: 'instant' });
          const { x, y, width, height } = plot.getBoundingClientRect();
          return { x, y, width, height };
        }"""
    )
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "whole => document.querySelector('.js-plotly-plot').layout.xaxis.range[0] > whole[0]", arg=whole
    )
    return shown_range(page)


def test_a_first_deep_link_to_a_cold_server_is_right(browser, tmp_path):
    cold = free_port()
    with serving(tmp_path, cold):
        page = browser.new_page()
        page.goto(f"http://localhost:{cold}/train?noise_multiplier=0.75&clients_per_round=50")
        expect(page.get_by_text("2.506").first).to_be_visible()
        links = page.get_by_test_id("stSidebar").get_by_role("link")
        names = [
            "Learn",
            "Accountant",
            "Data",
            "Train",
            "Study",
            "Frontier",
            "Runs",
            "Audit",
            "Ledger",
            "From elsewhere",
        ]
        expect(links).to_have_text(names)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        page.close()


def test_the_accountant_answers_a_slider_and_solves(tab, url):
    tab.goto(url)
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.708")
    expect(metric(tab, "Epsilon by RDP (order 8)")).to_have_text("1.989")
    tab.locator(".js-plotly-plot").first.wait_for()
    assert points(tab, "Epsilon") == 61
    noise = control(tab, "noise_multiplier_slider").get_by_role("slider")
    noise.press("ArrowRight")
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.681")
    expect(box(tab, "noise_multiplier")).to_have_value("1.21")
    expect(tab).to_have_url(re.compile("noise_multiplier=1.21"))
    control(tab, "solve").get_by_role("combobox").click()
    tab.get_by_role("option").nth(1).click()
    expect(metric(tab, "Clients per round (solved)")).to_have_text("104")
    expect(metric(tab, "Noise multiplier (solved)")).to_have_text("1.04")
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.985")
    link = tab.url
    tab.goto("about:blank")
    tab.goto(link)  # what was asked is in the link
    expect(metric(tab, "Clients per round (solved)")).to_have_text("104")
    control(tab, "accountant").get_by_text("RDP").click()
    expect(metric(tab, "Clients per round (solved)")).to_have_text("120")


def test_the_plan_comes_along_to_train(tab, url):
    tab.goto(f"{url}/accountant")
    typed(tab, "noise_multiplier", "1.21")
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.681")
    go(tab, "train")
    expect(metric(tab, "Epsilon of the plan")).to_have_text("1.681")


def test_a_chart_is_updated_and_not_rebuilt(tab, url):
    tab.goto(f"{url}/accountant")
    tab.locator(".js-plotly-plot").first.wait_for()
    tab.evaluate("document.querySelector('.js-plotly-plot').marked = true")
    typed(tab, "rounds", "20")
    tab.wait_for_function("document.querySelector('.js-plotly-plot').calcdata[0].length === 41")
    assert tab.evaluate("document.querySelector('.js-plotly-plot').marked") is True


def test_bad_input_is_explained_and_the_page_recovers(tab, url):
    tab.goto(f"{url}/accountant")
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.708")
    typed(tab, "clients_per_round", "4000")
    expect(tab.get_by_role("alert")).to_contain_text("Expected Clients per round to be a whole number")
    typed(tab, "clients_per_round", "120")
    expect(metric(tab, "Epsilon by PLD")).to_have_text("1.708")


def test_a_table_is_sent_and_shown(tab, url, tmp_path):
    table = tmp_path / "people.csv"
    rows = [f"person-{n % 120},{'ant' if n % 3 else 'bee'},{n * 0.01}" for n in range(960)]
    table.write_text("\n".join(["who,kind,size", *rows]))
    tab.goto(f"{url}/data")
    control(tab, "data_tabs").get_by_role("tab").nth(1).click()
    tab.locator("input[type=file]").set_input_files(table)
    press(tab, "import")
    expect(tab.get_by_text("people is imported.")).to_be_visible()
    control(tab, "data_tabs").get_by_role("tab").nth(0).click()
    expect(metric(tab, "Users")).to_have_text("120")
    tab.locator(".js-plotly-plot").first.wait_for()
    named = control(tab, "dataset").get_by_role("combobox")
    tab.goto(f"{url}/data?dataset=people")  # by a link: then it comes along, and is not lost on the way
    expect(named).to_have_value("people")
    go(tab, "train", inside="stMain")
    expect(tab.locator("h1")).to_have_text("What does the model learn under this guarantee?")
    expect(named).to_have_value("people")
    tab.reload()
    expect(named).to_have_value("people")
    tab.goto(f"{url}/ledger?dataset=nowhere")
    expect(tab.get_by_text("The link names nowhere")).to_be_visible()
    tab.goto(f"{url}/data?dataset=people")
    settled(tab)  # what opens where a page still grows is left behind, out of sight
    press(tab, "remove_data")
    press(tab, "remove")
    expect(control(tab, "dataset").get_by_role("combobox")).to_have_value("writers")


def test_files_that_are_one_table_are_sent_together(tab, url, tmp_path):
    write, _options, _split = small_files.FORMS["tff hdf5"]
    tab.goto(f"{url}/data")
    control(tab, "data_tabs").get_by_role("tab").nth(1).click()
    tab.locator("input[type=file]").set_input_files(sorted(write(tmp_path).iterdir()))
    expect(control(tab, "import_split").get_by_role("combobox")).to_have_value("split")
    press(tab, "import")
    expect(tab.get_by_text("small is imported.")).to_be_visible()
    control(tab, "data_tabs").get_by_role("tab").nth(0).click()
    expect(metric(tab, "Users")).to_have_text("12")
    tab.goto(f"{url}/data?dataset=small")
    settled(tab)
    press(tab, "remove_data")
    press(tab, "remove")
    expect(control(tab, "dataset").get_by_role("combobox")).to_have_value("writers")


def test_what_a_button_of_a_run_does_is_seen_all_over_the_page(tab, url, home):
    """The buttons stand in a fragment, which Streamlit runs alone."""
    store = Store(home)
    first = store.create(Plan(), engine="vectorized", eval_every=1)
    store.begin(first)
    told = {"loss": 1.0, "clip_norm": 0.1, "cohort_size": 5, "epsilon": 0.1, "seconds": 0.1}
    store.append(first, Round(round=0, accuracy=0.5, **told))
    store.end(first, "stopped")
    chosen = control(tab, "run").get_by_role("combobox")
    with lock(home / "runner.lock", wait=True):  # nothing begins meanwhile
        tab.goto(f"{url}/train?run={first}")
        press(tab, "retry")
        expect(tab.get_by_text("Number 1 of 1 in the queue")).to_be_visible()
        again = store.runs()[0].run_id
        expect(chosen).to_have_value(re.compile(f"{again} · queued"))
        expect(tab).to_have_url(re.compile(f"run={again}"))
        press(tab, "cancel")
        expect(chosen).to_have_value(re.compile(f"{again} · cancelled"))
        press(tab, "delete_run")
        press(tab, "delete")
        expect(tab.get_by_text(f"In the bin: {again}")).to_be_visible()
        expect(chosen).to_have_value(re.compile(f"{first} · stopped"))
        press(tab, "undo")
        expect(chosen).to_have_value(re.compile(f"{again} · cancelled"))


def test_a_run_grows_outlives_page_and_server_and_stops(browser, tab, home):
    port = free_port()
    address = f"http://localhost:{port}/train?noise_multiplier=0.5&clients_per_round=50&rounds=5000&eval_every=1"
    with serving(home, port, spare=True):
        tab.goto(address)
        expect(metric(tab, "Epsilon of the plan")).to_have_text("43.7")
        settled(tab)
        press(tab, "train")
        wait_for_more_points(tab, than=2)
        zoomed, before = zoom(tab), points(tab, "Accuracy")
        wait_for_more_points(tab, than=before + 3)
        assert shown_range(tab) == zoomed  # an update leaves it as the reader has it
        tab.reload()
        wait_for_more_points(tab, than=before)
        link, before = tab.url, points(tab, "Accuracy")
        tab.goto("about:blank")  # what a tab says of a server that is killed is no error of the page
    with serving(home, port):  # killed, and started again: the worker went on
        second = browser.new_page()
        second.set_default_timeout(60_000)
        second.goto(link)
        wait_for_more_points(second, than=before)
        press(second, "stop")
        expect(second.get_by_text("Stopped ·")).to_be_visible()
        expect(control(second, "stop")).to_have_count(0)
        second.close()
