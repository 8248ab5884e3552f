"""The knobs of the method on Train and in a study's grid: folded, in the link, and in what is trained."""

import json
from urllib.parse import parse_qsl

import pytest

from dpcore.mechanisms.participation import Schedule
from dpcore.plan import AdaptiveClipping, FixedClipping, Plan, PrivacyPlan, TrainingPlan
from dpcore.runs.store import Store
from dpcore.runs.studies import ready_made, schedule
from dpcore.runs.studies.study import Study
from dpcore.ui.study import question
from tests.pages import test_pages as pages

home = pages.home
METHOD = {
    "client_learning_rate": 0.05,
    "server_learning_rate": 0.5,
    "server_momentum": 0.25,
    "batch_size": 16,
    "local_epochs": 3,
}
CLIP = {"initial_clip_norm": 0.3, "target_unclipped_quantile": 0.7, "clip_learning_rate": 0.4}


def fold(test, label):
    (found,) = [one for one in test.expander if one.label.startswith(label)]
    return found


def test_train_has_every_knob_of_the_method_and_its_link_keeps_them(home):
    test = pages.page("train", **{name: str(value) for name, value in (METHOD | CLIP).items()})
    assert fold(test, "More").label == "More (changed)"
    assert fold(test, "More").proto.expanded
    assert fold(test, "Mechanism").label == "Mechanism"
    assert not fold(test, "Mechanism").proto.expanded
    test.button(key="train").click().run()
    (run,) = Store(home).queue()
    assert run.plan.training == TrainingPlan(**METHOD, dataset_fingerprint=run.plan.training.dataset_fingerprint)
    assert run.plan.privacy.clipping == AdaptiveClipping(
        initial_clip_norm=0.3, target_unclipped_quantile=0.7, learning_rate=0.4
    )
    assert {name: float(test.query_params[name]) for name in METHOD | CLIP} == METHOD | CLIP


def test_a_knob_out_of_range_is_refused_where_it_stands_and_nothing_is_trained(home):
    test = pages.page("train")
    pages.number(test, "local_epochs").set_value(6.0).run()
    assert "Expected Local epochs to be a whole number in [1, 5], found 6." in test.error[0].value
    assert "train" not in [one.key for one in test.button]
    pages.number(test, "local_epochs").set_value(2.0).run()
    pages.number(test, "target_unclipped_quantile").set_value(1.2).run()
    assert "Expected Target quantile to be a number in [0, 1]" in test.error[0].value
    assert "Expected local_epochs to be a whole number" in pages.page("train", local_epochs="2.5").warning[0].value


def test_fixed_clipping_has_one_knob(home):
    test = pages.page("train", clipping="fixed", clip_norm="0.4", initial_clip_norm="0.3")
    assert "initial_clip_norm" not in [one.key for one in test.number_input]
    test.button(key="train").click().run()
    assert Store(home).queue()[0].plan.privacy.clipping == FixedClipping(clip_norm=0.4)


def test_a_study_varies_each_of_them(home):
    lists = {"server_rates": "0.5, 1", "momenta": "0, 0.9", "epochs": "1, 2", "clip_norms": "0.1; 0.3"}
    test = pages.page("study", noises="0.5", baseline="none", final="false", batch_size="16", **lists)
    test.button(key="run_all").click().run()
    assert not test.exception
    plans = [run.plan for run in Store(home).queue()]
    assert len(set(plans)) == 16
    assert {plan.training.local_epochs for plan in plans} == {1, 2}
    assert {plan.training.batch_size for plan in plans} == {16}
    assert {plan.privacy.clipping.initial_clip_norm for plan in plans} == {0.1, 0.3}
    (row,) = Store(home).studies()
    shown = pages.page("study", study=row.study_id)
    assert any("0.5, 1" in one.value and "local epochs" in one.value for one in shown.markdown)
    refused = pages.page("study", epochs="1, 7", final="false")
    assert "Expected Local epochs to be a whole number in [1, 5]" in refused.error[0].value


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"target_epsilon": None, "server_momenta": (0.0, 0.9), "local_epochs": (1, 3), "seeds": (0, 1)},
        {"clippings": (FixedClipping(clip_norm=0.2), FixedClipping(clip_norm=0.5)), "target_epsilon": None},
        {"clippings": (AdaptiveClipping(initial_clip_norm=0.3, learning_rate=0.4),), "audit": 1000},
        {"baseline": "none", "noise_multipliers": (0.5, 1.0), "tolerance": 0.02, "accountant": "pld"},
    ],
)
def test_a_study_is_asked_once_more_with_the_same_values(home, values):
    """By the link beside it: pressed as it stands, it is the same study."""
    store = Store(home)
    plan = pages.page("train").button(key="train").click().run() and store.queue()[0].plan
    base = Plan(
        privacy=PrivacyPlan(
            clients_per_round=1, noise_multiplier=0.0, clipping=values.get("clippings", (AdaptiveClipping(),))[0]
        ),
        training=plan.training,
    )
    study = Study(plan=base, **values)
    study_id = schedule.start(store, study)
    shown = pages.page("study", study=study_id)
    (link,) = [one.proto for one in shown.main if one.type == "page_link" and "new study" in one.label]
    again = pages.page("study", **dict(parse_qsl(link.query_string)))
    again.button(key="run_all").click().run()
    assert not again.exception
    (newest, *_older) = store.studies()
    asked = Study.from_json(newest.spec)
    assert json.loads(asked.to_json()) == json.loads(study.to_json())
    assert [row.study_id for row in store.studies()] == [study_id]


def test_a_link_to_a_study_says_how_cohorts_are_formed_and_none_where_noise_is_of_each():
    plan = Plan(privacy=PrivacyPlan(clipping=FixedClipping(), participation=Schedule(), noise_multiplier=0.0))
    study = Study(plan=plan, clippings=(FixedClipping(),), target_epsilon=None, noise_multipliers=(1.0, 2.0))
    assert question.link(study)["participations"] == "schedule"
    assert json.loads(json.dumps(question.link(study))) == question.link(study)
    assert any(one.noise_multipliers for one in ready_made.secrecy().mechanisms)
