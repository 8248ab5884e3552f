import math
import re
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpcore.errors import InvalidValueError
from dpcore.language import speaking
from dpcore.mechanisms.participation import ADJACENCIES, PARTICIPATIONS, Full, Schedule
from dpcore.plan import REPLACE, AdaptiveClipping, FixedClipping, PrivacyPlan, TrainingPlan
from dpcore.privacy import accounting, statement
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk


def rows(plan, **values):
    account = accounting.account(plan, Precision.PREVIEW)
    made = statement.table(plan, account, risk(plan), false_positive_rate=0.01, **values)
    return dict(made), statement.markdown(plan, account, made)


def test_all_that_the_checklist_asks_for():
    """Ponomareva et al. (2023), section 5.3.3."""
    table, text = rows(PrivacyPlan())
    assert list(table) == [
        "Trust model", "Covers", "Released", "Unit of privacy", "Adjacency", "Mechanism", "Sampling assumed",
        "Sampling done", "Without amplification by sampling", "Accountants", "Delta", "Attack", "Noise", "Seed",
    ]  # fmt: skip
    assert "1.20604537831 on the sum" in table["Mechanism"]
    assert "probability 120 / 3,383" in table["Sampling assumed"]
    assert "PLD: 1.708" in table["Accountants"]
    assert "RDP: 1.989 (order 8" in table["Accountants"]
    assert "dp-accounting 0.4.3" in table["Accountants"]
    assert "69.5" in table["Without amplification by sampling"]
    assert "2.63%" in table["Attack"]
    assert "attacks on the rounding of the noise (Mironov 2012) are not covered" in table["Noise"]
    assert text.startswith("(1.708, 1e-05)-differential privacy")
    assert text.count("\n| **") == len(table)


def test_what_differs_is_said():
    fixed, _ = rows(PrivacyPlan(clipping=FixedClipping(clip_norm=0.3), delta=1e-3))
    assert "fixed clip norm 0.3" in fixed["Mechanism"]
    assert "clip norm is fixed" in fixed["Released"]
    assert "at or above 1/population" in fixed["Attention"]
    everybody, _ = rows(PrivacyPlan(clients_per_round=3383, noise_multiplier=40.0, adjacency=REPLACE))
    assert "replacing" in everybody["Adjacency"]
    assert "Full participation" in everybody["Sampling assumed"]
    assert "seed 7" in rows(PrivacyPlan(), training=TrainingPlan(seed=7))[0]["Seed"]
    assert "operating system" in rows(PrivacyPlan(), training=TrainingPlan(seed=None))[0]["Seed"]
    assert "four runs" in rows(PrivacyPlan(), ledger="four runs")[0]["Covers"]
    little, _ = rows(PrivacyPlan(noise_multiplier=0.1))
    assert "PLD" in little["Accountants"]


@pytest.mark.parametrize("kind", PARTICIPATIONS)
def test_every_way_to_form_cohorts_is_put_into_whole_sentences(kind):
    clients = 3383 if kind is Full else 120
    for adjacency in ADJACENCIES:
        with suppress(InvalidValueError):
            plan = PrivacyPlan(participation=kind(), clients_per_round=clients, adjacency=adjacency)
            table, text = rows(plan)
            assert "{" not in text
            assert not [words for words in table.values() if re.search(r"[.;,] ?[.;,]|  ", words)]
            allowed = "takes part less often, which is allowed" in table["Sampling done"]
            assert allowed == (kind is Schedule)  # coins of whoever is away are no secret coins


@pytest.mark.parametrize("clipping", [AdaptiveClipping(), FixedClipping()])
def test_no_more_noise_is_claimed_than_there_is(clipping):
    plan = PrivacyPlan(noise_multiplier=1.23456789, clients_per_round=123, population=2_000_000, clipping=clipping)
    mechanism = rows(plan)[0]["Mechanism"]
    assert "Noise multiplier 1.23456789" in mechanism
    if clipping == AdaptiveClipping():
        plan = replace(plan, clients_per_round=1_234_567)
        assert "standard deviation of 61728.35 on" in rows(plan)[0]["Mechanism"]


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
    assert statement.seed_warning(None) == ""


@pytest.mark.parametrize(
    ("values", "why"), [({"zeroing": True}, "zeroes outlying updates"), ({"noise_multiplier": 0}, "without noise")]
)
def test_where_nothing_bounds_an_attack_none_is_bounded(values, why):
    table, _ = rows(PrivacyPlan(**values))
    assert table["Attack"].startswith("Nothing bounds an attack")
    assert why in table["Attack"]
    assert not re.search(r"\d|%", table["Attack"])


def test_what_zeroing_leaves_open_is_said_wherever_an_epsilon_is():
    table, text = rows(PrivacyPlan(zeroing=True))
    assert table["Without amplification by sampling"].startswith("Not stated.")
    assert not re.search(r"\d", table["Without amplification by sampling"])
    for words in (table["Accountants"], text.split("\n")[0]):
        assert words.endswith("Zeroing is outside this claim: its threshold follows the updates without noise.")
    assert "69.5" in rows(PrivacyPlan())[0]["Without amplification by sampling"]


def test_without_a_delta_an_attack_is_bounded_all_the_same():
    assert "at most 2.63%" in rows(PrivacyPlan(delta=0))[0]["Attack"]


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(1e-12, 0.999), noise=st.sampled_from([0.5, 1.2, 2.4]))
def test_the_attack_that_is_written_is_one_that_there_is(rate, noise):
    plan = PrivacyPlan(noise_multiplier=noise)
    found, accused = re.findall(r"(\d[\d.e-]*)%", statement.attack_sentence(plan, risk(plan), rate))
    assert float(risk(plan).true_positive_rate(float(Decimal(accused) / 100))) <= float(Decimal(found) / 100)


def test_the_rate_of_an_attack_is_written_as_it_was_given():
    words = statement.attack_sentence(PrivacyPlan(), risk(PrivacyPlan()), 0.0100001)
    assert "(FPR) of 1.00001%." in words


def test_a_multiple_of_one_over_the_population_is_rounded_up():
    assert rows(PrivacyPlan())[0]["Delta"] == "1e-05, which is 0.0339 / population."  # 0.03383


PLANS = {
    "tutorial": PrivacyPlan(),
    "fixed clip norm": PrivacyPlan(clipping=FixedClipping(clip_norm=0.3), delta=1.2345678e-5),
    "everybody, replaced": PrivacyPlan(clients_per_round=3383, noise_multiplier=40.0, adjacency=REPLACE),
    "weak delta, zeroing": PrivacyPlan(delta=1e-3, zeroing=True),
    "so little noise that PLD is not asked": PrivacyPlan(noise_multiplier=0.1),
    "too small a delta for PLD": PrivacyPlan(delta=1e-12),
    "no noise": PrivacyPlan(noise_multiplier=0),
    "no delta": PrivacyPlan(delta=0.0),
    "long, with a large epsilon": PrivacyPlan(rounds=2000, clients_per_round=1000, population=1_000_000),
}


def numbers(text):
    """Every number of a text, in no order: languages say things in orders of their own."""
    return sorted(re.findall(r"\d+(?:[.,]\d+)*(?:e[+-]\d+)?%?|∞", text))


@pytest.mark.parametrize("seed", [7, None])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_statement_in_japanese_has_the_same_numbers(plan, seed):
    training = TrainingPlan(seed=seed)
    english, whole = rows(plan, training=training)
    with speaking("ja"):
        japanese, translated = rows(plan, training=training)
        account = accounting.account(plan, Precision.PREVIEW)
        sentence = statement.sentence(plan, account.headline.value)
    assert len(japanese) == len(english)
    for (name, text), (other_name, other_text) in zip(english.items(), japanese.items(), strict=True):
        assert numbers(other_text) == numbers(text), name
        assert other_name != name
        assert re.search("[ぁ-ん]", other_text), name
    assert numbers(translated) == numbers(whole)
    assert translated.startswith(sentence)


def test_the_numbers_of_a_guarantee_stand_in_their_places_in_japanese():
    with speaking("ja"):
        table, text = rows(PrivacyPlan())
    assert "(1.708, 1e-05)-差分プライバシー" in text
    assert "確率 120 / 3,383" in table["仮定するサンプリング"]
    assert "PLD: 1.708" in table["アカウンタント"]
    assert "RDP: 1.989" in table["アカウンタント"]
    # The two rates of the attack must not change places: a TPR of 2.63% at an FPR of 1%.
    assert "偽陽性率（FPR）が 1% のとき" in table["攻撃"]
    assert "最大 2.63%" in table["攻撃"]


def test_an_account_that_is_kept_speaks_to_each_reader_in_their_language():
    plan = PrivacyPlan(delta=1e-250)
    with speaking("ja"):
        assert "PLD には 1e-200 以上のデルタ" in accounting.account(plan).pld_problem
    assert "a delta of at least 1e-200" in accounting.account(plan).pld_problem


def test_whose_epsilon_it_is_is_said_where_it_is_not_the_librarys():
    for plan, own in (
        (PrivacyPlan(), False),
        (PrivacyPlan(noise_multiplier=0.1), True),
        (PrivacyPlan(delta=1e-30), True),
    ):
        account = accounting.account(plan)
        table = dict(statement.table(plan, account, risk(plan), false_positive_rate=0.01))
        assert ("composed by Epsilon Lab" in table["Accountants"]) == own == account.headline.own
        assert "each is an upper bound" in table["Accountants"]
