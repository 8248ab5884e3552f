"""What a study may ask."""

import json
from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError
from dpcore.plan import TrainingPlan
from dpcore.runs.studies.study import Study
from tests.runs.tutorial import BASE, GRID, TUTORIAL


def test_a_grid_has_every_setting_once():
    assert len(GRID.grid()) == 2 * 2 * 2 * 2 * 2
    assert Study.from_json(GRID.to_json()) == GRID


def test_a_grid_varies_the_servers_steps_its_momentum_and_local_epochs():
    values = {"server_learning_rates": (0.5, 1.0), "server_momenta": (0.0, 0.9), "local_epochs": (1, 2, 3)}
    study = replace(TUTORIAL, target_epsilon=None, noise_multipliers=(0.0, 1.0), **values)
    found = {
        (plan.training.server_learning_rate, plan.training.server_momentum, plan.training.local_epochs)
        for plan in study.grid()
    }
    assert (len(study.grid()), len(found)) == (24, 12)
    assert Study.from_json(study.to_json()) == study
    assert json.loads(study.to_json())["version"] == 4
    for name, several in values.items():
        with pytest.raises(InvalidValueError, match="which of them"):
            replace(TUTORIAL, **{name: several})


def test_what_does_not_vary_is_asked_in_one_way_and_an_older_study_holds_that_of_its_plan():
    training = replace(TUTORIAL.plan.training, server_learning_rate=0.5, local_epochs=2)
    older = replace(TUTORIAL, plan=replace(TUTORIAL.plan, training=training))
    assert {(p.training.server_learning_rate, p.training.local_epochs) for p in older.grid()} == {(0.5, 2)}
    newer = replace(TUTORIAL, server_learning_rates=(0.5,), local_epochs=(2,), server_momenta=(0.9,))
    assert newer == older
    assert newer.to_json() == older.to_json()
    assert json.loads(newer.to_json())["version"] == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"server_momenta": (1.0,)}, "server_momentum to be a number"),
        ({"local_epochs": (1, 6), "target_epsilon": None}, "local_epochs to be a whole number"),
        ({"noise_multipliers": (0.5, 1.0)}, "noise 0"),
        ({"noise_multipliers": (0.0,)}, "noise 0"),
        ({"clients_per_round": (50, 100)}, "which of them"),
        ({"noise_multipliers": (0.0, 9.0)}, "adaptive clipping"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"noise_multipliers": ()}, "at least one run"),
        ({"accountant": "guess"}, "accountant"),
        ({"baseline": "guess"}, "baseline"),
        ({"baseline": "none"}, "no noise 0"),
        ({"baseline": "none", "noise_multipliers": (0.5, 0.5)}, "at least two noises"),
        ({"baseline": "none", "target_epsilon": None}, "no noise 0"),
        ({"baseline": "writers"}, "another data set than the Writers"),
        ({"eval_every": 0}, "eval_every"),
        ({"client_learning_rates": (1e-25,)}, "client_learning_rate to be a number"),
        ({"seeds": (True,)}, "seed to be a whole number"),
        ({"audit": 15}, "canaries to be a whole number"),
        ({"audit": True}, "canaries to be a whole number"),
        ({"audit": 64, "engine": "tff"}, "engine vectorized for an audit"),
    ],
)
def test_a_study_that_cannot_be_is_refused_when_it_is_made(values, words):
    with pytest.raises(InvalidValueError, match=words):
        replace(TUTORIAL, **values)


def test_a_grid_of_millions_is_refused_before_a_plan_of_it_is_made(monkeypatch):
    monkeypatch.setattr(Study, "grid", lambda study: pytest.fail("was made"))
    many = tuple(range(50, 150))
    with pytest.raises(InvalidValueError, match="at most 1,000 runs, found 4,000,000"):
        replace(TUTORIAL, clients_per_round=many, rounds=many, seeds=many)
    with pytest.raises(InvalidValueError, match="at most 1,000 runs, found 1,001"):
        replace(TUTORIAL, noise_multipliers=(0.0,), seeds=tuple(range(1001)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"version": 99}', '{"version": true}', "[" * 100_000, '{"plan": ' * 100_000],
    ids=lambda text: text[:30] or "nothing",
)
def test_nonsense_is_no_study(text):
    with pytest.raises(InvalidValueError, match=r"^Expected .*study"):
        Study.from_json(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("noise_multipliers", 5),
        ("noise_multipliers", "120"),
        ("noise_multipliers", ["0", "1"]),
        ("noise_multipliers", [False, 1.0]),
        ("noise_multipliers", [[0.0]]),
        ("clients_per_round", [True]),
        ("clients_per_round", None),
        ("rounds", ["100"]),
        ("rounds", [100.5]),
        ("client_learning_rates", [1e38]),
        ("client_learning_rates", {}),
        ("clippings", 5),
        ("clippings", [5]),
        ("clippings", [{}]),
        ("clippings", [{"clip_norm": 1e-30}]),
        ("seeds", [1.5]),
        ("seeds", {"0": 0}),
        ("tolerance", "0.05"),
        ("tolerance", True),
        ("target_epsilon", "2"),
        ("target_epsilon", True),
        ("accountant", 5),
        ("engine", None),
        ("eval_every", 0),
        ("eval_every", 2.5),
        ("eval_every", True),
        ("plan", None),
        ("plan", "writers"),
        ("plan", {"version": 2}),
    ],
)
def test_what_a_study_cannot_be_is_refused_when_it_is_read(name, value):
    data = json.loads(TUTORIAL.to_json())
    assert name in data
    with pytest.raises(InvalidValueError, match=r"^Expected .* found ") as refusal:
        Study.from_json(json.dumps(data | {name: value}))
    assert len(str(refusal.value)) < 300


def test_a_study_has_all_its_fields_and_no_others():
    for name in json.loads(TUTORIAL.to_json()):
        data = json.loads(TUTORIAL.to_json())
        value = data.pop(name)
        for changed in (data, data | {name: value, f"{name}_": value}):
            with pytest.raises(
                InvalidValueError, match=r"^Expected study to (have|be an object of JSON with a ver)"
            ):
                Study.from_json(json.dumps(changed))


def test_the_noise_free_run_is_on_the_writers_or_left_out():
    other = replace(TUTORIAL.plan, training=TrainingPlan(dataset="federated_emnist", seed=7))
    study = replace(
        TUTORIAL, plan=replace(other, privacy=replace(BASE.privacy, population=900)), baseline="writers"
    )
    users = [(plan.training.dataset, plan.privacy.population) for plan in study.grid()]
    assert users == [("writers", 3383)] + [("federated_emnist", 900)] * 3
    free, noisy, *_ = study.grid()
    assert study.noise_free(noisy) == study.noise_free(free) == free
    without = replace(TUTORIAL, baseline="none", noise_multipliers=(0.5, 1.0))
    for one in (study, without):
        assert Study.from_json(one.to_json()) == one


def test_a_study_as_it_was_before_there_was_a_choice_is_the_same_one():
    assert "baseline" not in TUTORIAL.to_json()
    assert Study.from_json(TUTORIAL.to_json()) == TUTORIAL


def test_an_audit_is_of_the_runs_with_noise_and_a_study_without_one_is_the_text_that_it_was():
    audited = replace(TUTORIAL, audit=64)
    assert [audited.audit_of(plan) for plan in audited.grid()] == [None, 64, 64, 64]
    assert {TUTORIAL.audit_of(plan) for plan in TUTORIAL.grid()} == {None}
    assert Study.from_json(audited.to_json()) == audited
    values = json.loads(TUTORIAL.to_json())
    assert ("audit" in values, values["version"]) == (False, 1)
    assert json.loads(audited.to_json()) == values | {"audit": 64, "version": 3}
