"""The page From elsewhere: a record that is dropped, what it leaves open, and what holds."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from dpcore.ui.server import visitors
from tests.elsewhere import logs
from tests.pages import test_pages as pages
from tests.pages.test_every_page import english, unexplained

home = pages.home
RECORDS = Path(__file__).parents[1] / "elsewhere" / "records"


def pasted(text, **link):
    test = pages.page("elsewhere", **link)
    return test.text_area(key="elsewhere_text").set_value(text).run(timeout=60)


def said(test):
    groups = (test.markdown, test.caption, test.info, test.warning, test.error, test.code)
    return "\n".join(one.value for group in groups for one in group).replace("\\", "")


def flower(**link):
    return pasted((RECORDS / "flower" / "run.log").read_text(), **link)


def answered(test):
    test.radio(key="elsewhere_weights").set_value("equal")
    return test.radio(key="elsewhere_optimizer_inside").set_value("none").run(timeout=60)


def test_a_log_of_flower_asks_two_things_and_then_says_what_holds(home):
    test = flower()
    assert not test.exception
    assert {one.key for one in test.radio} == {"elsewhere_weights", "elsewhere_optimizer_inside"}
    assert pages.metric(test, "Claimed epsilon") == "9.009959"
    assert pages.metric(test, "Epsilon that holds") == "∞"
    assert "No guarantee, because the record does not say whether all updates weigh the same" in said(test)
    assert unexplained(test) == []
    test = answered(test)
    assert pages.metric(test, "Epsilon that holds") == "16.4"
    words = said(test)
    assert "Stated from the run's record, not run here." in words
    assert "That is too small: 16.4 holds, 1.82 times as much" in words
    assert "Take noise multiplier 1.5" in words
    assert "metrics of training and evaluation, without noise" in words
    assert "**Fixed-size cohorts (this run)**" in words
    assert unexplained(test) == []


def test_in_japanese_no_sentence_is_english(home):
    test = flower(lang="ja")
    assert all("[ROUND" in one for one in english(test))  # the record, as it was pasted
    test = answered(test)
    assert not test.exception
    assert all("[ROUND" in one for one in english(test))
    assert "ここで実行したものではありません" in said(test)


def test_the_link_leads_to_the_same_verdict(home):
    test = answered(flower())
    (link,) = [one.value for one in test.code if "anew=" in one.value]
    packed = json.loads(parse_qs(urlparse(link).query)["anew"][0])
    again = pages.page("elsewhere", **packed)
    assert not again.exception
    assert pages.metric(again, "Epsilon that holds") == "16.4"
    assert not again.radio  # nothing is open


@pytest.mark.parametrize("record", ["{", '{"version": 1}', '{"version": 1, "rounds": [], "x": 1}', "[]", "nothing"])
def test_a_link_with_no_record_in_it_is_one_sentence(home, record):
    test = pages.page("elsewhere", record=record)
    assert not test.exception
    assert len(test.error) == 1


@pytest.mark.parametrize("text", ["nothing", "{", "[[[[", "\x00", "<script>alert(1)</script>", "GaussianDpEvent("])
def test_bad_input_is_one_sentence(home, text):
    test = pasted(text)
    assert not test.exception
    assert len(test.error) == 1
    assert "Expected" in test.error[0].value


def test_names_from_a_file_are_no_markup(home):
    evil = "[x](https://evil.example) <img src=x onerror=alert(1)>"
    values = logs.values(noise={"optimizer_inside": evil}, also_released=[evil])
    values["claimed"] = [{"epsilon": 1.0, "delta": 1e-5, "accountant": evil}]
    test = pasted(json.dumps(values))
    assert not test.exception
    for one in (*test.markdown, *test.error, *test.warning):
        assert "](https" not in one.value
        assert "<img" not in one.value.replace("\\<", "")


@pytest.mark.parametrize(
    "text", ['{"version": 1, "rounds": [], "[x](https://evil.example)": 1}', "a [x](https://evil.example)"]
)
def test_what_a_refusal_quotes_is_no_markup(home, text):
    (error,) = pasted(text).error
    assert "evil" in error.value
    assert "](https" not in error.value


def test_every_open_question_can_be_answered_from_a_table_of_rounds(home):
    test = pasted("sampled,replied,noise\n100,100,0.01\n")
    for key, value in (
        ("weights", "equal"),
        ("optimizer_inside", "none"),
        ("sampling", "fixed-size"),
        ("unit", "user"),
    ):
        kind = test.selectbox if key == "sampling" else test.radio
        kind(key=f"elsewhere_{key}").set_value(value)
    test.number_input(key="elsewhere_clip_norm").set_value(1.0)
    test.number_input(key="elsewhere_population").set_value(1000.0)
    test.run(timeout=60)
    test.radio(key="elsewhere_noise_of").set_value("average").run(timeout=60)
    test.radio(key="elsewhere_divisor").set_value("replies").run(timeout=60)
    assert not test.exception
    assert not test.error
    assert "differential privacy for each user" in said(test).replace("-differential", " differential")


def test_visitors_paste_and_send_no_files(home, monkeypatch):
    monkeypatch.setattr(visitors, "hosted", lambda: True)
    monkeypatch.setattr(visitors, "admit", lambda: None)
    test = flower()
    assert not test.exception
    assert "paste the record" in said(test)
    assert pages.metric(test, "Epsilon that holds") == "∞"
