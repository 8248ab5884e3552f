"""The catalogues: nothing is left untranslated, nothing is filled in differently, nothing is stale."""

import ast
import gettext
import io
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from dpcore import language
from dpcore.language import _

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


class Place(str):
    """Fills a place as it is, however it is to be written there."""

    def __format__(self, spec):
        return str(self)


@pytest.mark.parametrize("code", OTHERS)
def test_what_was_said_in_english_is_told_again_wherever_it_can_be_looked_up(code):
    asked = 0
    for message in catalogue(code):
        names = [name for _, name, _, _ in string.Formatter().parse(message.id or "") if name is not None]
        if names and all(map(str.isidentifier, names)) and len(message.id) > 60 and "}{" not in message.id:
            values = {name: Place(f"x{number}") for number, name in enumerate(dict.fromkeys(names))}
            with language.speaking(code):
                assert language.retold(message.id.format(**values)) == message.string.format(**values)
            asked += 1
    assert asked > 150
    with language.speaking("ja"):
        assert language.retold("Reading the data: 50%") == "データを読み込んでいます: 50%"
        assert language.retold("ValueError: no such thing") == "ValueError: no such thing"
    assert language.retold("Reading the data: 50%") == "Reading the data: 50%"
