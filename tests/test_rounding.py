"""What is written is read back, and held against the number: never on the unsafe side, and hardly beside it."""

import math
from fractions import Fraction

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from dpcore import rounding

FRACTIONS = st.floats(0, 1)
POSITIVE = st.floats(0, 1e12)
COUNTS = st.integers(1, 1_000_000_000)


def read(text):
    """The number that a reader takes from a text."""
    number = Fraction(text.rstrip("%").replace(",", ""))
    return number / 100 if text.endswith("%") else number


def exact(value):
    """The number that people take a float for: the shortest that is read as it."""
    return Fraction(repr(value))


@for_all(st.floats(0, 1e14))
def test_an_epsilon_is_never_below_what_it_is(value):
    step = Fraction(1, 1000) if value < 10 else Fraction(1, 10)
    assert exact(value) <= read(rounding.epsilon(value)) < exact(value) + step


@for_all(FRACTIONS)
def test_what_an_attack_achieves_is_never_below_what_it_is(fraction):
    within = Fraction(1, 100) * exact(fraction)
    assert exact(fraction) <= read(rounding.percent(fraction)) <= exact(fraction) + within
    assert exact(fraction) - within <= read(rounding.down_percent(fraction)) <= exact(fraction)


@for_all(POSITIVE)
def test_noise_that_was_added_is_never_above_and_noise_that_is_needed_never_below(noise):
    assert exact(noise) * (1 - Fraction("1e-11")) <= read(rounding.noise(noise)) <= exact(noise)
    assert exact(noise) <= read(rounding.noise_needed(noise)) <= exact(noise) * Fraction("1.001")


@for_all(POSITIVE, st.integers(1, 12))
def test_what_is_rounded_up_is_never_below_and_what_is_rounded_down_never_above(value, digits):
    within = exact(value) / 10 ** (digits - 1)
    assert exact(value) - within <= read(rounding.down(value, digits)) <= exact(value)
    assert exact(value) <= read(rounding.up(value, digits)) <= exact(value) + within


@for_all(POSITIVE, COUNTS)
def test_noise_over_clients_is_never_above_what_it_is(noise, clients):
    assert read(rounding.ratio(noise, clients)) <= exact(noise) / clients


@for_all(COUNTS, COUNTS)
def test_a_probability_and_a_multiple_of_delta_are_never_below_what_they_are(clients, population):
    assert read(rounding.probability(clients, population)) >= Fraction(clients, population)
    assert read(rounding.delta_multiple(1 / clients, population)) >= exact(1 / clients) * population


@for_all(st.floats(1e-6, 1000), FRACTIONS)
def test_a_budget_is_never_said_to_have_more_left_than_it_has(budget, fraction):
    spent = budget * fraction
    assert read(rounding.epsilon_left(budget, spent)) <= max(exact(budget) - exact(spent), 0)


@for_all(st.floats(allow_nan=False, allow_infinity=False), FRACTIONS)
def test_what_was_given_is_written_in_full(value, fraction):
    assert float(rounding.given(value)) == value
    assert read(rounding.given_percent(fraction)) == exact(fraction)


@for_all(st.lists(POSITIVE), st.integers(1, 6))
def test_the_points_of_a_chart_are_written_as_they_are(values, digits):
    for point in rounding.short(values, digits):
        assert read(rounding.up(point, digits)) == read(rounding.down(point, digits)) == exact(point)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rounding.epsilon(1.2), "1.200"),
        (rounding.epsilon(9.9995), "10.000"),
        (rounding.epsilon(10.01), "10.1"),
        (rounding.epsilon(1234.5), "1,234.5"),
        (rounding.epsilon(math.inf), "∞"),
        (rounding.epsilon(math.nan), "∞"),
        (rounding.percent(0.99999), "100%"),
        (rounding.percent(2.5), "100%"),
        (rounding.percent(0), "0%"),
        (rounding.given_percent(0.0100001), "1.00001%"),
        (rounding.given_percent(0.016), "1.6%"),
        (rounding.given(1e-5), "1e-05"),
        (rounding.given(math.inf), "∞"),
        (rounding.noise(0.9999999), "0.9999999"),
        (rounding.noise(1e9), "1000000000"),
        (rounding.ratio(0.7, 70), "0.01"),  # 0.7 / 70 is less than that in floats
        (rounding.up(math.nan), "–"),
        (rounding.down(math.inf), "∞"),
        (rounding.epsilon_left(1000.0, 5e-324), "999.999"),
    ],
)
def test_how_numbers_are_written(written, text):
    assert written == text
