"""What runs beside each other are called."""

from dataclasses import replace

from dpcore.plan import AdaptiveClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.reports import labels


def runs(store, *plans):
    return [store.run(store.create(plan, engine="vectorized", eval_every=5)) for plan in plans]


def with_seed(plan, seed):
    return replace(plan, training=replace(plan.training, seed=seed))


def test_runs_are_called_by_what_differs(store):
    plan = Plan()
    assert labels.of_runs(runs(store, plan, with_seed(plan, 3))) == ["seed 0", "seed 3"]
    noisy = replace(plan, privacy=PrivacyPlan(noise_multiplier=0.5))
    assert labels.of_runs(runs(store, plan, noisy)) == ["noise 1.2", "noise 0.5"]
    both = runs(store, plan, with_seed(plan, None), noisy)
    assert labels.of_runs(both) == ["noise 1.2, seed 0", "noise 1.2, no seed", "noise 0.5, seed 0"]


def test_every_knob_of_the_method_tells_runs_apart(store):
    for training in (
        {"local_epochs": 2},
        {"server_momentum": 0.5},
        {"batch_size": 8},
        {"server_learning_rate": 0.5},
    ):
        one, other = labels.of_runs(runs(store, Plan(), Plan(training=TrainingPlan(**training))))
        assert one != other, training
        assert "noise" not in other
    clipped = Plan(privacy=PrivacyPlan(clipping=AdaptiveClipping(initial_clip_norm=0.3)))
    assert len(set(labels.of_settings([Plan(), clipped]))) == 2


def test_the_same_twice_has_two_names_and_a_name_that_was_given_stays(store):
    one, other = runs(store, Plan(), Plan())
    names = labels.of_runs([one, other])
    assert len(set(names)) == 2
    assert all(run.run_id[-4:] in name for run, name in zip((one, other), names, strict=True))
    store.describe(one.run_id, name="the good one")
    assert labels.of_runs([store.run(one.run_id), other])[0] == "the good one"
