"""What plans are called: names that no new version may change."""

import json
from dataclasses import fields, replace

import pytest

from dpcore.learning import sampling
from dpcore.mechanisms.noise import Banded, Tree
from dpcore.mechanisms.participation import Schedule
from dpcore.plan import REPLACE, AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, TrainingPlan, identity
from dpcore.rng import Streams

FIXED = Plan(privacy=PrivacyPlan(clipping=FixedClipping(clip_norm=0.2), rounds=20))
SMALL = Plan(
    privacy=PrivacyPlan(population=40, clients_per_round=10, rounds=6, noise_multiplier=0.5),
    training=TrainingPlan(model="linear", dataset="few", seed=3),
)


@pytest.mark.parametrize(
    ("plan", "text", "name", "name_before", "cohort"),
    [
        (Plan(), "{}", "44136fa355b3678a", "998429b17a6c7a3f", [12, 65, 105, 147, 159]),
        (
            FIXED,
            '{"privacy": {"clipping": {"clip_norm": 0.2, "kind": "fixed"}, "rounds": 20}}',
            "8c3758e74e8da9f5",
            "1899e495398e0968",
            [58, 72, 139, 216, 269],
        ),
        (
            SMALL,
            '{"privacy": {"clients_per_round": 10, "noise_multiplier": 0.5, "population": 40, "rounds": 6}, '
            '"training": {"dataset": "few", "model": "linear", "seed": 3}}',
            "8dfddb455175044a",
            "9ed8478de7e5ecb0",
            [0, 5, 6, 9, 11],
        ),
    ],
    ids=["default", "fixed", "small"],
)
def test_a_name_and_what_is_drawn_by_it_stay_for_ever(plan, text, name, name_before, cohort):
    values = json.loads(plan.to_json())
    values["privacy"]["clipping"]["kind"] = plan.privacy.clipping.kind
    del values["version"]
    assert identity.canonical(values) == text
    assert plan.fingerprint == name
    assert identity.of_format_2(plan.to_json()) == name_before
    assert sampling.cohort(plan, 1)[:5].tolist() == cohort


def test_the_cohorts_of_an_older_run_are_drawn_by_its_own_name():
    drawn = sampling.cohort(SMALL, 1, Streams(3, "9ed8478de7e5ecb0"))
    assert drawn.tolist() == [27, 32, 33]  # as format 2 drew them


def test_a_plan_of_format_1_is_called_as_format_2_called_it():
    values = json.loads(SMALL.to_json()) | {"version": 1}
    del values["privacy"]["adjacency"], values["training"]["dataset_fingerprint"]
    assert identity.of_format_2(json.dumps(values)) == "9ed8478de7e5ecb0"


def others():
    """Each field of a plan, by a plan that differs from the default in nothing else."""
    everybody = PrivacyPlan(clients_per_round=3383, noise_multiplier=2.0)
    for name, value in {
        "population": 4000, "clients_per_round": 121, "rounds": 99, "noise_multiplier": 1.3, "delta": 1e-6,
        "zeroing": True, "clipping": FixedClipping(),
    }.items():  # fmt: skip
        yield name, Plan(privacy=replace(PrivacyPlan(), **{name: value}))
    yield "adjacency", Plan(privacy=replace(everybody, adjacency=REPLACE))
    for name, value in {
        "dataset": "people", "dataset_fingerprint": "0123", "model": "linear", "client_learning_rate": 0.02,
        "server_learning_rate": 0.5, "server_momentum": 0.0, "batch_size": 16, "local_epochs": 2,
        "seed": None,
    }.items():  # fmt: skip
        yield name, Plan(training=replace(TrainingPlan(), **{name: value}))
    for field, value in (
        ("initial_clip_norm", 0.2),
        ("target_unclipped_quantile", 0.6),
        ("learning_rate", 0.3),
        ("clipped_count_stddev_per_client", 0.06),
    ):
        yield field, Plan(privacy=PrivacyPlan(clipping=AdaptiveClipping(**{field: value})))
    scheduled = PrivacyPlan(clipping=FixedClipping(), participation=Schedule())
    yield "participation", Plan(privacy=PrivacyPlan(participation=Schedule()))
    yield "max_participations", Plan(privacy=PrivacyPlan(participation=Schedule(max_participations=4)))
    yield "min_separation", Plan(privacy=PrivacyPlan(participation=Schedule(min_separation=28)))
    yield "noise", Plan(privacy=replace(scheduled, noise=Tree()))
    yield "bands", Plan(privacy=replace(scheduled, noise=Banded(bands=4)))
    yield "clip_norm", Plan(privacy=PrivacyPlan(clipping=FixedClipping(clip_norm=0.2)))


def test_every_field_is_in_the_name_and_goes_without_saying_at_its_default():
    found = dict(others())
    known = {
        field.name
        for kind in (PrivacyPlan, TrainingPlan, AdaptiveClipping, FixedClipping, Schedule, Banded)
        for field in fields(kind)
        if field.init
    }
    assert found.keys() == known
    names = {plan.fingerprint for plan in found.values()}
    assert len(names) == len(found)
    assert Plan().fingerprint not in names
    assert Plan().fingerprint == identity.fingerprint("{}")
