"""Messages as they are stored: told again in every language, whatever fills them; and those of before."""

import json
import string

import pytest
from babel.messages.pofile import read_po

from dpcore import language, messages
from dpcore.errors import ClusterError
from dpcore.language import N_, Message, _, translated
from dpcore.messages import older

OTHERS = [code for code in language.LANGUAGES if code != "en"]


def catalogue(code):
    with (language.LOCALE / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return [message for message in read_po(file, locale=code) if message.id]


def fill(text):
    """Something for every named place of a text: a number where that is written in some way, else a word."""
    places = [(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
    return {name: number + 2 if spec else f"x{number}" for number, (name, spec) in enumerate(places)}


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_that_is_stored_is_told_in_every_language(code):
    asked = 0
    for message in catalogue(code):
        values = fill(message.id)
        if all(map(str.isidentifier, values)):
            english = N_(message.id).format(**values) if values else N_(message.id)
            stored = messages.to_json(english)
            assert messages.from_json(stored) == english == json.loads(json.dumps(english))
            with language.speaking(code):
                told = translated(messages.from_json(stored))
            assert told == (message.string.format(**values) if values else message.string)
            asked += bool(values)
    assert asked > 300


def test_what_is_stored_is_a_key_with_values():
    error = ClusterError(_("Round {number}").format(number=3))
    message = N_("Waiting: {reason} The run goes on when it can.").format(reason=error)
    assert json.loads(messages.to_json(message)) == {
        "key": "Waiting: {reason} The run goes on when it can.",
        "values": {"reason": {"key": "Round {number}", "values": {"number": 3}}},
    }
    with language.speaking("ja"):  # whoever says it
        assert messages.to_json(_("Round {number}").format(number=3)) == messages.to_json(error.message)
        assert messages.from_json(messages.to_json(error.message)) == "Round 3"


@pytest.mark.parametrize(
    "text", ["ValueError: no such thing", '"', "{", "[1]", "null", "日本", "\udc80", "{number}"]
)
def test_what_has_no_key_is_stored_as_it_is_said(text):
    assert messages.from_json(messages.to_json(text)) == text
    with language.speaking("ja"):
        assert translated(messages.from_json(messages.to_json(text))) == text


def test_nothing_is_stored_as_nothing():
    assert (messages.to_json(""), messages.from_json(""), messages.all_from_json("")) == ("", "", [])


def test_several_are_stored_together():
    several = [N_("Reading the data"), "as it is", _("Round {number}").format(number=3)]
    again = messages.all_from_json(messages.all_to_json(several))
    assert (again, [type(one) for one in again]) == (several, [Message, str, Message])


@pytest.mark.parametrize(
    "stored",
    [
        "null",
        "3",
        "[]",
        "{}",
        '{"key": 3, "values": {}}',
        '{"key": "Round {number}", "values": {}}',
        '{"key": "Round {number}", "values": [3]}',
        '{"key": "{number.real.x}", "values": {"number": 3}}',
        '{"key": "{number:z}", "values": {"number": 3}}',
        '{"key": "{number", "values": {"number": 3}}',
        '{"key": "{number}", "values": {"number": {"key": "x"}}}',
        '{"key": "cut o',
        "[" * 100_000,
    ],
)
def test_what_was_damaged_is_shown_as_it_stands(stored):
    assert messages.from_json(stored) == stored


@pytest.mark.parametrize("code", OTHERS)
def test_a_sentence_that_an_older_version_has_stored_is_told_in_every_language(code):
    translations = {message.id: message.string for message in catalogue(code)}
    keys = [key for key, _ in older._patterns()]
    assert len(keys) > 80
    for key in keys:
        values = fill(key)
        with language.speaking(code):
            told = translated(messages.from_json(key.format(**values) if values else key))
        assert told == (translations[key].format(**values) if values else translations[key])


@pytest.mark.parametrize(
    ("old", "told"),
    [
        ("Reading the data: 50%", "データを読み込んでいます: 50%"),
        ("ValueError: no such thing", "ValueError: no such thing"),
        (
            "The worker is gone (killed, or a restart). All rounds up to 5 are kept.",
            "ワーカーがなくなりました（強制終了または再起動）。 ラウンド 5 までは、すべて残っています。",
        ),
        (
            "The table a.csv: users by 'u', classes by 'c'; 0.2 of each user's examples for testing, by seed 0",
            "表 a.csv：ユーザーは 'u'、クラスは 'c'。各ユーザーのサンプルの 0.2 をテスト用（シード 0）",
        ),
    ],
)
def test_old_sentences_are_told_as_many_together_as_are_known(old, told):
    message = messages.from_json(old)
    assert message == old
    with language.speaking("ja"):
        assert translated(message) == told
    assert messages.from_json(messages.to_json(message)) == old  # it may be stored once more


def test_an_old_sentence_with_numbers_in_it_is_stored_once_more_as_it_stands():
    old = "12% of the training examples are of class a: a model that says nothing else is as accurate."
    message = messages.from_json(old)
    assert (type(message), message) == (Message, old)
    again = messages.from_json(messages.to_json(message))
    assert again == old
