"""Ways to form cohorts, and kinds of noise, on the pages Study and Frontier."""

# ruff: noqa: F811  # `home` is a fixture

from dataclasses import replace

import pytest

from dpcore.runs.store import Store
from dpcore.runs.studies import forecast, ready_made, schedule
from dpcore.runs.studies.study import Study
from tests.pages.test_lesson_two import figures
from tests.pages.test_pages import home, page  # noqa: F401  (a fixture)
from tests.runs.tutorial import finish

REACHED = {("poisson", "independent"): 0.79, ("schedule", "independent"): 0.56, ("schedule", "banded"): 0.77}


def trained(store, study):
    study_id = schedule.start(store, study)
    for run in store.queue():
        finish(store, run, REACHED[run.plan.privacy.participation.kind, run.plan.privacy.noise.kind])
    return study_id


def test_the_ready_made_study_is_shown_and_begun_from_its_link(home):
    test = page("study", ready_made="secrecy")
    shown = test.dataframe[0].value
    assert shown["noise"].tolist() == ["1.1085", "3.9877", "3.9877"]
    assert shown["epsilon"].tolist() == ["2.000"] * 3
    assert any("9 runs" in one.value for one in test.caption)
    assert any(
        "nobody learns who took part. Known schedule: each user takes part in at most 4 of the 100" in c.value
        for c in test.caption
    )
    test.button(key="run_all").click().run()
    assert not test.exception
    (row,) = Store(home).studies()
    assert Study.from_json(row.spec) == ready_made.secrecy()
    assert len(Store(home).queue()) == 9


def test_a_finished_comparison_is_told_by_mechanism(home):
    store = Store(home)
    study_id = trained(store, ready_made.secrecy())
    test = page("study", study=study_id)
    assert test.header[0].value == "1. Train with each way to form cohorts, and each kind of noise"
    words = " ".join(one.value for one in test.markdown)
    assert (
        "Known schedule (28 apart), 28 bands, noise 3.9877: accuracy 77.2% (77.0% to 77.4% over 3 seeds)" in words
    )
    accuracy = next(figure for label, figure in figures(test).items() if label.startswith("Accuracy"))
    names = [trace["name"] for trace in accuracy["data"] if trace.get("name")]
    assert len(set(names)) == 3
    assert any("28 bands" in name for name in names)
    japanese = page("study", study=study_id, lang="ja")
    assert "コホート" in japanese.header[0].value


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"participations": "poisson,schedule", "noise_kinds": "independent,tree"}, "Use fixed clipping"),
        ({"participations": "poisson", "noise_kinds": "tree"}, "Use a schedule"),
        ({"participations": "full"}, "to be the population"),
        ({"participations": "poisson,schedule", "final": "true"}, "where a final run is wanted"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence_and_begins_nothing(home, query, said):
    test = page("study", **{"final": "false", **query})
    assert said in test.error[0].value
    assert "run_all" not in {button.key for button in test.button}


def test_several_ways_to_form_cohorts_are_compared_by_two_controls(home):
    test = page(
        "study", final="false", clipping="fixed", participations="poisson,schedule", noise_kinds="independent,tree"
    )
    assert any(
        one.value.startswith("Left out: Expected independent noise with Poisson sampling") for one in test.caption
    )
    # Noise 0 is one run for each participation, and three noises for each of three mechanisms.
    assert any("11 runs" in one.value for one in test.caption)
    test.button_group(key="noise_kinds").set_value([]).run()
    assert any("8 runs" in one.value for one in test.caption)


def test_on_the_frontier_two_kinds_of_one_noise_multiplier_are_two_settings(home):
    store = Store(home)
    trained(store, ready_made.secrecy())
    test = page("frontier")
    label, drawn = next((label, drawn) for label, drawn in figures(test).items() if "settings on writers" in label)
    assert "of 3 settings" in label
    names = {trace["name"] for trace in drawn["data"] if trace.get("name")}
    assert "noise 3.9877, Known schedule (28 apart), 28 bands" in names
    assert "noise 3.9877, Known schedule (28 apart), independent" in names


def test_a_prediction_is_for_a_way_to_form_cohorts_and_goes_by_the_noise_on_the_path(home):
    store = Store(home)
    study = ready_made.secrecy()
    trained(store, study)
    test = page("frontier")
    ways = test.selectbox(key="mechanism")
    assert len(ways.options) == 3
    by_way = {}
    for option in ways.options:
        test.selectbox(key="mechanism").set_value(option).run()
        assert not test.exception
        by_way[option] = next((one.value for one in test.markdown if "At epsilon 2" in one.value), "")
    (banded,) = [words for option, words in by_way.items() if "28 bands" in option]
    assert "from" in banded
    assert len(set(by_way.values())) == 3
    plans = [plan.privacy for plan in replace(study, seeds=(0,)).grid()]
    poisson, alone, correlated = map(forecast.ratio, plans)
    assert poisson < correlated < alone
