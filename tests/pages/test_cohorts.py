"""How cohorts are formed and what noise is added: on the Accountant, on Train, and wherever runs are shown."""

import re

import pytest

from dpcore.mechanisms.noise import Banded
from dpcore.mechanisms.participation import FixedSize, Schedule
from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.privacy import calibration
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from tests.pages import test_pages as pages

home = pages.home  # every test here begins with an empty one

SCHEDULE = {"participation": "schedule", "noise": "banded", "clipping": "fixed", "noise_multiplier": "3.988"}
BANDED = PrivacyPlan(
    participation=Schedule(), noise=Banded(bands=28), clipping=FixedClipping(clip_norm=0.1), noise_multiplier=3.988
)


def compared(test):
    """The table of assumptions: the cells of each row, by the assumption and its adjacency."""
    (table,) = [one.value for one in test.markdown if one.value.startswith("| ")]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {(name.strip("*"), adjacency): cells for name, adjacency, *cells in rows}


def boxes(test):
    """The numbers that may follow from others: what is typed, and what stands there otherwise."""
    names = ("min_separation", "max_participations", "bands")
    return {box.key: (box.value, box.placeholder) for box in test.number_input if box.key in names}


def test_the_accountant_shows_the_plan_under_each_assumption():
    test = pages.page("accountant")
    found = compared(test)
    each = "add or remove one user"
    assert found["Poisson sampling (this plan)", each] == ["1.708", "1.2", "0.0101"]
    assert found["Fixed-size cohorts", each][:2] == ["8.813", "2.4"]  # twice the noise of secret coins
    assert found["Fixed-size cohorts", "replace one user"][0] == "14.1"
    assert found["Known schedule", each][:2] == ["8.004", "4.6"]
    assert found["Known schedule, 28 bands", each] == ["8.004", "4.6, with fixed clipping", "0.0131"]
    assert found["Full participation (no subsampling)", each][0] == "69.5"
    (asks,) = [one.value for one in test.caption if "who must keep what secret" in one.value]
    assert asks.count("\n- ") == 6
    assert "keeps noise and sums secret, for good" in asks
    test.session_state["noise_on_path_numbers"] = True
    drawn = test.run().dataframe[0].value
    assert list(drawn.columns[:2]) == ["round", "Poisson sampling"]
    assert len(drawn) == 100
    assert drawn["Known schedule, 28 bands"].iloc[-1] < drawn["Known schedule"].iloc[-1] / 3


@pytest.mark.parametrize("query", [{"noise_multiplier": "0"}, {"delta": "0"}])
def test_without_a_finite_epsilon_nothing_is_compared(query):
    test = pages.page("accountant", **query)
    assert not [one for one in test.markdown if one.value.startswith("| ")]
    assert any("nothing to compare" in one.value for one in test.caption)


def test_a_schedule_with_bands_is_accounted_and_its_numbers_follow():
    test = pages.page("accountant", **SCHEDULE)
    assert boxes(test) == {
        "min_separation": (None, "28 (auto)"),
        "max_participations": (None, "4 (auto)"),
        "bands": (None, "28 (auto)"),
    }
    assert pages.epsilons(test)[0] == "2.000"
    assert pages.metric(test, "Effective noise") == "0.01137"
    pages.number(test, "population").set_value(1200).run()
    assert boxes(test)["min_separation"] == (None, "10 (auto)")
    pages.number(test, "min_separation").set_value(8).run()
    assert boxes(test)["bands"] == (None, "8 (auto)")
    assert test.query_params == {**SCHEDULE, "population": "1200", "min_separation": "8"}
    pages.number(test, "min_separation").set_value(None).run()
    assert "min_separation" not in test.query_params


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (SCHEDULE | {"clipping": "adaptive"}, "Expected independent noise with adaptive clipping, found banded"),
        (SCHEDULE | {"participation": "poisson"}, "Expected independent noise with Poisson sampling, found banded"),
        (SCHEDULE | {"participation": "fixed"}, "Expected independent noise with Fixed-size cohorts, found banded"),
        (SCHEDULE | {"participation": "cyclic-poisson", "noise": "tree"}, "Expected independent or banded noise"),
        (SCHEDULE | {"bands": "29"}, "Expected Bands to be at most the separation, 28 rounds, found 29"),
        (SCHEDULE | {"min_separation": "29"}, "to be at most the population, 3,383, found 29 x 120"),
        (SCHEDULE | {"max_participations": "3"}, "Expected Maximum participations to be at least 4, found 3"),
        ({"participation": "fixed", "clients_per_round": "4000"}, "The population has 3,383 users"),
        ({"participation": "schedule", "clients_per_round": "3384"}, "The population has 3,383 users"),
    ],
)
def test_what_does_not_fit_is_one_sentence(query, words):
    test = pages.page("accountant", **query)
    said = [one.value for one in [*test.error, *test.warning]]
    assert (
        [words in sentence for sentence in said] == [True]
        or query.get("clients_per_round") == "0"
        or "population" in query
    )
    assert not test.exception


@pytest.mark.parametrize("name", ["clients_per_round", "population", "rounds", "min_separation"])
@pytest.mark.parametrize("value", [-1, 0.5])
def test_a_number_that_is_none_is_refused_beside_its_box(name, value):
    test = pages.page("accountant", **SCHEDULE)
    pages.number(test, name).set_value(value).run()
    assert ["found" in one.value for one in test.error] == [True]
    assert not test.exception


@pytest.mark.parametrize("name", ["accountant", "train"])
def test_adaptive_clipping_with_correlated_noise_has_a_way_out(name):
    test = pages.page(name, participation="schedule", noise="banded")
    assert "Use fixed clipping" in test.error[0].value
    test.button(key="use_fixed_clipping").click().run()
    assert not test.error
    assert test.query_params == {"participation": "schedule", "noise": "banded", "clipping": "fixed"}


def test_adjacency_is_a_choice_where_both_are_accounted_for():
    test = pages.page("accountant", participation="fixed", adjacency="replace-one")
    assert pages.epsilons(test)[0] == "14.1"
    test.radio(key="adjacency").set_value("add-or-remove-one").run()
    assert pages.epsilons(test)[0] in ("8.812", "8.813")
    for kind in ("poisson", "schedule", "cyclic-poisson"):
        test.selectbox(key="participation").set_value(kind).run()
        assert not [one for one in test.radio if one.key == "adjacency"]
        assert any("Replacing one user is not available" in one.value for one in test.caption)


def test_the_most_rounds_a_user_may_take_part_in_is_solved_for():
    test = pages.page("accountant", solve="max_participations", target_epsilon="10", noise_multiplier="2")
    assert test.selectbox(key="participation").value == "schedule"  # nothing else limits it
    found = calibration.solve(
        PrivacyPlan(noise_multiplier=2.0, participation=Schedule()), "max_participations", target_epsilon=10.0
    )
    assert pages.metric(test, "Maximum participations (solved)") == str(found.participations) == "15"
    assert pages.metric(test, "Minimum separation (solved)") == "7"
    test.selectbox(key="solve").set_value("epsilon").run()
    assert boxes(test) == {"min_separation": (7, "28 (auto)"), "max_participations": (15, "15 (auto)")}
    assert float(pages.epsilons(test)[0]) < 10


@pytest.mark.parametrize(
    ("unknown", "solved"),
    [("noise", "Noise multiplier"), ("rounds", "Rounds"), ("delta", "Delta"), ("population", "Population")],
)
def test_other_numbers_of_a_schedule_are_solved_for(unknown, solved):
    test = pages.page("accountant", solve=unknown, **SCHEDULE)
    assert not test.error
    assert pages.metric(test, f"{solved} (solved)")
    assert 1.9 < float(pages.epsilons(test)[0]) <= 2.0


@pytest.mark.parametrize("unknown", ["clients", "population"])
def test_an_old_link_of_full_participation_is_solved_with_sampling_as_before(unknown):
    test = pages.page("accountant", solve=unknown, everybody="true")
    assert test.selectbox(key="participation").value == "poisson"
    assert not test.error


@pytest.mark.parametrize(
    ("against", "query"),
    [
        ("population", {}),
        ("population", SCHEDULE),
        ("clients_per_round", SCHEDULE),
        ("clients_per_round", {"participation": "fixed", "adjacency": "replace-one"}),
        ("rounds", SCHEDULE | {"noise": "tree"}),
        ("participations", SCHEDULE | {"noise": "independent"}),
        ("map", SCHEDULE),
    ],
)
def test_epsilon_is_drawn_against_every_number_that_a_plan_may_have(against, query):
    test = pages.page("accountant", against=against, **query)
    key = "surface_numbers" if against == "map" else "epsilon_against_numbers"
    test.session_state[key] = True
    drawn = test.run().dataframe[0].value
    assert len(drawn) > 5
    assert not test.exception
    if against == "population" and not query:
        assert drawn["PLD"].is_monotonic_decreasing
    if against == "participations":
        assert drawn["PLD"].is_monotonic_increasing
        assert drawn["participations"].iloc[0] == 4  # fewer would not do for so many rounds


def test_what_limits_nobody_is_not_drawn_by_how_often_one_takes_part():
    test = pages.page("accountant", against="participations")
    assert any("Only a known schedule limits" in one.value for one in test.caption)


def test_train_starts_what_was_chosen(monkeypatch, home):
    started = []
    monkeypatch.setattr(
        supervisor, "start", lambda store, plan, **how: started.append(plan) or store.create(plan, **how)
    )
    test = pages.page("train", **SCHEDULE)
    test.button(key="train").click().run()
    assert not test.exception
    assert started == [Plan(privacy=BANDED)]
    assert "Known schedule, 28 bands" in pages.shown_run(test).options[0]
    test.selectbox(key="noise").set_value("independent").run()
    test.selectbox(key="participation").set_value("fixed").run()
    test.button(key="train").click().run()
    assert started[1].privacy.participation == FixedSize()


def test_train_with_everybody_has_no_clients_to_choose():
    test = pages.page("train", participation="full", clipping="fixed")
    assert not [one for one in test.number_input if one.key == "clients_per_round"]
    assert pages.metric(test, "Epsilon of the plan") == "69.5"
    test.radio(key="adjacency").set_value("replace-one").run()
    assert pages.metric(test, "Epsilon of the plan") == "209.1"


def test_runs_say_how_their_cohorts_are_formed_where_any_is_unusual(home):
    usual = pages.recorded(home, "finished")
    assert "mechanism" not in pages.page("runs").dataframe[0].value
    fields = {name: getattr(BANDED, name) for name in ("participation", "noise", "clipping", "noise_multiplier")}
    other = pages.recorded(home, "finished", **fields)
    both = pages.page("runs", runs=f"{usual},{other}")
    assert set(both.dataframe[0].value["mechanism"]) == {"Poisson sampling", "Known schedule, 28 bands"}
    facts = both.dataframe[1].value
    assert list(facts.loc["cohorts and noise"]) == ["differs", "Poisson sampling", "Known schedule, 28 bands"]
    assert "Known schedule, 28 bands" in set(pages.page("ledger").dataframe[0].value["mechanism"])
    assert Store(home).run(other).plan.privacy == BANDED


@pytest.mark.parametrize("name", ["accountant", "train"])
def test_the_controls_and_the_table_are_in_japanese(name):
    test = pages.page(name, lang="ja", **SCHEDULE)
    assert test.selectbox(key="participation").label == "コホートの作り方"
    words = [one.value for kind in (test.markdown, test.caption, test.info) for one in kind]
    assert not [text for text in words if re.search(r"\b(?:Known schedule|Each user|Adjacency|bands)\b", text)]
