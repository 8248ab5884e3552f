import math
from dataclasses import replace

import pytest

from dpcore.plan import REPLACE, FixedClipping, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.risk import risk


def rows(plan, **values):
    account = accounting.account(plan, accounting.COARSE)
    made = statement.table(plan, account, risk(plan, accounting.COARSE), false_positive_rate=0.01, **values)
    return dict(made), statement.markdown(plan, account, made)


def test_all_that_the_checklist_asks_for():
    """Ponomareva et al. (2023), section 5.3.3."""
    table, text = rows(PrivacyPlan())
    assert list(table) == [
        "Setting", "Covers", "Released", "Unit of privacy", "Adjacency", "Mechanism", "Sampling assumed",
        "Sampling done", "If cohorts are known", "Accountants", "Delta", "Attack", "Noise", "Seed",
    ]  # fmt: skip
    assert "1.20605 on the sum" in table["Mechanism"]
    assert "probability 120 / 3,383" in table["Sampling assumed"]
    assert "PLD: 1.708" in table["Accountants"]
    assert "RDP: 1.989 (order 8" in table["Accountants"]
    assert "dp-accounting 0.4.3" in table["Accountants"]
    assert "69.5" in table["If cohorts are known"]
    assert "2.63%" in table["Attack"]
    assert text.startswith("(1.708, 1e-05)-differential privacy")
    assert text.count("\n| **") == len(table)


def test_what_differs_is_said():
    fixed, _ = rows(PrivacyPlan(clipping=FixedClipping(clip_norm=0.3), delta=1e-3))
    assert "fixed clip norm 0.3" in fixed["Mechanism"]
    assert "clip norm is fixed" in fixed["Released"]
    assert "at or above 1/population" in fixed["Attention"]
    everybody, _ = rows(PrivacyPlan(clients_per_round=3383, noise_multiplier=40.0, adjacency=REPLACE))
    assert "replacing" in everybody["Adjacency"]
    assert "All users take part" in everybody["Sampling assumed"]
    assert "seed 7" in rows(PrivacyPlan(), training=TrainingPlan(seed=7))[0]["Seed"]
    assert "operating system" in rows(PrivacyPlan(), training=TrainingPlan(seed=None))[0]["Seed"]
    assert "four runs" in rows(PrivacyPlan(), ledger="four runs")[0]["Covers"]
    little, _ = rows(PrivacyPlan(noise_multiplier=0.1))
    assert "PLD" in little["Accountants"]


def test_no_guarantee_is_said_to_be_none():
    for plan, reason in ((PrivacyPlan(noise_multiplier=0), "without noise"), (PrivacyPlan(delta=0), "at delta 0")):
        assert rows(plan)[1].startswith(f"No privacy guarantee: {reason}")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "0%"), (0.0262256, "2.63%"), (0.5, "50%"), (1e-4, "0.01%"), (0.99999, "100%"), (1, "100%")],
)
def test_percentages_are_rounded_up(fraction, text):
    assert statement.percent(fraction) == text


def test_epsilons_are_rounded_up():
    assert statement.epsilon_text(1.98801) == "1.989"
    assert statement.epsilon_text(2.0) == "2.000"
    assert statement.epsilon_text(13.61) == "13.7"
    assert statement.epsilon_text(math.inf) == "∞"
    assert statement.epsilon_text(1e308) == "∞"


def test_a_sentence_says_its_delta_and_its_exceptions():
    sentence = statement.sentence(PrivacyPlan(delta=1.2345678e-5, zeroing=True), 1.0)
    assert all(words in sentence for words in ("1.2345678e-05", "120 / 3,383", "outside this claim"))
    assert "outside" not in statement.sentence(replace(PrivacyPlan(), zeroing=False), 1.0)
    assert statement.rehearsal(None) == ""
