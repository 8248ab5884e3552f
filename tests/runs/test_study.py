"""What a study may ask."""

from dataclasses import replace

import pytest

from dpcore.errors import InvalidValueError
from dpcore.runs.study import Study
from tests.runs.tutorial import GRID, TUTORIAL


def test_a_grid_has_every_setting_once():
    assert len(GRID.grid()) == 2 * 2 * 2 * 2 * 2
    assert Study.from_json(GRID.to_json()) == GRID


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"noise_multipliers": (0.5, 1.0)}, "noise 0"),
        ({"noise_multipliers": (0.0,)}, "noise 0"),
        ({"clients_per_round": (50, 100)}, "which of them"),
        ({"noise_multipliers": (0.0, 9.0)}, "adaptive clipping"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"noise_multipliers": ()}, "at least one run"),
        ({"accountant": "guess"}, "accountant"),
    ],
)
def test_a_study_that_cannot_be_is_refused_when_it_is_made(values, words):
    with pytest.raises(InvalidValueError, match=words):
        replace(TUTORIAL, **values)


def test_a_grid_of_millions_is_refused_before_a_plan_of_it_is_made(monkeypatch):
    monkeypatch.setattr(Study, "grid", lambda study: pytest.fail("was made"))
    many = tuple(range(50, 150))
    with pytest.raises(InvalidValueError, match="at most 1,000 runs, found 4,000,000"):
        replace(TUTORIAL, clients_per_round=many, rounds=many, seeds=many)
    with pytest.raises(InvalidValueError, match="at most 1,000 runs, found 1,001"):
        replace(TUTORIAL, noise_multipliers=(0.0,), seeds=tuple(range(1001)))


def test_nonsense_is_no_study():
    for text in ("", "[]", "{}", '{"version": 99}', TUTORIAL.to_json().replace("tolerance", "patience")):
        with pytest.raises(InvalidValueError):
            Study.from_json(text)
