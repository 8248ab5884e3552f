"""The page Audit, and what Train shows of an audited run."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from dpcore.language import speaking
from dpcore.locks import take
from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.privacy.auditing import result
from dpcore.runs.audit import alone, demo, trace_file
from dpcore.runs.audit.demo import Demo
from dpcore.runs.store import Store
from dpcore.ui.server import visitors
from dpcore.ui.train import live
from tests.pages import test_pages as pages
from tests.pages.test_every_page import english, unexplained
from tests.privacy.auditing import simulated
from tests.runs.audit import test_recorded as recorded

home = pages.home


@pytest.fixture
def store(home):
    return Store(home)


@pytest.fixture
def audited(store):
    """A finished run."""
    run_id = store.create(recorded.PLAN, engine="vectorized", eval_every=5, audit=recorded.CANARIES)
    recorded.train(store, run_id)
    store.end(run_id, "finished")
    return run_id


@pytest.fixture(scope="module")
def of_breaks():
    """What audits see of runs that were not trained."""
    found = {}
    for name, breaks in (("none", ""), ("noise-half", "noise half"), ("no-noise-on-count", "")):
        trace = simulated.trace(1, breaks=breaks, run_canaries=200, round_canaries=200, directions=1024)
        found[name] = result.of(trace, simulated.PLAN)
    return found


def tried(home, of_breaks):
    (home / "audit_demo").mkdir(exist_ok=True)
    for name, shown in of_breaks.items():
        demo.write(home, Demo(name=name, round=100, result=shown))


def said(test):
    return [
        one.value for group in (test.markdown, test.caption, test.info, test.warning, test.error) for one in group
    ]


def charts(test):
    told = [json.loads(one.proto.json) for one in test.main if one.type == "bidi_component"]
    return [one["label"] for one in told if "label" in one]


def test_it_says_what_was_measured_and_what_it_cannot_see(audited, store):
    test = pages.page("audit", audited=audited)
    (shown,) = [one.value for one in test.info if "Measured step " in one.value]
    assert "No attack that was tried shows more than " in shown
    assert pages.metric(test, "Epsilon of the plan")
    assert pages.metric(test, "From what was measured").count("–") == 1
    texts = "\n".join(said(test))
    for name in {*result.METHODS.values(), *result.CANNOT_SEE, *result.INGREDIENTS.values()}:
        assert name in texts or "Dispersion of participation" in name  # for which 64 canaries are too few
    assert "**An estimate, and no bound**" in texts
    assert "**A seeded run tests arithmetic and not secrecy**" in texts
    assert "**✕ ALARM**" not in texts
    (label,) = [one for one in charts(test) if one.startswith("What was measured over what was planned, ")]
    assert label.endswith("Alarms: none.")
    for never in ("verified", "epsilon is", "is safe", "proves", "guaranteed"):
        assert never not in texts.lower()


def test_an_alarm_is_a_mark_and_a_word_and_stands_first(store):
    run_id = store.create(recorded.PLAN, engine="vectorized", eval_every=5, audit=recorded.CANARIES)
    recorded.train(store, run_id, step=3.0)
    store.end(run_id, "finished")
    test = pages.page("audit", audited=run_id)
    assert any("ALARM: what ran is not what the plan says. " in one.value for one in test.error)
    (table,) = [one.value for one in test.markdown if "| Ingredient | Verdict |" in one.value]
    assert re.search(r"\| Step of a canary in clip norms, by canaries of the rounds \| \*\*✕ ALARM\*\* \|", table)
    (label,) = [one for one in charts(test) if one.startswith("What was measured over what was planned, ")]
    assert "Step (rounds)" in label.split("Alarms: ")[1]


def test_a_run_that_still_trains_is_shown_as_far_as_it_is(store, monkeypatch):
    run_id = store.create(recorded.PLAN, engine="vectorized", eval_every=5, audit=recorded.CANARIES)
    test = pages.page("audit")
    assert "Expected a run with a round to look at" in test.error[0].value
    recorded.train(store, run_id, 5)
    monkeypatch.setattr(live.supervisor.processes, "has_worker", lambda store, run: True)
    test = pages.page("audit")
    assert any("this is of its first 5 rounds" in one for one in said(test))
    assert test.button(key="look_again")


def test_a_record_that_was_removed_is_told_on_both_pages(audited, store):
    (store.folder(audited) / trace_file.FILE).unlink()
    for test in (pages.page("audit"), pages.page("train", run=audited)):
        assert any("found nothing: it was removed" in one for one in said(test))


def test_a_link_names_the_run_and_one_that_is_not_audited_is_told(audited, store):
    plain = store.create(recorded.PLAN, engine="vectorized", eval_every=5)
    test = pages.page("audit", audited=plain)
    assert "The link names" in test.warning[0].value
    assert test.selectbox(key="audited").value == audited
    assert [option for option in test.selectbox(key="audited").options if "audited" not in option] == []


def test_the_audit_is_taken_along_as_json(audited, store):
    from dpcore.reports import audit as report
    from dpcore.runs.audit import recorded as reading

    run = store.run(audited)
    shown = reading.analysis(store, run)
    with speaking("ja"):
        told = json.loads(report.as_json(run, shown))
    assert (told["run_id"], told["canaries"], told["alarms"]) == (audited, recorded.CANARIES, [])
    assert told["sentence"].startswith("Measured step ")
    assert "An audit does not see" in told["cannot_see"]


def test_train_audits_where_the_switch_is_on(home):
    test = pages.page("train")
    assert "canaries" not in {one.key for one in test.number_input}
    test.button(key="train").click().run()
    test.toggle(key="audit").set_value(True).run()
    pages.number(test, "canaries").set_value(200).run()
    assert test.query_params["audit"] in ("true", ["true"])
    test.button(key="train").click().run()
    assert [run.audit for run in Store(home).runs()] == [200, None]
    assert unexplained(test) == []


def test_a_study_audits_its_runs_with_noise(home):
    test = pages.page("study", audit="true", participations="fixed")
    assert any("a canary would take a user's place there" in one.value for one in test.error)
    test = pages.page("study", noises="1", audit="true", baseline="none", final="false")
    test.button(key="run_all").click().run()
    assert {run.audit for run in Store(home).runs()} == {1000}


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ({"noise_multiplier": "0"}, "Expected a plan with a finite epsilon for an audit"),
        ({"zeroing": "true"}, "Expected no zeroing for an audit"),
        ({"participation": "fixed", "clipping": "fixed"}, "a canary would take a user's place there"),
    ],
)
def test_train_says_why_a_plan_cannot_be_audited(home, link, words):
    test = pages.page("train", audit="true", **link)
    assert any(words in one.value for one in test.error)
    assert "train" not in {button.key for button in test.button}
    test.toggle(key="audit").set_value(False).run()
    assert not any("audit" in one.value for one in test.error)


def test_epsilon_hat_over_rounds_stands_under_the_plans(audited, store):
    test = pages.page("train", run=audited)
    (label,) = [one for one in charts(test) if one.startswith("Epsilon-hat over rounds")]
    assert re.fullmatch(
        r"Epsilon-hat over rounds: after round 12, attacks show at least [\d.]+, and the plan allows at most [\d.]+\.",
        label,
    )
    assert any("with 95% confidence by itself" in one for one in said(test))
    assert "Audit" in {link.label for link in test.main if link.type == "page_link"}
    plain = store.create(recorded.PLAN, engine="vectorized", eval_every=5)
    test = pages.page("train", run=plain)
    assert [one for one in charts(test) if one.startswith("Epsilon-hat")] == []


def test_a_growing_line_keeps_its_points():
    from types import SimpleNamespace

    from dpcore.ui.audit import by_round

    def points(done, rounds):
        return by_round._points(SimpleNamespace(plan=Plan(privacy=PrivacyPlan(rounds=rounds))), done)

    assert points(0, 100) == points(3, 100) == []
    assert points(11, 100) == [4, 8]
    assert points(100, 100)[-2:] == [96, 100]
    assert points(7, 7) == [1, 2, 3, 4, 5, 6, 7]
    assert points(5_000, 5_000)[-2:] == [4864, 5000]
    for rounds in (1, 32, 33, 1_000, 5_000):
        whole = points(rounds, rounds)
        assert len(whole) <= 33
        for done in range(0, rounds, max(1, rounds // 50)):
            assert whole[: len(points(done, rounds))] == points(done, rounds)


def test_broken_on_purpose_begins_at_a_button_and_is_seen_again_after_a_refresh(home, monkeypatch):
    started = []
    monkeypatch.setattr(demo, "start", lambda home, name: started.append(name))
    test = pages.page("audit")
    assert any("It is no run: no list, no ledger and no Frontier has it" in one for one in said(test))
    assert any("This has not been tried here yet." in one for one in said(test))
    assert "demo_stop" not in {button.key for button in test.button}
    test.selectbox(key="break").set_value("clip-twice").run()
    test.button(key="demo_start").click().run()
    assert started == ["clip-twice"]
    (home / "audit_demo").mkdir()
    demo.write(home, Demo(name="clip-twice", round=7))
    held = take(home / "audit_demo" / "lock")
    (home / "audit_demo" / "lock").write_text(json.dumps([1 << 30, "clip-twice"]))
    try:
        test = pages.page("audit")
        assert test.button(key="demo_start").disabled
        assert test.button(key="demo_stop")
        (bar,) = [one.proto for one in test.main if one.type == "progress"]
        assert (bar.value, "Round 7 of 100" in bar.text) == (7, True)
        assert unexplained(test) == []
    finally:
        import os

        os.close(held)
    assert any(
        "It was ended before it was done." in one for one in said(pages.page("audit", **{"break": "clip-twice"}))
    )


def test_what_rang_is_shown_and_what_did_not(home, of_breaks):
    tried(home, of_breaks)
    test = pages.page("audit", **{"break": "noise-half"})
    texts = "\n".join(said(test))
    assert "| < 1e-300 |" in texts  # and never 0
    assert "**BROKEN ON PURPOSE: The noise is half of what it should be.**" in texts
    assert any("ALARM: what ran is not what the plan says." in one.value for one in test.error)
    assert re.search(r"\| The noise is half of what it should be\. \| ✕ Noise, directions, ", texts)
    silent = pages.page("audit", **{"break": "no-noise-on-count"})
    assert any("No alarm rang, and the training was broken all the same" in one.value for one in silent.warning)
    texts = "\n".join(said(pages.page("audit")))
    assert "No alarm rang, and nothing was broken." in texts
    assert "BROKEN ON PURPOSE" not in texts


def test_it_is_in_no_list_of_runs_and_no_ledger(home, of_breaks):
    tried(home, of_breaks)
    assert Store(home).runs(deleted=None) == []
    for name in ("runs", "frontier"):
        assert any("trained" in one.value or "finished" in one.value for one in pages.page(name).info)


def test_visitors_look_and_do_not_start_it(home, of_breaks, monkeypatch):
    tried(home, of_breaks)
    monkeypatch.setenv(visitors.HOSTED, "on")
    test = pages.page("audit", **{"break": "noise-half"})
    assert not {"demo_start", "demo_stop"} & {button.key for button in test.button}
    assert any("python -m dpcore audit demo --break noise-half" in one.value for one in test.info)
    assert any("ALARM: what ran is not what the plan says." in one.value for one in test.error)


def test_two_runs_are_compared_where_a_second_one_is_chosen(audited, store):
    alone = pages.page("audit")
    assert "beside" not in {one.key for one in alone.selectbox}  # there is no other
    other = store.create(recorded.PLAN, engine="vectorized", eval_every=5, audit=recorded.CANARIES)
    recorded.train(store, other)
    test = pages.page("audit", audited=audited)
    assert test.selectbox(key="beside").value == "none"
    assert not any("two runs" in one for one in said(test))
    test.selectbox(key="beside").set_value(other).run()
    assert any(
        "is the same, as it must be: both follow from one plan and one seed" in one.value for one in test.warning
    )
    assert test.query_params["beside"] in (other, [other])
    same = pages.page("audit", audited=audited, beside=audited)
    assert any(f"Expected two runs, found {audited} twice" in one.value for one in same.error)
    unseeded = replace(recorded.PLAN, training=replace(recorded.PLAN.training, seed=None))
    first, second = (
        store.create(unseeded, engine="vectorized", eval_every=5, audit=recorded.CANARIES) for _time in range(2)
    )
    for run_id in (first, second):  # what one key has drawn twice
        recorded.train(store, run_id)
    alarm = pages.page("audit", audited=first, beside=second)
    assert any("ALARM: the two runs share noise." in one.value for one in alarm.error)
    refused = pages.page("audit", audited=first, beside=audited)
    assert any(f"found {first} without a seed" in one.value for one in refused.error)
    japanese = pages.page("audit", audited=first, beside=second, lang="ja")
    assert english(japanese) == []
    assert unexplained(japanese) == []


def test_all_of_it_is_in_japanese_and_explains_its_controls(home, audited, of_breaks):
    tried(home, of_breaks)
    for name in of_breaks:
        test = pages.page("audit", lang="ja", **{"break": name})
        assert english(test) == []
        assert unexplained(test) == []
    test = pages.page("train", lang="ja", run=audited, audit="true")
    assert english(test) == []
    assert unexplained(test) == []


def test_the_lesson_leads_to_it():
    test = pages.page("learn", screen="game")
    links = [link.proto for link in test.main if link.type == "page_link"]
    assert "audit" in {link.page for link in links}


class TestAModelFromElsewhere:
    @pytest.fixture
    def files(self, tmp_path):
        """A training of one round in which everybody takes part, without noise where the plan says 4."""
        plan = PrivacyPlan(
            population=100, clients_per_round=100, rounds=1, noise_multiplier=4.0, clipping=FixedClipping()
        )
        manifest = alone.drawn({"kernel": (70, 30)}, plan, count=400)
        sent = manifest.directions.sum(
            np.pad(manifest.coins, (0, manifest.directions.count - 400)).astype(np.float32)
        )
        parts = {}
        for name, flat in (("initial", np.zeros_like(sent)), ("final", sent)):
            np.savez(tmp_path / name, kernel=flat.reshape(70, 30))
            parts[name] = (tmp_path / f"{name}.npz").read_bytes()
        return {"manifest": manifest.to_json().encode(), **parts}

    def sent(self, files):
        test = pages.page("audit")
        for name, content in files.items():
            ending = "json" if name == "manifest" else "npz"
            test.file_uploader(key=f"audit_file_{name}").set_value((f"{name}.{ending}", content, ""))
        return test.run()

    def test_three_files_give_figures_and_what_they_are_worth(self, home, files):
        test = self.sent(files)
        assert not test.exception
        assert "By the final model alone, no attack that was tried shows more than" in test.error[0].value
        assert "ALARM: attacks were right more often" in test.error[0].value
        assert "If the run is one Gaussian for each user" in " ".join(said(test))
        assert any("whoever sees every round may find out more" in one.value for one in test.caption)
        assert (
            test.run()
            .error[0]
            .value.endswith("ALARM: attacks were right more often than the plan's epsilon allows.")
        )

    def test_what_is_wrong_with_a_file_is_a_sentence(self, home, files):
        for name, content in (("manifest", b"{}"), ("final", b"nothing"), ("initial", files["manifest"])):
            test = self.sent(files | {name: content})
            assert not test.exception
            assert test.error[0].value.startswith("Expected ")

    def test_visitors_send_nothing(self, home, monkeypatch):
        monkeypatch.setenv(visitors.HOSTED, "on")
        test = pages.page("audit")
        assert not test.get("file_uploader")
        assert any("audit model MANIFEST" in info.value for info in test.info)
