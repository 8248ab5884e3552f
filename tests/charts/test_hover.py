"""No chart of numbers of privacy leaves it to plotly to write them where somebody points at them."""

import math

import numpy as np
import pandas as pd
import pytest

from dpcore.charts import studies
from dpcore.charts.lesson import mistakes, rounds, tradeoff
from tests.charts.test_privacy import numbers, said

DELTAS = pd.DataFrame({"delta": [1e-6, 1e-3], "epsilon": [1.70741, 0.50001]})
MOVES = pd.DataFrame({"cohort": [119, 120], "moved": [2 / 119, 2 / 120], "allowed": 1 / 120})
SETTINGS = pd.DataFrame(
    {
        "setting": ["none", "some"],
        "noise": [0.0, 1.0],
        "clients": 50,
        "epsilon": [math.inf, 1.06141],
        "accuracy": [0.8, 0.6],
        "band": 0.01,
    }
)
ROUNDS = pd.DataFrame({"round": [1, 2], "sampled": [0.10001, 0.20001], "known": [1.0, 12.34]})


@pytest.mark.parametrize(
    ("figure", "texts"),
    [
        (
            mistakes.over_delta(DELTAS, DELTAS.assign(what="here"), population=3383),
            ["δ = 1e-06: ε = 1.708", "δ = 0.001: ε = 0.501"],
        ),
        (
            mistakes.average_sensitivity(MOVES, expected=120, usual=(100, 140)),
            ["119: 0.0169", "120: 0.0167", "0.00833", "0.00833"],
        ),
        (
            mistakes.sensitivity(pd.DataFrame({"what": ["clip"], "moved": [0.0008337], "noise": [0.0100001]})),
            [],
        ),
        (mistakes.epsilon_bars(pd.DataFrame({"what": ["claimed"], "epsilon": [1.70741]})), []),
        (
            tradeoff.accuracy_by_epsilon(SETTINGS, accepted=2.0),
            ["some<br>ε = 1.062<br>Accuracy on the test set: 60.0%"],
        ),
    ],
)
def test_what_is_pointed_at_is_on_the_safe_side(figure, texts):
    assert said(figure) == texts


def test_what_stands_beside_bars_is_on_the_safe_side():
    table = pd.DataFrame({"what": ["clip"], "moved": [0.0008337], "noise": [0.0100001]})
    assert [trace.text for trace in mistakes.sensitivity(table).data] == [("0.0834%",), ("1%",)]
    (bar,) = mistakes.epsilon_bars(pd.DataFrame({"what": ["claimed"], "epsilon": [1.70741]})).data
    assert bar.text == ("1.708",)


def test_the_rounds_of_the_lesson_are_on_the_safe_side():
    figure = rounds.sampling([np.arange(3)] * 2, ROUNDS, population=10, user=1, shown=[1, 2])
    for trace, name in zip(figure.data[:2], ("known", "sampled"), strict=True):
        assert trace.hoverinfo == "text"
        assert all(numbers(text)[1] >= value for text, value in zip(trace.hovertext, ROUNDS[name], strict=True))
        assert trace.hovertext[0].startswith("1: ε = ")
    assert all(trace.hoverinfo == "skip" for trace in figure.data[2:])
    notes = [note.text for note in figure.layout.annotations]
    assert "ε = 12.4 without amplification" in notes
    assert "ε = 0.201 with amplification by sampling" in notes


def test_the_front_says_no_epsilon_that_is_too_small():
    row = {
        "run": "1",
        "plan": "noise 0.5",
        "noise": 0.5,
        "ratio": 0.01,
        "accuracy": 0.5,
        "best": True,
        "epsilon": 1.70741,
    }
    *lines, runs = studies.frontier(pd.DataFrame([row]), "epsilon").data
    assert all(line.hoverinfo == "skip" for line in lines)
    assert runs.hovertemplate.split("%")[1:] == ["{text}<br>", "{hovertext}<extra></extra>"]
    assert list(runs.text) + list(runs.hovertext) == ["noise 0.5", "accuracy 50.0%"]
