"""What runs that have not begun will leave in the ledger, on stores whose runs are written by hand."""

import math
from dataclasses import replace

import pytest

from dpcore import hosting
from dpcore.language import speaking
from dpcore.plan import Plan, PrivacyPlan, TrainingPlan
from dpcore.privacy import ledger
from dpcore.privacy.precision import Precision
from dpcore.runs.access import budget
from dpcore.runs.access.visiting import Visited
from dpcore.runs.process import supervisor
from dpcore.runs.store.decisions import Policy
from dpcore.runs.studies import outlook, schedule
from tests.runs.tutorial import BASE, GRID, TUTORIAL, finish, work

pytestmark = pytest.mark.usefixtures("no_processes")
NOISY = replace(TUTORIAL, noise_multipliers=(0.5, 0.75, 1.0), baseline="none")
NOISE_FREE, ZEROING = (Plan(privacy=PrivacyPlan(**how)) for how in ({"noise_multiplier": 0.0}, {"zeroing": True}))


def only(found):
    (one,) = found
    return one


def epsilon(balance):
    return balance.account.headline.value


def spent(store, dataset="writers"):
    return epsilon(budget.balance(store, dataset, precision=Precision.PREVIEW))


def test_the_tutorials_study_says_that_it_leaves_no_guarantee(store):
    found = only(outlook.study_outlooks(store, TUTORIAL))
    assert (epsilon(found.now), epsilon(found.after), len(found.plans)) == (0, math.inf, 4)
    assert "no guarantee any more; now they have epsilon 0.000" in outlook.sentence(found)
    assert outlook.losing_guarantee(store, found.plans) == ["writers"]
    words = outlook.warning(store, "writers", found.plans)
    assert words.startswith("It is trained without noise.")
    assert "now 0.000, is infinite for good" in words


@pytest.mark.parametrize("plan", [NOISE_FREE, ZEROING])
def test_a_guarantee_can_be_lost_once_and_neither_where_there_is_none_nor_where_a_budget_keeps_it(store, plan):
    assert outlook.losing_guarantee(store, [Plan(), plan]) == ["writers"]
    assert outlook.losing_guarantee(store, [Plan()]) == []
    store.set_policy(Policy(name="writers", budget_epsilon=8.0))
    assert outlook.losing_guarantee(store, [plan]) == []  # is refused
    store.set_policy(Policy(name="writers", public=True))
    assert outlook.losing_guarantee(store, [plan]) == []
    store.set_policy(Policy(name="writers"))
    run_id = supervisor.start(store, plan, engine="vectorized", eval_every=5)
    assert outlook.losing_guarantee(store, [plan]) == []
    supervisor.stop(store, run_id)  # before it began: it has cost nothing
    assert outlook.losing_guarantee(store, [plan]) == ["writers"]


def test_what_is_public_or_lost_already_is_said_plainly(store):
    store.set_policy(Policy(name="writers", public=True))
    assert "marked as public" in outlook.sentence(only(outlook.study_outlooks(store, TUTORIAL)))
    store.set_policy(Policy(name="writers"))
    supervisor.start(store, ZEROING, engine="vectorized", eval_every=5)
    for study in (TUTORIAL, NOISY):
        found = only(outlook.study_outlooks(store, study))
        assert "have no guarantee any more, whatever else is run on it" in outlook.sentence(found)


def test_the_whole_study_is_composed_with_what_is_there_and_its_costliest_final_run(store):
    before = PrivacyPlan(rounds=50)
    supervisor.start(store, Plan(privacy=before), engine="vectorized", eval_every=5)
    found = only(outlook.study_outlooks(store, NOISY))
    assert epsilon(found.now) == spent(store) > 1
    sweep = [before, *(plan.privacy for plan in NOISY.grid())]
    finals = [
        (120, 1.2),
        (65, 0.975),
        (44, 0.88),
    ]  # what each noise of the sweep would lead to, by RDP at epsilon 2
    wholes = [
        ledger.compose([*sweep, PrivacyPlan(clients_per_round=c, noise_multiplier=z)], 1e-5, Precision.PREVIEW)
        for c, z in finals
    ]
    assert epsilon(found.after) == pytest.approx(max(whole.headline.value for whole in wholes), abs=1e-9)


def test_what_is_said_before_is_never_less_than_what_the_ledger_says_after(store):
    seen = []
    for study in (replace(NOISY, seeds=(0, 1)), NOISY, replace(NOISY, accountant="pld"), replace(GRID, seeds=(5,))):
        before = only(outlook.study_outlooks(store, study))
        schedule.start(store, study)
        while queue := store.queue():
            for run in queue:
                finish(store, run, 0.8 - run.plan.privacy.noise_multiplier / 20)
            schedule.advance_all(store)
        assert spent(store) <= epsilon(before.after) + 1e-9
        seen.append((len(before.plans), spent(store) > epsilon(before.now)))
    assert seen == [
        (6, True),
        (0, False),
        (0, True),
        (16, True),
    ]  # by PLD another final run comes to the same sweep


def test_runs_that_are_there_add_nothing_and_a_final_run_is_known_once_the_sweep_is_there(store):
    schedule.start(store, NOISY)
    found = only(outlook.study_outlooks(store, NOISY))
    assert found.plans == []
    assert epsilon(found.after) > epsilon(found.now)  # its final run is still to come
    for run in store.queue():
        finish(store, run, {0.5: 0.78, 0.75: 0.6, 1.0: 0.5}[run.plan.privacy.noise_multiplier])
    exact = ledger.compose(
        [*(plan.privacy for plan in NOISY.grid()), PrivacyPlan()], 1e-5, Precision.PREVIEW
    ).headline.value
    assert epsilon(only(outlook.study_outlooks(store, NOISY)).after) == pytest.approx(exact, abs=1e-9)
    schedule.advance_all(store)
    assert "Nothing new is charged" in outlook.sentence(only(outlook.study_outlooks(store, NOISY)))


def test_a_run_that_goes_on_adds_what_it_owes(store):
    schedule.start(store, TUTORIAL)
    free, first, second, _third = store.queue()
    store.begin(first.run_id)
    store.end(first.run_id, "failed", "out of luck")  # before its first round: it cost nothing, and begins anew
    store.begin(second.run_id)
    store.end(second.run_id, "interrupted")
    store.request_stop(free.run_id)
    owed = outlook.pending_charges(store, TUTORIAL)
    assert [plan.privacy.noise_multiplier for plan in owed] == [0.0, 0.5, 0.75]
    assert outlook.losing_guarantee(store, owed) == ["writers"]  # so Go on asks as well
    schedule.start(store, TUTORIAL)
    assert len(store.queue()) == 4
    assert outlook.pending_charges(store, TUTORIAL) == []


def test_the_writers_lose_their_guarantee_where_they_stand_in(store):
    other = TrainingPlan(dataset="federated_emnist")
    study = replace(TUTORIAL, plan=replace(BASE, training=other), baseline="writers")
    own, writers = outlook.study_outlooks(store, study)
    assert (own.dataset, writers.dataset) == ("federated_emnist", "writers")
    assert epsilon(own.after) == pytest.approx(8.393, abs=1e-3)
    assert math.isinf(epsilon(writers.after))
    assert outlook.losing_guarantee(store, [*own.plans, *writers.plans]) == ["writers"]


def test_more_than_can_be_looked_at_is_bounded_or_said_to_be_left_out(store, monkeypatch):
    monkeypatch.setattr(outlook, "_MOST_KINDS", 3)
    many = replace(NOISY, noise_multipliers=tuple(0.6 + 0.02 * n for n in range(9)), target_epsilon=None)
    exact = ledger.compose([plan.privacy for plan in many.grid()], 1e-5, Precision.PREVIEW).headline.value
    bound = epsilon(only(outlook.study_outlooks(store, many)).after)
    assert exact < bound < 1.2 * exact
    assert len({plan.privacy for plan in outlook._fewer_kinds(many.grid())}) == 3
    found = only(outlook.study_outlooks(store, replace(many, target_epsilon=2.0)))
    assert "The final run is charged in addition, with an epsilon of at most 2" in outlook.sentence(found)


def test_a_budget_that_the_study_would_go_past_is_named(store):
    store.set_policy(Policy(name="writers", budget_epsilon=8.3))
    found = only(outlook.study_outlooks(store, NOISY))
    assert "more than the budget of 8.3" in outlook.sentence(found)
    budget.check(store, *found.plans)  # the sweep alone has room


def test_a_visitors_outlook_is_of_all_runs_and_of_those_that_are_theirs_to_take(store):
    hers, his = (Visited(store, hosting.owner_by_browser(letter * 64)) for letter in "ab")
    schedule.start(hers, replace(NOISY, target_epsilon=None))
    assert only(outlook.study_outlooks(hers, NOISY)).plans == []
    waits = only(outlook.study_outlooks(his, NOISY))
    assert len(waits.plans) == 3  # he takes hers once they have finished, and queues his own until then
    assert epsilon(waits.now) == spent(store) > 8
    work(store)
    assert only(outlook.study_outlooks(his, NOISY)).plans == []


def test_the_outlook_speaks_japanese(store):
    found = only(outlook.study_outlooks(store, TUTORIAL))
    with speaking("ja"):
        for words in (outlook.sentence(found), outlook.warning(store, "writers", found.plans)):
            assert "0.000" in words
            assert "guarantee" not in words
