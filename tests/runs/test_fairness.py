"""Accuracy by user and by class: held to sums that are written out, and to the accuracy that a run shows."""

import json

import numpy as np
import pytest

from dpcore.errors import InvalidValueError, StoreError
from dpcore.learning import checkpoints, evaluation, model
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs import fairness
from dpcore.runs.fairness import Fairness
from dpcore.runs.store import Store
from tests.test_cli import command

PLAN = Plan(
    privacy=PrivacyPlan(population=60, clients_per_round=10, rounds=2, noise_multiplier=0.9),
    training=TrainingPlan(model="linear"),
)


@pytest.mark.parametrize("name", ["few_writers", "float_table"])
def test_it_is_what_each_users_own_examples_say(request, name):
    """Of the table, some users have nothing to test."""
    data = request.getfixturevalue(name)
    right = np.random.default_rng(0).random(len(data.test.labels)) < 0.6
    found = fairness.of(data, right)
    tested = [
        user for user in range(len(data.test.offsets) - 1) if len(range(*data.test.rows(user).indices(10**9)))
    ]
    assert found.by_user == pytest.approx([right[data.test.rows(user)].mean() for user in tested])
    assert found.user_trained.tolist() == [
        data.train.offsets[user + 1] - data.train.offsets[user] for user in tested
    ]
    by_class = found.by_class().set_index("label")["accuracy"]
    for label in np.unique(data.test.labels):
        assert by_class[label] == pytest.approx(right[data.test.labels == label].mean())
    assert found.user_right.sum() == found.class_right.sum() == right.sum()


def of_users(accuracies, trained):
    count = len(accuracies)
    return Fairness(
        user_right=np.round(100 * np.array(accuracies)).astype(int),
        user_examples=np.full(count, 100),
        user_trained=np.array(trained),
        class_right=np.array([3, 0, 0]),
        class_examples=np.array([4, 0, 2]),
    )


def test_the_worst_tenth_and_the_histogram_are_of_users_and_not_of_examples():
    found = of_users([0.05, 0.25, *[0.95] * 18], [1] * 20)
    assert found.worst_decile == pytest.approx(0.15)
    assert found.mean_of_users == pytest.approx((0.3 + 18 * 0.95) / 20)
    shown = found.histogram()
    assert shown["users"].tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 18]
    assert shown["share"].sum() == pytest.approx(1)
    assert of_users([0.4], [1]).worst_decile == pytest.approx(0.4)
    assert of_users([1.0, 0.0], [1, 1]).histogram()["users"].tolist() == [1, *[0] * 8, 1]


def test_groups_by_examples_have_every_user_once():
    shown = of_users([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [1, 2, 3, 4, 5, 6, 7, 8]).by_examples()
    assert shown["users"].sum() == 8
    assert shown["accuracy"].is_monotonic_increasing
    alike = of_users([0.1, 0.3], [5, 5]).by_examples()
    assert alike.to_dict("records") == [{"from": 5, "to": 5, "users": 2, "accuracy": pytest.approx(0.2)}]


def test_classes_without_examples_are_left_out():
    assert of_users([1.0], [1]).by_class()["label"].tolist() == [0, 2]


def test_right_answers_are_those_of_the_accuracy(few_writers):
    weights = model.initial_weights(model.shapes(PLAN, few_writers), 0)
    measure = evaluation.Evaluation(PLAN, few_writers)
    assert measure.right(weights).mean() == measure(weights)[0]


def test_data_without_anything_to_test_are_refused(few_writers):
    from dataclasses import replace

    nothing = replace(few_writers, test=replace(few_writers.test, offsets=np.zeros_like(few_writers.test.offsets)))
    with pytest.raises(InvalidValueError, match="Expected users with examples to test on"):
        fairness.of(nothing, np.zeros(len(few_writers.test.labels), bool))


@pytest.fixture
def ended(home_of_few, few_writers):
    """A run that has ended with the initial model; nothing was measured then."""
    store = Store(home_of_few)
    run_id = store.create(PLAN, engine="vectorized", eval_every=5)
    store.begin(run_id)
    store.append(
        run_id, Round(round=2, accuracy=0.1, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=1.7, seconds=1.0)
    )
    store.folder(run_id).mkdir(parents=True, exist_ok=True)
    weights = model.initial_weights(model.shapes(PLAN, few_writers), 0)
    (store.folder(run_id) / "weights.npz").write_bytes(checkpoints.to_npz(weights))
    store.end(run_id, "finished")
    return store, store.run(run_id)


def test_a_run_of_before_is_measured_by_command_and_keeps_it(ended):
    store, run = ended
    assert fairness.read(store, run) is None
    told = json.loads(command("runs", "fairness", run.run_id, "--json", home=store.home).stdout)
    assert (told["users"], told["covered_by_guarantee"]) == (60, False)
    assert told["worst_decile"] < told["mean_of_users"]
    assert sum(row["users"] for row in told["by_user"]) == 60
    assert len(told["by_class"]) == 10
    kept = fairness.read(store, run)
    assert kept.mean_of_users == told["mean_of_users"]
    assert (store.folder(run.run_id) / fairness.FILE).stat().st_mode & 0o077 == 0
    said = command("runs", "fairness", run.run_id, home=store.home)
    assert "A diagnostic that the guarantee does not cover" in " ".join(said.stdout.split())


def test_what_is_damaged_says_how_it_is_made_again(ended):
    store, run = ended
    (store.folder(run.run_id) / fairness.FILE).write_bytes(b"PK nothing")
    with pytest.raises(StoreError, match=f"runs fairness {run.run_id} --again"):
        fairness.read(store, run)
    assert command("runs", "fairness", run.run_id, home=store.home).returncode == 2
    assert command("runs", "fairness", run.run_id, "--again", home=store.home).returncode == 0
    assert fairness.read(store, run) is not None


def test_a_run_without_a_model_says_so(ended):
    store, run = ended
    (store.folder(run.run_id) / "weights.npz").unlink()
    done = command("runs", "fairness", run.run_id, home=store.home)
    assert done.returncode == 2
    assert "Expected a run that has ended with a model" in done.stderr
