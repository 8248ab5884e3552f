"""An audited run as everybody but its worker sees it: queued, charged, read, stated and thrown away."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from dpcore.cli import app, options
from dpcore.errors import InvalidValueError, StoreError
from dpcore.learning.canaries import Canaries
from dpcore.mechanisms.participation import FixedSize
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan, identity
from dpcore.privacy import ledger
from dpcore.privacy.auditing import result
from dpcore.reports import run as report
from dpcore.rng import Streams, stream
from dpcore.rounds import Round
from dpcore.runs import reporting
from dpcore.runs.access import budget
from dpcore.runs.audit import recorded, trace_file
from dpcore.runs.audit.trace_file import Header, TraceWriter
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study
from tests.runs.tutorial import TUTORIAL

ROUNDS, CANARIES = 12, 64
PLAN = Plan(
    privacy=PrivacyPlan(clients_per_round=50, rounds=ROUNDS, noise_multiplier=1.0),
    training=TrainingPlan(model="linear"),
)
SHAPES = [(784, 10), (10,)]


def train(store, run_id, rounds=ROUNDS, *, step=1.0, noise=0):
    """Rounds of noise and canaries, as an engine whose users send nothing leaves them; runs of one `noise` share it."""
    run = store.run(run_id)
    store.begin(run_id)
    of_run = Canaries(run.audit, SHAPES, Streams(run.plan.training.seed or 0, run.identity))
    store.folder(run_id).mkdir(parents=True, exist_ok=True)
    writer, privacy = TraceWriter(store.folder(run_id) / trace_file.FILE, Header.of(of_run)), run.plan.privacy
    for number in range(1, rounds + 1):
        sending = of_run.sending(
            np.flatnonzero(stream(0, "drawn", number).random(run.audit) < privacy.sampling_prob), number
        )
        draw, scale = stream(noise, "noise", number), np.float32(0.1 / 50)
        average = [
            np.float32(privacy.value_noise_multiplier) * scale * draw.standard_normal(s, np.float32) for s in SHAPES
        ]
        of_run.add(average, sending, 0.1, np.full(8, step / 3 / 50, np.float32))
        writer.write(number, of_run.trace(average, 50, 0.1, sending))
        store.append(
            run_id,
            Round(round=number, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=50, epsilon=0.1, seconds=1.0),
        )
    writer.close()


@pytest.fixture
def audited(store):
    return store.create(PLAN, engine="vectorized", eval_every=5, audit=CANARIES)


def test_a_run_is_read_as_far_as_it_is(store, audited):
    with pytest.raises(InvalidValueError, match=r"found none of .* yet"):
        recorded.trace(store, store.run(audited))
    train(store, audited, 5)
    run = store.run(audited)
    trace = recorded.trace(store, run)
    assert (trace.rounds, trace.run_canaries, trace.round_canaries) == (5, CANARIES, CANARIES)
    assert trace.noise == PLAN.privacy.value_noise_multiplier
    shown = recorded.analysis(store, run)
    assert recorded.analysis(store, store.run(audited)) is shown  # not again, until there is another round
    assert shown.rounds == 5
    assert shown.alarms == ()
    train(store, audited)
    assert recorded.analysis(store, store.run(audited)).rounds == ROUNDS


def test_a_run_without_an_audit_says_how_to_have_one(store):
    run_id = store.create(PLAN, engine="vectorized", eval_every=5)
    with pytest.raises(InvalidValueError, match=r"found .* without an audit\. Train its plan with train --audit"):
        recorded.analysis(store, store.run(run_id))
    assert recorded.sentence(store, store.run(run_id)) == ""
    assert "Audit" not in dict(reporting.rows(store, store.run(run_id)))


def test_the_statement_says_what_was_measured_and_what_an_audit_cannot_see(store, audited):
    said = recorded.sentence(store, store.run(audited))
    assert "Nothing was measured yet." in said
    train(store, audited)
    said = dict(reporting.rows(store, store.run(audited)))["Audit"]
    assert said.startswith("Audited with 64 canaries of the run and as many of the rounds. They are nobody:")
    assert "Measured step " in said
    assert "No attack that was tried shows more than " in said
    assert "An audit does not see: clipping that is wrong for users alone" in said
    assert "A seeded run tests the arithmetic and not the secrecy" in said
    for never in ("verified", "epsilon is", "is safe", "proves", "guaranteed by"):
        assert never not in said.lower()
    (store.folder(audited) / trace_file.FILE).unlink()
    other = store.run(audited)
    with pytest.raises(StoreError, match="found nothing: it was removed"):
        recorded.trace(store, other)


def test_what_is_not_as_planned_is_an_alarm_in_every_text(store, audited):
    train(store, audited, step=3.0)
    shown = recorded.analysis(store, store.run(audited))
    assert "step_of_round_canaries" in shown.alarms
    assert "ALARM: what ran is not what the plan says. " in result.sentence(shown)
    assert shown.plug_in.epsilon > 2 * shown.claim
    done = command("audit", audited, "--json", home=store.home)
    assert "step_of_round_canaries" in json.loads(done.stdout)["alarms"]
    assert "ALARM" in command("audit", audited, home=store.home).stdout


def test_it_has_a_name_and_a_charge_of_its_own_and_its_plan_keeps_its_name(store, audited):
    """Runs of one plan and seed that shared noise would tell of each other without any: see `identity.of_run`."""
    plain = store.create(PLAN, engine="vectorized", eval_every=5)
    for run_id in (audited, plain):
        store.begin(run_id)
    runs = [store.run(run_id) for run_id in (audited, plain)]
    assert [run.identity for run in runs] == [identity.of_run(PLAN.fingerprint, CANARIES), PLAN.fingerprint]
    assert {run.plan_fingerprint for run in runs} == {PLAN.fingerprint}
    assert {run.plan for run in runs} == {PLAN}
    assert [run.run_id for run in budget.charged_runs(store, "writers")] == [plain, audited]
    assert budget.balance(store, "writers").account == ledger.compose([PLAN.privacy] * 2, 1e-5)
    told = json.loads(report.as_json(store, store.run(audited)))
    assert (told["plan_fingerprint"], told["audit"]) == (PLAN.fingerprint, CANARIES)
    assert Plan.from_values(told["plan"]) == PLAN


def test_it_is_kept_in_the_folder_and_read_back(store, audited):
    plain = store.create(PLAN, engine="vectorized", eval_every=5)
    said = {run_id: json.loads((store.folder(run_id) / "run.json").read_text()) for run_id in (audited, plain)}
    assert said[audited]["audit"] == CANARIES
    assert "audit" not in said[plain]  # as before there were audits, to the last byte
    before = store.run(audited)
    for file in store.home.glob("runs.sqlite*"):
        file.unlink()
    again = Store(store.home)
    for run_id, count in ((audited, CANARIES), (plain, None)):
        assert (again.run(run_id).audit, again.run(run_id).identity) == (count, store.run(run_id).identity)
    assert again.run(audited).identity == before.identity


def test_what_is_thrown_away_takes_its_record_along(store, audited):
    train(store, audited)
    store.end(audited, "finished")
    assert store.delete(audited)
    store.empty_bin()
    assert not (store.folder(audited) / trace_file.FILE).exists()
    assert [run.run_id for run in budget.charged_runs(store, "writers")] == [audited]


def test_a_study_without_audits_takes_no_audited_run(store, audited):
    train(store, audited)
    store.end(audited, "finished")
    asked = Study(plan=PLAN, noise_multipliers=(1.0,), rounds=(ROUNDS,), target_epsilon=None)
    assert PLAN in asked.grid()
    assert schedule.existing_runs(store, asked) == {}
    assert list(schedule.existing_runs(store, replace(asked, audit=CANARIES))) == [PLAN]
    assert schedule.existing_runs(store, replace(asked, audit=CANARIES + 1)) == {}


@pytest.mark.usefixtures("no_processes")
def test_a_study_with_audits_queues_them_and_nothing_else_for_runs_without_noise(store):
    study_id = schedule.start(store, replace(TUTORIAL, audit=CANARIES))
    assert {(run.plan.privacy.noise_multiplier > 0, run.audit) for run in store.queue()} == {
        (False, None),
        (True, CANARIES),
    }
    assert len(schedule.current(store, study_id).sweep) == 4


@pytest.mark.usefixtures("no_processes")
def test_what_cannot_be_audited_is_not_queued(store):
    def start(plan, audit=1000, engine="vectorized"):
        return supervisor.start(store, plan, engine=engine, eval_every=5, audit=audit)

    fixed = Plan(privacy=PrivacyPlan(participation=FixedSize()))
    for plan, audit, engine, words in (
        (fixed, 1000, "vectorized", "a canary would take a user's place"),
        (PLAN, 1000, "tff", "Expected the engine vectorized for an audit"),
        (PLAN, 2049, "vectorized", "Expected canaries to be a whole number"),
        (PLAN, 10.5, "vectorized", "Expected canaries to be a whole number"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            start(plan, audit, engine)
    assert store.runs() == []
    run_id = start(PLAN)
    assert store.run(run_id).audit == 1000
    assert store.run(supervisor.retry(store, run_id)).audit == 1000


@pytest.mark.usefixtures("no_processes")
def test_a_model_that_is_too_small_is_not_queued(home_of_few):
    """The Writers' linear model has 7,850 numbers, of which 4,096 are used."""
    store = Store(home_of_few)
    plan = Plan(
        privacy=PrivacyPlan(population=60, clients_per_round=20, noise_multiplier=1.0),
        training=TrainingPlan(model="linear"),
    )
    with pytest.raises(
        InvalidValueError, match=r"found 7,850, of which a power of two is used, 4,096\. Use at most 1,024"
    ):
        supervisor.start(store, plan, engine="vectorized", eval_every=5, audit=1025)
    assert store.queue() == []
    assert store.run(supervisor.start(store, plan, engine="vectorized", eval_every=5, audit=1024)).audit == 1024


def command(*arguments, home):
    done = CliRunner().invoke(app, arguments, env={"EPSILON_LAB_HOME": str(home)})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


def test_the_command_prints_all_of_it(store, audited, monkeypatch):
    monkeypatch.setattr(options.out, "_width", 200)  # no row on two lines
    train(store, audited)
    said = json.loads(command("audit", audited, "--json", home=store.home).stdout)
    assert {"claim", "ingredients", "plug_in_epsilon", "bounds", "alarms"} <= said.keys()
    assert {name for row in said["ingredients"] for name in row} == {
        "name",
        "planned",
        "measured",
        "low",
        "high",
        "p",
    }
    assert all({"method", "confidence", "epsilon"} <= row.keys() for row in said["bounds"])
    assert all(row["confidence"] == 0.95 for row in said["bounds"] if row["method"] != "clopper_pearson")
    assert said["alarms"] == []
    assert said["plug_in_low"] <= said["plug_in_epsilon"] <= said["plug_in_high"]
    for bound in said["bounds"]:
        assert bound["epsilon"] <= bound["claim"]
    printed = command("audit", audited, home=store.home)
    assert (printed.returncode, printed.stderr) == (0, "")
    for row in said["ingredients"]:
        assert result.INGREDIENTS[row["name"]] in printed.stdout
    assert "no bound" in printed.stdout
    assert "An audit does not see" in printed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "nothing"], "Error: No run has the id 'nothing'"),
        (["audit", "demo"], "Error: Expected break to be one of none, clip-off, "),
        (["audit", "demo", "--break", "clip"], "found 'clip'"),
        (
            ["audit", "demo", "--break", "clip-off", "--canaries", "3"],
            "Error: Expected canaries to be a whole number",
        ),
        (["audit", "demo", "--break", "clip-off", "--rounds", "0"], "Error: Expected at least 1 round to train"),
        (["audit", "nothing", "--break", "clip-off"], "Error: Expected break with demo alone"),
        (["train", "--canaries", "100"], "Error: Expected audit with canaries, found 100 and no audit"),
        (["train", "--audit", "--canaries", "5"], "Error: Expected canaries to be a whole number"),
        (["train", "--audit", "--engine", "tff"], "Error: Expected the engine vectorized for an audit"),
        (["train", "--audit", "--zeroing"], "Error: Expected no zeroing for an audit"),
        (
            ["train", "--audit", "--noise-multiplier", "0"],
            "Error: Expected a plan with a finite epsilon for an audit",
        ),
        (["train", "--audit", "--participation", "fixed"], "a canary would take a user's place there"),
    ],
)
def test_what_a_command_refuses_is_one_sentence(tmp_path, arguments, words):
    done = command(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert Store(tmp_path).runs() == []
