"""The command line as a user runs it: a process, its streams, its exit code."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from dpcore import datasets, limits
from dpcore.cli import app, study
from dpcore.hosting import Rules
from dpcore.locks import lock
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import ready_made
from dpcore.runs.studies.study import Study
from tests.runs.tutorial import GRID, TUTORIAL

ROOT = Path(__file__).parents[1]
LOGIN = """[auth]
redirect_uri = "https://class.example/oauth2callback"
cookie_secret = "a"
client_id = "b"
client_secret = "c"
server_metadata_url = "https://provider.example"
"""


def command(*arguments, home=None):
    """What a command prints and returns, in this process: one of its own takes three seconds to start."""
    environment = {"EPSILON_LAB_HOME": str(home)} if home else {}
    done = CliRunner().invoke(app, arguments, env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def process(*arguments, home=None):
    environment = os.environ | ({"EPSILON_LAB_HOME": str(home)} if home else {})
    return subprocess.run(
        [sys.executable, "-m", "dpcore", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=900,
    )


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_help_names_every_command():
    shown = command("--help").stdout
    assert all(name in shown for name in ("account", "calibrate", "train", "runs", "serve"))


def test_account_prints_json_and_nothing_else():
    (answer,) = json_lines(command("account", "--noise-multiplier", "1.2", "--json").stdout)
    assert answer["epsilon"] == answer["pld"]["epsilon"] == pytest.approx(1.70747, abs=1e-4)
    assert answer["rdp"] == {"epsilon": pytest.approx(1.98888, abs=1e-5), "order": 8, "warning": ""}
    assert answer["epsilon_without_amplification"] == pytest.approx(69.457, abs=1e-3)
    risk = answer["risk"]
    assert risk["true_positive_rate"] == pytest.approx(0.02622, abs=1e-4)
    assert risk["true_positive_rate_from_pair"] == pytest.approx(0.0552, abs=1e-4)
    assert risk["advantage"] == pytest.approx(0.13619, abs=2e-4)
    given = {"delta": 1e-5, "noise_multiplier": 1.2, "clients_per_round": 120, "rounds": 100, "population": 3383}
    assert {key: answer[key] for key in given} == given
    assert (answer["accountant"], answer["sampling"], answer["adjacency"]) == (
        "pld",
        "poisson",
        "add-or-remove-one",
    )


@pytest.mark.parametrize("arguments", [("account",), ("calibrate", "--solve", "noise")])
def test_with_zeroing_no_attack_is_bounded(arguments):
    (answer,) = json_lines(command(*arguments, "--zeroing", "--json").stdout)
    risk = answer["risk"]
    assert (risk.pop("false_positive_rate"), risk.pop("prior")) == (0.01, 0.5)
    assert risk.pop("because").startswith("Nothing bounds an attack on such a run. It zeroes outlying updates")
    assert set(risk.values()) == {None}
    assert answer["epsilon_without_amplification"] is None
    assert any("does not cover" in warning for warning in answer["warnings"])
    said = " ".join(command(*arguments, "--zeroing").stdout.split())
    assert "Zeroing is outside this claim" in said
    assert "Epsilon without amplification by sampling: not stated" in said
    assert "at most" not in said


def test_without_noise_an_attack_finds_everybody_and_without_delta_it_does_not():
    (naked,) = json_lines(command("account", "--noise-multiplier", "0", "--json").stdout)
    assert (naked["risk"]["true_positive_rate"], naked["risk"]["advantage"]) == (1, 1)
    assert "without noise" in naked["risk"]["because"]
    assert "at most" not in command("account", "--noise-multiplier", "0").stdout
    (no_delta,) = json_lines(command("account", "--delta", "0", "--json").stdout)
    assert (no_delta["epsilon"], no_delta["risk"]["because"]) == ("inf", "")
    (usual,) = json_lines(command("account", "--json").stdout)  # the profile is that of the plan, at any delta
    assert no_delta["risk"]["true_positive_rate"] == pytest.approx(usual["risk"]["true_positive_rate"], abs=1e-4)


def test_no_noise_bounds_an_attack_where_updates_are_zeroed():
    done = command("calibrate", "--zeroing", "--true-positive-rate", "0.04")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Expected a plan without zeroing, found one with it" in done.stderr


def test_a_rate_that_is_given_is_written_as_it_was_given():
    said = " ".join(command("account", "--false-positive-rate", "0.0100001").stdout.split())
    assert "of at most 2.63% at a false-positive rate (FPR) of 1.00001%" in said


def test_account_by_the_tutorials_accountant():
    (answer,) = json_lines(command("account", "--accountant", "rdp", "--json").stdout)
    assert (answer["accountant"], answer["epsilon"]) == ("rdp", pytest.approx(1.98888, abs=1e-5))


BANDED = ("--participation", "schedule", "--noise", "banded", "--clipping", "fixed")


def test_account_says_how_cohorts_are_formed_and_what_other_ways_would_cost():
    (answer,) = json_lines(command("account", *BANDED, "--noise-multiplier", "3.9876248913", "--json").stdout)
    assert answer["epsilon"] == pytest.approx(2, rel=1e-6)
    said = ("participation", "noise", "bands", "max_participations", "min_separation", "sensitivity")
    assert {name: answer[name] for name in said} == {
        "participation": "schedule", "noise": "banded", "bands": 28, "max_participations": 4, "min_separation": 28,
        "sensitivity": 2,
    }  # fmt: skip
    ways = answer["assumptions"]
    assert {way["participation"] for way in ways} == {"poisson", "full", "fixed", "schedule", "cyclic-poisson"}
    assert all(set(way) == {"participation", "noise", "epsilon", "adjacency", "asks"} for way in ways)
    (own,) = (way for way in ways if way["participation"] == "schedule")
    assert (own["noise"], own["epsilon"]) == ("banded", answer["epsilon"])
    assert "nothing about cohorts is secret" in own["asks"]


def test_the_older_option_means_what_it_meant_and_must_not_contradict_the_new_one():
    older, newer = (
        command("account", *given, "--noise-multiplier", "40", "--json").stdout
        for given in (("--sampling", "none"), ("--participation", "full"))
    )
    assert older == newer
    refused = command("account", "--sampling", "none", "--participation", "schedule")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_a_statement_says_what_is_secret_and_what_is_not():
    said = command("statement", *BANDED).stdout
    assert "at most 4 of the 100 rounds, at least 28 rounds apart" in said
    assert "nothing about cohorts is secret" in said
    assert "What was drawn for the noise, and the state of the training, stay secret" in said


def test_no_sampling_needs_no_clients():
    arguments = ("--sampling", "none", "--adjacency", "replace-one", "--noise-multiplier", "40", "--json")
    (answer,) = json_lines(command("account", *arguments).stdout)
    assert (answer["clients_per_round"], answer["sampling"], answer["adjacency"]) == (3383, "none", "replace-one")
    assert answer["epsilon"] == answer["epsilon_without_amplification"]


def test_no_noise_is_the_string_inf():
    (answer,) = json_lines(command("account", "--noise-multiplier", "0", "--json").stdout)
    assert answer["epsilon"] == "inf"


def test_calibrate_finds_the_tutorials_plan():
    wanted = ("--target-epsilon", "2", "--noise-to-clients-ratio", "0.01", "--accountant", "rdp", "--json")
    done = command("calibrate", *wanted)
    (answer,) = json_lines(done.stdout)
    assert (answer["clients_per_round"], answer["noise_multiplier"]) == (120, 1.2)
    assert answer["epsilon"] == pytest.approx(1.98888, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {"clients_per_round": 104, "noise_multiplier": 1.04}),
        (("--hold", "noise"), {"clients_per_round": 139, "noise_multiplier": 1.2}),
        (("--solve", "noise"), {"noise_multiplier": pytest.approx(1.10845, abs=2e-4)}),
        (("--solve", "rounds"), {"rounds": 142}),
        (("--solve", "delta"), {"delta": pytest.approx(1.1516e-6, rel=0.005)}),
        (("--solve", "population"), {"population": 2909}),
        (("--solve", "rounds", "--sampling", "none", "--noise-multiplier", "40"), {"rounds": 402}),
        (("--true-positive-rate", "0.04", "--false-positive-rate", "0.01"), {"rounds": 100}),
    ],
)
def test_calibrate_solves_for_each_number(arguments, expected):
    (answer,) = json_lines(command("calibrate", *arguments, "--json").stdout)
    assert {key: answer[key] for key in expected} == expected
    if "target_epsilon" in answer:
        assert answer["floor"] <= answer["epsilon"] <= 2
    else:
        assert answer["risk"]["true_positive_rate"] <= 0.9


@pytest.mark.parametrize(
    ("arguments", "name", "words"),
    [
        (
            ("--solve", "rounds", "--noise-multiplier", "5", "--target-epsilon", "400"),
            "most_rounds",
            "1,000,000 rounds",
        ),
        (("--target-epsilon", "300"), "whole_clients", "clients are whole, and 8 of them would reach 32"),
        (("--true-positive-rate", "0.999"), "least_noise", "0.001 is the smallest noise multiplier"),
        (("--solve", "noise", "--target-epsilon", "690", "--clients-per-round", "100"), None, ""),
    ],
)
def test_calibrate_says_what_keeps_it_below_the_target(arguments, name, words):
    (answer,) = json_lines(command("calibrate", *arguments, "--json").stdout)
    assert answer["limited_by_name"] == name
    shown = " ".join(command("calibrate", *arguments).stdout.split())
    if name:
        assert words in answer["limited_by"]
        assert answer["limited_by"] in shown
    else:
        assert answer["limited_by"] is None
        assert 689 < answer["epsilon"] <= 690
        assert "below the" not in shown


@pytest.mark.parametrize("arguments", [("--noise-multiplier", "0.1"), ("--delta", "1e-30")])
def test_account_says_whose_number_it_is_where_it_is_not_the_librarys(arguments):
    (answer,) = json_lines(command("account", *arguments, "--json").stdout)
    assert answer["epsilon"] == answer["pld"]["epsilon"] < answer["rdp"]["epsilon"]
    assert answer["pld"]["problem"] == ""
    assert "Epsilon Lab" in answer["pld"]["note"]
    assert answer["pld"]["note"] in " ".join(command("account", *arguments).stdout.split())
    (usual,) = json_lines(command("account", "--json").stdout)
    assert usual["pld"]["note"] == ""


def test_statement_is_markdown():
    text = command("statement", "--clipping", "fixed", "--clip-norm", "0.3").stdout
    assert text.startswith("(1.708, 1e-05)-differential privacy")
    assert "| **Mechanism** | DP-FedAvg" in text
    assert "fixed clip norm 0.3" in text


def test_statement_of_a_run_names_its_data_and_what_else_was_run_on_them(tmp_path):
    store = Store(tmp_path)
    run_id = store.create(Plan(training=TrainingPlan(seed=7)), engine="vectorized", eval_every=5)
    text = command("statement", "--run", run_id, home=tmp_path).stdout
    assert "| **Data** | writers, content not read yet. |" in text
    assert "The runs on writers (1) come to epsilon 1.708" in text
    assert "seed 7" in text


def test_what_an_epsilon_holds_for_is_said_of_runs_and_studies(tmp_path):
    store = Store(tmp_path)
    grid = Study(plan=Plan(), noise_multipliers=(1.2,), clients_per_round=(120,), seeds=(7,), target_epsilon=None)
    study_id = store.create_study(grid.to_json())
    store.set_going(study_id, False)
    (plan,) = grid.grid()
    run_id = store.create(plan, engine="vectorized", eval_every=5)
    store.begin(run_id)
    store.end(run_id, "finished")
    store.attach(study_id, run_id, "sweep")
    (run,) = json_lines(command("runs", "list", "--json", home=tmp_path).stdout)
    assert (run["delta"], run["adjacency"]) == (1e-5, "add-or-remove-one")
    assert run["clipping"]["target_unclipped_quantile"] == 0.5
    (told,) = json_lines(command("study", "show", study_id, "--json", home=tmp_path).stdout)
    assert told["settings"][0]["delta"] == 1e-5
    conditions, rehearsals = told["conditions"]
    assert "delta 1e-05, against adding or removing" in conditions
    assert "seed" in rehearsals
    assert conditions in " ".join(command("study", "show", study_id, home=tmp_path).stdout.split())


def test_the_epsilon_of_a_run_with_zeroing_is_listed_with_what_it_leaves_out(tmp_path):
    store = Store(tmp_path)
    plan = Plan(privacy=PrivacyPlan(zeroing=True))
    run_id = store.create(plan, engine="vectorized", eval_every=5)
    (run,) = json_lines(command("runs", "list", "--json", home=tmp_path).stdout)
    zeroing, rehearsal = run["warnings"]
    assert "does not cover it" in zeroing
    assert "seed 0" in rehearsal
    for arguments in (("runs", "list"), ("ledger",), ("runs", "queue")):
        said = " ".join(command(*arguments, home=tmp_path).stdout.split())
        assert "1.708*" in said
        assert "* Adaptive zeroing is not covered by the guarantee" in said
    assert "does not cover it" in command("runs", "show", run_id, home=tmp_path).stdout
    assert "Nothing bounds an attack" in command("statement", "--run", run_id, home=tmp_path).stdout


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "4 runs, about 1.5 minutes, measured on this machine, and the final one."),
        ({"seeds": (0, 1, 2)}, "12 runs, about 1.5 minutes, measured on this machine, and 3 final ones."),
        ({"target_epsilon": None}, "4 runs, about 1.5 minutes, measured on this machine."),
    ],
)
def test_a_study_says_what_it_will_train(values, said):
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    assert study._ahead(Study(plan=base, **values), 90.0, measured=True) == said


FREE = ("train", "--noise-multiplier", "0", "--queue")


def test_a_run_that_leaves_no_guarantee_is_said_to_and_a_script_goes_on(tmp_path):
    store = Store(tmp_path)
    with lock(store.home / "runner.lock", wait=True):  # nothing begins meanwhile
        done = command(*FREE, "--json", home=tmp_path)
        (told,) = json_lines(done.stdout)
        assert "with it, the epsilon of all runs on them, now 0.000, is infinite for good" in done.stderr
        assert "(ledger --dataset writers --public); or give it noise, and no zeroing." in done.stderr
        assert "for good" not in command(*FREE, home=tmp_path).stderr  # nothing is left to lose
        for run in store.queue():
            store.request_stop(run.run_id)  # before they began: that costs nothing
        again = command("runs", "retry", told["run_id"], home=tmp_path)
        assert (again.returncode, "for good" in again.stderr) == (0, True)
        store.request_stop(again.stdout.strip())
        command("ledger", "--public", home=tmp_path)
        assert "for good" not in command(*FREE, home=tmp_path).stderr
    assert len(store.runs()) == 4


@pytest.mark.parametrize(("answer", "returncode", "queued"), [("n", 1, 0), ("y", 0, 1)])
def test_who_sits_at_a_terminal_is_asked_before_a_guarantee_is_lost(tmp_path, answer, returncode, queued):
    with lock(Store(tmp_path).home / "runner.lock", wait=True):
        master, slave = pty.openpty()
        os.write(master, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "dpcore", *FREE, "--home", str(tmp_path)],
            stdin=slave,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=300,
        )
        os.close(slave), os.close(master)
        assert (done.returncode, len(Store(tmp_path).runs())) == (returncode, queued), done.stderr
    assert "Go on all the same? [y/N]" in done.stderr
    assert len(done.stdout.split()) == queued  # the run's id, or nothing


def test_a_study_says_what_it_will_leave_in_the_ledger(tmp_path, capsys):
    store, base = Store(tmp_path), Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))

    def said(**values):
        study._ask(store, Study(plan=base, **values), yes=False, how="--baseline {}")
        out, err = capsys.readouterr()
        assert out == ""
        return " ".join(err.split())

    words = said()
    assert "with it, the epsilon of all runs on them, now 0.000, is infinite for good" in words
    assert "(ledger --dataset writers --public); leave it out (--baseline none)." in words
    left_out = said(noise_multipliers=(0.5, 0.75), baseline="none")
    assert "come to at most epsilon 8.3" in left_out
    assert "Ways out" not in left_out
    base = Plan(privacy=base.privacy, training=TrainingPlan(dataset="federated_emnist"))
    assert "train the non-private baseline on the Writers (--baseline writers)" in said()
    assert "epsilon of all runs on them, now 0.000" in said(baseline="writers")  # of the Writers'


def test_a_study_compares_each_participation_with_each_noise_that_goes_with_it(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(study, "_ask", lambda _store, one, **how: asked.append(one) or sys.exit(3))
    ways = [
        "--participation",
        "poisson",
        "--participation",
        "schedule",
        "--noise",
        "independent",
        "--noise",
        "banded",
    ]
    given = [
        *ways,
        "--noise",
        "0.5",
        "--bands",
        "20",
        "--clipping",
        "fixed",
        "--grid-only",
        "--home",
        str(tmp_path),
    ]
    done = CliRunner().invoke(app, ["study", "run", *given])
    assert done.exit_code == 3
    assert "Left out: Expected independent noise with Poisson sampling, found banded" in " ".join(
        done.output.split()
    )
    assert [(one.participation.kind, one.noise.kind) for one in asked[0].mechanisms] == [
        ("poisson", "independent"),
        ("schedule", "independent"),
        ("schedule", "banded"),
    ]
    assert asked[0].mechanisms[-1].noise.bands == 20
    CliRunner().invoke(app, ["study", "run", "--participation", "schedule", "--home", str(tmp_path)])
    assert asked[1].mechanisms == ()  # a single one is its plan's
    assert {plan.privacy.participation.kind for plan in asked[1].grid()} == {"schedule"}
    CliRunner().invoke(app, ["study", "run", "--ready", "secrecy", "--home", str(tmp_path)])
    assert asked[2] == ready_made.secrecy()


def test_a_study_varies_each_knob_of_the_method(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(study, "_ask", lambda _store, one, **how: asked.append(one) or sys.exit(3))

    def run(*given):
        done = CliRunner().invoke(app, ["study", "run", "--grid-only", "--home", str(tmp_path), *given])
        assert done.exit_code == 3, done.output
        return asked[-1]

    names = ("--server-learning-rate", "--server-momentum", "--local-epochs", "--initial-clip-norm")
    values = (("0.5", "1"), ("0", "0.9"), ("1", "2"), ("0.1", "0.3"))
    given = [part for name, both in zip(names, values, strict=True) for one in both for part in (name, one)]
    one = run(*given, "--batch-size", "16", "--clip-learning-rate", "0.4", "--noise", "0.5")
    training = [plan.training for plan in one.grid()]
    assert len(set(training)) == 8
    assert {t.batch_size for t in training} == {16}
    clippings = {plan.privacy.clipping for plan in one.grid()}
    assert {(c.initial_clip_norm, c.learning_rate) for c in clippings} == {(0.1, 0.4), (0.3, 0.4)}
    fixed = run("--clipping", "fixed", "--clip-norm", "0.2", "--clip-norm", "0.5")
    assert {plan.privacy.clipping.clip_norm for plan in fixed.grid()} == {0.2, 0.5}
    assert run() == run("--server-momentum", "0.9", "--local-epochs", "1")


def test_a_study_without_room_in_the_budget_is_refused_before_any_of_it_is_run(tmp_path):
    command("ledger", "--budget-epsilon", "8.2", home=tmp_path)
    for grid in (("--noise", "0"), ("--noise", "0.5", "--noise", "0.52")):  # each of the latter has room by itself
        done = command("study", "run", "--grid-only", *grid, home=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "at most epsilon 8.2" in done.stderr
    assert "with these 2 they would spend" in done.stderr
    assert Store(tmp_path).runs() == Store(tmp_path).studies() == []


def test_ledger_keeps_a_budget_and_train_refuses_past_it(tmp_path):
    (before,) = json_lines(command("ledger", "--json", home=tmp_path).stdout)
    assert (before["epsilon"], before["budget_epsilon"], before["runs"]) == (0, None, [])
    command("ledger", "--budget-epsilon", "1", home=tmp_path)
    done = command("train", "--rounds", "100", home=tmp_path)
    assert done.returncode == 2
    assert "at most epsilon 1 at delta 1e-05; with this one they would spend 1.708" in done.stderr
    command("ledger", "--public", home=tmp_path)
    (after,) = json_lines(command("ledger", "--json", home=tmp_path).stdout)
    assert (after["budget_epsilon"], after["public"], after["runs"]) == (1, True, [])


def test_a_table_is_imported_listed_shown_and_removed(tmp_path):
    table = tmp_path / "own.csv"
    lines = [f"person-{n % 150},{'ant' if n % 3 else 'bee'},{n * 0.01}" for n in range(1200)]
    table.write_text("\n".join(["who,kind,size", *lines]))
    wanted = ("data", "import", str(table), "--user", "who", "--label", "kind", "--features", "size")
    wanted += ("--scaling", "bounds", "--bounds", "-3,12")
    (made,) = json_lines(command(*wanted, "--json", home=tmp_path).stdout)
    assert (made["name"], made["num_users"], made["num_classes"]) == ("own", 150, 2)
    (listed,) = [
        row for row in json_lines(command("data", "list", "--json", home=tmp_path).stdout) if row["name"] == "own"
    ]
    assert listed["fingerprint"] == made["fingerprint"]
    (shown,) = json_lines(command("data", "show", "own", "--json", home=tmp_path).stdout)
    assert shown["label_balance"]["ant"] == pytest.approx(2 / 3, abs=0.02)
    assert shown["suggested_delta"] == 1e-4
    assert shown["lowest_epsilon"]["50"] < shown["lowest_epsilon"]["500"]
    again = command(*wanted, home=tmp_path)
    assert (again.returncode, "already" in again.stderr) == (2, True)
    assert command("data", "remove", "own", "--yes", home=tmp_path).returncode == 0
    assert command("data", "show", "own", home=tmp_path).returncode == 2


def test_what_a_killed_import_has_left_is_listed_removed_and_told(tmp_path):
    imported = tmp_path / "datasets" / "imported"
    for name in ("mine", "other"):
        (imported / f"{name}.partial").mkdir(parents=True)
        (imported / f"{name}.partial" / "rows").write_bytes(bytes(3_000_000))
    rows = {row["name"]: row for row in json_lines(command("data", "list", "--json", home=tmp_path).stdout)}
    assert (rows["mine"]["size_bytes"], rows["mine"]["num_users"]) == (3_000_000, None)
    assert "data remove mine" in rows["mine"]["problem"]
    assert "cut off" in command("data", "list", home=tmp_path).stdout
    assert command("data", "remove", "mine", "--yes", home=tmp_path).stdout == "mine is removed.\n"
    assert not (imported / "mine.partial").exists()
    table = tmp_path / "own.csv"
    table.write_text("\n".join(["who,kind,size", *(f"u{n % 9},{n % 2},{n}" for n in range(90))]))
    done = command("data", "import", str(table), "--user", "who", "--label", "kind", home=tmp_path)
    assert "Warning: Removed what an import that was cut off had left: other, 3 MB." in done.stderr
    assert [path.name for path in imported.glob("*") if path.is_dir()] == ["own"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "import", "TABLE", "--user", "who", "--label", "kind"),
        ("data", "show", "writers"),
        ("ledger",),
        ("ledger", "--public"),
        ("runs", "list"),
        ("runs", "queue", "--parallel-runs", "2"),
        ("runs", "resume", "x"),
        ("runs", "prune", "--yes"),
        ("train", "--rounds", "1"),
        ("study", "list"),
        ("study", "run"),
        ("cluster", "show"),
        ("cluster", "certificates", "/proc/nowhere"),
    ],
)
def test_a_home_that_cannot_be_written_to_is_a_sentence(tmp_path, arguments):
    """Nobody can make a folder there, root neither."""
    table = tmp_path / "own.csv"
    table.write_text("\n".join(["who,kind,size", *(f"u{n % 9},{n % 2},{n}" for n in range(90))]))
    done = command(*(str(table) if one == "TABLE" else one for one in arguments), home="/proc/nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    *warnings, said = done.stderr.splitlines()
    assert said.startswith("Error: ")
    assert "/proc/nowhere" in said
    assert all(line.startswith("Warning: ") for line in warnings)


def test_the_server_says_so_too_and_nothing_follows():
    done = process("serve", home="/proc/nowhere")  # its standard error is read until no process has it open
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = done.stderr.splitlines()
    assert said.startswith("Error: /proc/nowhere")


def test_missing_and_odd_ids_are_refused_left_out_kept_or_joined(tmp_path):
    table = tmp_path / "own.csv"
    lines = [f"{who},{n % 3},{n}" for who in ("a", "A", "None", "b") for n in range(9)]
    table.write_text("\n".join(["who,kind,size", *lines]))
    wanted = ("data", "import", str(table), "--user", "who", "--label", "kind", "--json")
    said = command(*wanted, home=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert "found 'None' in row 19" in said.stderr
    for more, users in (
        (("--missing-user", "drop"), 3),
        (("--missing-user", "keep"), 4),
        (("--missing-user", "drop", "--join", "user", "--join", "label"), 2),
    ):
        (made,) = json_lines(command(*wanted, "--name", f"own-{users}", *more, home=tmp_path).stdout)
        assert made["num_users"] == users
        assert ("'A' = 'a'" in " ".join(made["warnings"])) == ("--join" not in more)


def test_users_who_only_test_are_named_beside_the_population(tmp_path):
    table = tmp_path / "own.csv"
    lines = [f"u{n % 40},{n % 3},{n},{'train' if n % 40 < 10 else 'test'}" for n in range(400)]
    table.write_text("\n".join(["who,kind,size,part", *lines]))
    wanted = ("data", "import", str(table), "--user", "who", "--label", "kind", "--split", "part")
    assert "own: 40 users, of whom 10 train and the others only test, 100" in command(*wanted, home=tmp_path).stdout
    (listed,) = [
        row for row in json_lines(command("data", "list", "--json", home=tmp_path).stdout) if row["name"] == "own"
    ]
    (shown,) = json_lines(command("data", "show", "own", "--json", home=tmp_path).stdout)
    for told in (listed, shown):
        assert (told["num_users"], told["users_without_train"]) == (10, 30)
    assert (shown["suggested_delta"], shown["examples_per_user"]) == (1e-2, [10, 10.0, 10])
    assert (
        "40 users, of whom 10 train and the others only test"
        in command("data", "show", "own", home=tmp_path).stdout
    )
    refused = command("train", "--dataset", "own", "--clients-per-round", "20", home=tmp_path)
    assert (refused.returncode, "The population has 10 users" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "import", "nothing.csv", "--user", "a", "--label", "b"),
        ("data", "import", "README.md"),
        ("data", "show", "nope"),
        ("account", "--noise-multiplier", "-1"),
        ("account", "--sampling", "none", "--clients-per-round", "120"),
        ("account", "--adjacency", "replace-one"),
        ("account", "--participation", "allocation"),
        ("account", "--participation", "schedule", "--min-separation", "29"),
        ("account", "--participation", "schedule", "--max-participations", "3"),
        ("account", *BANDED, "--bands", "29"),
        ("account", *BANDED, "--bands", "0"),
        ("account", "--participation", "schedule", "--noise", "tree"),
        ("account", "--participation", "fixed", "--clients-per-round", "4000"),
        ("account", "--noise", "tree", "--clipping", "fixed"),
        ("calibrate", "--solve", "max-participations"),
        ("calibrate", *BANDED),
        ("calibrate", "--participation", "full"),
        ("train", "--participation", "schedule", "--clients-per-round", "120", "--max-participations", "1"),
        (
            "train",
            "--participation",
            "schedule",
            "--noise",
            "square-root",
            "--clipping",
            "fixed",
            "--engine",
            "tff",
            "--rounds",
            "200",
        ),
        ("study", "run", "--noise", "nope"),
        ("study", "run", "--noise", "tree", "--noise", "banded"),
        ("study", "run", "--noise", "tree"),
        ("account", "--false-positive-rate", "0"),
        ("account", "--clip-norm", "-1", "--clipping", "fixed"),
        ("calibrate", "--solve", "rounds", "--true-positive-rate", "0.1"),
        ("calibrate", "--solve", "clients", "--true-positive-rate", "0.1"),
        ("calibrate", "--target-epsilon", "2", "--true-positive-rate", "0.1"),
        ("calibrate", "--sampling", "none"),
        ("calibrate", "--sampling", "none", "--hold", "noise"),
        ("calibrate", "--sampling", "none", "--solve", "population", "--noise-multiplier", "40"),
        ("ledger", "--dataset", "nope"),
        ("ledger", "--budget-delta", "2"),
        ("account", "--noise-multiplier", "nan"),
        ("account", "--clients-per-round", "4000"),
        ("account", "--delta", "1"),
        ("account", "--noise-multiplier", "1", "--clients-per-round", "10"),
        ("calibrate", "--target-epsilon", "1"),
        ("train", "--dataset", "nope"),
        ("train", "--engine", "nope"),
        ("train", "--eval-every", "0"),
        ("train", "--rounds", "0"),
        ("study", "run", "--baseline", "writers"),
        ("study", "run", "--baseline", "none", "--noise", "0.5"),
        ("study", "run", "--noise", "1", "--noise", "loud"),
        ("study", "run", "--ready", "secrecy", "--spec", "study.json"),
        ("study", "run", "--participation", "poisson", "--noise", "banded", "--clipping", "fixed"),
        ("study", "run", "--participation", "poisson", "--participation", "schedule"),
        ("study", "run", "--participation", "poisson", "--participation", "fixed", "--bands", "4", "--grid-only"),
        ("runs", "show", "nope"),
    ],
    ids=" ".join,
)
def test_bad_input_is_a_sentence_and_exit_code_2(arguments, tmp_path):
    done = command(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()  # nothing was started


def test_delta_above_one_over_population_warns_and_answers():
    done = command("account", "--delta", "0.01", "--json")
    assert done.returncode == 0
    assert "at or above 1/population" in done.stderr
    assert json_lines(done.stdout)[0]["delta"] == 0.01


def workers_of(run_id):
    """The worker process of a run, and the processes that it started."""
    found = [p for p in psutil.process_iter() if run_id in " ".join(_command_line(p))]
    return found + [child for p in found for child in p.children(recursive=True)]


def _command_line(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def assert_all_end(processes):
    """A worker says that its run has ended, and then ends itself: give it a moment."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def trained(home_of_few):
    """A home with a few writers and a run of two rounds, through the command line."""
    home = home_of_few
    done = process(
        *("train", "--dataset", "few", "--rounds", "2", "--clients-per-round", "20", "--noise-multiplier", "1"),
        *("--eval-every", "1", "--seed", "3", "--json"),
        home=home,
    )
    return home, done


@pytest.mark.slow
def test_train_prints_one_object_a_round(trained):
    home, done = trained
    *rounds, last = json_lines(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [row["round"] for row in rounds] == [0, 1, 2]
    keys = {"round", "accuracy", "loss", "clip_norm", "cohort_size", "epsilon", "seconds"}
    assert all(keys <= set(row) for row in rounds)
    assert 0 <= rounds[0]["accuracy"] < 0.3
    assert rounds[0]["epsilon"] == 0 < rounds[1]["epsilon"] < rounds[2]["epsilon"]
    assert last["status"] == "finished"
    assert_all_end(workers_of(last["run_id"]))
    assert (home / "runs" / last["run_id"] / "weights.npz").exists()


@pytest.mark.slow
def test_runs_are_listed_and_shown(trained):
    home, done = trained
    run_id = json_lines(done.stdout)[-1]["run_id"]
    (listed,) = json_lines(command("runs", "list", "--json", home=home).stdout)
    assert (listed["run_id"], listed["status"], listed["seed"]) == (run_id, "finished", 3)
    shown, *rounds = json_lines(command("runs", "show", run_id, "--json", home=home).stdout)
    assert shown == listed
    assert rounds == json_lines(done.stdout)[:-1]
    assert run_id in command("runs", "list", home=home).stdout


def started(home, engine):
    """A training long enough to be disturbed, once it has done its first rounds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dpcore", "train", "--dataset", "few", "--rounds", "50000"]
        + [
            "--clients-per-round",
            "20",
            "--noise-multiplier",
            "0.5",
            "--eval-every",
            "1000",
            "--engine",
            engine,
            "--json",
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"EPSILON_LAB_HOME": str(home)},
    )
    for line in process.stdout:
        if json.loads(line)["round"] == 1:
            break
    (run_id,) = [
        r["run_id"]
        for r in json_lines(command("runs", "list", "--json", home=home).stdout)
        if r["status"] == "running"
    ]
    return process, run_id


@pytest.mark.slow
def test_interrupt_stops_after_the_round_it_is_in(trained):
    process, run_id = started(trained[0], "vectorized")
    family = workers_of(run_id)
    process.send_signal(signal.SIGINT)
    with process:
        rest = process.stdout.read()  # after what `started` has read: `communicate` would lose what lies between
    *rounds, last = json_lines(rest)
    (rehearsal,) = last.pop("warnings")
    assert rehearsal.startswith("Seeded run: not for release. Whoever knows the seed 0")
    assert last == {"run_id": run_id, "status": "stopped", "message": ""}
    assert rounds[-1]["accuracy"] is not None  # evaluated where it ended
    assert process.returncode == 0
    assert_all_end(family)


@pytest.mark.slow
def test_a_study_trains_reads_and_trains_the_final_run(trained, tmp_path):
    home, _ = trained
    done = process(
        *("study", "run", "--dataset", "few", "--noise", "0", "--noise", "1", "--clients", "20", "--rounds", "2"),
        *("--tolerance", "0.9", "--target-epsilon", "4", "--json"),
        home=home,
    )
    (told,) = json_lines(done.stdout)
    assert done.returncode == 0, done.stderr
    assert told["status"] == "finished"
    *sweep, final = told["settings"]
    assert [row["noise"] for row in sweep] == [0.0, 1.0]
    assert final["noise"] / final["clients"] == pytest.approx(1 / 20)
    assert final["epsilon"] <= 4
    assert "Largest tolerable noise multiplier: 1 at 20 clients per round" in " ".join(told["reading"])
    store = Store(home)
    spec = tmp_path / "study.json"
    spec.write_text(store.studies()[0].spec)
    again = command("study", "run", "--spec", str(spec), "--json", home=home)
    assert json.loads(again.stdout)["study_id"] == told["study_id"]  # finished already: nothing is run again
    final_run = store.studies()[0].runs["final"][0]
    exported = process("runs", "export", final_run, str(tmp_path / "out"), home=home)
    assert exported.returncode == 0, exported.stderr
    assert {found.name for found in (tmp_path / "out").iterdir()} == {
        *("run.json", "report.html", "statement.md", "run_on_tff.py", "rounds.csv", "rounds.parquet", "model")
    }
    plan_file = str(tmp_path / "out" / "run.json")
    with lock(home / "runner.lock", wait=True):
        queued = command("train", "--plan", plan_file, "--queue", "--json", home=home)
        run_id = json.loads(queued.stdout)["run_id"]
        assert store.run(run_id).plan == store.run(final_run).plan
        store.request_stop(run_id)


@pytest.mark.slow
def test_a_killed_worker_leaves_no_process_and_an_interrupted_run(trained):
    process, run_id = started(trained[0], "tff")
    family = workers_of(run_id)
    assert any("worker_binary" in " ".join(_command_line(p)) for p in family)
    family[0].kill()
    with process:
        rest = process.stdout.read()
    last = json_lines(rest)[-1]
    assert last["status"] == "interrupted"
    assert "killed" in last["message"] or "SIGKILL" in last["message"]
    assert process.returncode == 1
    assert_all_end(family)


@pytest.mark.parametrize("first", [("ledger",), ("ledger", "--json"), ("runs", "list"), ("runs", "list", "--json")])
def test_what_was_lost_and_read_back_is_said_once_and_keeps_its_charge(tmp_path, first):
    store = Store(tmp_path)
    run_id = store.create(Plan(privacy=PrivacyPlan(noise_multiplier=0.9)), engine="tff", eval_every=5)
    store.begin(run_id)
    store.end(run_id, "finished")
    store.set_policy(Policy(name="writers", budget_epsilon=1.5))
    (before,) = json_lines(command("ledger", "--json", home=tmp_path).stdout)
    for file in tmp_path.glob("runs.sqlite*"):
        file.unlink()
    said = command(*first, home=tmp_path)
    assert (said.returncode, said.stderr.count("The file of runs was lost.")) == (0, 1)
    assert "Runs read back from their folders, with what they have spent: 1." in said.stderr
    assert "was read back for: writers." in said.stderr
    done = command("ledger", "--json", home=tmp_path)
    assert (done.stderr, json_lines(done.stdout)) == ("", [before])
    refused = command("train", "--queue", home=tmp_path)
    assert (refused.returncode, "at most epsilon 1.5" in refused.stderr) == (2, True)


@pytest.mark.slow
def test_a_run_that_ends_with_a_loss_that_is_not_finite_says_so(trained, tmp_path):
    """The loudest plan that may be: its weights are finite, and what they make of an image is not."""
    home = trained[0]
    loudest = PrivacyPlan(
        population=datasets.num_users("few", home),
        noise_multiplier=limits.NOISE_MULTIPLIER.maximum,
        clipping=FixedClipping(clip_norm=limits.CLIP_NORM.maximum),
        clients_per_round=1,
        rounds=2,
    )
    fastest = TrainingPlan(
        dataset="few",
        dataset_fingerprint=datasets.fingerprint("few", home),
        client_learning_rate=limits.CLIENT_LEARNING_RATE.maximum,
        server_learning_rate=limits.SERVER_LEARNING_RATE.maximum,
        server_momentum=limits.SERVER_MOMENTUM.maximum,
        batch_size=1,
    )
    (tmp_path / "plan.json").write_text(Plan(privacy=loudest, training=fastest).to_json())
    done = process("train", "--plan", str(tmp_path / "plan.json"), "--json", home=home)
    *rounds, last = json_lines(done.stdout)
    assert (done.returncode, last["status"], rounds[-1]["loss"]) == (0, "finished", "inf")
    assert last["message"].startswith("Diverged: the loss is not finite in round 2.")
    assert f"Warning: {last['message']}" in done.stderr
    assert all(np.isfinite([row["update_norm"], row["clip_norm"]]).all() for row in rounds[1:])
    weights = np.load(home / "runs" / last["run_id"] / "weights.npz")
    assert all(np.isfinite(weights[name]).all() for name in weights.files)


def changed(text, **values):
    """The JSON of a plan or a study with other values, wherever they stand in it."""
    for name, value in values.items():
        text, times = re.subn(rf'"{name}": [^,}}]+', f'"{name}": {json.dumps(value)}', text)
        assert times
    return text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(
            (
                changed(Plan().to_json(), **{name: value}),
                f"Expected {name} to be .*, found {re.escape(repr(value))}",
            )
            for name, value in {
                "batch_size": 32.5,
                "server_learning_rate": 1e30,
                "server_momentum": 0.9999999,
                "initial_clip_norm": 1e300,
                "learning_rate": 400,
                "rounds": True,
                "delta": "1e-5",
                "zeroing": "no",
                "dataset": 5,
                "seed": 1.5,
                "model": "transformer",
            }.items()
        ),
        (changed(Plan().to_json(), population=500), "the 3,383 users of writers, found 500"),
        (changed(Plan().to_json(), dataset_fingerprint="abc"), "with the content None, found 'abc'"),
        (changed(Plan().to_json(), dataset="../writers"), "dataset to be one of writers"),
        ('{"plan": ' + "[" * 100_000, "nested too deeply"),
        ("[]", "found \\[\\]"),
        ("", "to be a file of JSON"),
        ('{"version": 2, "privacy": {}, "training": {}}', "privacy to have population, found none"),
    ],
    ids=lambda value: value[:30],
)
def test_a_plan_that_cannot_train_is_refused_when_it_is_read(tmp_path, text, words):
    file = tmp_path / "plan.json"
    file.write_text(text)
    done = command("train", "--plan", str(file), "--queue", home=tmp_path)
    assert done.returncode == 2
    assert re.search(words, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert Store(tmp_path).runs() == []
    exported = {"plan": text, "rounds": []}  # the same as `runs export` writes it
    if text.startswith('{"'):
        with suppress(ValueError, RecursionError):
            file.write_text(json.dumps(exported | {"plan": json.loads(text)}))
            assert command("train", "--plan", str(file), "--queue", home=tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed(TUTORIAL.to_json(), tolerance="0.05"), "tolerance"),
        (changed(TUTORIAL.to_json(), eval_every=0), "eval_every"),
        (changed(TUTORIAL.to_json(), batch_size=0.5), "batch_size"),
        (changed(TUTORIAL.to_json(), population=500), "the 3,383 users of writers, found 500"),
        (changed(GRID.to_json(), clip_norm=1e-30), "clip_norm"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: value[:30],
)
def test_a_study_that_cannot_train_is_refused_when_it_is_read(tmp_path, text, words):
    file = tmp_path / "study.json"
    file.write_text(text)
    done = command("study", "run", "--spec", str(file), home=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert words in done.stderr
    assert Store(tmp_path).studies() == []


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_what_a_studys_epsilons_do_not_cover_is_said_whatever_noise_its_file_begins_with(
    tmp_path, monkeypatch, noise
):
    monkeypatch.setattr(study, "_ask", lambda *given, **named: sys.exit(3))
    file = tmp_path / "study.json"
    file.write_text(changed(GRID.to_json(), zeroing=True, noise_multiplier=noise))
    done = CliRunner().invoke(app, ["study", "run", "--spec", str(file), "--home", str(tmp_path)])
    assert done.exit_code == 3
    assert "Zeroing uses a quantile estimate without noise" in done.stderr
    assert "Noise multiplier 0" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("account", "--clipping", "fixed", "--clip-norm", "1e-30"),
        ("train", "--queue", "--clipping", "fixed", "--clip-norm", "1e7"),
        ("train", "--queue", "--clipping", "fixed", "--clip-norm", "nan"),
        ("study", "run", "--learning-rate", "1e-25"),
        ("study", "run", "--learning-rate", "1e38"),
    ],
    ids=" ".join,
)
def test_options_keep_to_the_ranges_of_plans(tmp_path, arguments):
    done = command(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert re.search(r"Expected (clip_norm|client_learning_rate) to be a number in \[1e-06, ", done.stderr)
    assert (Store(tmp_path).runs(), Store(tmp_path).studies()) == ([], [])


def test_the_knobs_of_the_method_are_options_of_train(tmp_path):
    given = {
        "client_learning_rate": 0.05,
        "server_learning_rate": 0.5,
        "server_momentum": 0.0,
        "batch_size": 16,
        "local_epochs": 3,
    }
    clip = {"initial_clip_norm": 0.3, "target_unclipped_quantile": 0.7, "clip_learning_rate": 0.4}
    options = [
        part for name, value in (given | clip).items() for part in (f"--{name.replace('_', '-')}", f"{value}")
    ]
    store = Store(tmp_path)
    with lock(store.home / "runner.lock", wait=True):
        assert command("train", "--queue", *options, home=tmp_path).returncode == 0
        (run,) = store.runs()
        assert {name: getattr(run.plan.training, name) for name in given} == given
        adaptive = run.plan.privacy.clipping
        assert (adaptive.initial_clip_norm, adaptive.target_unclipped_quantile, adaptive.learning_rate) == (
            0.3,
            0.7,
            0.4,
        )
        command("runs", "stop", run.run_id, home=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("train", "--queue", "--local-epochs", "6"),
            "Expected local_epochs to be a whole number in [1, 5], found 6.",
        ),
        (("train", "--queue", "--server-momentum", "1"), "Expected server_momentum to be a number in [0, 0.999]"),
        (("account", "--clip-learning-rate", "20"), "Expected clip_learning_rate to be a number in [0.001, 10]"),
        (
            ("account", "--clipping", "fixed", "--target-unclipped-quantile", "0.6"),
            "Expected adaptive clipping with target_unclipped_quantile, found fixed and 0.6.",
        ),
        (
            ("study", "run", "--clipping", "fixed", "--initial-clip-norm", "0.6"),
            "Expected adaptive clipping with initial",
        ),
        (("study", "run", "--local-epochs", "1", "--local-epochs", "2"), "which of them should it take?"),
        (("study", "run", "--server-momentum", "1.5"), "Expected server_momentum to be a number in [0, 0.999]"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_knob_of_the_method_out_of_range_is_refused_in_a_sentence(tmp_path, arguments, words):
    done = command(*arguments, home=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert (Store(tmp_path).runs(), Store(tmp_path).studies()) == ([], [])


def test_runs_are_queued_worked_and_thrown_away(tmp_path):
    store = Store(tmp_path)

    def said(*arguments):
        done = command(*arguments, home=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with lock(store.home / "runner.lock", wait=True):  # nothing begins meanwhile
        queued = [said("train", "--queue", "--json", "--noise-multiplier", noise) for noise in ("0.5", "0.7")]
        ids = [json.loads(line)["run_id"] for line in queued]
        shown = json.loads(said("runs", "queue", "--parallel-runs", "2", "--json"))
        assert shown == {"parallel_runs": 2, "queue": ids}
        moved = said("runs", "queue", "--move", ids[1], "--before", ids[0], "--json")
        assert json.loads(moved)["queue"] == ids[::-1]
        said("runs", "stop", *ids)
    assert [run.status for run in store.runs()] == ["cancelled"] * 2
    assert command("runs", "resume", ids[0], home=tmp_path).returncode == 2
    said("runs", "describe", ids[0], "--name", "one", "--note", "gone soon")
    assert store.run(ids[0]).name == "one"
    said("runs", "delete", *ids)
    said("runs", "restore", ids[0])
    listed = json_lines(said("runs", "list", "--status", "cancelled", "--json"))
    assert [row["run_id"] for row in listed] == [ids[0]]
    assert "freed" in said("runs", "prune", "--yes")
    assert [run.run_id for run in store.runs(deleted=None)] == [ids[0]]
    said("runs", "log", ids[0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (None, "Expected a TOML file"),
        ("[auth", "Expected a TOML file"),
        ("[other]\nx = 1", "redirect_uri is missing"),
        ("auth = 1", "redirect_uri is missing"),
        (LOGIN.replace("client_secret", "client_sekret"), "client_secret is missing"),
        (LOGIN.replace("/oauth2callback", "/callback"), "to end in /oauth2callback"),
    ],
)
def test_a_login_by_which_nobody_could_sign_in_is_refused(tmp_path, settings, words):
    file = tmp_path / "login.toml"
    if settings is not None:
        file.write_text(settings)
    done = command("serve", "--login", str(file), home=tmp_path)
    assert (done.returncode, words in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_a_port_that_is_taken_leaves_the_rules_of_who_has_it(tmp_path):
    Store(tmp_path).set_rules(Rules(most_rounds=7))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = command("serve", "--shared", "--port", port, "--most-rounds", "9", home=tmp_path)
    assert done.returncode == 2
    assert f"Expected to listen on localhost, port {port}" in " ".join(done.stderr.split())
    assert Store(tmp_path).rules() == Rules(most_rounds=7)
    assert "cookie" in done.stderr  # without a login, a visitor is no more than that


def test_visitors_are_given_only_data_that_are_there(tmp_path):
    done = command("serve", "--shared", "--data", "nowhere", home=tmp_path)
    assert (done.returncode, "nowhere" in done.stderr) == (2, True)
