"""What is handed on equals what was found, and can be used without this product."""

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dpcore.language import speaking
from dpcore.plan import FixedClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.reports import run as report
from dpcore.reports import study as study_report
from dpcore.rounds import Round
from dpcore.runs import reporting
from dpcore.runs.process import supervisor
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study


@pytest.fixture
def run(store):
    run_id = store.create(Plan(), engine="vectorized", eval_every=5)
    store.begin(run_id)
    for number, accuracy in ((0, 0.1), (1, None), (100, 0.786)):
        loss = None if accuracy is None else float("inf") if number == 0 else 0.7
        row = Round(
            round=number, accuracy=accuracy, loss=loss, clip_norm=0.1, cohort_size=5, epsilon=1.7, seconds=1.0
        )
        store.append(run_id, row)
    store.end(run_id, "finished")
    store.describe(run_id, name="<b>final</b>")
    return store.run(run_id)


def test_a_run_as_json_holds_its_plan_and_every_number(store, run):
    told = json.loads(report.as_json(store, run))
    assert Plan.from_json(json.dumps(told["plan"])) == run.plan
    assert [row["accuracy"] for row in told["rounds"]] == [0.1, None, 0.786]
    assert told["rounds"][0]["loss"] == "inf"
    assert told["epsilon"] == pytest.approx(1.70747, abs=1e-4)


def test_a_run_as_json_says_what_its_epsilon_holds_for(store):
    plan = Plan(privacy=PrivacyPlan(zeroing=True), training=TrainingPlan(seed=7))
    run = store.run(store.create(plan, engine="vectorized", eval_every=5))
    told = json.loads(report.as_json(store, run))
    assert told["statement"].startswith(
        "(1.708, 1e-05)-differential privacy for each user, against adding or removing"
    )
    assert "outside this claim" in told["statement"]
    zeroing, rehearsal = told["warnings"]
    assert "Zeroing uses a quantile estimate without noise" in zeroing
    assert "Whoever knows the seed 7" in rehearsal
    with speaking("ja"):
        assert json.loads(report.as_json(store, run)) == told


def test_a_run_as_a_page_needs_nothing_else(store, run):
    page = report.html(store, run)
    assert "(1.708, 1e-05)-differential privacy" in page
    assert "&lt;b&gt;final&lt;/b&gt;" in page
    assert "<b>final" not in page
    assert "Accuracy on the test set, last 78.6%" in page
    outside = [found for found in re.findall(r'(?:src|href)="([^"]+)"', page) if not found.startswith("data:")]
    assert not [found for found in outside if "cdn" in found or found.endswith((".js", ".css"))]


def test_a_page_is_in_the_language_of_who_asks_for_it_and_the_script_is_not(store, run):
    english, script = report.html(store, run), report.tff_script(run.plan, num_classes=10, image_shape=(28, 28))
    with speaking("ja"):
        japanese = report.html(store, run)
        assert report.tff_script(run.plan, num_classes=10, image_shape=(28, 28)) == script
        assert json.loads(report.as_json(store, run))["status"] == "finished"
    assert "<html lang='en'>" in english
    assert "<html lang='ja'>" in japanese
    assert "(1.708, 1e-05)-差分プライバシー" in japanese
    assert "テストセットでの精度（最後の値 78.6%）" in japanese
    assert "<th>項目</th>" in japanese


def test_a_study_as_a_page_and_as_numbers(store, run, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    study_id = schedule.start(store, Study(plan=base))
    for queued in store.queue():
        store.begin(queued.run_id)
        row = Round(round=100, accuracy=0.8, loss=0.7, clip_norm=0.1, cohort_size=5, epsilon=1.7, seconds=1.0)
        store.append(queued.run_id, row)
        store.end(queued.run_id, "finished")
    page = study_report.html(store, study_id)
    assert "Largest tolerable noise multiplier: 1 at 50 clients per round" in page
    assert "study run --spec study.json" in page
    now = schedule.current(store, study_id)
    table = study_report.rounds_table(store, now.sweep)
    assert list(table["accuracy"]) == [0.8] * 4
    assert list(study_report.by_setting(table, "accuracy")["mean"]) == [0.8] * 4


def at(run_id, seed, *rounds):
    """A run of ten rounds that was evaluated at these; its accuracy says its seed."""
    plan = Plan(privacy=PrivacyPlan(rounds=10), training=TrainingPlan(seed=seed))
    run = SimpleNamespace(run_id=run_id, plan=plan, charged=plan.privacy)
    return run, [
        Round(round=at, accuracy=seed / 10, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=1.0, seconds=1.0)
        for at in rounds
    ]


@pytest.mark.parametrize(
    ("runs", "kept", "mean"),
    [
        ([at("a", 1, 0, 5, 10), at("b", 2, 0, 2, 4, 6, 8, 10)], [0, 10], 0.15),  # evaluated at other rounds
        ([at("a", 1, 0, 5, 10), at("b", 2, 0, 5, 10), at("c", 3, 0, 2)], [0, 5, 10], 0.15),  # one has just begun
        ([at("a", 1, 0, 2, 4, 6), at("b", 3, 0, 2)], [0, 2], 0.2),  # one is behind, and none at its end
    ],
)
def test_a_mean_over_seeds_is_over_the_same_ones_all_along(runs, kept, mean):
    for table in (study_report.table_of_runs(runs), study_report.table_of_runs(runs[::-1])):
        found = study_report.by_setting(table, "accuracy")
        assert list(found["round"]) == kept
        assert list(found["mean"]) == pytest.approx([mean] * len(kept))
        assert list(found["seeds"]) == [2] * len(kept)
    assert list(study_report.by_setting(study_report.table_of_runs([]), "loss")["seeds"]) == []


def finish_all(store):
    for run in store.queue():
        store.begin(run.run_id)
        store.say(run.run_id, "", "564c8c7d70258273")
        store.append(
            run.run_id,
            Round(round=100, accuracy=0.8, loss=0.7, clip_norm=0.1, cohort_size=5, epsilon=1.7, seconds=1.0),
        )
        store.end(run.run_id, "finished")


def test_the_epsilons_of_a_grid_are_handed_on_with_what_they_hold_for(store, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0, delta=2e-5, zeroing=True))
    study_id = schedule.start(store, Study(plan=base, target_epsilon=None))
    finish_all(store)
    page = study_report.html(store, study_id)
    assert "at delta 2e-05, against adding or removing all data of one user" in page
    assert "independently with probability clients / 3,383" in page
    assert "Zeroing uses a quantile estimate without noise" in page
    assert "Seeded runs: not for release. Whoever knows a run" in page
    table = study_report.rounds_table(store, schedule.current(store, study_id).runs)
    (shared,) = (
        table[["dataset", "rounds", "population", "adjacency", "delta"]].drop_duplicates().to_numpy().tolist()
    )
    assert shared == ["writers", 100, 3383, "add-or-remove-one", 2e-5]
    why = dict(zip(table["noise"], table["no guarantee because"], strict=True))
    assert why[0.0] == "It is trained without noise."
    assert set(why.values()) - {why[0.0]} == {
        "It zeroes outlying updates, and that threshold follows the updates without noise."
    }


def test_a_run_with_zeroing_bounds_no_attack_on_its_page(store):
    plan = Plan(privacy=PrivacyPlan(zeroing=True))
    run = store.run(store.create(plan, engine="vectorized", eval_every=5))
    page = report.html(store, run)
    assert "Nothing bounds an attack on such a run." in page
    assert "by mistake" not in page
    assert "against an attacker who knows the cohorts" not in page
    assert "State of the run: queued." in page


def test_the_statement_in_a_studys_page_is_that_of_its_final_run(store, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    study_id = schedule.start(store, Study(plan=base))
    finish_all(store)
    schedule.advance_all(store)
    finish_all(store)
    page = study_report.html(store, study_id)
    (final,) = schedule.current(store, study_id).final
    for name, text in reporting.rows(store, final):
        assert f"<td>{html.escape(name)}</td><td>{html.escape(text)}</td>" in page
    assert "writers, content 564c8c7d70258273." in page


@pytest.mark.parametrize("values", [{}, {"zeroing": True}, {"clipping": FixedClipping(clip_norm=0.2)}])
def test_every_script_is_a_program(values):
    script = report.tff_script(Plan(privacy=PrivacyPlan(**values)), num_classes=10, image_shape=(28, 28))
    compile(script, "run_on_tff.py", "exec")
    assert "@" not in script.replace("@FILE", "")
    assert "dpcore" not in script


# Runs scripts one after the other, as each is run alone: to load TFF takes longer than what they do.
IN_TURN = """
import runpy, sys
for script, folder in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.argv = [script, folder]
    runpy.run_path(script, run_name="__main__")
"""


@pytest.mark.slow
def test_the_scripts_train_on_tff_alone(tmp_path, few_writers, float_table):
    """Of the 60 users of the table, four only test."""
    arguments = []
    for name, data, population, shape in (("few", few_writers, 60, (28, 28)), ("table", float_table, 56, None)):
        plan = Plan(
            privacy=PrivacyPlan(population=population, clients_per_round=10, rounds=2, noise_multiplier=0.9),
            training=TrainingPlan(local_epochs=1 if name == "few" else 2),
        )
        script = tmp_path / f"run_{name}_on_tff.py"
        script.write_text(report.tff_script(plan, num_classes=data.num_classes, image_shape=shape))
        arguments += [str(script), str(Path(data.train.features.filename).parent)]
    with (tmp_path / "output").open("w+") as output:
        done = subprocess.run(
            [sys.executable, "-c", IN_TURN, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            timeout=900,
        )
        output.seek(0)
        said = output.read()
    assert done.returncode == 0, said
    assert len(re.findall(r"round 2: \d+ clients, accuracy 0\.\d+", said)) == 2, said
