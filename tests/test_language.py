"""The catalogues: nothing is left untranslated, nothing is filled in differently, nothing is stale."""

import ast
import copy
import gettext
import io
import pickle
import string
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from dpcore import language
from dpcore.errors import DatasetError
from dpcore.language import N_, Message, _, sentences, translated

ROOT = Path(__file__).parents[1]
OTHERS = [code for code in language.LANGUAGES if code != "en"]


def catalogue(code):
    with (language.LOCALE / code / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=code)


@pytest.fixture(scope="module")
def marked():
    """Every message that the program's code marks."""
    sources = {"app.py": "python", "pages/**.py": "python", "dpcore/**.py": "python"}
    found = extract_from_dir(ROOT, list(sources.items()), keywords={"_": None, "N_": None})
    return {message for _, _, message, _, _ in found}


def test_every_word_that_is_looked_up_can_be_collected(marked):
    """What stands inside an f-string is not: neither it nor a call within it is found by those who translate."""
    lost = []
    for path in [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "dpcore").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("_", "N_") and call.args):
                continue
            words = call.args[0]
            constant = isinstance(words, ast.Constant) and words.value in marked
            if not constant and isinstance(words, ast.Constant | ast.JoinedStr):
                lost.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert not lost


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_has_a_translation_and_no_translation_is_left_over(code, marked):
    translated = {message.id for message in catalogue(code) if message.id and message.string and not message.fuzzy}
    assert {"missing": marked - translated, "left over": translated - marked} == {
        "missing": set(),
        "left over": set(),
    }


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_same_places_to_fill_in(code):
    def places(text):
        return sorted((name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None)

    for message in catalogue(code):
        if message.id and "{" in message.id:
            assert places(message.string) == places(message.id), message.id


@pytest.mark.parametrize("code", OTHERS)
def test_the_compiled_catalogue_is_that_of_the_text(code):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(code))
    (there,) = (language.LOCALE / code).rglob("*.mo")
    assert there.read_bytes() == compiled.getvalue(), "run: make words"
    assert gettext.GNUTranslations(io.BytesIO(there.read_bytes())).charset() == "utf-8"


def test_a_language_is_spoken_for_a_while():
    with language.speaking("ja"):
        assert (language.current(), _("Accountant")) == ("ja", "アカウンタント")
    assert (language.current(), _("Accountant"), _("")) == ("en", "Accountant", "")


def test_what_is_no_language_is_english():
    with language.speaking("ja"):
        language.speak("xx")
        assert language.current() == "en"


def test_a_message_is_told_in_another_language_with_what_fills_it():
    inner = _("Round {number}").format(number=3)
    message = sentences(
        N_("Reading the data"), _("{file} is damaged: {reason}.").format(file="a.csv", reason=inner)
    )
    assert message == "Reading the data a.csv is damaged: Round 3."
    with language.speaking("ja"):
        assert translated(message) == "データを読み込んでいます a.csv は破損しています: ラウンド 3。"
        japanese = _("Round {number}").format(number=3)
        assert (japanese, translated(inner), translated("no message")) == ("ラウンド 3", "ラウンド 3", "no message")
    assert (japanese, translated(japanese)) == ("ラウンド 3", "Round 3")
    assert (sentences("", inner), sentences()) == (inner, "")
    assert type(sentences("", inner)) is Message


def test_what_fills_a_message_is_kept_as_it_is_written():
    error = DatasetError(_("Round {number}").format(number=3))
    for value, kept in ((Path("/a"), "/a"), (OSError("disk"), "disk"), (np.int64(3), "3"), (error, "Round 3")):
        message = N_("{file} is damaged: {reason}.").format(file="a", reason=value)
        assert message.values["reason"] == kept
    assert type(message.values["reason"]) is Message
    assert type(N_("Of {day:%Y}").format(day=date(2026, 1, 2))) is str  # no text can be written so again


@pytest.mark.parametrize("again", [copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))])
def test_a_copy_of_a_message_is_that_message(again):
    with language.speaking("ja"):
        message = again(_("Round {number}").format(number=3))
    assert (message, message.key, message.values) == ("ラウンド 3", "Round {number}", {"number": 3})
