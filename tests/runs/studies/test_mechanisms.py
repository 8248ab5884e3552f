"""Studies that compare ways to form cohorts and kinds of noise; the ready-made one."""

import json
from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.mechanisms.noise import Banded, Independent, Tree
from dpcore.mechanisms.participation import FixedSize, Fleet, Poisson, Schedule
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.reports import study as report
from dpcore.runs.studies import findings, forecast, mechanisms, outlook, ready_made, schedule
from dpcore.runs.studies.mechanisms import Mechanism
from dpcore.runs.studies.study import Study
from tests.runs.tutorial import BASE, TUTORIAL, finish

pytestmark = pytest.mark.usefixtures("no_processes")
COMPARED = Study(
    plan=BASE,
    noise_multipliers=(0.0, 1.0),
    clippings=(FixedClipping(),),
    mechanisms=(
        Mechanism(),
        Mechanism(participation=Schedule(), noise=Banded(bands=4), noise_multipliers=(0.0, 2.0, 4.0)),
        Mechanism(participation=Schedule(), noise=Tree()),
    ),
    target_epsilon=None,
)
SCHEDULED = replace(
    TUTORIAL, plan=replace(BASE, privacy=replace(BASE.privacy, participation=Schedule(), clipping=FixedClipping()))
)


def test_each_mechanism_is_trained_with_its_noise_and_without_any_there_is_one_run_for_all_kinds():
    ran = [
        (p.participation.kind, p.noise.kind, p.noise_multiplier) for p in (one.privacy for one in COMPARED.grid())
    ]
    assert ran == [
        ("poisson", "independent", 0.0),
        ("poisson", "independent", 1.0),
        ("schedule", "independent", 0.0),
        ("schedule", "banded", 2.0),
        ("schedule", "banded", 4.0),
        ("schedule", "tree", 1.0),
    ]
    assert {COMPARED.noise_free(plan) for plan in COMPARED.grid()} == {COMPARED.grid()[0], COMPARED.grid()[2]}
    assert Study.from_json(COMPARED.to_json()) == COMPARED


def test_a_study_without_mechanisms_is_the_text_that_it_was_and_one_with_them_is_of_a_newer_version():
    assert json.loads(TUTORIAL.to_json())["version"] == 1
    assert "mechanisms" not in TUTORIAL.to_json()
    assert json.loads(COMPARED.to_json())["version"] == 2
    assert Study.from_json(SCHEDULED.to_json()).grid()[1].privacy.participation == Schedule()


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (5, "mechanisms to be an object of JSON"),
        ({"participation": {"kind": "poisson"}}, "mechanisms to have noise"),
        ({"participation": {"kind": "coins"}, "noise": {"kind": "tree"}}, "participation to have a kind"),
        ({"participation": [], "noise": {"kind": "tree"}}, "participation to have a kind"),
        ({"participation": {"kind": "poisson"}, "noise": {"kind": "tree"}}, "Use a schedule"),
        ({"participation": {"kind": "schedule"}, "noise": {"kind": "banded", "bands": 0}}, "bands to be a whole"),
        (
            {"participation": {"kind": "schedule"}, "noise": {"kind": "banded", "bands": 68}},
            "at most the separation",
        ),
        (
            {"participation": {"kind": "schedule", "min_separation": 70}, "noise": {"kind": "tree"}},
            "not so many users",
        ),
        ({"participation": {"kind": "full"}, "noise": {"kind": "independent"}}, "to be the population"),
        ({"participation": {"kind": "fixed"}, "noise": {"kind": "independent"}, "more": 1}, "nothing but"),
        (
            {"participation": {"kind": "fixed"}, "noise": {"kind": "independent"}, "noise_multipliers": 1},
            "noise_multipliers to be a list",
        ),
        (
            {"participation": {"kind": "fixed"}, "noise": {"kind": "independent"}, "noise_multipliers": ["1"]},
            "noise_multiplier to be a number",
        ),
    ],
)
def test_a_mechanism_that_cannot_be_is_refused_when_a_study_is_read(one, words):
    values = json.loads(COMPARED.to_json())
    values["mechanisms"] = [values["mechanisms"][0], one]
    with pytest.raises(InvalidValueError, match=words):
        Study.from_json(json.dumps(values))
    for wrong in ({}, "schedule", None):
        with pytest.raises(InvalidValueError, match="mechanisms to be a list"):
            Study.from_json(json.dumps(values | {"mechanisms": wrong}))


def test_correlated_noise_with_adaptive_clipping_is_refused_with_its_reason():
    with pytest.raises(InvalidValueError, match="Use fixed clipping"):
        replace(COMPARED, clippings=TUTORIAL.clippings)


def test_a_final_run_is_not_of_several_mechanisms_even_where_each_has_one_noise_of_its_own():
    each = tuple(replace(one, noise_multipliers=(float(at),)) for at, one in enumerate(COMPARED.mechanisms))
    with pytest.raises(InvalidValueError, match="one to form cohorts where a final run"):
        replace(COMPARED, mechanisms=each, target_epsilon=2.0)


def test_kinds_that_do_not_go_together_are_left_out_unless_nothing_is_left():
    fleet = Fleet(3383, 120, 100)
    found, refused = mechanisms.combined(["poisson", "schedule"], ["independent", "banded"], fleet, bands=5)
    assert found == [
        Mechanism(),
        Mechanism(participation=Schedule()),
        Mechanism(participation=Schedule(), noise=Banded(bands=5)),
    ]
    assert [one.field for one in refused] == ["noise"]
    with pytest.raises(InvalidValueError, match="Use a schedule"):
        mechanisms.combined(["fixed"], ["tree"], fleet)
    with pytest.raises(InvalidValueError, match="Expected no min_separation with poisson"):
        mechanisms.combined(["poisson", "fixed"], ["independent"], fleet, min_separation=3)
    with pytest.raises(InvalidValueError, match="at most the separation"):
        mechanisms.combined(["schedule"], ["independent", "banded"], fleet, bands=29)
    assert mechanisms.combined(["poisson", "fixed", "poisson"], ["independent"], fleet)[0] == [
        Mechanism(),
        Mechanism(participation=FixedSize()),
    ]


def test_the_ready_made_study_has_one_epsilon_and_the_noise_that_each_way_takes_for_it():
    study = ready_made.secrecy()
    plans = [plan.privacy for plan in study.grid()]
    assert len(plans) == 9
    assert [(one.participation, one.noise) for one in plans[:3]] == [
        (Poisson(), Independent()),
        (Schedule(), Independent()),
        (Schedule(), Banded(bands=28)),
    ]
    assert [tuple(one.cohorts.pattern(one.fleet)) for one in plans[1:3]] == [(4, 28)] * 2
    for plan in plans[:3]:
        assert 1.999 < accounting.epsilon(plan).value <= 2.0
    assert [plan.noise_multiplier for plan in plans[:3]] == pytest.approx([1.109, 3.988, 3.988], abs=1e-3)
    assert Study.from_json(study.to_json()) == study


@pytest.fixture
def secrecy(store):
    """The ready-made study, ended with the accuracies that its prototype had."""
    study_id = schedule.start(store, ready_made.secrecy())
    reached = {("poisson", "independent"): 0.783, ("schedule", "independent"): 0.545, ("schedule", "banded"): 0.753}
    for run in store.queue():
        privacy = run.plan.privacy
        finish(store, run, reached[privacy.participation.kind, privacy.noise.kind])
    return store, study_id


def test_what_a_comparison_found_names_each_mechanism_its_accuracy_and_its_epsilon(secrecy):
    store, study_id = secrecy
    now = schedule.current(store, study_id)
    assert now.status == "finished"
    words = findings.sentences(now)
    assert words == [
        "Poisson sampling, independent, noise 1.1085: accuracy 78.5% (78.3% to 78.7% over 3 seeds), at epsilon 2.000.",
        "Known schedule (28 apart), independent, noise 3.9877: accuracy 54.7% (54.5% to 54.9% over 3 seeds), at epsilon "
        "2.000; 23.8 points below Poisson sampling, independent (their ranges over the seeds do not overlap).",
        "Known schedule (28 apart), 28 bands, noise 3.9877: accuracy 75.5% (75.3% to 75.7% over 3 seeds), at epsilon "
        "2.000; 3.0 points below Poisson sampling, independent (their ranges over the seeds do not overlap).",
    ]
    rows = findings.table(now)
    assert [row["mechanism"] for row in rows][1:] == [
        "Known schedule (28 apart), independent",
        "Known schedule (28 apart), 28 bands",
    ]
    assert [round(row["difference"], 3) for row in rows] == [0, -0.238, -0.03]
    told = " ".join(findings.conditions(now))
    assert "if all rounds are seen and cohorts are formed as its mechanism says" in told
    assert "nobody learns who took part" in told
    assert "may be known to everybody" in told
    with speaking("ja"):
        assert not set(findings.sentences(now)) & set(words)


def test_a_comparison_goes_into_the_exports_with_all_that_its_epsilons_depend_on(secrecy):
    store, study_id = secrecy
    table = report.rounds_table(store, schedule.current(store, study_id).runs)
    assert set(map(tuple, table[["participation", "min separation", "noise kind"]].to_numpy().tolist())) == {
        ("poisson", 1, "independent"),
        ("schedule", 28, "independent"),
        ("schedule", 28, "banded"),
    }
    assert set(table["bands"].dropna()) == {28}
    assert table["setting"].nunique() == 3  # two of them have the same noise multiplier
    page = report.html(store, study_id)
    assert "Known schedule (28 apart), 28 bands" in page
    assert "What is the way in which cohorts are formed, and the kind of noise, worth?" in page


def test_only_poisson_samples_are_counted_together_where_a_ledger_has_many_kinds():
    many = tuple(round(1 + 0.1 * step, 2) for step in range(30))
    scheduled = Mechanism(participation=Schedule(min_separation=60), noise=Banded(bands=60))
    study = replace(COMPARED, noise_multipliers=many, baseline="none", mechanisms=(Mechanism(), scheduled))
    plans = replace(study, clients_per_round=(50, 56)).grid()
    counted = outlook._fewer_kinds(plans)
    assert len(counted) == len(plans) == 120
    assert {plan for plan in plans if plan.privacy.noise.is_correlated} <= set(counted)
    usual = {plan.privacy for plan in counted if not plan.privacy.noise.is_correlated}
    assert len(usual) == outlook._MOST_KINDS


def test_the_path_of_correlated_noise_is_what_a_forecast_goes_by():
    banded = PrivacyPlan(
        noise_multiplier=3.9877, clipping=FixedClipping(), participation=Schedule(), noise=Banded(bands=28)
    )
    alone = replace(banded, noise=Independent())
    assert forecast.ratio(alone) == pytest.approx(3.9877 / 120)
    sums = banded.noise.prefix_errors(100)
    assert forecast.ratio(banded) == pytest.approx(3.9877 / 120 * (sums.mean() / 50.5) ** 0.5)
    assert forecast.ratio(banded, 20) == pytest.approx(3.9877 / 120 * (sums[:20].mean() / 10.5) ** 0.5)
    assert forecast.ratio(banded) < 0.4 * forecast.ratio(alone)
