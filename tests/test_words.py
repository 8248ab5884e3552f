"""The field's words: what once stood in their place is in no catalogue, table of commands or document any more."""

import re

import click
import pytest
import typer
from babel.messages.pofile import read_po
from typer.testing import CliRunner

from dpcore import language
from dpcore.cli import app
from dpcore.messages import older
from tests.test_docs import DOCUMENTS

# Each with the term that a reader of the literature looks for.
REPLACED = {
    "wrongly accused": "false-positive rate (FPR)",
    "accused": "classified as a participant",
    "accusing at random": "random guessing",
    "guessing blindly": "random guessing",
    "users found": "true-positive rate (TPR)",
    "suspicion": "prior probability of membership",
    "sure of the": "posterior after a positive",
    "exceeds accused": "membership advantage: max (TPR - FPR)",
    "and the way back": "calibrate noise to attack success",
    "best attack": "optimal attack",
    "spoken of": "selected FPR",
    "if only (": "worst case for (epsilon, delta)-DP",
    "cohorts were known": "epsilon without amplification by sampling",
    "known who came": "without amplification by sampling",
    "same noise on the average": "same effective noise",
    "by rdp, order": "epsilon by RDP (order)",
    "no sampling": "full participation (no subsampling)",
    "a user more or less": "add or remove one user",
    "allowed to fail": "additive slack",
    "before the plan is one": "fix the highlighted value",
    "use a larger population": "raise the population",
    "norm it starts from": "initial clip norm",
    "in nats": "cumulative log-likelihood ratio",
    "so many games leave": "95% confidence interval",
    "coin of their own": "is sampled independently (Poisson sampling)",
    "coins of their own": "is sampled independently (Poisson sampling)",
    "by an own coin": "is sampled independently (Poisson sampling)",
    "some are drawn": "client sampling",
    "adds up, with noise": "noisy aggregation",
    "what it tells": "leakage",
    "private outputs": "covered by the guarantee",
    "epsilon of {}": "epsilon spent (plan: ...)",
    "rehearsal": "seeded run: not for release",
    "without a seed, for": "unseeded randomness (required for release)",
    "as the tff tutorial": "adaptive zeroing (TFF's default)",
    "model bears": "largest tolerable noise multiplier",
    "2. read it": "2. result",
    "hold it against": "compare with",
    "held against": "compared with",
    "noise-free": "non-private baseline",
    "seeds a setting": "seeds per setting",
    "clients a round": "clients per round",
    "milliseconds a client": "time per client (ms)",
    "ms a client": "time per client (ms)",
    "examples a user.": "examples per user",
    "a user a row": "one row per user",
    "nothing beats": "Pareto front",
    "beaten by no other": "Pareto front",
    "side by side": "parallel runs",
    "who: the column": "user ID column",
    "column of train and test": "split column",
    "or send it": "upload",
    "get it": "download",
    "take it with you": "export",
    "epsilon alone": "epsilon of this run",
    "what is allowed": "budget",
    "what is meant": "the problem is",
    "whoever has the machine": "the administrator",
    "whoever runs": "the administrator",
    "which people": "who",
}
REPLACED_IN_JAPANESE = {
    "発見率": "真陽性率",
    "誤検出率": "偽陽性率",
    "疑い": "事前確率",
    "コイン": "独立に抽出（ポアソンサンプリング）",
    "平均にかかるノイズ（": "実効ノイズ",
    "リハーサル": "シード付きの実行",
    "ノイズなしの精度": "非プライベートなベースライン",
    "最良の攻撃": "最適な攻撃",
}
A_FAIR_COIN = ("A fair coin", "公平なコイン")  # of the game, which is one


def left(texts, replaced):
    """What of `replaced` begins at a word in the texts, with the text."""
    found = []
    for text in texts:
        if any(coin in text for coin in A_FAIR_COIN):
            continue
        at = re.sub(r"\{[^}]*\}", "{}", text.lower())
        found += [(old, text) for old in replaced if re.search(rf"(?<!\w){re.escape(old)}", at)]
    return found


@pytest.fixture(scope="module")
def catalogue():
    stored = {
        *older._OF_RUNS,
        *older._OF_STUDIES,
        *older._OF_FILES,
        *older._OF_DATA,
    }  # as older versions worded them, for good
    with (language.LOCALE / "ja" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return [message for message in read_po(file, locale="ja") if message.id and message.id not in stored]


def test_no_message_has_a_word_that_was_replaced(catalogue):
    assert left([message.id for message in catalogue], REPLACED) == []


def test_no_translation_has_a_word_that_was_replaced(catalogue):
    japanese = [message.string for message in catalogue if not any(coin in message.string for coin in A_FAIR_COIN)]
    assert [(old, text) for text in japanese for old in REPLACED_IN_JAPANESE if old in text] == []


def helps(name=(), command=None):
    """The help of every command and of what is below it, its lines joined."""
    command = command or typer.main.get_command(app)
    yield " ".join(re.sub(r"[│╭╮╰╯─]", " ", CliRunner().invoke(app, [*name, "--help"]).output).split())
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            yield from helps((*name, below), each)


def test_no_command_explains_itself_in_a_word_that_was_replaced(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert left(helps(), REPLACED) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_has_a_word_that_was_replaced(path):
    text = re.sub(r"`[^`]*`", "", path.read_text())
    assert left([" ".join(part.split()) for part in text.split("\n\n")], REPLACED) == []


def test_delta_is_said_as_the_definition_has_it(catalogue):
    delta = [message.id for message in catalogue if "P[M(D) in S]" in message.id]
    assert all("<= e^epsilon P[M(D') in S] + delta" in text for text in delta)
    assert delta
