"""What addresses may name, and how each text in them is read."""

import ast
import json
from pathlib import Path

import pytest

from dpcore import language, limits
from dpcore.lesson import mistakes
from dpcore.ui.core import parameters
from dpcore.ui.core.markdown import plain
from dpcore.ui.lesson import guide

ROOT = Path(__file__).parents[3]
PAGES = ("learn", "accountant", "data", "train", "study", "frontier", "runs", "audit", "ledger", "elsewhere")
WHOLE = [knob.name for knob in vars(limits).values() if isinstance(knob, limits.Knob) and knob.integer]


def read(page="accountant", **texts):
    return parameters.read(page, {name: [text] if isinstance(text, str) else text for name, text in texts.items()})


def test_every_kind_of_value_is_read():
    reading = read(
        "train",
        noise_multiplier="1.49",
        clients_per_round="2e2",
        rounds="10.0",
        delta="1E-6",
        zeroing="TRUE",
        clipping="fixed",
        run="abc",
        lang="ja",
        seed=str(2**32 - 1),
        version="1",
    )
    assert reading.refusals == []
    assert reading.values == {
        "noise_multiplier": 1.49,
        "clients_per_round": 200,
        "rounds": 10,
        "delta": 1e-6,
        "zeroing": True,
        "clipping": "fixed",
        "run": "abc",
        "lang": "ja",
        "seed": 2**32 - 1,
    }
    assert type(reading.values["rounds"]) is int


@pytest.mark.parametrize("name", ["clients_per_round", "rounds", "population", "writer", "seed", "seeds", "draw"])
def test_what_no_box_for_a_whole_number_takes_is_refused_by_name(name):
    numbers = ["1e400", "-1e400", "nan", "inf", "-inf", "infinity", "10.5", "-3", "1e30", "9" * 5000, "1,000"]
    for text in [*numbers, "abc", "", " "]:
        reading = read("learn", **{name: text})
        assert (reading.values, reading.given) == ({}, [name])
        (refusal,) = reading.refusals
        assert f"Expected {name} to be a whole number in " in refusal
        assert len(refusal) < 250


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("noise_multiplier", "-0.1", "found -0.1. Its default is used: 1.2."),
        ("noise_multiplier", "nan", "found nan. Its default is used: 1.2."),
        ("delta", "1", "in [0, 1), found 1. Its default is used: 1e-05."),
        ("clip_norm", "0", "found 0. Its default is used: 0.1."),
        ("rounds", "10.5", "found 10.5. Its default is used: 100."),
        ("rounds", "", "found nothing. Its default is used: 100."),
        ("zeroing", "yes", "Expected zeroing to be true or false, found yes. Its default is used: false."),
        ("final", "", "Expected final to be true or false, found nothing. Its default is used: true."),
        (
            "clipping",
            "foo",
            "Expected clipping to be one of adaptive, fixed, found foo. Its default is used: adaptive.",
        ),
        ("screen", "nope", "Its default is used: update."),
        ("adjacency", "both", "to be one of add-or-remove-one, replace-one, found both."),
        ("game_noise", "0.4", "to be one of 0.3, 0.5, 0.8, 1.2, 2.4, found 0.4. Its default is used: 1.2."),
        ("lang", "xx", "Expected lang to be one of en, ja, found xx. It is left out."),
        ("status", "bogus", "found bogus. It is left out."),
        ("axis_writers", "nope", "Expected axis_writers to be one of epsilon, clients"),
        ("dataset", "", "Expected dataset to have 1 to 200 characters, found 0. It is left out."),
        ("run", "x" * 100_000, "Expected run to have 1 to 200 characters, found 100,000. It is left out."),
        ("Noise_Multiplier", "1", "found Noise_Multiplier. Perhaps noise_multiplier is meant. It is left out."),
        ("noise-multiplier", "1", "Perhaps noise_multiplier is meant."),
        ("noise_multipler", "1", "Perhaps noise_multiplier is meant."),
        ("LANG", "ja", "Perhaps lang is meant."),
        ("colour", "red", "Expected names that a page knows, found colour. It is left out."),
        ("_visitor", "me", "It is left out."),
        ("a" * 100_000, "1", "aaa …. It is left out."),
        ("", "1", "found nothing."),
    ],
)
def test_what_is_not_taken_is_said_with_what_is_used_instead(name, text, said):
    reading = read(**{name: text})
    assert reading.values == {}
    (refusal,) = reading.refusals
    assert said in refusal
    assert len(refusal) < 400


@pytest.mark.parametrize("page", PAGES)
def test_what_another_page_knows_is_no_stranger(page):
    assert read(page, population="500", run="abc", screen="noise", find="x", axis_writers="rounds").refusals == []


def test_a_name_that_is_given_twice_counts_only_where_both_say_the_same():
    assert read(rounds=["7", "7"]).values == {"rounds": 7}
    twice = read(rounds=["7", "8"], delta="0.001")
    assert twice.values == {"delta": 0.001}
    assert twice.refusals == [
        "Expected rounds once in the link, found it 2 times with different values. Its default is used: 100."
    ]


def test_of_several_choices_the_good_ones_are_taken():
    reading = read("runs", status="finished,bogus,stopped,finished")
    assert reading.values == {"status": ["finished", "stopped"]}
    assert len(reading.refusals) == 1
    many = read("runs", runs=",".join(map(str, range(20_000))))
    assert len(many.values["runs"]) == 100
    assert many.refusals == ["Expected runs to have at most 100 parts, found 20,000; the first are taken."]
    assert read("runs", status="", runs=",,").refusals == []  # nothing is chosen


@pytest.mark.parametrize(
    "text", ["[a](//evil.example)", "<img src=x onerror=alert(1)>", "`code`", "a\u202eb\x00\x1b[2J\nc"]
)
def test_what_somebody_wrote_is_no_markdown(text):
    safe = plain(text.replace("\u202e", "\ufffd").replace("\x00", "\ufffd").replace("\x1b", "\ufffd"))
    packed = json.dumps({text: [text]})
    for given in (
        {"rounds": text},
        {"clipping": text},
        {"zeroing": text},
        {text: "1"},
        {f"axis_{text}": "1"},
        {"anew": packed},
    ):
        (refusal,) = read(**given).refusals
        assert safe in refusal
        assert refusal.isprintable()


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "{", "[" * 100_000, '{"a":' * 100_000, '{"rounds": ' + "9" * 5000 + "}", "\x00"]
)
def test_a_packed_link_that_is_none_is_one_sentence(text):
    reading = read(anew=text)
    assert (reading.values, reading.anew) == ({}, True)
    (refusal,) = reading.refusals
    assert "Expected anew to be a JSON object of names and values, found " in refusal
    assert len(refusal) < 250


def test_a_packed_link_is_read_as_any_other():
    packed = {
        "noise_multiplier": 30,
        "everybody": True,
        "rounds": 1e999,
        "delta": [1],
        "_visitor": "me",
        "clipping": "fixed",
    }
    reading = read(anew=json.dumps(packed), prior="0.3")
    assert reading.values == {"noise_multiplier": 30, "participation": "full", "clipping": "fixed", "prior": 0.3}
    assert len(reading.refusals) == 3
    for twice in (read(anew='{"rounds": 7}', rounds="8"), read(anew='{"rounds": 7, "rounds": 8}')):
        assert twice.values == {}
        assert "Expected rounds once in the link, found it 2 times" in twice.refusals[0]


@pytest.mark.parametrize("name", ["find", "noises", "dataset", "rounds", "\ud800"])
def test_half_a_character_in_a_packed_link_is_no_text(name):
    reading = read("runs", anew=json.dumps({name: "a\ud800", "prior": 0.3}))
    assert reading.values == {"prior": 0.3}
    (refusal,) = reading.refusals
    assert "to be a text" in refusal
    refusal.encode()
    assert read("runs", anew=json.dumps({"find": "😀"})).values == {"find": "😀"}  # two halves are one


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        ({"everybody": "true"}, {"participation": "full"}),
        ({"everybody": "false"}, {}),
        ({"everybody": "maybe"}, {}),
        ({"everybody": "true", "participation": "fixed"}, {"participation": "fixed"}),
        ({"everybody": "true", "participation": "poisson"}, {}),
    ],
)
def test_what_older_links_say_of_everybody_is_a_way_to_form_cohorts(texts, values):
    reading = read(**texts)
    assert (reading.values, reading.given) == (values, ["participation"])
    assert len(reading.refusals) == (texts["everybody"] == "maybe")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("bands", "0", "Expected bands to be a whole number in [1, 1000], found 0. It is left out."),
        ("min_separation", "2.5", "Expected min_separation to be a whole number"),
        ("max_participations", "x", "Expected max_participations to be a whole number"),
        ("participation", "round-robin", "Expected participation to be one of poisson, full, fixed, schedule"),
        (
            "participation",
            "allocation",
            "found allocation: the library that bounds it, PLD_accounting 2.0, asks for",
        ),
        ("noise", "pink", "Expected noise to be one of independent, tree, banded, square-root"),
    ],
)
def test_a_way_to_form_cohorts_that_is_none_is_left_out_with_a_reason(name, text, words):
    reading = read(**{name: text})
    assert reading.values == {}
    assert words in reading.refusals[0]


def test_a_number_that_would_follow_is_kept_where_a_link_says_it():
    assert read(bands="16", min_separation="28", max_participations="4").values == {
        "bands": 16,
        "min_separation": 28,
        "max_participations": 4,
    }


def test_a_value_is_read_as_it_was_written():
    values = {
        "noise_multiplier": 0.1 + 0.2,
        "delta": 1.23456e-9,
        "clients_per_round": 160.0,
        "unseeded": True,
        "screen": "noise",
        "status": ["queued", "stopped"],
        "game_noise": 2.4,
        "tradeoff_accepted": 20.0,
    }
    reading = read("learn", **{name: parameters.written(value) for name, value in values.items()})
    assert (reading.values, reading.refusals) == (values, [])


def test_the_default_that_is_told_is_that_of_the_page():
    assert "Its default is used: pld." in read("accountant", accountant="x").refusals[0]
    assert "Its default is used: rdp." in read("study", accountant="x").refusals[0]
    assert next(iter(guide.SCREENS)) == "update"
    assert read("learn", lesson_claim=mistakes.CLAIMS[-1].name).refusals == []


def test_refusals_are_told_in_japanese():
    with language.speaking("ja"):
        for reading in (read(rounds="x"), read(clipping="x"), read(zeroing="x"), read(Rounds="1"), read(anew="{")):
            assert all(any("ぁ" <= char <= "ん" for char in refusal) for refusal in reading.refusals)


def test_every_whole_number_of_a_page_is_a_parameter():
    named = {name for page in PAGES for name in parameters.of_page(page, WHOLE)}
    formed = {"max_participations", "min_separation", "bands"}
    own = {"clients_per_round", "rounds", "population", "writer", "seed", "seeds", "eval_every", "canaries"}
    own |= {"batch_size", "local_epochs"}
    assert own | formed == named


def calls(tree, name):
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == name:
            yield call


def test_every_control_of_an_address_is_a_parameter_and_none_is_bound_by_streamlit():
    asked = set()
    for path in [*(ROOT / "pages").glob("*.py"), *(ROOT / "dpcore" / "ui").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        asked |= {
            call.args[0].value for call in calls(tree, "address.key") if isinstance(call.args[0], ast.Constant)
        }
        for keyword in (word for call in calls(tree, "choices.linked") for word in call.keywords):
            if keyword.arg == "key" and isinstance(keyword.value, ast.Constant):
                asked.add(keyword.value.value)
        for call in calls(tree, "controls.knob"):
            if isinstance(call.args[0], ast.Attribute):
                asked.add(getattr(limits, call.args[0].attr).name)
        bound = [word.arg for call in ast.walk(tree) if isinstance(call, ast.Call) for word in call.keywords]
        assert "bind" not in bound, path
    assert {"noise_multiplier", "writer", "zeroing", "final", "dataset", "study", "game_noise"} <= asked
    assert asked - {name for page in PAGES for name in parameters.of_page(page, asked)} == set()
