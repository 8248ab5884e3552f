from fractions import Fraction

import numpy as np
import pytest

from dpcore import limits
from dpcore.language import speaking

KNOBS = {name: knob for name, knob in vars(limits).items() if isinstance(knob, limits.Knob)}


@pytest.mark.parametrize(
    ("knob", "within", "japanese"),
    [
        (limits.ROUNDS, "From 0 to 1,000,000.", "範囲: 0 以上 1,000,000 以下。"),
        (limits.SEED, "From 0 to 4,294,967,295.", "範囲: 0 以上 4,294,967,295 以下。"),
        (limits.DELTA, "From 0 to below 1.", "範囲: 0 以上 1 未満。"),
        (limits.TARGET_EPSILON, "Above 0, up to 1,000.", "範囲: 0 より大きく 1,000 以下。"),
        (limits.PRIOR, "Above 0 and below 1.", "範囲: 0 より大きく 1 未満。"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_knob_says_which_numbers_it_takes(knob, within, japanese):
    assert knob.described == f"{knob.help} {within}"
    with speaking("ja"):
        assert knob.described.endswith(f" {japanese}")
        assert knob.help not in knob.described


def test_what_knobs_say_is_what_they_take():
    """The words that exclude an end are there where the check refuses it."""
    for name, knob in KNOBS.items():
        words = knob.described.removeprefix(knob.help)
        for end, excluded in ((knob.minimum, "Above" in words), (knob.maximum, "below" in words)):
            assert f"{end:,.15g}" in words, name
            assert takes(knob, end) != excluded, name


def takes(knob, number):
    try:
        return knob.check(number) == number
    except limits.InvalidValueError:
        return False


def test_only_numbers_are_numbers():
    for knob in KNOBS.values():
        for value in (True, False, "1", str(knob.default), None, [1], b"1", float("nan"), float("inf"), 1j):
            with pytest.raises(limits.InvalidValueError, match=f"^Expected {knob.name} to be a "):
                knob.check(value)
        for kind in (float, np.float64, Fraction, int if knob.integer else float):
            assert knob.check(kind(knob.default)) == knob.default


@pytest.mark.parametrize("knob", [limits.DELTA, limits.NOISE_MULTIPLIER, limits.SERVER_MOMENTUM])
def test_nothing_below_0_is_written_as_such(knob):
    """Else "delta -0" would be read, and a plan would have two fingerprints."""
    assert str(knob.check(-0.0)) == "0.0"


@pytest.mark.parametrize("value", ["x" * 10_000, 10**4000, [[[[[[[[[[[0] * 1000]]]]]]]]]], {"a": "b" * 1000}])
def test_a_refusal_has_room_for_no_more_than_a_line_of_what_was_found(value):
    with pytest.raises(limits.InvalidValueError) as refusal:
        limits.ROUNDS.check(value)
    assert len(str(refusal.value)) < 200


def test_a_refusal_names_knob_range_and_value_in_both_languages():
    with pytest.raises(limits.InvalidValueError, match=r"^Expected delta to be a number in \[0, 1\), found 2\.$"):
        limits.DELTA.check(2)
    with speaking("ja"), pytest.raises(limits.InvalidValueError, match=r"^delta には \[0, 1\) .*指定値: 2"):
        limits.DELTA.check(2)
