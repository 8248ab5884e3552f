"""Whatever becomes of files, no charge is forgotten, and it is said when something was read back."""

import json
import math
import os
import random
import shutil
import sqlite3
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from dpcore import datasets
from dpcore.runs.access import budget
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store, schema
from dpcore.runs.store.decisions import Policy
from tests.runs.damage import (
    DAMAGES,
    SPOILS,
    fill,
    half_filled,
    is_refused,
    is_safe,
    log_only,
    lose,
    plan,
    row,
    spent,
    state,
    train,
)

MAIN, LOG, SHARED = "runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm"
BUDGETS, COPY = "budgets.json", "runs/budgets.json"
A_FOLDER, A_NOTE = "a folder", "a note"
# What is damaged together, and how. What nothing tells of any more, as after an older copy of all, cannot be known.
GROUPS = {
    "main": {MAIN: DAMAGES},
    "log": {LOG: DAMAGES},
    "shared": {SHARED: DAMAGES},
    "main and log": {MAIN: DAMAGES, LOG: DAMAGES},
    "all of sqlite": {MAIN: DAMAGES, LOG: DAMAGES, SHARED: DAMAGES},
    "budgets": {BUDGETS: DAMAGES, COPY: DAMAGES},
    "main and budgets": {MAIN: DAMAGES, BUDGETS: DAMAGES},
    "log and budgets": {LOG: DAMAGES, COPY: DAMAGES},
    "main and all budgets": {MAIN: DAMAGES, BUDGETS: (*SPOILS, lose), COPY: (*SPOILS, lose)},
    "notes": {A_NOTE: DAMAGES},
    "folders": {A_FOLDER: (lose,)},
    "main and notes": {MAIN: DAMAGES, A_NOTE: SPOILS},
    "log and notes": {LOG: DAMAGES, A_NOTE: SPOILS},
    "everything": {MAIN: DAMAGES, LOG: DAMAGES, BUDGETS: DAMAGES, A_NOTE: SPOILS},
}
TRIALS = int(os.environ.get("EPSILON_LAB_DAMAGES", "10"))  # of each group, in each of two homes


@pytest.fixture(scope="module")
def quick():
    """Waits for no disk: what is damaged here is damaged on purpose."""
    connect = schema.connect

    def connected(*given, **named):
        db = connect(*given, **named)
        db.execute("PRAGMA synchronous = OFF")
        return db

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "connect", connected)
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="module", params=["in the log", "in the file"])
def homes(request, tmp_path_factory, quick) -> tuple[Path, Path]:
    """A home as it was left, and an older copy: all is in the log, as it used to be, or in the file."""
    folder = tmp_path_factory.mktemp("homes")
    with log_only() if request.param == "in the log" else nullcontext():
        store = Store(folder / "home")
        half_filled(store)
        shutil.copytree(store.home, folder / "older")
        fill(store)
        shutil.copytree(store.home, folder / "newest")
    return folder / "newest", folder / "older"


def test_a_home_that_was_copied_while_it_was_open_is_whole(homes, tmp_path):
    shutil.copytree(homes[0], tmp_path / "home")
    store = Store(tmp_path / "home")
    assert store.recovered() == ""
    now = state(store)
    assert [math.isinf(now.spent[name]) for name in now.spent] == [False, False, True, False]
    assert sorted(run[0] for run in now.runs.values()) == sorted(
        [*["finished"] * 5, *["failed"] * 2, "interrupted", "cancelled", "queued", "running"]
    )


@pytest.mark.parametrize("group", GROUPS)
def test_charges_never_fall_and_budgets_never_vanish(homes, group, tmp_path):
    newest, older = homes
    shutil.copytree(newest, tmp_path / "before")
    before = state(Store(tmp_path / "before"))
    seed = os.environ.get("EPSILON_LAB_SEED") or str(random.SystemRandom().randrange(10**9))
    for number in range(TRIALS):
        draw, home = random.Random(f"{seed} {group} {number}"), tmp_path / str(number)
        shutil.copytree(newest, home)
        done = [f"seed {seed}", home.name]
        for name, damages in GROUPS[group].items():
            damage = draw.choice(damages)
            where = draw.choice(sorted(home.glob("runs/*/run.json"))) if name in (A_FOLDER, A_NOTE) else home / name
            where = where.parent if name == A_FOLDER else where
            damage(where, draw, older / where.relative_to(home))
            done.append(f"{damage.__name__} {where.relative_to(home)}")
        store = Store(home)
        after, said = state(store), store.recovered()
        done += [said, *sorted(after.unreadable)]
        assert is_safe(before, after), done
        assert said or after == before, done
        assert is_refused(store, plan("writers")), done
        assert is_refused(store, plan("mine")), done
        # Folders know it to the last run; but a row that ends within its id may be that of a run whose folder is lost.
        if not GROUPS[group].keys() & {A_FOLDER, A_NOTE} and not any(map(is_nameless, after.unreadable)):
            assert after.spent == before.spent, done
        if not {BUDGETS, COPY} <= GROUPS[group].keys() or MAIN not in GROUPS[group]:
            assert after.policies == before.policies, done
        store.forget_recovered()
        again = Store(home)
        assert (again.recovered(), state(again)) == ("", after), done
        shutil.rmtree(home)


def is_nameless(run_id):
    return run_id.startswith("damaged-")


def lose_all(home):
    for file in home.glob("runs.sqlite*"):
        file.unlink()


def test_each_run_comes_back_with_what_it_has_spent_and_none_begins_unasked(homes, tmp_path):
    shutil.copytree(homes[0], tmp_path / "home")
    before = {run.run_id: run for run in Store(tmp_path / "home").runs(deleted=None)}
    lose_all(tmp_path / "home")
    store = Store(tmp_path / "home")
    after = {run.run_id: run for run in store.runs(deleted=None)}
    assert after.keys() == before.keys()
    for run_id, run in after.items():
        was = before[run_id]
        assert run.status == ("interrupted" if was.active else was.status)
        assert (run.may_have_released, run.charged, run.name, run.tags, run.plan) == (
            was.may_have_released,
            was.charged,
            was.name,
            was.tags,
            was.plan,
        )
        assert (run.deleted, run.owner, run.created) == (was.deleted, was.owner, was.created)
    assert len(store.runs(deleted=True)) == 1  # what was thrown away for good stays away
    assert store.queue() == supervisor.resume_interrupted(store) == []
    assert store.recovered().startswith("The file of runs was lost. ")
    assert "Runs read back from their folders, with what they have spent: 11." in store.recovered()


def test_a_round_that_was_being_drawn_when_the_log_lost_its_end_is_charged_again(store, no_processes):
    run_id = train(store, engine="tff", rounds=4, status="running")
    store.draw(run_id, 4)
    with sqlite3.connect(store.home / MAIN) as db:  # as if the note of it were the last that was in the log
        db.execute("UPDATE runs SET drawing = NULL")
    again = Store(store.home)
    supervisor.resume(again, run_id)
    assert again.run(run_id).redrawn == 1


def test_a_run_whose_log_went_back_to_before_its_first_round_may_have_released_some(store, no_processes):
    run_id = store.create(plan(), engine="tff", eval_every=5)
    store.begin(run_id)
    shutil.copyfile(store.home / MAIN, store.home / "older")
    for number in range(3):
        store.append(run_id, row(number))
    lose_all(store.home)
    (store.home / "older").rename(store.home / MAIN)
    again = Store(store.home)
    assert again.run(run_id).last_round is None
    supervisor.delete(again, run_id)
    again.empty_bin()
    assert spent(again, "writers") > 0


def test_a_run_whose_worker_ended_before_its_first_round_costs_nothing_also_when_it_was_read_back(
    store, no_processes
):
    run_id = store.create(plan(), engine="vectorized", eval_every=5)
    store.begin(run_id)
    store.end(run_id, "interrupted")
    lose_all(store.home)
    again = Store(store.home)
    assert (again.run(run_id).status, spent(again, "writers")) == ("interrupted", 0)
    supervisor.resume(again, run_id)
    assert spent(again, "writers") > 0


def test_what_is_said_of_a_run_in_no_place_leaves_no_guarantee_until_a_good_copy_is_put_back(store):
    run_id = train(store)
    before, kept = spent(store, "writers"), store.folder(run_id) / "run.json"
    shutil.copyfile(kept, store.home / "copy")
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b'"rounds\\": 100', b'"rounds\\": 101'))
    assert kept.read_bytes() != content
    lose_all(store.home)
    store.set_policy(Policy(name="mine", budget_epsilon=100.0))
    again = Store(store.home)
    assert "Runs that can be read nowhere, so that nothing is guaranteed any more: 1." in again.recovered()
    assert again.unreadable() == [(run_id, None)]
    assert math.isinf(spent(again, "writers"))
    assert is_refused(again, plan("mine"))  # for all that is known, it was trained on these
    assert budget.dataset_names(again) == datasets.NAMES
    assert (kept.parent / "run.json.damaged").exists()
    (store.home / "copy").rename(kept)
    third = Store(store.home)
    assert (third.unreadable(), spent(third, "writers")) == ([], before)


def test_a_plan_outside_of_what_this_version_takes_is_charged_by_what_is_left_of_it(store):
    run_id = train(store, plan("gone"))
    with sqlite3.connect(store.home / MAIN) as db:
        db.execute(
            "UPDATE runs SET plan = replace(plan, '\"noise_multiplier\": 5.0', '\"noise_multiplier\": 1e-300')"
        )
        db.execute("UPDATE runs SET seal = NULL")
    (store.folder(run_id) / "run.json").unlink()
    again = Store(store.home)
    assert again.unreadable() == [(run_id, "gone")]
    assert "gone" in budget.dataset_names(again)
    assert (math.isinf(spent(again, "gone")), spent(again, "writers")) == (True, 0)
    lose_all(store.home)
    assert math.isinf(spent(Store(store.home), "gone"))


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "[" * 100_000, '{"version": 2}', '{"training": {"dataset": [1]}}']
)
def test_whatever_a_plan_has_become_it_is_spending(store, text):
    run_id, good = train(store), train(store, plan("mine"))
    with sqlite3.connect(store.home / MAIN) as db:
        db.execute("UPDATE runs SET plan = ? WHERE run_id = ?", (text, run_id))
    assert [run.run_id for run in store.runs()] == [good]
    assert store.unreadable() == [(run_id, None)]
    assert math.isinf(spent(store, "writers"))


def test_a_folder_that_was_copied_or_renamed_is_one_run(store):
    run_id = train(store)
    shutil.copytree(store.folder(run_id), store.home / "runs" / "a copy")
    assert Store(store.home).recovered() == ""
    shutil.rmtree(store.folder(run_id))
    lose_all(store.home)
    again = Store(store.home)
    assert [run.run_id for run in again.runs()] == [run_id]
    assert store.folder(run_id).exists()


@pytest.mark.parametrize("left", ["nothing", "part of a file", "no folder of a run"])
def test_what_is_no_run_is_none(store, left):
    folder = store.home / "runs" / ("notes" if left == "no folder of a run" else "20260101-101010-0123abcd")
    folder.mkdir(parents=True)
    if left != "nothing":
        (folder / "run.json.0123.partial").write_text("{")
    again = Store(store.home)
    assert (again.runs(), again.unreadable(), again.recovered()) == ([], [], "")


@pytest.mark.parametrize("damaged", ["2026_0101-101010-0123abcd", "../../x", "a\0b", "", "..", b"\xff", None, 7])
@pytest.mark.parametrize("folder", ["there", "lost"])
def test_an_id_that_was_damaged_makes_no_second_run(store, damaged, folder):
    run_id = train(store)
    with closing(sqlite3.connect(store.home / MAIN)) as db:
        db.execute("UPDATE runs SET run_id = ?", (damaged,))
        db.commit()
    if folder == "lost":
        shutil.rmtree(store.folder(run_id))
    again = Store(store.home)
    if folder == "there":
        assert [run.run_id for run in again.runs()] == [run_id]
        assert again.unreadable() == []
    else:
        assert (again.runs(), len(again.unreadable())) == ([], 1)  # of nobody knows whom
    assert not (store.home.parent / "x").exists()


def test_what_is_read_back_is_told_with_what_was_not_read_yet(store):
    first, second = train(store), train(store)
    for run_id in (first, second):
        with sqlite3.connect(store.home / MAIN) as db:
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        said = Store(store.home).recovered()
    assert said == (
        "The file of runs was not as it had been left. Runs read back from their folders, with what they have spent: 2."
    )


def test_opening_anew_writes_nothing(store):
    train(store)
    store.set_policy(Policy(name="writers", budget_epsilon=3.0))
    Store(store.home)
    kept = {path: path.stat().st_mtime_ns for path in store.home.rglob("*") if path.suffix in (".json", ".sqlite")}
    again = Store(store.home)
    again.look_again()
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert again.recovered() == ""


def test_a_home_of_an_older_version_is_taken_as_it_is(store):
    done, waits = train(store), store.create(plan("mine"), engine="vectorized", eval_every=5)
    store.set_policy(Policy(name="writers", budget_epsilon=30.0))
    before = state(store)
    with closing(sqlite3.connect(store.home / MAIN)) as db:
        for table in ("runs", "datasets"):
            for column in ("seal", "revision"):
                db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for column in ("identity", "audit", "accounted"):
            db.execute(f"ALTER TABLE runs DROP COLUMN {column}")
        db.execute("PRAGMA user_version = 5")
        db.commit()
    for run_id in (done, waits):
        kept = store.folder(run_id) / "run.json"
        said = json.loads(kept.read_bytes())
        names = ("created", "plan", "engine", "eval_every", "redrawn", "owner")
        kept.write_text(json.dumps({name: said[name] for name in names}))
    for file in store.home.rglob("budgets.json"):
        file.unlink()
    again = Store(store.home)
    assert (state(again), again.recovered()) == (before, "")
    assert again.begin(waits)
    again.end(waits, "finished")
    lose_all(store.home)
    third = Store(store.home)
    assert {run.run_id: run.status for run in third.runs()} == {done: "finished", waits: "finished"}
    assert third.policy("writers").budget_epsilon == 30.0
