"""The pages as visitors of a shared dashboard have them."""

import contextlib
import shutil
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dpcore import datasets, hosting
from dpcore.datasets.importing.table import Mapping
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.rounds import Round
from dpcore.runs.access import budget
from dpcore.runs.access.visiting import Visited
from dpcore.runs.process import supervisor
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import schedule
from dpcore.runs.studies.study import Study
from dpcore.ui.core.markdown import plain
from dpcore.ui.server import turns, visitors

APP = Path(__file__).parents[2] / "app.py"
HER, HIM = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", str(tmp_path))
    monkeypatch.setenv(visitors.HOSTED, "on")
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(supervisor, "wake", lambda store: None)
    st.cache_resource.clear()
    st.cache_data.clear()
    return tmp_path


def page(name, browser=None, **query):
    test = AppTest.from_file(str(APP), default_timeout=300)
    test.query_params.update(query)
    if browser:
        test.session_state[visitors._KNOWN] = browser
    test.switch_page(f"pages/{name}.py").run()
    assert not test.exception
    return test


def buttons(test):
    return {button.key for button in test.button}


def found_in(test, text):
    """The elements of a page that contain a text, wherever in them."""
    return [part for part in test._tree if text in str(getattr(part, "proto", ""))]


def queued(home, owner, **how):
    return Store(home).create(Plan(), engine="vectorized", eval_every=5, owner=owner, **how)


@pytest.fixture
def few(home, few_writers):
    folder = datasets.entry("writers", home).folder
    folder.parent.mkdir(parents=True)
    shutil.copytree(Path(few_writers.train.features.filename).parent, folder)
    return folder


def test_a_run_shows_its_buttons_to_its_owner_alone(home):
    run_id = queued(home, hosting.owner_by_browser(HER))
    hers, his = page("runs", HER, runs=run_id), page("runs", HIM, runs=run_id)
    assert "cancel" in buttons(hers)
    assert not buttons(his) & {"cancel", "first", "last", "delete"}
    assert not hers.text_input(key=f"name_{run_id}").disabled
    assert his.text_input(key=f"name_{run_id}").disabled
    hers.button(key="cancel").click().run()
    assert Store(home).run(run_id).status == "cancelled"
    his.run()
    assert "delete" not in buttons(his)
    assert "retry" in buttons(his)  # as a run of his own
    his.button(key="retry").click().run()
    assert Store(home).runs()[0].owner == hosting.owner_by_browser(HIM)


def test_a_browser_that_is_not_known_only_looks(home):
    run_id = queued(home, "")
    Store(home).request_stop(run_id)
    for forged in (None, "nobody", hosting.owner_by_browser(HER)[:-1]):
        test = page("runs", forged, runs=run_id)
        assert "delete" not in buttons(test)
        test.button(key="retry").click().run()
        assert "a visitor that is known" in test.error[0].value
    assert len(Store(home).runs()) == 1


def test_what_is_the_machines_is_not_offered(home, few):
    queued(home, "")
    runs = page("runs", HER)
    assert runs.number_input(key="parallel").disabled
    assert "empty" not in buttons(runs)
    ledger, data = page("ledger", HER), page("data", HER)
    assert buttons(ledger) == set()
    assert not ledger.toggle
    assert not buttons(data) & {"remove", "import", "get"}
    assert any("Data is imported by the administrator" in info.value for info in data.info)
    assert not any("EPSILON_LAB_UPLOADS" in info.value for info in data.info)
    assert not data.text_input
    assert not data.get("file_uploader")


def test_the_machines_own_person_has_all_of_it(home, few, monkeypatch):
    monkeypatch.delenv(visitors.HOSTED)
    run_id = queued(home, hosting.owner_by_browser(HER))
    assert "cancel" in buttons(page("runs", runs=run_id))
    assert "remove" in buttons(page("data"))
    assert "save_budget" in buttons(page("ledger"))


def test_no_page_tells_where_the_machine_keeps_things(home, few):
    run_id = queued(home, hosting.owner_by_browser(HER))
    store = Store(home)
    store.begin(run_id)
    store.end(run_id, "failed", f"ValueError: no. The log: {store.folder(run_id)}/worker.log")
    (store.folder(run_id) / "worker.log").write_text(f"Traceback in {home}")
    store.set_policy(Policy(name="writers", budget_epsilon=0.5))
    (home / "datasets" / "imported" / "broken").mkdir(parents=True)
    store.set_rules(hosting.Rules(data=("writers", "broken")))
    for name, query in {"runs": {"runs": run_id}, "data": {}, "ledger": {}}.items():
        test = page(name, HER, **query)
        assert found_in(test, "Epsilon Lab"), name
        assert not found_in(test, str(home)), name
        assert name != "runs" or any("The log: …" in error.value for error in test.error)
    broken = page("data", HER, dataset="broken")
    assert found_in(broken, "broken cannot be read")
    assert not found_in(broken, str(home))


def test_a_damaged_home_is_explained_without_its_path(home, monkeypatch):
    monkeypatch.setenv("EPSILON_LAB_HOME", "/dev/null/home")
    (said,) = [error.value for error in page("runs", HER).error]
    assert "cannot be used as the file of runs" in said
    assert "/dev/null" not in said


def test_a_text_names_no_machine_of_a_cluster_to_visitors(monkeypatch):
    said = "Waiting: no worker at tls://10.0.0.1:8786 can compute. tcp://[::1]:1 was refused: other code."
    hidden = "Waiting: no worker at … can compute. … was refused: other code."
    assert visitors.without_paths(said) == hidden
    monkeypatch.delenv(visitors.HOSTED)
    assert visitors.without_paths(said) == said


def test_serving_to_others_by_any_means_makes_visitors_of_all(monkeypatch):
    monkeypatch.delenv(visitors.HOSTED)
    assert not visitors.hosted()
    monkeypatch.setattr(st, "get_option", lambda name: "0.0.0.0")
    assert visitors.hosted()
    monkeypatch.setattr(st, "get_option", lambda name: None)  # Streamlit's default: every address
    assert visitors.hosted()
    monkeypatch.setattr(st, "get_option", lambda name: "localhost")
    monkeypatch.setenv(visitors.LOGIN, "on")
    assert visitors.hosted()


@pytest.fixture
def imported(home, tmp_path_factory):
    """Whoever has the machine has imported a table of their own."""
    file = tmp_path_factory.mktemp("own") / "people.csv"
    rows = [f"p{number % 20},{'ant' if number % 3 else 'bee'},{number}.25" for number in range(200)]
    rows += ["P7,ant,0.5", "P7,bee,0.5"]
    file.write_text("\n".join(["who,kind,x", *rows]))
    datasets.import_table(file, Mapping(user="who", label="kind"), home, name="people")


def test_what_was_imported_is_for_visitors_only_where_the_rules_say_so(home, few, imported):
    Store(home).create(Plan(training=TrainingPlan(dataset="people")), engine="vectorized", eval_every=5)
    for name in ("data", "train", "study", "ledger"):
        choice = page(name, HER, dataset="people").selectbox(key="dataset")
        assert (choice.value, "people" in choice.options) == ("writers", False), name
    Store(home).set_rules(hosting.Rules(data=("people",)))
    for name in ("data", "train", "study", "ledger"):
        assert page(name, HER).selectbox(key="dataset").options == ["people"], name


def test_rows_that_were_imported_are_shown_to_whoever_has_the_machine_alone(home, imported, monkeypatch):
    Store(home).set_rules(hosting.Rules(data=("people",)))
    hers = page("data", HER, dataset="people")
    assert any("shown to the administrator only" in caption.value for caption in hers.caption)
    assert not hers.dataframe
    assert not hers.warning  # whose ids look alike
    monkeypatch.delenv(visitors.HOSTED)
    own = page("data", dataset="people")
    assert not any("shown to the administrator only" in caption.value for caption in own.caption)
    assert any("'P7' = 'p7'" in warning.value for warning in own.warning)
    assert {"ant", "bee"} >= set(own.dataframe[0].value["label"]) > set()


def test_the_name_of_anothers_run_is_no_markdown(home):
    """A link that says "sign in again", or a picture that tells its server who looked."""
    evil = "![x](https://evil.example/seen.png) [Sign in again](https://evil.example) ["
    store = Store(home)
    hers = Visited(store, hosting.owner_by_browser(HER))
    study = Study(plan=Plan(privacy=PrivacyPlan(noise_multiplier=0.0, clients_per_round=1)), rounds=(2,))
    study_id = schedule.start(hers, study)
    accuracy = {0.0: 0.8, 0.5: 0.78, 0.75: 0.5, 1.0: 0.5}
    for run in store.queue():
        store.begin(run.run_id)
        for number in (0, 2):
            reached = accuracy[run.plan.privacy.noise_multiplier]
            told = {"loss": 1.0, "clip_norm": 0.1, "cohort_size": 3, "epsilon": 1.0, "seconds": 0.1}
            store.append(run.run_id, Round(round=number, accuracy=reached, **told))
        store.end(run.run_id, "finished")
    (final,) = schedule.current(hers, study_id).final
    hers.describe(final.run_id, name=evil)
    shown = [one.value for one in page("study", HIM, study=study_id).markdown if final.run_id in one.value]
    assert len(shown) == 1
    assert plain(evil) in shown[0]
    assert evil not in shown[0]


def test_a_link_is_no_markdown_and_makes_no_grid_of_millions(home, monkeypatch):
    made = page("study", HER, noises="[a](//evil.example)", version="[a](//evil.example)")
    shown = [part.value for part in (*made.error, *made.warning)]
    assert len(shown) == 2
    assert all(plain("[a](//evil")[:12] in one and "](" not in one for one in shown)
    many = ",".join(map(str, range(1, 240)))
    bomb = page("study", HER, noises=many, cohorts=many, lengths=many, final="false")
    assert [one.value for one in bomb.error] == [
        "Expected a study of at most 1,000 runs, found 13,651,919. Ask for fewer values or seeds."
    ]


def test_train_and_the_ledger_wait_for_their_turn(home, few, monkeypatch):
    turns_taken, balance = [], budget.balance

    @contextlib.contextmanager
    def turn(line):
        turns_taken.append(line)
        yield

    def in_turn(*given, **named):
        assert turns_taken, "out of turn"
        return balance(*given, **named)

    monkeypatch.setattr(turns, "turn", turn)
    monkeypatch.setattr(budget, "balance", in_turn)
    for name in ("train", "ledger"):
        turns_taken.clear()
        page(name, HER)
        assert turns_taken == [turns.SOON, turns.TO_KEEP]


def test_where_no_data_is_left_for_visitors_the_pages_say_so_and_name_no_other(home, imported):
    Store(home).set_rules(hosting.Rules(data=("gone",)))
    for name in ("data", "train", "study", "ledger"):
        test = page(name, HER)
        assert "No data set is available to visitors" in test.info[0].value, name
        assert not test.error, name
        assert not any("people" in choice.options for choice in test.selectbox), name


def test_a_link_that_sets_a_page_anew_leaves_who_visits(home):
    test = page("accountant", HER, anew='{"noise_multiplier": 0.5}')
    assert test.number_input(key="noise_multiplier").value == 0.5
    assert test.session_state[visitors._KNOWN] == HER


def test_a_visitor_is_asked_once_more_and_told_who_can_mark_data_as_public(home):
    for name, key in (("study", "run_all"), ("train", "train")):
        test = page(name, HER, noise_multiplier="0")
        assert test.button(key=key).label.endswith("even so")
        assert any("The administrator can mark writers as public" in one.value for one in test.caption)
        assert not any("public" in key for key in buttons(test) if key)
