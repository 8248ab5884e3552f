"""What workers, runners and studies say: keys with values in the file of runs, words in the language of who reads."""

import json
import sqlite3
import threading
from contextlib import closing

import pytest
from typer.testing import CliRunner

from dpcore import messages
from dpcore.cli import app
from dpcore.errors import ClusterUnreachableError, DatasetError, StoreError
from dpcore.language import N_, _, speaking, translated
from dpcore.plan import Plan, PrivacyPlan
from dpcore.runs.process import runner, supervisor, worker
from dpcore.runs.store import Store, schema
from dpcore.runs.store.policies import Policy
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study


def stored(store, what):
    with closing(sqlite3.connect(store.home / "runs.sqlite")) as db:
        return db.execute(what).fetchone()[0]


def write(store, what, *values):
    with closing(sqlite3.connect(store.home / "runs.sqlite")) as db, db:
        db.execute(what, values)


def running(store):
    run_id = store.create(Plan(), engine="vectorized", eval_every=5)
    store.begin(run_id)
    return run_id


def japanese(message):
    with speaking("ja"):
        return translated(message)


@pytest.mark.parametrize(
    ("error", "english", "told"),
    [
        (
            lambda: DatasetError(_("{file} is damaged: {reason}.").format(file="a.csv", reason="nothing in it")),
            "a.csv is damaged: nothing in it.",
            "a.csv は破損しています: nothing in it。",
        ),
        (
            lambda: StoreError(_("{file} is damaged: {reason}.").format(file="a", reason=OSError(28, "No space"))),
            "a is damaged: [Errno 28] No space. Resume the run when that is mended.",
            "a は破損しています: [Errno 28] No space。 解決したら、実行を再開してください。",
        ),
        (
            lambda: OSError(28, "No space left on device"),
            "[Errno 28] No space left on device. Resume the run when that is mended.",
            "[Errno 28] No space left on device. 解決したら、実行を再開してください。",
        ),
        (
            lambda: ClusterUnreachableError("Nobody there."),  # of which no catalogue knows
            "Nobody there. Resume the run when that is mended.",
            "Nobody there. 解決したら、実行を再開してください。",
        ),
        (lambda: DatasetError("As it is."), "As it is.", "As it is."),
        (
            lambda: ValueError("no such {thing}"),
            "ValueError: no such {thing}. The log: {log}",
            "ValueError: no such {thing}。ログ: {log}",
        ),
    ],
)
def test_what_went_wrong_in_a_worker_is_told_in_the_readers_language(store, monkeypatch, error, english, told):
    def train(*_):
        raise error()

    monkeypatch.setattr(worker, "_train", train)
    run_id = running(store)
    log = str(worker.processes.worker_log(store, run_id))
    store.end(run_id, *worker._outcome(store, run_id, threading.Event()))
    with speaking("ja"):  # what is read is what was stored, whoever reads
        message = store.run(run_id).message
    assert message == english.replace("{log}", log)
    assert japanese(message) == told.replace("{log}", log)
    assert messages.from_json(stored(store, "SELECT message FROM runs")) == message


def test_what_a_run_does_and_how_it_ended_is_stored_by_its_key(store):
    run_id = running(store)
    store.say(run_id, worker._PROGRESS.format(what=N_("Reading the data"), share=0.5))
    assert json.loads(stored(store, "SELECT message FROM runs"))["values"] == {
        "what": {"key": "Reading the data", "values": {}},
        "share": 0.5,
    }
    message = store.run(run_id).message
    assert (message, japanese(message)) == ("Reading the data: 50%", "データを読み込んでいます: 50%")
    runner.step(store, runner.StartedWorkers())  # nobody has its lock
    message = store.run(run_id).message
    assert message == "The worker is gone (killed, or a restart). All rounds up to 0 are kept."
    assert "{round}" in stored(store, "SELECT message FROM runs")
    assert (
        japanese(message)
        == "ワーカーがなくなりました（強制終了または再起動）。 ラウンド 0 までは、すべて残っています。"
    )


def test_a_message_is_empty_once_it_is_out_of_date(store):
    run_id = running(store)
    store.end(run_id, "stopped", N_("Reading the data"))
    store.requeue(store.run(run_id), redrawn=0)
    assert stored(store, "SELECT message FROM runs") == store.run(run_id).message == ""


@pytest.mark.parametrize("language", ["en", "ja"])
def test_why_a_study_does_not_go_on_is_stored_by_its_key_whoever_looks(store, monkeypatch, language):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store.set_policy(Policy(name="writers", budget_epsilon=0.1))
    with speaking(language):
        schedule.start(store, Study(plan=Plan(privacy=PrivacyPlan(noise_multiplier=0.8)), rounds=(5,)))
        (row,) = store.studies()
    assert row.message.startswith("Expected all runs on writers together to spend at most epsilon 0.1 at delta")
    assert (
        json.loads(stored(store, "SELECT message FROM studies"))["values"]["sentence_1"]["values"]["allowed"]
        == "0.1"
    )
    assert "イプシロン 0.1 以下" in japanese(row.message)
    assert not any(word in japanese(row.message) for word in ("Expected", "Train fewer"))


def test_what_was_read_back_is_stored_by_keys_and_added_up(store):
    ids = [running(store) for _ in range(3)]
    (store.home / "runs.sqlite").unlink()
    store = Store(store.home)
    for count in (1, 2, 3):
        (store.home / "runs" / ids[count - 1] / "run.json").write_text("damaged")
        store.look_again()
        told = json.loads(stored(store, "SELECT value FROM settings WHERE name = 'recovered'"))
        assert [one["values"] for one in told if "written anew" in one["key"]] == [{"count": count}]
    assert [one["key"] for one in told].count("The file of runs was lost.") == 1
    assert "is written anew: 3." in store.recovered()
    assert not any(word in japanese(store.recovered()) for word in ("The file", "Runs", "Folders", "budget"))


OLD = "Runs that can be read nowhere, so that nothing is guaranteed any more: 3."


def test_what_an_older_version_read_back_and_nobody_has_read_stays(store):
    run_id = running(store)
    write(store, "INSERT INTO settings (name, value) VALUES ('recovered', ?)", f"The file of runs was lost. {OLD}")
    assert store.recovered() == f"The file of runs was lost. {OLD}"
    assert not any(word in japanese(store.recovered()) for word in ("Runs", "lost"))
    (store.home / "runs" / run_id / "run.json").write_text("damaged")
    store.look_again()
    assert OLD in store.recovered()
    assert "written anew: 1." in store.recovered()


@pytest.mark.parametrize("version", [7, schema.VERSION])  # a worker of then may still write
def test_what_an_older_version_has_said_is_told_as_before(store, version):
    run_id = running(store)
    old = "The worker ended with exit code 3. All rounds up to 7 are kept."
    store.end(run_id, "interrupted")
    write(store, "UPDATE runs SET message = ?", old)
    if version < schema.VERSION:
        write(store, "ALTER TABLE runs DROP COLUMN audit")
    write(store, f"PRAGMA user_version = {version}")
    again = Store(store.home)
    assert (again.run(run_id).message, stored(again, "PRAGMA user_version")) == (old, schema.VERSION)
    told = "ワーカーが終了コード 3 で終了しました。 ラウンド 7 までは、すべて残っています。"
    assert japanese(again.run(run_id).message) == told
    supervisor.delete(again, run_id)  # writes it once more
    assert (again.run(run_id).message, japanese(again.run(run_id).message)) == (old, told)
    write(again, "UPDATE runs SET message = 'KeyError: 3. The log: /a/b'")
    assert japanese(again.run(run_id).message) == again.run(run_id).message == "KeyError: 3. The log: /a/b"


def test_a_command_says_it_in_english_as_it_always_has(store):
    run_id = running(store)
    store.end(run_id, "failed", N_("{file} is damaged: {reason}.").format(file="a.csv", reason="no"))
    done = CliRunner().invoke(app, ["runs", "show", run_id, "--json", "--home", str(store.home)])
    assert json.loads(done.stdout)["message"] == "a.csv is damaged: no."
