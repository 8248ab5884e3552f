"""What holds of every page and every state of a run: each control says what it is, and Japanese pages speak Japanese."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from dpcore import datasets
from dpcore.language import N_
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.process import processes, supervisor
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from dpcore.runs.store.run_rows import ACTIVE, ENDED
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study
from tests.pages import test_pages as pages

home = pages.home  # an empty one for each test
PAGES = sorted(path.stem for path in (Path(__file__).parents[2] / "pages").glob("*.py"))
CONTROLS = {
    "button",
    "checkbox",
    "download_button",
    "file_uploader",
    "multiselect",
    "number_input",
    "radio",
    "select_slider",
    "selectbox",
    "segmented_control",
    "pills",
    "button_group",
    "text_area",
    "text_input",
    "toggle",
}
# What people read of an element, by the name of its field.
WORDS = {
    "label",
    "help",
    "body",
    "placeholder",
    "options",
    "text",
    "caption",
    "captions",
    "content",
    "content_help",
}
# What is the same in every language: names of products, and papers.
NAMES = (
    "Epsilon Lab",
    "TensorFlow Federated",
    "TensorFlow Privacy",
    "Federated EMNIST",
    "Federated EMNIST digits",
    "Ponomareva et al.",
    "McMahan et al.",
    "Andrew et al.",
)
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,:;]+[A-Za-z]+){2,}")


@pytest.fixture(autouse=True)
def no_runner(monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)


def elements(test):
    """Every element of a page with what Streamlit sends of it."""
    for root in (test.main, test.sidebar):
        for element in root:
            if getattr(element, "proto", None) is not None:
                yield element


def fields(message):
    """Every text field of a message, with its name."""
    for field, value in message.ListFields():
        several = not isinstance(value, str | bytes) and hasattr(value, "__iter__")
        for one in value if several else [value]:
            if isinstance(one, str):
                yield field.name, one
            elif hasattr(one, "ListFields"):
                yield from fields(one)


def said(test):
    """Everything that a page says: texts, labels, helps, options, headings of tables and words of charts."""
    for element in elements(test):
        if element.type == "bidi_component":
            sent = json.loads(element.proto.json or "{}")
            yield sent.get("label", "")
            figure = json.loads(sent.get("figure", "{}"))
            yield from (trace.get("name") or "" for trace in figure.get("data", []))
            yield from (
                axis.get("title", {}).get("text", "")
                for axis in figure.get("layout", {}).values()
                if isinstance(axis, dict)
            )
        elif element.type in ("arrow_data_frame", "arrow_table", "dataframe"):
            for name, column in json.loads(element.proto.columns or "{}").items():
                yield from (column.get("label") or name, column.get("help") or "")
            table = element.value.reset_index()
            yield from (str(value) for value in table.select_dtypes(["object", "string"]).to_numpy().ravel())
        else:
            yield from (text for name, text in fields(element.proto) if name in WORDS)


def english(test):
    """What a page says in English: three words after each other that are no name, code or path."""
    found = []
    for text in said(test):
        bare = re.sub(
            r"`[^`]*`|```.*?```|:material/\w+:|\]\([^)]*\)|<[^>]*>|\S*[/_]\S*", " ", text, flags=re.DOTALL
        )
        for name in NAMES:
            bare = bare.replace(name, "")
        if ENGLISH.search(bare):
            found.append(text)
    return found


def unexplained(test):
    """The controls of a page that lack a label or a help."""
    return [
        f"{element.type} {element.proto.label!r}"
        for element in elements(test)
        if element.type in CONTROLS and not (element.proto.label.strip() and element.proto.help.strip())
    ]


@pytest.fixture
def filled(home, few_writers, monkeypatch):
    """A store with a data set, a finished study, and a run in each state; returns the runs by their state."""
    folder = datasets.entry("writers", home).folder
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    store = Store(home)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    schedule.start(store, Study(plan=base, noise_multipliers=(0.0, 0.5, 0.75)))
    for _ in range(2):
        for run in store.queue():
            store.begin(run.run_id)
            lost = 0.1 * (run.plan.privacy.noise_multiplier == 0.75)
            pages.add_rounds(store, run.run_id, [(0, 0.1, 1.0), (100, 0.79 - lost, 1.0)], epsilon=1.0)
            store.end(run.run_id, "finished")
        schedule.advance_all(store)
    runs = {status: pages.recorded(home, "running") for status in (*ACTIVE, *ENDED) if status != "queued"}
    for status, run_id in runs.items():
        if status in ("finished", "stopped", "failed"):
            store.end(run_id, status, "")
    runs["queued"] = store.create(Plan(), engine="vectorized", eval_every=5)
    runs["cancelled"] = store.create(Plan(), engine="vectorized", eval_every=5)
    store.request_stop(runs["cancelled"])
    monkeypatch.setattr(processes, "has_worker", lambda store, run: run.run_id == runs["running"])
    return runs


@pytest.mark.parametrize("name", PAGES)
def test_every_control_says_what_it_is_where_there_is_nothing_yet(name):
    assert unexplained(pages.page(name)) == []


@pytest.mark.parametrize("name", PAGES)
def test_every_control_says_what_it_is_where_there_is_much(name, filled):
    assert unexplained(pages.page(name)) == []


@pytest.mark.parametrize(
    ("status", "words", "links"),
    [
        ("queued", "It begins by itself", set()),
        ("running", "also when this page is closed", set()),
        ("finished", "Compare it with others", {"Frontier", "Ledger"}),
        ("stopped", "Resume it, or run it again", set()),
        ("interrupted", "Resume goes on from its last checkpoint", set()),
        ("failed", "See the log", set()),
        ("cancelled", "has spent nothing", set()),
    ],
)
def test_a_run_in_any_state_says_what_to_do_next_and_explains_its_controls(status, words, links, filled):
    test = pages.page("runs", runs=filled[status])
    assert any(words in caption.value for caption in test.caption)
    assert links <= {link.label for link in test.main if link.type == "page_link"}
    assert unexplained(test) == []


def test_a_study_in_any_state_says_what_to_do_next(home):
    store = Store(home)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    study_id = schedule.start(store, Study(plan=base, noise_multipliers=(0.0, 0.5)))
    test = pages.page("study", study=study_id)
    assert any("Its runs wait in the queue" in caption.value for caption in test.caption)
    assert unexplained(test) == []
    test.button(key="pause").click().run()
    assert any("until you press Continue" in caption.value for caption in test.caption)
    assert unexplained(test) == []


@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("learn", "accountant")])
def test_where_there_is_nothing_yet_a_page_says_where_to_begin(name):
    test = pages.page(name)
    assert test.info or test.button
    if name in ("runs", "frontier", "ledger"):
        assert "Train" in {link.label for link in test.main if link.type == "page_link"}


@pytest.mark.parametrize("name", PAGES)
def test_a_japanese_page_has_no_english_sentence(name, filled):
    test = pages.page(name, lang="ja")
    assert re.search("[ぁ-ん]", test.title[0].value)
    assert english(test) == []


def test_a_japanese_page_of_runs_and_of_a_study_has_no_english_sentence(home, filled):
    (row,) = Store(home).studies()
    both = f"{filled['finished']},{filled['stopped']}"
    for name, link in (
        ("runs", {"runs": filled["finished"]}),
        ("runs", {"runs": both}),
        ("study", {"study": row.study_id}),
    ):
        test = pages.page(name, lang="ja", **link)
        assert english(test) == []
        assert unexplained(test) == []


def test_why_a_study_is_stuck_is_said_in_japanese_too(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store = Store(home)
    store.set_policy(Policy(name="writers", budget_epsilon=0.1))
    study_id = schedule.start(store, Study(plan=Plan(privacy=PrivacyPlan(noise_multiplier=0.8)), rounds=(5,)))
    assert "to spend at most epsilon 0.1" in pages.page("study", study=study_id).error[0].value
    test = pages.page("study", study=study_id, lang="ja")
    assert english(test) == []
    assert "イプシロン 0.1 以下" in test.error[0].value


def test_how_a_run_ended_is_said_in_japanese_whichever_version_has_said_it(home):
    store = Store(home)
    run_id = store.create(Plan(), engine="vectorized", eval_every=5)
    store.begin(run_id)
    store.end(run_id, "interrupted", N_("The worker ended with exit code {code}.").format(code=3))
    for message in ("", "The worker ended with exit code 4."):
        if message:  # as it was written before messages had keys
            with sqlite3.connect(home / "runs.sqlite") as db:
                db.execute("UPDATE runs SET message = ?", (message,))
        test = pages.page("train", run=run_id, lang="ja")
        assert english(test) == []
        assert test.error[0].value == f"ワーカーが終了コード {4 if message else 3} で終了しました。"


def test_english_is_seen_where_it_is():
    found = english(pages.page("ledger"))
    assert any("A budget for all runs together" in text for text in found)
    assert any("will be refused" in text or "is refused" in text for text in found)  # a help


def test_a_choice_stands_in_the_link_by_its_english_name(filled):
    test = pages.page("runs", lang="ja", status="finished,stopped")
    assert test.session_state["status"] == ["finished", "stopped"]
    assert test.query_params["status"] in ("finished,stopped", ["finished,stopped"])
    assert set(test.dataframe[0].value["status"]) == {"✓ 完了", "■ 停止"}
