"""The command: its JSON, its flags, and one sentence for bad input."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dpcore.cli import app
from tests.elsewhere import logs

RECORDS = Path(__file__).with_name("records")
KEYS = {"guarantee", "because", "holds", "claimed", "also_released", "open"}


def command(*words):
    return CliRunner().invoke(app, ["elsewhere", *map(str, words)], env={"COLUMNS": "300"})


def said(*words):
    done = command(*words, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found) == KEYS
    return found


def test_a_log_of_flower_in_json():
    found = said(RECORDS / "flower" / "run.log")
    assert found["guarantee"] is False
    assert len(found["because"]) == 2
    assert (found["holds"], found["open"]) == ([], ["weights", "optimizer-inside"])
    answered = said(
        RECORDS / "flower" / "run.log", "--as", "flower", "--weights", "equal", "--optimizer-inside", "none"
    )
    assert (answered["guarantee"], answered["because"], answered["open"]) == (True, [], [])
    assert {tuple(one) for one in answered["holds"]} == {
        ("adjacency", "epsilon", "delta", "accountant", "sampling")
    }
    assert answered["holds"][0]["adjacency"] == "add-or-remove-one"
    assert answered["claimed"][0]["epsilon"] == 9.009959
    assert found["also_released"]


def test_every_flag_is_an_answer(tmp_path):
    table = tmp_path / "rounds.csv"
    table.write_text("sampled,replied,noise\n100,100,0.01\n")
    found = said(
        *(table, "--as", "csv", "--population", 1000, "--weights", "equal", "--sampling", "fixed-size"),
        *("--clip-norm", 1, "--optimizer-inside", "none", "--delta", 1e-6, "--unit", "user"),
        *("--noise-of", "average", "--divisor", "replies", "--rounds", 1),
    )
    assert (found["guarantee"], found["open"], found["holds"][0]["delta"]) == (True, [], 1e-6)
    assert said(table, "--weights", "examples")["guarantee"] is False


def test_words_say_what_holds_beside_what_was_claimed():
    done = command(RECORDS / "flower" / "run.log", "--weights", "equal", "--optimizer-inside", "none")
    assert done.exit_code == 0
    assert "(16.4, 1e-05)-differential privacy for each client" in done.stdout
    assert "Stated from the run's record, not run here." in done.stdout
    assert "That is too small: 16.4 holds, 1.82 times as much" in done.stdout
    assert "To change: Take noise multiplier 1." in done.stdout
    assert "Also released, and outside of this guarantee" in done.stderr


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["nothing.log"], "Expected a file at"),
        ([RECORDS], "Expected a file at"),
        ([RECORDS / "README.md"], "Expected a round log, or a record of"),
        ([RECORDS / "flower" / "run.log", "--as", "pfl"], "as JSON"),
        ([RECORDS / "flower" / "run.log", "--population", "0"], "population.size"),
        ([RECORDS / "flower" / "run.log", "--delta", "2"], "delta"),
        ([RECORDS / "flower" / "run.log", "--delta", "nan"], "delta"),
        ([RECORDS / "opacus" / "accountant_state.json", "--clip-norm", "inf"], "clipping.norm"),
        ([RECORDS / "flower" / "run.log", "--optimizer-inside", ""], "optimizer_inside"),
        ([RECORDS / "flower" / "run.log", "--sampling", "poisson"], "other than the record's"),
        ([RECORDS / "jax-privacy" / "dp_event.json"], "--run"),
    ],
)
def test_bad_input_is_one_sentence(words, error):
    done = command(*words)
    assert done.exit_code == 2
    assert error in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_round_log_of_ones_own(tmp_path):
    path = tmp_path / "log.json"
    path.write_text(json.dumps(logs.values()))
    (first, *_rest) = said(path)["holds"]
    assert first["epsilon"] == pytest.approx(22.62, rel=5e-4)
    path.write_text(json.dumps(logs.values() | {"epsilom": 1}))
    assert "epsilom" in command(path).stderr
