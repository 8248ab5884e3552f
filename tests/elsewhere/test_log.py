"""The round log: what it takes, and what it refuses by name."""

import json
import math
from pathlib import Path

import pytest

from dpcore import strict_json
from dpcore.elsewhere import account, log
from dpcore.errors import InvalidValueError
from tests.elsewhere import logs


def test_what_is_written_reads_the_same():
    made = logs.run()
    again = log.from_values(json.loads(json.dumps(made.to_values())))
    assert again == made
    assert made.to_values() == logs.values()


def test_what_is_missing_is_not_said():
    bare = log.from_values({"version": 1, "rounds": None})
    assert (bare.rounds, bare.unit, bare.noise.multiplier, bare.average.weights) == (None, None, None, None)


@pytest.mark.parametrize("where", [(), ("noise",), ("average",), ("rounds", 0), ("population",), ("sampling",)])
def test_an_unknown_key_is_refused_by_its_name(where):
    values = logs.values()
    inside = values
    for part in where:
        inside = inside[part]
    inside["epsilom"] = 1
    with pytest.raises(InvalidValueError, match="epsilom"):
        log.from_values(values)


@pytest.mark.parametrize("version", [None, 0, 2, "1", 1.0, True])
def test_a_version_that_is_not_known_is_refused(version):
    with pytest.raises(InvalidValueError, match="version"):
        log.from_values(logs.values() | {"version": version})


_ODD = [math.nan, math.inf, -1, 1e308, "1", True, [1], {"a": 1}, 10**400]


@pytest.mark.parametrize("odd", _ODD, ids=[str(one)[:12] for one in _ODD])
@pytest.mark.parametrize(
    ("part", "name"),
    [("noise", "multiplier"), ("clipping", "norm"), ("population", "size"), ("sampling", "probability")],
)
def test_an_odd_number_is_refused_where_it_stands(part, name, odd):
    with pytest.raises(InvalidValueError, match=f"{part}.{name}"):
        log.from_values(logs.values(**{part: {name: odd}}))


@pytest.mark.parametrize("odd", _ODD, ids=[str(one)[:12] for one in _ODD])
@pytest.mark.parametrize("name", ["sampled", "replied", "noise", "multiplier", "repeat"])
def test_an_odd_number_of_a_round_is_refused_with_its_round(name, odd):
    values = logs.values()
    values["rounds"].append({name: odd})
    with pytest.raises(InvalidValueError, match=rf"rounds\[1\].{name}"):
        log.from_values(values)


@pytest.mark.parametrize(
    ("part", "odd"),
    [
        ({"unit": "household"}, "household"),
        ({"sampling": {"probability": 0}}, "sampling.probability"),
        ({"sampling": {"kind": "shuffled"}}, "shuffled"),
        ({"average": {"weights": "unequal"}}, "unequal"),
        ({"noise": {"seed": "7"}}, "seed"),
        ({"noise": {"optimizer_inside": "a\nb"}}, "line of"),
        ({"also_released": "norms"}, "list"),
        ({"rounds": {}}, "list"),
        ({"rounds": [[]]}, "object"),
        ({"noise": 1}, "object"),
        ({"population": {"varies": "yes"}}, "true or false"),
        ({"rounds": [{"repeat": 10_000_000}, {"repeat": 1}]}, "rounds"),
        ({"rounds": [{}] * (log.MOST_ROUNDS + 1)}, "at most"),
        ({"also_released": ["x" * 201]}, "200"),
    ],
)
def test_what_is_no_round_log_is_refused(part, odd):
    with pytest.raises(InvalidValueError, match=odd):
        log.from_values(logs.values(**part))


def test_rounds_have_to_be_there():
    values = logs.values()
    del values["rounds"]
    with pytest.raises(InvalidValueError, match="rounds"):
        log.from_values(values)


def test_the_schema_is_that_of_the_documents_and_names_every_field():
    written = json.loads((Path(__file__).parents[2] / "docs" / "round-log.schema.json").read_text())
    assert written == json.loads(strict_json.dumps(log.schema()))
    rounds = log.schema()["properties"]["rounds"]["items"]
    assert set(rounds["properties"]) == set(log.Round.__dataclass_fields__)
    assert rounds["additionalProperties"] is False


def test_the_example_of_the_documents_is_a_round_log():
    text = (Path(__file__).parents[2] / "docs" / "ROUND_LOG.md").read_text()
    example = text.split("```json\n")[1].split("```")[0]
    found = account.verdict(log.from_values(strict_json.loads(example)))
    assert found.holds[0].epsilon == pytest.approx(22.62, rel=5e-4)
