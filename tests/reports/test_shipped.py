"""A study as a file: what comes back is what was run, and what is shipped is still true."""

import gzip
import json
import math
from dataclasses import replace

import pytest

from dpcore import datasets
from dpcore.errors import InvalidValueError, StoreError
from dpcore.plan import Plan, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.statement import epsilon_text
from dpcore.reports import shipped
from dpcore.reports.study import rounds_table
from dpcore.rounds import Round
from dpcore.runs.process import supervisor
from dpcore.runs.studies import findings, schedule
from dpcore.runs.studies.study import Study

TUTORIAL = Study(plan=Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0)))
ACCURACY = {0.0: 0.795, 0.5: 0.777, 0.75: 0.712, 1.0: 0.547, 1.2: 0.786}


@pytest.fixture
def study_id(store, monkeypatch):
    """A study that was carried out without any training."""
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    study_id = schedule.start(store, replace(TUTORIAL, seeds=(0, 1)))
    for _part in ("sweep", "final"):
        for run in store.queue():
            store.begin(run.run_id)
            accuracy = ACCURACY[run.plan.privacy.noise_multiplier] + 0.004 * run.plan.training.seed
            noiseless = run.plan.privacy.noise_multiplier == 0
            for number, value in ((0, 0.1), (1, None), (100, accuracy)):
                row = Round(
                    round=number,
                    accuracy=value,
                    loss=math.inf if noiseless and number == 0 else 1.0,
                    clip_norm=0.1,
                    cohort_size=5,
                    epsilon=math.inf if noiseless else 0.5,
                    seconds=1.0,
                )
                store.append(run.run_id, row)
            store.end(run.run_id, "finished")
        schedule.advance_all(store)
    return study_id


def test_what_comes_back_is_what_was_run(store, study_id):
    found, now = shipped.read(shipped.export(store, study_id)), schedule.current(store, study_id)
    assert found.now == now
    assert found.rounds.equals(rounds_table(store, now.runs))
    assert len(found.rounds) == 10 * 2  # evaluated rounds alone
    table = {(row["noise"], row["clients"]): row for row in findings.table(now)}
    assert [*zip(found.settings["noise"], found.settings["clients"], strict=True)] == [*table]
    for row in found.settings.to_dict("records"):
        expected = table[row["noise"], row["clients"]]
        assert {name: row[name] for name in ("epsilon", "accuracy", "band")} == {
            name: pytest.approx(expected[name]) for name in ("epsilon", "accuracy", "band")
        }


def test_the_file_is_json_that_everybody_reads(store, study_id):
    content = shipped.export(store, study_id)
    text = gzip.decompress(content).decode()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert gzip.decompress(content) == gzip.decompress(shipped.export(store, study_id))


def test_what_is_no_finished_study_is_refused(store, study_id, monkeypatch):
    other = schedule.start(store, replace(TUTORIAL, seeds=(5,)))
    with pytest.raises(StoreError, match="finished study"):
        shipped.export(store, other)
    for content in (b"", b"no gzip", gzip.compress(b"{}"), gzip.compress(b'{"version": 99}'), gzip.compress(b"[]")):
        with pytest.raises(InvalidValueError):
            shipped.read(content)


@pytest.fixture(scope="module")
def tutorial():
    return shipped.read(shipped.TUTORIAL.read_bytes())


def test_the_shipped_study_is_the_tutorials(tutorial):
    study = tutorial.now.study
    assert study.noise_multipliers == (0.0, 0.5, 0.75, 1.0)
    assert (study.clients_per_round, study.rounds, study.seeds) == ((50,), (100,), (0, 1, 2))
    assert study.plan.training.dataset == datasets.NAMES[0]
    assert [run.status for run in tutorial.now.runs] == ["finished"] * 15
    assert all(run.complete and run.redrawn == 0 for run in tutorial.now.runs)
    # Every run was evaluated all along: in round 0, every five, and the last.
    evaluated = tutorial.rounds.groupby("run")["round"].apply(list)
    assert len(evaluated) == 15
    assert all(rounds == list(range(0, 101, 5)) for rounds in evaluated)
    # What the command asks is this study: the same command makes it anew.
    assert replace(study, seeds=(0,)) == replace(TUTORIAL, plan=study.plan)
    assert study.plan.privacy == replace(TUTORIAL.plan.privacy, clients_per_round=50)


def test_the_shipped_epsilons_are_what_the_accountant_says_today(tutorial):
    plans = {run.plan.privacy for run in tutorial.now.runs}
    today = {(one.noise_multiplier, one.clients_per_round): accounting.epsilon(one).value for one in plans}
    rows = tutorial.settings
    said = {(row.noise, row.clients): row.epsilon for row in rows.itertuples()}
    assert said == {key: pytest.approx(value, rel=1e-9) for key, value in today.items()}
    # And round by round nothing was ever said to have cost more than the whole.
    last = tutorial.rounds.groupby("run").tail(1).groupby(["noise", "clients"])["epsilon"].max()
    assert {key: pytest.approx(value, rel=1e-9) for key, value in last.items()} == said


def test_the_shipped_study_shows_what_the_lesson_says_of_it(tutorial):
    by_noise = {row.noise: row for row in tutorial.settings.itertuples()}
    final, base = by_noise[1.2], by_noise[0.0]
    assert final.clients > base.clients
    # At the small cohort accuracy falls with the noise; the final run is as good as its noise on the average.
    small = [by_noise[noise].accuracy for noise in (0.0, 0.5, 0.75, 1.0)]
    assert small == sorted(small, reverse=True)
    assert base.accuracy - final.accuracy < tutorial.now.study.tolerance
    assert final.epsilon <= tutorial.now.study.target_epsilon < by_noise[0.5].epsilon


def test_the_readmes_table_is_the_shipped_study(tutorial):
    readme = (shipped.TUTORIAL.parents[2] / "README.md").read_text()
    first = tutorial.rounds[tutorial.rounds["seed"] == 0].groupby(["noise", "clients"]).tail(1)
    by_seed = {(row.noise, row.clients): row.accuracy for row in first.itertuples()}
    for row in tutorial.settings.itertuples():
        part = "sweep" if row.clients == 50 else "final"
        assert (
            f"| {part} | {row.noise:g} | {row.clients} | {epsilon_text(row.epsilon)} | "
            f"{by_seed[row.noise, row.clients]:.3f} | {row.accuracy:.3f} ± {row.band:.3f} |"
        ) in readme
