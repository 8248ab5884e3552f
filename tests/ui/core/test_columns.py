"""A table shows each number of privacy on its safe side, and is still one of numbers."""

import math

import numpy as np
import pandas as pd
import pytest

from dpcore.ui.core import columns

VALUES = [1.70741, 0.0123456789012345, 12.3401, 0.5]
UP = ("PLD", "RDP", "epsilon", "known", "sampled", "at_most", "found", "found_high", "accused_high", "moved")
DOWN = ("noise", "noise_multiplier", "ratio", "noise / clients", "accused", "found_low", "accused_low", "allowed")


@pytest.mark.parametrize("name", UP)
def test_what_is_claimed_to_be_at_most_is_never_below(name):
    shown = columns.rounded(pd.DataFrame({name: VALUES}))[name]
    assert (shown.to_numpy() >= VALUES).all()
    assert (shown.to_numpy() <= np.array(VALUES) * 1.01 + 0.1).all()


@pytest.mark.parametrize("name", DOWN)
def test_what_is_claimed_to_be_at_least_is_never_above(name):
    shown = columns.rounded(pd.DataFrame({name: VALUES}))[name]
    assert (shown.to_numpy() <= VALUES).all()
    assert (shown.to_numpy() >= np.array(VALUES) * 0.99).all()


def test_what_was_given_and_what_is_no_number_of_privacy_stays():
    table = pd.DataFrame(
        {"delta": [1.2345678e-5], "wrongly accused": [0.0123], "accuracy": [0.7777777], "rounds": [7]}
    )
    assert columns.rounded(table).equals(table)


def test_what_is_not_known_and_what_has_no_bound_stays_so():
    shown = columns.rounded(pd.DataFrame({"PLD": [math.nan, math.inf, 1234.56], "epsilon": ["1.708", "∞", "–"]}))
    assert math.isnan(shown["PLD"][0])
    assert list(shown["PLD"][1:]) == [math.inf, 1234.6]
    assert list(shown["epsilon"]) == ["1.708", "∞", "–"]


def test_no_heading_is_of_a_number_of_privacy_that_streamlit_would_round():
    told = {"no guarantee because", "epsilon alone", "signal_to_noise", "noise kind"}  # texts, and an estimate
    private = {
        name for name in columns._HEADINGS if any(word in name for word in ("epsilon", "delta", "noise", "found"))
    }
    assert private - told <= set(columns._ROUNDED)
    assert all(columns._FORMATS.get(name, "%g") == "%g" for name in columns._ROUNDED)  # all digits of what is left
