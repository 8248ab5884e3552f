"""Every page without a browser: what it shows, and what one interaction changes."""

import base64
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from dpcore import datasets
from dpcore.datasets.forms import FORMS, PACKED
from dpcore.datasets.importing.table import Mapping
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting
from dpcore.rounds import Round
from dpcore.runs import fairness
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study
from dpcore.ui.train import live
from tests.datasets.forms import small_files

APP = Path(__file__).parents[2] / "app.py"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(
        supervisor, "wake", lambda store: None
    )  # what a page queues is not trained beside other tests
    # AppTest makes the page the main module, which processes that later tests spawn would then run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    st.cache_resource.clear()
    st.cache_data.clear()
    return tmp_path


def page(name, **query):
    test = AppTest.from_file(str(APP), default_timeout=300)
    test.query_params.update(query)
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception
    return test


def metric(test, label):
    (found,) = [m.value for m in test.metric if m.label.startswith(label)]
    return found


def number(test, name):
    """The box of a knob, by its name."""
    return test.number_input(key=name)


def slider(test, name):
    """The slider of a knob, by its name."""
    return test.select_slider(key=f"{name}_slider")


def epsilons(test):
    """What the first two metrics say: the headline, and the other accountant."""
    return [m.value for m in test.metric[:2]]


def test_the_accountant_opens_on_the_tutorials_plan():
    test = page("accountant")
    assert test.title[0].value == "How private is this plan?"
    assert test.metric[0].label == "Epsilon by PLD"
    assert test.metric[1].label == "Epsilon by RDP (order 8)"
    assert epsilons(test) == ["1.708", "1.989"]
    assert metric(test, "Epsilon without amplification by sampling") == "69.5"
    assert metric(test, "True-positive rate (TPR) at 1% FPR") == "2.63%"
    assert metric(test, "Membership advantage") == "13.7%"
    assert "(1.708, 1e-05)-differential privacy" in test.info[0].value
    assert any("| **Accountants** | PLD: 1.708" in m.value for m in test.markdown)


def test_sliders_and_boxes_move_epsilon_and_each_other():
    test = page("accountant")
    slider(test, "noise_multiplier").set_value(0.75).run()
    assert number(test, "noise_multiplier").value == 0.75
    number(test, "clients_per_round").set_value(50).run()
    assert slider(test, "clients_per_round").value == 50
    assert epsilons(test) == ["2.506", "3.218"]


@pytest.mark.parametrize(
    ("name", "knob", "value", "words"),
    [
        ("frontier", "target_epsilon", 4.0, "4"),  # between 3.9 and 4.1
        ("accountant", "population", 30_000_000, "30,000,000"),  # beyond the slider
    ],
)
def test_a_slider_names_the_number_that_its_box_holds(home, name, knob, value, words):
    recorded(home, "finished")
    test = page(name)
    number(test, knob).set_value(value).run()
    assert slider(test, knob).value == number(test, knob).value == value
    assert words in slider(test, knob).options


@pytest.mark.parametrize(
    ("unknown", "solved"),
    [
        ("clients", {"Clients per round": "104", "Noise multiplier": "1.04"}),
        ("clients_at_noise", {"Clients per round": "139"}),
        ("noise", {"Noise multiplier": "1.1085"}),
        ("rounds", {"Rounds": "142"}),
        ("delta", {"Delta": "1.1516e-06"}),
        ("population", {"Population": "2,909"}),
    ],
)
def test_any_number_can_be_the_one_that_is_solved_for(unknown, solved):
    test = page("accountant", solve=unknown)
    assert {name: metric(test, f"{name} (solved)") for name in solved} == solved
    assert 1.97 < float(epsilons(test)[0]) <= 2.0
    assert any("Lowest achievable epsilon" in caption.value for caption in test.caption)
    test.selectbox(key="solve").set_value("epsilon").run()
    assert 1.97 < float(epsilons(test)[0]) <= 2.0  # the point stays where it was found


def test_a_target_that_is_missed_is_said():
    test = page("accountant", solve="rounds", target_epsilon="400", noise_multiplier="5")
    said = "Epsilon is 55.5, below the target of 400: 1,000,000 rounds are the most allowed."
    assert said in [warning.value for warning in test.warning]
    test.selectbox(key="solve").set_value("noise").run()
    assert 396 < float(epsilons(test)[0]) <= 400
    assert not any("below the target" in warning.value for warning in test.warning)


def test_the_tutorials_search():
    test = page("accountant", solve="clients")
    test.radio(key="accountant").set_value("rdp").run()
    assert metric(test, "Clients per round (solved)") == "120"
    assert metric(test, "Noise multiplier (solved)") == "1.2"


@pytest.mark.parametrize("against", ["noise_multiplier", "clients_per_round", "delta", "map"])
def test_every_curve_is_drawn(against):
    test = page("accountant", against=against)
    assert test.segmented_control(key="against").value == against
    assert not test.dataframe  # a table is sent where somebody opens it
    test.session_state["surface_numbers" if against == "map" else "epsilon_against_numbers"] = True
    test.run()
    assert len(test.dataframe[0].value) > 20


def test_everybody_in_every_round():
    test = page("accountant", everybody="true")
    assert epsilons(test)[0] == metric(test, "Epsilon without amplification by sampling") == "69.5"
    test.radio(key="adjacency").set_value("replace-one").run()
    assert "replacing all data of one user" in test.info[0].value
    test.selectbox(key="participation").set_value("poisson").run()
    assert "adding or removing" in test.info[0].value  # what no accountant analyses is not asked


def test_fixed_clipping_takes_what_an_adaptive_clip_refuses():
    test = page("accountant", clients_per_round="10")
    assert "use fixed clipping" in test.error[0].value
    test.radio(key="clipping").set_value("fixed").run()
    assert not test.error
    assert number(test, "clip_norm").value == 0.1


def test_the_noise_for_a_wanted_attack():
    test = page("accountant", way_back="true", true_positive_rate="0.04", false_positive_rate="0.01")
    assert any("takes a noise multiplier of" in m.value for m in test.markdown)
    assert not test.warning
    test = page("accountant", way_back="true", true_positive_rate="0.999")
    said = "TPR is at most 98.3%, below the maximum TPR of 99.9%: 0.001 is the smallest noise multiplier allowed."
    assert [warning.value for warning in test.warning] == [said]


def test_the_noise_for_an_attack_is_solved_for_at_a_press_and_forgotten_with_the_plan_it_was_for():
    test = page("accountant")

    def answered():
        return [one.value for one in test.markdown if "takes a noise multiplier of" in one.value]

    assert not answered()
    test.button(key="solve_noise").click().run()
    assert len(answered()) == 1
    assert test.query_params["way_back"] in ("true", ["true"])
    number(test, "true_positive_rate").set_value(0.1).run()
    assert not answered()  # it takes seconds: nothing is solved unasked
    assert "way_back" not in test.query_params
    test.button(key="solve_noise").click().run()
    assert "at most 10%" in answered()[0]
    number(test, "rounds").set_value(50).run()
    assert not answered()
    assert not test.exception


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("noise_multiplier", -1.0, "Expected Noise multiplier to be"),
        ("noise_multiplier", 12.0, "adaptive clipping"),
        ("clients_per_round", 4000, "Expected Clients per round to be"),
        ("delta", -1e-5, "Expected Delta to be"),
        ("delta", 1.5, "Expected Delta to be"),
        ("rounds", -1, "Expected Rounds to be"),
        ("false_positive_rate", 0.0, "Expected False-positive rate (FPR) to be"),
        ("target_epsilon", 1.0, "at least 1.114"),
        ("noise_to_clients_ratio", 0.2, "below 0.1"),
    ],
)
def test_bad_input_is_one_sentence(name, value, words):
    link = {"solve": "clients"} if name in ("target_epsilon", "noise_to_clients_ratio") else {}
    test = page("accountant", **link)
    usual = number(test, name).value
    number(test, name).set_value(value).run()
    (error,) = test.error
    assert words in error.value
    number(test, name).set_value(usual).run()
    assert not test.error


@pytest.mark.parametrize(("name", "value"), [("delta", 0.0), ("noise_multiplier", 0.0)])
def test_an_infinite_epsilon_is_shown_as_such(name, value):
    test = page("accountant")
    number(test, name).set_value(value).run()
    assert epsilons(test) == ["∞", "∞"]
    assert not test.error


def test_no_rounds_cost_nothing():
    assert epsilons(page("accountant", rounds="0")) == ["0.000", "0.000"]


def test_rdp_stands_in_and_says_so():
    test = page("accountant", delta="1e-250")
    assert test.metric[0].label == "Epsilon by RDP"
    assert any("PLD" in warning.value for warning in test.warning)


def test_where_rdp_is_the_headline_its_order_is_not_said_of_pld():
    test = page("accountant", delta="1e-250")
    assert test.metric[1].label == "Epsilon by PLD"
    assert test.metric[1].value == "–"
    usual = page("accountant")
    assert re.fullmatch(r"Epsilon by RDP \(order [\d.]+\)", usual.metric[1].label)


def test_the_noise_on_the_average_is_what_the_model_gets():
    plan = PrivacyPlan(clients_per_round=13)
    found = metric(page("accountant", clients_per_round="13"), "Effective noise")
    assert found == f"{plan.value_noise_multiplier / 13:.4g}" == "0.24"
    assert metric(page("accountant", clients_per_round="13", clipping="fixed"), "Effective noise") == "0.09231"


def test_the_advantage_is_not_rounded_down():
    assert metric(page("accountant"), "Membership advantage") == "13.7%"


def followed(test, name, label):
    """A page after the link of that label was followed from it, in the session as it is."""
    (link,) = [one.proto for one in test.get("page_link") if one.proto.label == label]
    test.query_params = {key: values[0] for key, values in parse_qs(link.query_string).items()}
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception
    return test


def test_a_link_of_the_lesson_forgets_the_plan_of_before():
    test = page("accountant", everybody="true", noise_multiplier="30", rounds="500", solve="noise")
    test.query_params = {"screen": "sampling", "lang": "ja"}
    test.switch_page("pages/learn.py").run()
    test.number_input(key="clients_per_round").set_value(400).run()
    followed(test, "accountant", "このプランをアカウンタントで見る")
    now = {name: test.session_state[name] for name in ("noise_multiplier", "clients_per_round", "rounds", "delta")}
    assert now == {"noise_multiplier": 1.2, "clients_per_round": 400, "rounds": 100, "delta": 1e-5}
    assert (test.selectbox(key="solve").value, test.selectbox(key="participation").value) == ("epsilon", "poisson")
    assert test.metric[0].value == "6.065"
    assert test.title[0].value == "このプランはどれくらいプライベート？"
    assert "anew" not in test.query_params


@pytest.mark.parametrize(
    "written",
    [
        "",
        "[]",
        "null",
        '{"_visitor": "somebody", "run": 3}',
        '{"rounds": "many"}',
        '{"rounds": 1e999}',
        '{"rounds": ' * 100_000,
    ],
    ids=lambda written: written[:20] or "nothing",
)
def test_a_link_that_somebody_has_written_into_sets_nothing(written):
    test = page("accountant", anew=written)
    assert test.metric[0].value == "1.708"
    assert "_visitor" not in test.session_state


def test_a_link_of_the_lesson_opens_what_its_screen_accounts_for():
    few = page("learn", screen="sampling", clients_per_round="12")
    assert "probability" in " ".join(one.value for one in few.markdown)
    assert not followed(few, "accountant", "This plan in the Accountant").error
    loud = page("learn", screen="noise", noise_multiplier="1.2")
    loud.number_input(key="noise_multiplier").set_value(60.0).run()
    followed(loud, "accountant", "How private is that, with 400 clients?")
    assert not loud.error
    assert loud.session_state["noise_multiplier"] == 60


def test_no_noise_says_that_there_is_no_guarantee():
    test = page("accountant")
    number(test, "noise_multiplier").set_value(0.0).run()
    assert "No privacy guarantee" in test.warning[0].value
    assert "infinite" in test.warning[1].value
    assert metric(test, "True-positive rate (TPR) at 1% FPR") == "100%"


def test_a_large_delta_is_a_warning():
    test = page("accountant")
    number(test, "delta").set_value(0.001).run()
    assert "at or above 1/population" in test.warning[0].value


@pytest.mark.parametrize("name", ["accountant", "train"])
def test_a_link_restores_the_controls(name):
    test = page(name, noise_multiplier="0.75", clients_per_round="50")
    assert number(test, "noise_multiplier").value == 0.75
    assert number(test, "clients_per_round").value == 50


def test_a_link_of_another_version_is_said_to_be_one():
    test = page("accountant", version="99", noise_multiplier="0.75")
    assert "found 99" in test.warning[0].value
    assert number(test, "noise_multiplier").value == 0.75
    assert not page("accountant", version="2").warning


def link_of(test):
    """The link that the page offers to who opens the place for it."""
    test.session_state["statement_link"] = True
    (code,) = test.run().code
    return code.value


def test_a_link_has_every_number():
    link = link_of(page("accountant", noise_multiplier="0.75"))
    assert "version=2" in link
    assert all(f"{name}=" in link for name in ("clients_per_round", "rounds", "population", "delta", "prior"))
    assert "noise_multiplier=0.75" in link


def test_a_link_means_the_same_in_every_language():
    english = page("accountant", solve="clients", accountant="rdp")
    asked = {name: values[0] for name, values in parse_qs(link_of(english).split("?")[1]).items()}
    assert (asked["solve"], asked["accountant"], asked["lang"]) == ("clients", "rdp", "en")
    japanese = page("accountant", **asked | {"lang": "ja"})
    assert [metric.value for metric in japanese.metric] == [metric.value for metric in english.metric]
    assert japanese.radio(key="accountant").value == "rdp"


def test_train_starts_empty_and_shows_epsilon_before_anything_runs():
    test = page("train")
    assert metric(test, "Epsilon of the plan") == "1.708"
    assert any("all runs on writers spend epsilon 1.708" in caption.value for caption in test.caption)
    assert "Nothing has been trained" in test.info[0].value


def shown_run(test):
    """The choice of the run that is shown: after each run that is begun, another control."""
    return next(box for box in test.selectbox if box.key.split("_")[0] == "run")


def test_bad_input_offers_no_training():
    test = page("train")
    number(test, "clients_per_round").set_value(4000).run()
    assert len(test.error) == 1
    assert not test.button


def test_train_starts_one_worker_for_the_plan(monkeypatch, home):
    started = []
    monkeypatch.setattr(
        supervisor, "start", lambda store, plan, **how: started.append(plan) or store.create(plan, **how)
    )
    test = page("train", noise_multiplier="0.5", clients_per_round="50", rounds="20")
    test.button(key="train").click().run()
    assert not test.exception
    (plan,) = started
    assert plan == Plan(privacy=PrivacyPlan(noise_multiplier=0.5, clients_per_round=50, rounds=20))
    (run,) = Store(home).runs()
    assert shown_run(test).value == run.run_id


def add_rounds(store, run_id, rounds, epsilon=0.5):
    """Writes rounds as a worker would: their numbers, accuracies and losses."""
    for number, accuracy, loss in rounds:
        row = Round(
            round=number, accuracy=accuracy, loss=loss, clip_norm=0.1, cohort_size=5, epsilon=epsilon, seconds=1.0
        )
        store.append(run_id, row)


def trained(store, accuracy, *, seed=0, epsilon=1.0, **privacy):
    """Writes a run that has finished, evaluated before its first round and after its last."""
    plan = Plan(privacy=PrivacyPlan(**privacy), training=TrainingPlan(seed=seed))
    run_id = store.create(plan, engine="vectorized", eval_every=5)
    store.begin(run_id)
    add_rounds(store, run_id, [(0, 0.1, 1.0), (plan.privacy.rounds, accuracy, 1.0)], epsilon=epsilon)
    store.end(run_id, "finished")
    return run_id


def recorded(home, status, **privacy):
    store = Store(home)
    run_id = store.create(Plan(privacy=PrivacyPlan(**privacy)), engine="tff", eval_every=5)
    store.begin(run_id)
    add_rounds(store, run_id, [(0, 0.1, 0.1), (1, None, None), (2, 0.3, 0.3)])
    if status != "running":
        store.end(run_id, status, "what went wrong" if status == "failed" else "")
    (store.folder(run_id) / "worker.log").write_text("the log")
    return run_id


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_an_ended_run_is_shown_as_it_is(home, status):
    run_id = recorded(home, status)
    test = page("train", run=run_id)
    assert metric(test, "Accuracy") == "30.0%"
    assert [e.value for e in test.error] == (["what went wrong"] if status == "failed" else [])
    assert not [b for b in test.button if b.key == "stop"]


def test_the_ledger_composes_and_the_budget_is_kept(home):
    recorded(home, "finished", noise_multiplier=0.75, clients_per_round=50)
    recorded(home, "finished")
    test = page("ledger")
    assert 2.5 < float(test.metric[0].value) < 3.3
    test.toggle(key="bounded_writers").set_value(True).run()
    test.number_input(key="budget_epsilon_writers").set_value(3.0).run()
    test.button(key="save_budget").click().run()
    assert metric(test, "Budget") == "3"
    assert Store(home).policy("writers").budget_epsilon == 3.0
    refused = page("train", rounds="200")
    assert "No room in the budget" in refused.error[0].value
    assert refused.button(key="train").disabled
    assert not page("train", rounds="1").button(key="train").disabled


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["The file of runs was lost.", "Runs read back from their folders", "was read back for: writers."]),
        (
            "ja",
            [
                "実行のファイルが失われていました。",
                "フォルダから読み戻した実行",
                "読み戻したデータセット: writers。",
            ],
        ),
    ],
)
@pytest.mark.parametrize("name", ["ledger", "runs"])
def test_what_was_lost_and_read_back_is_said_until_somebody_has_read_it(home, name, lang, words):
    recorded(home, "finished")
    Store(home).set_policy(Policy(name="writers", budget_epsilon=3.0))
    assert not page(name, lang=lang).warning
    (home / "runs.sqlite").unlink()  # under the dashboard, which stays open
    test = page(name, lang=lang)
    (said,) = [found.value for found in test.warning]
    assert all(part in said for part in words)
    assert ("The file" in said) == (lang == "en")
    test.button(key="understood").click().run()
    assert not test.warning
    if name == "ledger":
        assert [found.value[:5] for found in test.metric] == ["1.708", "1.989", "3"]


def test_a_ledger_without_runs_or_with_public_data(home):
    test = page("ledger")
    assert metric(test, "Epsilon of all runs") == "0.000"
    test.toggle(key="public_writers").set_value(True).run()
    test.button(key="save_budget").click().run()
    assert "marked as public" in test.info[0].value
    assert any("costs its users nothing" in c.value for c in page("train").caption)


def test_a_run_whose_worker_died_is_shown_as_interrupted_and_resumes_at_a_click(home, monkeypatch):
    woken = []
    monkeypatch.setattr(supervisor, "wake", woken.append)
    store = Store(home)
    run_id = recorded(home, "running")
    test = page("train", run=run_id)
    assert "killed" in test.error[0].value
    test.button(key="resume").click().run()
    assert not test.exception
    assert woken
    assert store.run(run_id).status == "queued"
    assert "Number 1 of 1 in the queue" in test.info[0].value


def test_a_refused_number_hides_no_run(home):
    run_id = recorded(home, "finished")
    test = page("train", run=run_id)
    number(test, "clients_per_round").set_value(4000).run()
    assert "Expected Clients per round to be" in test.error[0].value
    assert metric(test, "Accuracy") == "30.0%"


def test_what_a_browser_asks_that_does_not_know_of_a_new_run_yet_does_not_hide_it(home):
    """However late it comes; and who then chooses another run has it at once."""
    old, other = recorded(home, "finished"), recorded(home, "stopped")
    test = page("train", run=old)
    stale = shown_run(test).set_value(other)._widget_state  # as sent before the answer to the press came
    test.button(key="train").click().run()
    (new,) = Store(home).queue()
    assert shown_run(test).value == new.run_id
    states = test._tree.get_widget_states()
    states.widgets.append(stale)
    test._run(states)
    assert shown_run(test).value == new.run_id
    assert test.query_params["run"] == new.run_id
    shown_run(test).set_value(old).run()
    assert shown_run(test).value == old
    assert test.query_params["run"] == old


def test_what_a_run_was_called_a_moment_ago_chooses_no_other(home, monkeypatch):
    """A browser sends the words of the choice, which change with the state of the run."""
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store = Store(home)
    first = store.create(Plan(), engine="vectorized", eval_every=5)
    recorded(home, "finished")
    test = page("train", run=first)
    said = test._tree.get_widget_states()
    store.describe(first, name="another name")
    test._run(said)
    assert shown_run(test).value == first


def test_where_a_budget_is_spent_a_study_says_so_before_it_is_begun(home):
    Store(home).set_policy(Policy(name="writers", budget_epsilon=2.0))
    test = page("study")
    assert "would spend" in test.error[0].value
    assert test.button(key="run_all").disabled


def test_runs_are_listed_filtered_and_chosen_by_a_link(home):
    one, two = recorded(home, "finished"), recorded(home, "stopped", noise_multiplier=0.7)
    Store(home).describe(one, name="the good one", tags="paper")
    test = page("runs")
    assert list(test.dataframe[0].value["run"]) == [two, "the good one"]
    assert list(test.dataframe[0].value["status"]) == ["■ stopped", "✓ finished"]
    test.text_input(key="find").set_value("PAPER").run()
    assert list(test.dataframe[0].value["run"]) == ["the good one"]
    test.text_input(key="find").set_value("nobody has this").run()
    assert "No run matches" in test.info[0].value
    assert metric(page("runs", runs=two), "Accuracy") == "30.0%"
    assert "The link names nobody" in page("runs", runs=f"{two},nobody").warning[0].value
    both = page("runs", runs=f"{one},{two}")
    assert both.subheader[2].value == "Plans and results"
    facts = both.dataframe[1].value
    assert list(facts.loc["noise multiplier"]) == ["differs", "1.2", "0.7"]
    assert facts.loc["model"].iloc[0] == ""


def test_a_run_is_deleted_and_brought_back(home):
    run_id = recorded(home, "finished")
    store = Store(home)
    test = page("runs", runs=run_id)
    test.button(key="delete").click().run()
    assert store.runs() == []
    assert f"In the bin: {run_id}" in test.info[0].value
    assert not any("The link names" in one.value for one in test.warning)
    test.button(key="undo").click().run()
    assert [run.run_id for run in store.runs()] == [run_id]
    test.button(key="delete").click().run()
    test.button(key="empty").click().run()
    assert not test.exception
    assert store.runs(deleted=True) == []
    assert "The runs on writers (1)" in page("ledger").info[0].value


def test_what_the_page_of_a_run_offers_to_take_along_is_there(home, few_writers):
    run = Store(home).run(recorded(home, "finished"))
    folder = datasets.entry("writers", home).folder
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    assert json.loads(live.report.as_json(Store(home), run))["run_id"] == run.run_id
    assert run.run_id in live.report.html(Store(home), run)
    assert "tensorflow_federated" in live.report.script_for(Store(home), run.plan)


def test_a_run_is_named(home):
    run_id = recorded(home, "finished")
    test = page("runs", runs=run_id)
    test.text_input(key=f"name_{run_id}").set_value("final").run()
    assert Store(home).run(run_id).name == "final"
    assert list(test.dataframe[0].value["run"]) == ["final"]


def test_a_refused_button_says_why(home):
    run_id = recorded(home, "finished")
    test = page("runs", runs=run_id)
    Store(home).set_policy(Policy(name="writers", budget_epsilon=1.0))
    test.button(key="retry").click().run()
    assert "at most epsilon 1 " in test.error[0].value
    assert len(Store(home).runs()) == 1


def test_the_queue_is_worked_from_the_page(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store = Store(home)
    ids = [store.create(Plan(), engine="vectorized", eval_every=5) for _ in range(2)]
    test = page("runs", runs=ids[1])
    assert "Number 2 of 2" in test.info[0].value
    test.button(key="first").click().run()
    assert "Number 1 of 2" in test.info[0].value
    test.button(key="cancel").click().run()
    assert store.run(ids[1]).status == "cancelled"
    test.number_input(key="parallel").set_value(2).run()
    assert store.parallel_runs() == 2


def test_what_became_of_a_damaged_file_is_said_until_it_is_read(home):
    (home / "runs.sqlite").write_text("this is not a database, but long enough to look like one" * 20)
    test = page("train")
    assert "was damaged; it is kept as runs.damaged-" in test.warning[0].value
    test.button(key="understood").click().run()
    assert not [w for w in test.warning if "damaged" in w.value]


def test_a_diverging_run_says_so(home):
    store = Store(home)
    run_id = store.create(Plan(), engine="vectorized", eval_every=1, stop_when_diverging=True)
    store.begin(run_id)
    add_rounds(store, run_id, [(0, 0.5, 2.3), (1, 0.5, 1.0), (2, 0.5, 2.4)])
    store.end(run_id, "stopped", "")
    test = page("train", run=run_id)
    assert any("Diverging: the loss is 2.400" in w.value for w in test.warning)


def test_a_run_with_zeroing_says_that_its_epsilon_does_not_cover_it(home):
    test = page("train", run=recorded(home, "finished", zeroing=True))
    assert any("Zeroing is outside this claim" in caption.value for caption in test.caption)
    assert any("Outputs without a guarantee" in caption.value for caption in test.caption)
    assert not any("Covered by the guarantee" in caption.value for caption in test.caption)
    assert any(
        "Covered by the guarantee" in caption.value
        for caption in page("train", run=recorded(home, "finished")).caption
    )


def test_an_epsilon_that_does_not_cover_a_run_is_nowhere_without_the_reason(home):
    covered, zeroed = recorded(home, "finished"), recorded(home, "finished", zeroing=True)
    test = page("runs", runs=f"{covered},{zeroed}")
    assert list(test.dataframe[0].value["no guarantee because"]) == [
        "It zeroes outlying updates, and that threshold follows the updates without noise.",
        "",
    ]
    assert "zeroes" in test.dataframe[1].value.loc["no guarantee because"].iloc[-1]
    Store(home).delete(zeroed)
    assert "no guarantee because" not in page("runs").dataframe[0].value


def test_no_accuracy_is_promised_at_an_epsilon_that_covers_no_run(home):
    recorded(home, "finished", zeroing=True)
    test = page("frontier")
    assert {one.value for one in test.info} == {
        "These runs cannot be compared: they zero updates, or are accounted for another adjacency."
    }


def test_a_study_says_what_its_epsilons_hold_for(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0, zeroing=True))
    test = page("study", study=schedule.start(Store(home), Study(plan=base, target_epsilon=None)))
    (said,) = [one.value for one in test.caption if "Each epsilon is that of one run alone" in one.value]
    assert "the (epsilon, delta) claim does not cover it" in said


def test_a_study_is_asked_estimated_and_begun(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    test = page("study")
    assert any("4 runs and the final one: about" in caption.value for caption in test.caption)
    test.text_input(key="noises").set_value("0, none").run()
    assert "numbers with commas between" in test.error[0].value
    test.text_input(key="noises").set_value("0, 0.5").run()
    test.button(key="run_all").click().run()
    assert not test.exception
    assert [run.plan.privacy.noise_multiplier for run in Store(home).queue()] == [0.0, 0.5]
    (row,) = Store(home).studies()
    shown = page("study", study=row.study_id)
    assert [h.value for h in shown.header][:2] == ["1. Sweep the noise multiplier at a small cohort", "2. Result"]
    shown.button(key="pause").click().run()
    assert Store(home).queue() == []


LARGE = "Epsilon of all runs on writers"


def test_a_study_that_leaves_no_guarantee_asks_once_more_and_offers_the_ways_out(home):
    test = page("study")
    assert metric(test, LARGE) == "∞"
    words = " ".join(one.value for one in test.markdown)
    assert "no guarantee any more; now they have epsilon 0.000" in words
    assert "Neither the bin nor any later run takes that back" in words
    assert "The Writers are synthetic users" in words
    assert test.button(key="run_all").label == "Run all even so"
    test.radio(key="baseline").set_value("none").run()  # one way out: left out
    assert 8 < float(metric(test, LARGE)) < 8.5
    assert test.button(key="run_all").label == "Run all"
    test.radio(key="baseline").set_value("own").run()
    test.button(key="public_writers_instead").click().run()  # another: nobody is to be protected
    assert Store(home).policy("writers").public
    assert metric(test, LARGE) == "public"
    assert test.button(key="run_all").label == "Run all"
    Store(home).set_policy(Policy(name="writers"))
    test.run()
    test.button(key="run_all").click().run()
    assert not test.exception
    assert len(Store(home).queue()) == 4
    again = page("study")  # it is lost now: nothing is asked any more
    assert again.button(key="run_all").label == "Run all"
    assert any("no guarantee any more, whatever else is run" in one.value for one in again.markdown)


def test_the_writers_stand_in_only_for_data_like_them(home):
    test = page("study", dataset="federated_emnist", baseline="writers")
    assert test.radio(key="baseline").options == ["on this data set", "on the Writers", "none"]
    large = {one.label: one.value for one in test.metric if "Epsilon of all runs" in one.label}
    assert [value for label, value in large.items() if "on writers" in label] == ["∞"]
    assert all(float(value) < 8.5 for label, value in large.items() if "on federated_emnist" in label)
    test.selectbox(key="dataset").set_value("writers").run()
    assert not test.exception
    assert (test.radio(key="baseline").value, len(test.radio(key="baseline").options)) == ("own", 2)


@pytest.mark.parametrize("how", [{"noise_multiplier": "0"}, {"zeroing": "true"}])
def test_train_asks_once_more_before_a_run_that_leaves_no_guarantee(home, how):
    test = page("train", **how)
    assert test.button(key="train").label == "Train even so"
    assert metric(test, LARGE) == "∞"
    test.button(key="train").click().run()
    assert len(Store(home).queue()) == 1
    assert page("train", **how).button(key="train").label == "Train"
    assert page("train").button(key="train").label == "Train"  # what is lost is lost


def test_run_again_of_a_noise_free_run_asks_once_more(home):
    store = Store(home)
    run_id = store.create(Plan(privacy=PrivacyPlan(noise_multiplier=0.0)), engine="vectorized", eval_every=5)
    store.request_stop(run_id)
    test = page("runs", runs=run_id)
    assert test.button(key="retry").label == "Run again even so"
    test.button(key="retry").click().run()
    assert len(store.queue()) == 1
    noisy = store.create(Plan(), engine="vectorized", eval_every=5)
    store.request_stop(noisy)
    assert page("runs", runs=noisy).button(key="retry").label == "Run again"


def test_train_says_what_was_charged_and_not_what_another_run_would_be(home):
    def said(test):
        (caption,) = [one.value for one in test.caption if "all runs on writers spend" in one.value]
        return caption

    test = page("train")
    assert "With this run, all runs on writers spend epsilon 1.708" in said(test)
    test.button(key="train").click().run()
    test.run()
    assert "That run is charged: with it, all runs on writers spend epsilon 1.708" in said(test)
    assert metric(test, LARGE) == "1.708"
    assert "spend epsilon 2.337" in said(page("train"))  # in another tab, it is the next one
    number(test, "rounds").set_value(99).run()
    assert "With this run" in said(test)
    number(test, "rounds").set_value(100).run()
    Store(home).request_stop(Store(home).queue()[0].run_id)
    test.run()
    assert "With this run, all runs on writers spend epsilon 1.708" in said(test)  # what was cancelled cost nothing


def test_a_budget_that_has_room_for_one_run_is_not_said_to_have_none_for_it(home):
    Store(home).set_policy(Policy(name="writers", budget_epsilon=2.0))
    test = page("train")
    test.button(key="train").click().run()
    test.run()
    assert not test.error
    assert any("spend epsilon 1.708 of a budget of 2" in caption.value for caption in test.caption)
    assert any("no room in the budget for another one" in caption.value for caption in test.caption)
    assert test.button(key="train").disabled


def test_a_finished_study_shows_its_five_steps(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store = Store(home)
    base = Plan(privacy=PrivacyPlan(clients_per_round=1, noise_multiplier=0.0))
    study_id = schedule.start(store, Study(plan=base, noise_multipliers=(0.0, 0.5)))
    for _ in range(2):
        for run in store.queue():
            store.begin(run.run_id)
            add_rounds(store, run.run_id, [(0, 0.1, 1.0), (100, 0.79, 1.0)], epsilon=1.0)
            store.end(run.run_id, "finished")
        schedule.advance_all(store)
    test = page("study", study=study_id)
    assert len(test.header) == 5
    assert metric(test, "Clients per round by RDP (selected)") == "120 at noise 1.2"
    assert metric(test, "Clients per round by PLD") == "104 at noise 1.04"
    assert metric(test, "Epsilon") == "1.708"
    assert metric(test, "Accuracy of the private model") == "79.0%"
    (link,) = [one.value for one in page("study", study=study_id, lang="ja").markdown if "](runs?" in one.value]
    (final,) = schedule.current(store, study_id).final
    assert f"](runs?lang=ja&runs={final.run_id})" in link


def test_the_frontier_and_a_plan_that_nobody_has_run(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    assert "No run has finished yet" in page("frontier").info[0].value
    store = Store(home)
    for noise, clients, accuracy in ((0.5, 50, 0.78), (0.75, 50, 0.71), (1.0, 50, 0.55), (1.2, 120, 0.786)):
        trained(store, accuracy, epsilon=2 / noise, noise_multiplier=noise, clients_per_round=clients)
    test = page("frontier")
    (words,) = [m.value for m in test.markdown if "At epsilon 2 and 100 rounds" in m.value]
    assert re.search("about 7[789]%", words)
    assert float(metric(test, LARGE)) > 8  # what is there and this one, before it is run
    test.button(key="try").click().run()
    assert not test.exception
    (queued,) = store.queue()
    assert "Prediction before the run: accuracy 7" in queued.note
    assert accounting.epsilon(queued.plan.privacy).value <= 2


def figure(test, words):
    """The figure of a page whose sentence has these words."""
    sent = [json.loads(element.proto.json) for element in test.get("bidi_component")]
    (found,) = [json.loads(one["figure"]) for one in sent if words in one.get("label", "")]
    return found


def numbers(values):
    """The numbers of a trace, which are sent as bytes."""
    return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()


def test_the_front_is_of_means_over_seeds_and_no_line_joins_other_rounds(home):
    store = Store(home)
    for seed, accuracy in ((0, 0.6), (1, 0.9), (None, 0.6)):  # mean 0.7: its best seed would be on the front
        lucky = trained(store, accuracy, seed=seed, epsilon=8.0, noise_multiplier=0.5, clients_per_round=50)
    trained(store, 0.8, epsilon=2.0, noise_multiplier=1.0, clients_per_round=100)
    trained(store, 0.4, noise_multiplier=1.0, clients_per_round=100, rounds=30)
    trained(store, 0.99, noise_multiplier=1.0, clients_per_round=100, zeroing=True)  # no epsilon to compare
    test = page("frontier")
    assert not test.error
    drawn = figure(test, "of 3 settings on writers, each the mean over its seeds; 2 of them")["data"]
    (front,) = [trace for trace in drawn if trace.get("line", {}).get("shape") == "hv"]
    assert numbers(front["y"]) == [0.4, 0.8]
    (dotted,) = [numbers(trace["y"]) for trace in drawn if trace.get("line", {}).get("dash") == "dot"]
    assert dotted == pytest.approx([0.8, 0.7])  # those of 100 rounds: noise / clients is 0.01 in all three settings
    light, mean, _ = [trace for trace in drawn if trace["mode"] == "markers"]
    assert (sorted(numbers(light["y"])), numbers(mean["y"])) == ([0.6, 0.6, 0.9], [pytest.approx(0.7)])
    assert "the mean of 3 seeds (60.0% to 90.0%)" in mean["hovertext"][0]
    assert lucky in mean["customdata"][0]
    assert any("the mean over its seeds (1 to 3)" in caption.value for caption in test.caption)


@pytest.fixture
def table(tmp_path):
    """Two hundred people with some examples of two kinds, in a file."""
    rng = np.random.default_rng(0)
    path = tmp_path / "own table.csv"
    who = [f"person-{n}" for n in rng.integers(0, 200, 2000)]
    frame = pd.DataFrame(
        {"who": who, "kind": rng.choice(["ant", "bee"], 2000), "x": rng.normal(size=2000), "y": 1.5}
    )
    frame.to_csv(path, index=False)
    return path


def test_data_shows_what_is_there_and_what_is_feasible(home, few_writers):
    folder = datasets.entry("writers", home).folder
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    test = page("data")
    assert metric(test, "Users") == "60"
    assert "nan" not in metric(test, "Epsilon, 100")
    assert [s.value for s in test.subheader] == ["Examples per user", "Classes"]


def test_data_that_is_not_here_yet_can_be_got():
    test = page("data", dataset="federated_emnist")
    assert "not on this machine yet: 3,383 users" in test.info[0].value
    assert test.button(key="get").label == "Download"


def test_a_table_is_imported_shown_trained_on_and_removed(home, table):
    test = page("data")
    test.text_input(key="import_path").set_value(str(table)).run()
    assert test.text_input[1].value == "own-table"
    test.selectbox(key="import_label").set_value("who").run()
    assert "Expected" in test.error[0].value  # one column cannot be both
    test.selectbox(key="import_label").set_value("kind").run()
    test.button(key="import").click().run()
    assert not test.exception
    assert "own-table is imported" in test.success[0].value
    assert metric(test, "Users") == "200"
    assert any("outside" in info.value or "not cover" in info.value for info in test.info)  # it was standardised
    train = page("train", dataset="own-table", clients_per_round="50", noise_multiplier="0.5")
    assert "50 / 200" in train.markdown[-1].value or any("50 / 200" in m.value for m in train.markdown)
    test.button(key="remove").click().run()
    assert not test.exception
    assert "own-table" not in datasets.names(home)
    assert test.selectbox(key="dataset").value == "writers"


@pytest.mark.parametrize("form", ["leaf, train and test", "tff hdf5", "saved datasets", "utf-16"])
def test_every_form_is_taken_by_its_path(home, form):
    write, options, _split = small_files.FORMS[form]
    test = page("data")
    test.text_input(key="import_path").set_value(str(write(home))).run()
    said = {test.selectbox(key=f"import_{part}").value for part in ("user", "label")}
    assert said == {"leaf, train and test": {"user", "y"}, "tff hdf5": {"client_id", "label"}}.get(
        form, {"who", "x1"}
    )
    if options:
        test.selectbox(key="import_label").set_value("answer").run()
    test.button(key="import").click().run()
    assert not test.exception
    assert "is imported" in test.success[0].value
    assert metric(test, "Users") == "12"


def test_the_page_names_every_form():
    box = page("data").text_input(key="import_path")
    assert [form for form in (*FORMS, *PACKED) if form not in box.help] == []


def test_images_look_as_they_are(home):
    """Channels first, and not said to be."""
    write, _options = small_files.IMAGE_FORMS["channels first"]
    test = page("data")
    test.text_input(key="import_path").set_value(str(write(home))).run()
    test.selectbox(key="import_user").set_value("who").run()
    test.selectbox(key="import_label").set_value("answer").run()
    test.button(key="import").click().run()
    assert not test.exception
    assert any("Arrays of 3x8x9 have their channels first" in warning.value for warning in test.warning)
    shown = re.search('base64,([^"]+)', next(html.body for html in test.get("html") if "<img" in html.body))
    with Image.open(io.BytesIO(base64.b64decode(shown[1]))) as sheet:
        pixels = np.asarray(sheet)
    first = pixels[:8, :9].tolist()
    assert first in small_files.pixels(8, 9, 3).tolist()


def test_a_shape_that_does_not_fit_is_told_beside_it(home, table):
    test = page("data")
    test.text_input(key="import_path").set_value(str(table)).run()
    test.selectbox(key="import_label").set_value("kind").run()
    test.text_input(key="import_shape").set_value("2*1").run()
    assert "Expected image_shape to be numbers with 'x' between them, as 28x28, found '2*1'." in test.error[0].value
    test.text_input(key="import_shape").set_value("1x2").run()
    assert not test.error
    test.number_input(key="import_test_users").set_value(-3.0).run()
    assert "Expected test_users in (0, 1), found -3.0." in test.error[0].value
    test.number_input(key="import_test_users").set_value(0.3).run()
    test.button(key="import").click().run()
    assert not test.exception
    assert any("0.3 of the users for testing" in caption.value for caption in test.caption)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("pipe.csv", "Expected a file, found a named pipe: pipe.csv."),
        ("odd.npz", "odd.npz cannot be read as NPZ"),
        ("odd.sqlite", "is not a data set as TensorFlow Federated's SqlClientData reads it"),
        ("~nobody-of-this-name/own.csv", "Expected a file at ~nobody-of-this-name/own.csv, found none"),
        (f"/{'o' * 300}.csv", "found none (File name too long)"),
        ("/proc/self/mem.csv", "found none (No such file or directory)"),
    ],
)
def test_what_cannot_be_imported_is_a_sentence(home, tmp_path, place, words):
    os.mkfifo(tmp_path / "pipe.csv")
    for name, content in (("odd.npz", b"PK\3\4"), ("odd.sqlite", b"none")):
        (tmp_path / name).write_bytes(content * 50)
    test = page("data")
    test.text_input(key="import_path").set_value(place if place[0] in "/~" else str(tmp_path / place)).run()
    if not test.error:
        test.button(key="import").click().run()
    assert not test.exception
    assert words in test.error[0].value


def test_users_who_only_test_are_named_beside_the_population(home, table):
    frame = pd.read_csv(table)
    frame.assign(part=np.where(frame.who.str[-1] == "7", "train", "test")).to_csv(table, index=False)
    datasets.import_table(table, Mapping(user="who", label="kind", split="part"), home, name="own")
    test = page("data", dataset="own")
    assert metric(test, "Users") == "20"
    assert any("200 users, of whom 20 train and the others only test" in caption.value for caption in test.caption)
    train = page("train", dataset="own", clients_per_round="10", noise_multiplier="0.3")
    assert any("10 / 20" in markdown.value for markdown in train.markdown)


def test_rows_of_nobody_are_left_out_where_the_page_is_asked_to(home, table):
    table.write_text(table.read_text().replace("person-7,", "None,").replace("person-8,", "PERSON-9,"))
    test = page("data")
    test.text_input(key="import_path").set_value(str(table)).run()
    test.selectbox(key="import_label").set_value("kind").run()
    test.button(key="import").click().run()
    assert "choose missing_user drop" in test.error[0].value
    test.selectbox(key="import_missing_user").set_value("drop").run()
    test.multiselect(key="import_join").set_value(["user"]).run()
    test.button(key="import").click().run()
    assert not test.exception
    assert metric(test, "Users") == "198"


def test_uploads_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_UPLOADS", "off")
    test = page("data")
    assert any("switched off" in info.value for info in test.info)
    assert not test.text_input


def test_a_home_that_is_none_is_one_sentence(monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", "/dev/null/home")
    for name in ("train", "runs"):
        test = page(name)
        assert "cannot be used as the file of runs" in test.error[0].value


def test_a_link_to_a_run_shows_that_run_whatever_became_of_it(home, monkeypatch):
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    store = Store(home)
    asked = store.create(Plan(), engine="vectorized", eval_every=5)
    newest = recorded(home, "finished")
    link = {"run": page("train", run=asked).query_params["run"]}
    store.request_stop(asked)
    store.describe(asked, name="another name")
    for language in ("en", "ja"):
        again = page("train", **link, lang=language)
        assert again.selectbox(key="run").value == asked
    alone = page("train")
    assert alone.selectbox(key="run").value == newest
    alone.button(key="retry").click().run()
    assert shown_run(alone).value == store.runs()[0].run_id != newest
    link = alone.query_params["run"]  # of what was asked for here, also while it is the newest
    recorded(home, "finished")
    assert page("train", run=link).selectbox(key="run").value in link


def test_what_another_tab_wrote_about_a_run_stays(home):
    run_id, store = recorded(home, "finished"), Store(home)
    store.describe(run_id, note="first")
    tab = page("train", run=run_id)
    assert tab.text_area(key=f"note_{run_id}").value == "first"
    store.describe(run_id, name="by the other tab", note="second")
    tab.run()
    tab.text_input(key=f"tags_{run_id}").set_value("mine").run()
    assert not tab.exception
    run = store.run(run_id)
    assert (run.name, run.tags, run.note) == ("by the other tab", "mine", "second")
    assert tab.text_area(key=f"note_{run_id}").value == "second"


def test_the_frontiers_axis_and_data_are_in_its_link(home):
    recorded(home, "finished")
    assert page("frontier", axis_writers="clients").button_group(key="axis_writers").value == "clients"
    test = page("frontier")
    test.button_group(key="axis_writers").set_value("rounds").run()
    assert "rounds" in test.query_params["axis_writers"]


def test_a_runs_page_says_who_its_model_is_accurate_for_and_that_no_guarantee_covers_it(home):
    """Beside a run without privacy, which is chosen by itself."""
    store, found = Store(home), {}
    for noise, accuracies in ((1.0, [0.2, 0.6]), (0.0, [0.8, 0.9])):
        plan = Plan(privacy=PrivacyPlan(noise_multiplier=noise, clients_per_round=50, rounds=2))
        found[noise] = store.create(plan, engine="vectorized", eval_every=1)
        store.begin(found[noise])
        store.append(
            found[noise],
            Round(round=2, accuracy=0.5, loss=1.0, clip_norm=0.1, cohort_size=5, epsilon=1.0, seconds=1.0),
        )
        store.end(found[noise], "finished")
        store.folder(found[noise]).mkdir(parents=True, exist_ok=True)
        right = np.array(accuracies) * 10
        one = fairness.Fairness(
            user_right=right.astype(int),
            user_examples=np.array([10, 10]),
            user_trained=np.array([5, 50]),
            class_right=np.array([7, right.sum() - 7]).astype(int),
            class_examples=np.array([10, 10]),
        )
        fairness.keep(store.folder(found[noise]), one)
    test = page("train", run=found[1.0])
    test.session_state["fairness"] = True
    test.run()
    assert not test.exception
    words = " ".join(one.value for one in (*test.markdown, *test.caption))
    assert (
        r"noise 1\, 50 clients\, 2 rounds**: users' mean accuracy 40.0%, that of the tenth of users with the"
        in words
    )
    assert "noise 0" in words
    assert "that of the tenth of users with the lowest 20.0%" in words
    assert "that of the tenth of users with the lowest 80.0%" in words
    assert "A diagnostic that the guarantee does not cover, on the test examples of 2 users" in words
    test.selectbox(key=f"fairness_beside_{found[1.0]}").set_value("none").run()
    assert "80.0%" not in " ".join(one.value for one in test.markdown)
    (store.folder(found[1.0]) / fairness.FILE).unlink()
    assert any(f"runs fairness {found[1.0]}" in info.value for info in test.run().info)
