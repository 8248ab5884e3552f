"""What the address of a page brings, holds and takes along: every page, without a browser."""

from urllib.parse import parse_qs

import pytest

from dpcore.runs.store import Store
from dpcore.runs.studies import schedule
from tests.pages import test_pages as pages
from tests.pages.test_every_page import PAGES, english

home = pages.home  # an empty one for each test
EVIL = "[a](//evil.example)"
BAD = {
    "clients_per_round": "1e400",
    "rounds": "10.5",
    "delta": "nan",
    "noise_multiplier": "abc",
    "Noise_Multiplier": "3",
    "screen": "nope",
    "clipping": "foo",
    "zeroing": "yes",
}
POINT = {"noise_multiplier": "1.49", "clients_per_round": "160", "clipping": "fixed", "clip_norm": "0.3"}


def left_for(test, name):
    """Another page in the same session, as its menu led there when nothing of the point stood in its links."""
    test.query_params = {}
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception
    return test


def menu(test):
    """What the links of the menu say, by the page that they lead to."""
    links = [one.proto for one in test.sidebar if one.type == "page_link"]
    return {one.page: {name: text for name, (text,) in parse_qs(one.query_string).items()} for one in links}


@pytest.mark.parametrize("name", PAGES)
def test_one_notice_says_what_of_a_link_is_not_taken(name):
    test = pages.page(name, **BAD, **{EVIL: EVIL}, seed="7")
    (notice,) = [one.value for one in test.warning if "Not all of this link was taken" in one.value]
    for said in (
        *BAD,
        "found 1e400. Its default is used: 120.",
        "found 10.5.",
        "Perhaps noise_multiplier is meant.",
    ):
        assert said in notice
    assert "And 1 more." in notice
    assert EVIL not in notice
    assert not test.error
    assert set(test.query_params) <= {"seed", "draw"}


@pytest.mark.parametrize("text", ["1e400", "9" * 5000, "", "[" * 40_000, EVIL])
def test_no_text_in_a_link_is_more_than_a_notice(text):
    test = pages.page("train", anew=text, rounds=text, delta=[text, "0.1"], **{f"x{text[:99]}": "1"})
    (notice,) = test.warning
    assert notice.value.count("\n- ") == 4
    assert len(notice.value) < 1000
    assert "](" not in notice.value
    assert pages.number(test, "rounds").value == 100
    assert test.query_params == {}


def test_the_notice_speaks_the_readers_language_and_ends_with_the_page():
    test = pages.page("learn", writer="many", lang="ja")
    assert "このリンクには" in test.warning[0].value
    assert english(test) == []
    test.button_group(key="_language_control").set_value("en").run()
    pages.number(test, "writer").set_value(5).run()
    assert "found many" in test.warning[0].value
    assert not left_for(test, "data").warning


def test_a_language_that_is_none_is_said_and_the_pages_is_spoken():
    test = pages.page("ledger", lang="xx")
    assert "Expected lang to be one of en, ja, found xx." in test.warning[0].value
    assert test.title[0].value == "What do all runs spend together?"


def test_names_of_what_is_not_here_share_one_notice(home):
    pages.recorded(home, "finished")
    test = pages.page("runs", runs=",".join(f"gone{number}" for number in range(50)), status="finished,bogus")
    (notice,) = test.warning
    assert "found bogus" in notice.value
    assert "The link names gone0" in notice.value
    assert "And 43 more." in notice.value
    assert test.query_params == {"status": "finished"}
    assert "The link names nowhere" in pages.page("study", study="nowhere").warning[0].value


def test_every_page_holds_the_point_that_a_link_has_brought():
    test = pages.page("accountant", **POINT)
    assert menu(test)["train"] == POINT
    for name in [*PAGES, *PAGES[::-1]]:
        left_for(test, name)
        held = {key: text for key, text in test.query_params.items() if key in POINT}
        assert held == {
            "accountant": POINT,
            "train": POINT,
            "learn": {key: POINT[key] for key in ("noise_multiplier", "clients_per_round")},
            "study": {key: POINT[key] for key in ("clipping", "clip_norm")},
        }.get(name, {}), name
    left_for(test, "train")
    again = pages.page("train", **test.query_params)
    for one in (test, again):
        assert pages.number(one, "noise_multiplier").value == 1.49
        assert pages.number(one, "clients_per_round").value == 160
        assert pages.number(one, "clip_norm").value == 0.3
        assert one.query_params == POINT
    assert pages.number(pages.page("train"), "noise_multiplier").value == 1.2  # each session has a point of its own


def test_what_is_typed_and_pressed_is_in_the_address_and_a_default_is_not():
    test = pages.page("train")
    pages.number(test, "rounds").set_value(50).run()
    test.toggle(key="unseeded").set_value(True).run()
    test.radio(key="clipping").set_value("fixed").run()
    test.selectbox(key="model").set_value("linear").run()
    assert test.query_params == {"rounds": "50", "clipping": "fixed", "model": "linear", "unseeded": "true"}
    assert left_for(test, "study").selectbox(key="model").value == "linear"
    left_for(test, "train")
    pages.slider(test, "rounds").set_value(100).run()
    test.toggle(key="unseeded").set_value(False).run()
    assert test.query_params == {"clipping": "fixed", "model": "linear"}


def test_a_link_to_the_page_that_is_open_sets_what_it_names():
    test = pages.page("train", rounds="50")
    pages.number(test, "clients_per_round").set_value(60).run()
    asked = test.query_params
    test.query_params = {"rounds": "7", "noise_multiplier": "2"}
    test.run()
    assert test.query_params == {"noise_multiplier": "2", "clients_per_round": "60", "rounds": "7"}
    assert pages.number(test, "rounds").value == 7
    assert not test.error
    pages.number(test, "rounds").set_value(8).run()
    test.query_params = {"rounds": "7", "noise_multiplier": "2", "clients_per_round": "60"}
    test.run()  # as a browser asks that does not know of the last move yet
    assert pages.number(test, "rounds").value == 8
    test.query_params = asked
    assert pages.number(test.run(), "rounds").value == 50


@pytest.mark.parametrize("name", ["accountant", "train", "study"])
def test_a_browser_that_was_told_nothing_of_a_run_is_told_by_the_next_and_only_then(name):
    """Whoever asks for a page anew before it is there: Streamlit throws away what the first run had to tell."""
    first = pages.page(name, **POINT)
    test = pages.AppTest.from_file(str(pages.APP), default_timeout=300)
    test._session_state = first._session_state  # the same session, of whose controls this browser has none
    test.query_params.update(first.query_params)
    test.switch_page(f"pages/{name}.py").run()
    told = {one.key: one.proto.set_value for one in (*test.number_input, *test.radio)}
    assert {key: told.get(key) for key in first.query_params} == dict.fromkeys(first.query_params, True)
    test.run()  # by now it has them, and what is typed meanwhile is not written over
    assert pages.number(test, "clip_norm").value == 0.3
    assert not [one.key for one in test.number_input if one.proto.set_value]


def test_what_was_solved_for_comes_along():
    test = pages.page("accountant", solve="clients")
    assert test.query_params == {"solve": "clients"}
    left_for(test, "train")
    assert pages.number(test, "clients_per_round").value == 104
    assert test.query_params == {"noise_multiplier": "1.04", "clients_per_round": "104"}


def test_a_link_of_the_lesson_says_what_it_could_not_set():
    test = pages.page("accountant", anew='{"rounds": 1e999, "everybody": true, "colour": "red"}', rounds="7")
    assert test.selectbox(key="participation").value == "full"
    assert pages.number(test, "rounds").value == 100
    (notice,) = test.warning
    assert "Expected rounds once in the link" in notice.value
    assert "found colour" in notice.value
    assert test.query_params == {"participation": "full"}


def test_half_a_character_in_a_link_is_only_left_out():
    test = pages.page("runs", anew='{"find": "\\ud800", "\\udfff": 1, "lang": "ja"}')
    assert "このリンクには" in test.warning[0].value
    assert test.query_params == {"lang": "ja"}


def test_the_root_leads_on_with_what_its_address_says():
    test = pages.AppTest.from_file(str(pages.APP), default_timeout=300)
    test.query_params = {"noise_multiplier": "0.75", "rounds": ["1", "2"]}
    test.run()
    assert pages.number(test, "noise_multiplier").value == 0.75
    assert "Expected rounds once in the link" in test.warning[0].value


def test_a_box_for_a_whole_number_takes_no_other(home):
    train = pages.page("train")
    for number, found in ((2e6, "2000000"), (10.5, "10.5")):
        pages.number(train, "rounds").set_value(number).run()
        assert f"Expected Rounds to be a whole number in [0, 1000000], found {found}." in train.error[0].value
    study = pages.page("study")
    for number, found in ((10.5, "10.5"), (-3.0, "-3"), (2e6, "2000000")):
        study.number_input(key="seeds").set_value(number).run()
        said = f"Expected Seeds per setting to be a whole number in [1, 20], found {found}."
        assert said in study.error[0].value
        assert "seeds" in study.query_params
    study.button_group(key="_language_control").set_value("ja").run()
    assert "整数" in study.error[0].value
    assert english(study) == []
    pages.recorded(home, "finished")
    runs = pages.page("runs")
    before = Store(home).parallel_runs()
    runs.number_input(key="parallel").set_value(1.5).run()
    assert "found 1.5" in runs.error[0].value
    assert Store(home).parallel_runs() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2e1; 5E1、60.0，70", ""),
        ("2e6", "found 2000000. The population has 3,383 users"),
        ("10.5", "Expected Clients per round to be whole numbers with commas between, found 10.5."),
        ("-3", "Expected Clients per round to be a whole number in [1, 3383], found -3."),
        ("1e400", "to be whole numbers with commas between, found 1e400."),
        ("9" * 900, "to be whole numbers with commas between, found 9999"),
    ],
)
def test_a_list_of_whole_numbers_reads_them_as_a_box_does(text, said):
    test = pages.page("study", cohorts=text, noises="0, 0.5", final="false")
    if said:
        assert said in test.error[0].value
        assert len(test.error[0].value) < 250
    else:
        assert not test.error
        assert any(caption.value.startswith("8 runs: ") for caption in test.caption)


def test_a_choice_that_these_data_do_not_have_is_not_called_removed():
    test = pages.page("study", baseline="writers", dataset="nowhere")
    (notice,) = test.warning
    assert "Expected baseline to be one of those that are offered here, found writers." in notice.value
    assert "Its default is used: own." in notice.value
    assert "The link names nowhere, which is not here" in notice.value
    assert test.radio(key="baseline").value == "own"


def test_what_is_looked_for_is_no_longer_than_an_address_takes(home):
    pages.recorded(home, "finished")
    box = pages.page("runs").text_input(key="find")
    assert pages.page("runs", find="x" * box.proto.max_chars).text_input(key="find").value
    assert (
        "Expected find to have 0 to 200"
        in pages.page("runs", find="x" * (box.proto.max_chars + 1)).warning[0].value
    )


def test_a_study_that_is_begun_stands_in_the_address(home):
    test = pages.page("study", noises="0, 1", seeds="2")
    assert test.query_params == {"noises": "0, 1", "seeds": "2"}
    test.button(key="run_all").click().run()
    (row,) = Store(home).studies()
    assert test.query_params["study"] == row.study_id
    assert len(schedule.current(Store(home), row.study_id).runs) == 4
    assert test.selectbox(key="study").value == row.study_id
    test.selectbox(key="study").set_value("").run()
    assert test.number_input(key="seeds").value == 2
    assert test.text_input(key="noises").value == "0, 1"
