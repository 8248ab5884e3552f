"""The lesson's game, trade-off and published guarantees, without a browser."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dpcore import rng
from dpcore.lesson import game, mistakes
from dpcore.plan import PrivacyPlan
from dpcore.privacy.risk import risk
from dpcore.privacy.statement import percent
from dpcore.ui.lesson import game as game_screen
from dpcore.ui.lesson import guide

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    st.cache_resource.clear()
    st.cache_data.clear()


def screen(name, *, query=(), **state):
    test = AppTest.from_file(str(APP), default_timeout=300)
    test.query_params.update({"screen": name, **dict(query)})
    for key, value in state.items():
        test.session_state[key] = value
    test.switch_page("pages/learn.py").run()
    assert not test.exception
    return test


def figures(test):
    """Labels and figures of the charts on the page, by key order."""
    found = [json.loads(element.proto.json) for element in test.get("bidi_component")]
    return {one["label"]: json.loads(one["figure"]) for one in found if "figure" in one}


def evidence(test):
    """What the picture of the game says, of the user that is judged."""
    return next(label for label in figures(test) if "log-likelihood ratio" in label)


def words(test):
    return " ".join(one.value for one in [*test.markdown, *test.success, *test.error, *test.info, *test.caption])


def the_game(seed, number=1, noise=1.2):
    return game.play(PrivacyPlan(noise_multiplier=noise), rng.stream(seed, f"lesson_game one {noise}", number))


def press(test, key):
    test.button(key=key).click().run()
    assert not test.exception
    return test


def test_who_opens_a_link_to_the_game_judges_the_same_user():
    one, other = screen("game", lesson_game_seed=1), screen("game", lesson_game_seed=2)
    assert evidence(one) != evidence(other)
    again = screen("game", query=one.query_params)
    assert evidence(again) == evidence(one)
    assert evidence(press(press(again, "lesson_next"), "lesson_back")) == evidence(one)


def test_a_guess_is_answered_with_the_truth_and_kept_in_the_score():
    true = the_game(7)
    test = screen("game", lesson_game_seed=7)
    assert test.header[0].value == guide.SCREENS["game"].heading
    assert test.button(key="game_next").disabled
    release = next(figure for label, figure in figures(test).items() if "log-likelihood ratio" in label)
    assert len(release["frames"]) == 25
    assert release["frames"][-1]["name"] == "Round 100"
    assert "diamond" not in json.dumps(release)  # the truth is not in the page before it is asked for
    press(test, "game_yes" if true.took_part else "game_no")
    assert test.success[0].value.startswith("Right.")
    assert f"sampled in {true.joined.sum()} of" in test.success[0].value or not true.took_part
    assert test.button(key="game_yes").disabled
    assert "**You**: right in 1 of 1." in words(test)
    press(test, "game_next")
    assert "Game 2: did this user take part?" in words(test)
    second = the_game(7, 2)
    press(test, "game_no" if second.took_part else "game_yes")
    assert test.error[0].value.startswith("Wrong.")
    assert "**You**: right in 1 of 2." in words(test)
    assert "at most" not in next(
        one.value for one in test.markdown if "**You**" in one.value
    )  # two say nothing yet


def test_a_second_press_before_the_answer_is_none():
    test = screen("game", lesson_game_seed=7)
    test.button(key="game_yes").click()
    press(test, "game_no")
    assert re.search(r"\*\*You\*\*: right in [01] of 1\.", words(test))


def test_the_best_attacker_plays_many_games_and_each_noise_has_its_score():
    test = press(screen("game", lesson_game_seed=7), "game_many")
    press(test, "game_many")
    took_part, evidence = (
        np.concatenate(parts)
        for parts in zip(
            *(
                game.play_many(PrivacyPlan(), rng.stream(7, "lesson_game many 1.2", number), 1_000)
                for number in (0, 1_000)
            ),
            strict=True,
        )
    )
    score = game.score(took_part, evidence > 0)
    assert (
        f"**Optimal attacker**: right in {score.right:,} of 2,000. True positives: {score.true_positives:,} of"
        in words(test)
    )
    points = next(
        figure for label, figure in figures(test).items() if label.startswith("True-positive rate against")
    )
    (best,) = [trace for trace in points["data"] if trace["name"] == "Optimal attacker"]
    assert best["y"] == [pytest.approx(score.true_positives / score.members)]
    low, high = game.confidence_interval(score.true_positives, score.members)
    assert best["error_y"]["array"] == [pytest.approx(high - best["y"][0])]
    assert best["error_y"]["arrayminus"] == [pytest.approx(best["y"][0] - low)]
    most = risk(PrivacyPlan()).true_positive_rate(score.false_positives / score.others)
    assert f"the TPR at that FPR is at most {percent(float(most))}" in words(test)
    test.button_group(key="game_noise").set_value(0.3).run()
    assert not test.exception
    assert "Optimal attacker**" not in words(test)
    test.button_group(key="game_noise").set_value(1.2).run()
    assert "of 2,000" in words(test)


def test_every_noise_of_the_game_can_be_played():
    test = screen("game", lesson_game_seed=1)
    for noise in game_screen.NOISE:
        test.button_group(key="game_noise").set_value(noise).run()
        assert not test.exception
        press(test, "game_yes")
        assert len([*test.success, *test.error]) == 1


def test_the_trade_off_shows_the_shipped_study_and_what_an_epsilon_buys():
    test = screen("tradeoff")
    said = words(test)
    assert re.search(r"Within epsilon 2, the best is noise 1.2, 120 clients: accuracy 78\.\d% ± 0\.\d%", said)
    assert "python -m dpcore study run --seeds 3" in said
    assert "on the data set writers, seeds 0, 1, 2" in said
    assert "one seed of each, epsilon 8.393, as if they had been fixed beforehand" in said
    rounds = next(figure for label, figure in figures(test).items() if label.startswith("Accuracy by round"))
    assert [frame["name"] for frame in rounds["frames"]] == [f"Round {number}" for number in range(0, 101, 5)]
    lines = [trace for trace in rounds["data"] if trace.get("name")]
    assert [line["name"] for line in lines if line.get("opacity", 1) == 1] == [
        "noise 0, 50 clients",
        "noise 1, 50 clients",
        "noise 1.2, 120 clients",
    ]
    test.select_slider(key="tradeoff_accepted").set_value(0.5).run()
    assert "No run of the study has an epsilon of at most 0.5: the smallest is 1.062." in words(test)
    test.select_slider(key="tradeoff_accepted").set_value(1.5).run()
    assert "the best is noise 1, 50 clients" in words(test)


@pytest.mark.parametrize("claim", mistakes.CLAIMS, ids=lambda claim: claim.name)
def test_a_claim_is_judged_and_explained_with_the_true_number(claim):
    test = screen("mistakes", lesson_claim=claim.name)
    before = len(figures(test))
    assert test.button(key="claim_answer").disabled
    test.radio(key=f"claim_{claim.name}").set_value(claim.reason).run()
    press(test, "claim_answer")
    assert test.success[0].value == "Right."
    assert "1 right of 1 answered, 8 in all." in words(test)
    assert len(figures(test)) == before + 1
    assert not test.radio  # the first answer counts
    assert {
        "fixed_size": "epsilon 8.813, not 1.708",
        "tutorial": "PLD proves 1.708",
        "sweep": "composed as if all four had been fixed beforehand, epsilon 8.393",
        "schedule": "noise 1.2 / √4: epsilon 8.004, not 1.708",
        "delta": "all data of 3 users",
        "everybody": "30 / √100 = 3, whose delta has a closed form, from which epsilon follows: 1.272",
        "came": "That would be epsilon 8.813",
        "zeroing": "moves the quantile that the threshold follows by 1.9%",
    }[claim.name] in words(test)


def test_an_answer_that_says_the_same_in_other_words_is_right():
    test = screen("mistakes")
    test.radio(key="claim_fixed_size").set_value(mistakes.SENSITIVITY).run()
    press(test, "claim_answer")
    assert test.success[0].value == "Right."
    assert "1 right of 1 answered" in words(test)
    assert "✗" not in words(test)


@pytest.mark.parametrize(
    ("name", "query", "key"),
    [
        ("game", {"game_noise": "0.5"}, "game_noise"),
        ("tradeoff", {"tradeoff_accepted": "3"}, "tradeoff_accepted"),
        ("mistakes", {"lesson_claim": "delta"}, "lesson_claim"),
    ],
)
def test_the_link_holds_what_is_chosen(name, query, key):
    test = screen(name, query=query.items())
    asked = query[key]
    assert f"{test.session_state[key]}" in (asked, f"{asked}.0")
    assert test.query_params[key] in (asked, [asked])


@pytest.mark.parametrize("noise", [*game_screen.NOISE, 5.0])
def test_the_curve_is_drawn_nowhere_far_below_the_guarantee(noise):
    plan = PrivacyPlan(noise_multiplier=noise)
    _epsilon, curve = game_screen._guarantee(plan)
    rates = np.unique([*np.geomspace(1e-20, 1, 20_001), *np.linspace(0, 1, 20_001)])
    bound = risk(plan).true_positive_rate(rates)
    assert (bound - np.interp(rates, curve["accused"], curve["at_most"])).max() < 0.005


def test_the_delta_of_the_game_is_said():
    assert "(1.708, 1e-05) bounds every attacker who is not told in which rounds" in words(screen("game"))


def test_a_wrong_answer_names_the_right_one_and_answers_stay():
    test = screen("mistakes")
    test.radio(key="claim_fixed_size").set_value(mistakes.HOLDS).run()
    press(test, "claim_answer")
    assert "The problem is: The sampling is not what the accountant assumes." in test.error[0].value
    press(test, "claim_next")
    assert test.radio(key="claim_tutorial").value is None
    test.button_group(key="lesson_claim").set_value("fixed_size").run()
    assert not test.radio  # the first answer counts
    assert "✗ Nothing: it holds\n- ✓ The sampling is not what" in words(test)
    assert "0 right of 1 answered" in words(test)
    press(test, "claim_again")
    assert test.radio(key="claim_fixed_size").value is None
    assert "0 right of 0 answered" in words(test)


def test_a_guarantee_that_holds_is_said_to_have_no_problem():
    test = screen("mistakes", lesson_claim="tutorial")
    test.radio(key="claim_tutorial").set_value(mistakes.DELTA).run()
    press(test, "claim_answer")
    assert test.error[0].value == "Not quite. There is no problem."
