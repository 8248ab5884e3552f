"""What was decided about data sets outlives the file of runs, and nothing looser comes back."""

import shutil
import sqlite3

import pytest

from dpcore import files
from dpcore.errors import BudgetExceededError, StoreError
from dpcore.runs.access import budget
from dpcore.runs.store import Store
from dpcore.runs.store.decisions import Policy
from tests.runs.damage import plan, train

DECIDED = Policy(name="writers", budget_epsilon=3.0, budget_delta=1e-6)
PUBLIC = Policy(name="mine", public=True)


@pytest.fixture
def places(store):
    """The table and both files, with a decision about two data sets."""
    train(store)
    store.set_policy(DECIDED)
    store.set_policy(PUBLIC)
    return store.home / "runs.sqlite", store.home / "budgets.json", store.home / "runs" / "budgets.json"


def lose(path):
    path.unlink()


def loosen(path):
    """Makes larger what is allowed, without a trace but in the seals."""
    if path.suffix == ".json":
        path.write_bytes(path.read_bytes().replace(b"3.0", b"9.0").replace(b"false", b"true "))
        return
    with sqlite3.connect(path) as db:
        db.execute("UPDATE datasets SET budget_epsilon = 9.0, public = 1")


def forget(path):
    """Empties it, as it was before anything was decided."""
    if path.suffix == ".json":
        path.write_bytes(files.sealed_json({"datasets": {}}))
        return
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM datasets")


@pytest.mark.parametrize("damage", [lose, loosen, forget])
@pytest.mark.parametrize("spared", [0, 1, 2])
def test_one_place_of_three_is_enough(places, damage, spared, tmp_path):
    for path in places:
        if path != places[spared]:
            damage(path)
    again = Store(tmp_path)
    assert (again.policy("writers"), again.policy("mine")) == (DECIDED, PUBLIC)
    assert all(path.exists() for path in places)
    assert ("budget" in again.recovered()) == (spared != 0)


def test_what_is_lost_in_all_places_is_as_strict_as_can_be_until_it_is_decided_anew(places, tmp_path):
    for path in places:
        lose(path)
    again = Store(tmp_path)
    assert "until it is decided anew on the Ledger, every budget is 0" in again.recovered()
    for name in ("writers", "mine", "never heard of"):
        assert again.policy(name) == Policy(name=name, budget_epsilon=0.0)
        with pytest.raises(BudgetExceededError, match="at most epsilon 0"):
            budget.check(again, plan(name))
    again.set_policy(Policy(name="mine", budget_epsilon=100.0))
    budget.check(again, plan("mine"))
    assert Store(tmp_path).policy("writers").budget_epsilon == 0


@pytest.mark.parametrize("which", [0, 1, 2])
def test_an_older_copy_brings_back_no_budget_and_no_public_mark(places, which, tmp_path):
    shutil.copyfile(places[which], tmp_path / "older")
    now = Policy(name="mine", budget_epsilon=1.0)
    store = Store(tmp_path)
    store.set_policy(now)
    store.set_policy(Policy(name="writers", budget_epsilon=2.0))
    (tmp_path / "older").replace(places[which])
    again = Store(tmp_path)
    assert again.policy("mine") == now
    assert again.policy("writers").budget_epsilon == 2.0


def test_what_was_decided_last_holds_whatever_the_clock_says(places, tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 0.0)
    Store(tmp_path).set_policy(Policy(name="writers", budget_epsilon=8.0))
    places[0].unlink()
    assert Store(tmp_path).policy("writers").budget_epsilon == 8.0


def test_two_decisions_at_once_are_the_stricter_of_both(places, tmp_path):
    with sqlite3.connect(places[0]) as db:
        db.execute("UPDATE datasets SET budget_epsilon = 2.0, budget_delta = 1e-5, public = 0, seal = NULL")
    again = Store(tmp_path)
    assert again.policy("writers") == Policy(name="writers", budget_epsilon=2.0, budget_delta=1e-6)
    assert again.policy("mine") == Policy(name="mine", budget_epsilon=2.0)


def test_a_decision_that_cannot_be_kept_is_none(store, monkeypatch):
    store.set_policy(DECIDED)

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dpcore.files.write_private", full)
    with pytest.raises(StoreError, match="No space left"):
        store.set_policy(Policy(name="writers", budget_epsilon=30.0))
    assert store.policy("writers") == DECIDED


def test_looking_at_a_ledger_decides_nothing(store):
    from tests.test_cli import command

    store.set_policy(DECIDED)
    before = (store.home / "budgets.json").read_bytes()
    assert command("ledger", home=store.home).returncode == 0
    assert (store.home / "budgets.json").read_bytes() == before
    assert command("ledger", "--budget-epsilon", "4", home=store.home).returncode == 0
    assert store.policy("writers").budget_epsilon == 4.0
