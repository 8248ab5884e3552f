import sqlite3

import pytest

from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, ledger
from dpcore.privacy.many import kept, together
from dpcore.runs.store import answers
from dpcore.runs.store.answers import Answers

NAME, OTHER = b"n" * 32, b"o" * 32
PLANS = [PrivacyPlan(noise_multiplier=noise, rounds=20) for noise in (1.0, 1.3, 1.7)]


@pytest.fixture
def anew():
    """Forgets what this process has computed."""

    def forget():
        accounting._compose.cache_clear()
        together._memory.clear()

    yield forget
    kept.keep_in(None)
    forget()


def change(home, sql, *values):
    with sqlite3.connect(home / answers.FILE) as db:
        db.execute(sql, values)
    db.close()


def test_what_was_kept_is_found(tmp_path):
    Answers(tmp_path).keep({NAME: b"epsilon", OTHER: b""})
    assert Answers(tmp_path).find(NAME) == b"epsilon"
    assert Answers(tmp_path).find(OTHER) == b""
    assert Answers(tmp_path).find(b"x" * 32) is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE answers SET content = 'less'",
        "UPDATE answers SET content = x'00'",
        "UPDATE answers SET digest = x'00'",
        "UPDATE answers SET content = NULL",
        f"UPDATE answers SET name = x'{OTHER.hex()}'",
        "DROP TABLE answers",
        f"PRAGMA user_version = {answers._VERSION + 1}",
    ],
)
def test_what_is_damaged_or_foreign_is_not_found(tmp_path, sql):
    Answers(tmp_path).keep({NAME: b"epsilon"})
    change(tmp_path, sql)
    assert Answers(tmp_path).find(NAME) is None
    assert Answers(tmp_path).find(OTHER) is None


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_damaged_file_is_made_again(tmp_path, content):
    (tmp_path / answers.FILE).write_bytes(content)
    assert Answers(tmp_path).find(NAME) is None
    Answers(tmp_path).keep({NAME: b"epsilon"})
    assert Answers(tmp_path).find(NAME) == b"epsilon"


def test_a_newer_versions_file_is_left_alone(tmp_path):
    Answers(tmp_path).keep({NAME: b"epsilon"})
    change(tmp_path, f"PRAGMA user_version = {answers._VERSION + 1}")
    before = (tmp_path / answers.FILE).read_bytes()
    Answers(tmp_path).keep({OTHER: b"more"})
    assert (tmp_path / answers.FILE).read_bytes() == before


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / answers.FILE).mkdir()
    Answers(tmp_path).keep({NAME: b"epsilon"})
    assert Answers(tmp_path).find(NAME) is None


def test_the_oldest_go_when_there_are_too_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "MOST_BYTES", 100_000)
    for number in range(64):
        Answers(tmp_path).keep({bytes([number]) * 32: bytes(5_000)})
    assert (tmp_path / answers.FILE).stat().st_size < 130_000
    assert Answers(tmp_path).find(bytes([0]) * 32) is None
    assert Answers(tmp_path).find(bytes([63]) * 32) == bytes(5_000)


def test_accountants_find_their_answers_again_and_compute_what_is_damaged(tmp_path, anew, monkeypatch):
    kept.keep_in(Answers(tmp_path))
    anew()
    found = ledger.compose(PLANS, 1e-5)
    anew()
    with monkeypatch.context() as patch:
        patch.setattr(together, "_pair", lambda *_: pytest.fail("computed again"))
        assert ledger.compose(PLANS, 1e-5) == found
    lower = b'{"rdp": {"value": 0.1, "accountant": "rdp"}, "pld": {"value": 0.1, "accountant": "pld"}}'
    change(tmp_path, "UPDATE answers SET content = ?", lower)
    anew()
    assert ledger.compose(PLANS, 1e-5) == found


def test_another_programs_answers_have_other_names(tmp_path, anew, monkeypatch):
    kept.keep_in(Answers(tmp_path))
    anew()
    found = ledger.compose(PLANS, 1e-5)
    monkeypatch.setattr(kept, "accountants", lambda: "another version")
    anew()
    count = sqlite3.connect(tmp_path / answers.FILE).execute("SELECT count(*) FROM answers").fetchone()[0]
    assert ledger.compose(PLANS, 1e-5) == found
    assert (
        sqlite3.connect(tmp_path / answers.FILE).execute("SELECT count(*) FROM answers").fetchone()[0] == 2 * count
    )


def test_names_are_of_all_that_an_answer_depends_on():
    asked = [(b"ab", b"c"), (b"a", b"bc"), (b"abc",)]
    assert len({kept.name(*parts) for parts in asked}) == 3
