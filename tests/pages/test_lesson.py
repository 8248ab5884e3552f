"""The lesson's first five screens, without a browser."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dpcore.lesson import leakage, softmax
from dpcore.ui.lesson import guide, round
from tests.pages.test_lesson_two import figures

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", str(tmp_path))
    # AppTest makes the page the main module, which processes that later tests spawn would then run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    return tmp_path


def page(**query):
    test = AppTest.from_file(str(APP), default_timeout=300)
    test.query_params.update(query)
    test.switch_page("pages/learn.py").run()
    assert not test.exception
    return test


def words(test):
    return " ".join(m.value for m in test.markdown)


@pytest.mark.parametrize(
    ("screen", "key", "value", "pattern"),
    [
        ("update", "writer", 7, r"attributes this update to .*?[.*]"),
        ("clipping", "initial_clip_norm", 5.0, r"starts at [\d.]+"),
        ("noise", "noise_multiplier", 0.4, r"average is [\d.]+"),
        ("sampling", "clients_per_round", 400, r"epsilon is \S+"),
        ("correlated", "bands", 4, r"noise of \d+ bands to \S+"),
    ],
)
def test_a_control_changes_what_is_said(screen, key, value, pattern):
    test = page(screen=screen)
    assert test.header[0].value == guide.SCREENS[screen].heading
    before = re.search(pattern, words(test))[0]
    test.number_input(key=key).set_value(value).run()
    assert not test.exception
    assert re.search(pattern, words(test))[0] != before


def picture(test):
    return next(iter(figures(test).values()))


@pytest.mark.parametrize("screen", ["clipping", "noise", "sampling", "correlated"])
def test_chance_is_drawn_again_and_the_draw_is_in_the_link(screen):
    test = page(screen=screen)
    first = picture(test)
    test.button(key="lesson_draw").click().run()
    assert not test.exception
    assert test.query_params["draw"] == "1"
    assert picture(test) != first
    assert picture(page(screen=screen, draw="1")) == picture(test)
    assert picture(page(screen=screen, draw="none")) == first
    test.button(key="lesson_next").click().run()
    assert test.query_params.get("draw") != "1"  # the game, which follows on sampling, has a number of its own


def test_the_line_above_shows_where_in_a_round_the_screen_is():
    assert {screen for _, _, screen in round.PARTS} == set(guide.SCREENS) - {"mistakes"}
    for screen in guide.SCREENS:
        shown = " ".join(one.proto.body for one in page(screen=screen).get("html"))
        lit = re.findall('aria-current="step">(.*?)<', shown)
        assert lit == [what for _, what, about in round.PARTS if about == screen]


def test_a_refused_number_leaves_the_ways_to_other_screens():
    test = page(screen="sampling", clients_per_round="5000")
    assert "The population has 3,383 users" in test.error[0].value
    test.button(key="lesson_next").click().run()
    assert test.header[0].value == guide.SCREENS["correlated"].heading


def test_the_numbers_are_right():
    sampling, noise = words(page(screen="sampling")), words(page(screen="noise"))
    assert (
        "epsilon is **1.708** at delta 1e-05; without amplification by sampling, it would be **69.5**" in sampling
    )
    correlated = words(page(screen="correlated", bands="28"))
    assert "each in at most 4 of 100 rounds, 28 rounds apart" in correlated
    assert "at noise multiplier 1.2, and both cost epsilon 8.004 at delta 1e-05" in correlated
    assert (
        "adds up to 8.52 clip norms in the root mean square over the rounds, noise of 28 bands to **2.91**"
        in correlated
    )
    assert "0.12 clip norms with 10 clients, and **0.003 with 400**" in noise
    assert "at noise 1.2, epsilon grows from 0.117 to 6.065" in noise
    right = (leakage.matched_users(softmax.first_writers(24)) == np.arange(24)).sum()
    assert f"{right} of the 24 are identified" in words(page(screen="update"))
    st.cache_data.clear()
    assert "too far away" in words(page(screen="clipping", initial_clip_norm="0.0001"))


@pytest.mark.parametrize(
    ("screen", "key", "value", "said"),
    [
        ("update", "writer", 25, "Writer to be a whole number in [1, 24]"),
        ("clipping", "initial_clip_norm", 0.0, "Initial clip norm to be a number in [1e-06"),
        ("noise", "noise_multiplier", -1.0, "Noise multiplier to be a number"),
        ("sampling", "clients_per_round", 4000, "The population has 3,383 users"),
        ("correlated", "bands", 29, "Bands to be at most the separation, 28 rounds, found 29"),
        ("correlated", "bands", 0, "Bands to be a whole number in [1, 1000]"),
    ],
)
def test_what_cannot_be_is_explained(screen, key, value, said):
    test = page(screen=screen)
    test.number_input(key=key).set_value(value).run()
    assert said in test.error[0].value
    assert not test.exception


def test_back_and_next_and_the_link():
    test = page()
    assert test.header[0].value == guide.SCREENS["update"].heading
    assert test.button(key="lesson_back").disabled
    test.button(key="lesson_next").click().run()
    assert test.header[0].value == guide.SCREENS["clipping"].heading
    assert test.query_params["screen"] in ("clipping", ["clipping"])
    test.button(key="lesson_back").click().run()
    assert test.header[0].value == guide.SCREENS["update"].heading
    assert page(screen="nonsense").header[0].value == test.header[0].value


def test_the_heading_is_translated():
    assert (
        page(screen="clipping", lang="ja").header[0].value
        == "適応型クリッピング: クリップノルムは中央値に追従します"
    )
