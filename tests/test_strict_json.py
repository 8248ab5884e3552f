"""What is read as JSON has all that belongs there, and nothing else."""

import math

import pytest

from dpcore import strict_json


def test_what_is_written_is_read():
    told = {"epsilon": 1.5, "rounds": [1, 2], "name": None, "nested": {"a": {"a": 1}}}
    assert strict_json.loads(strict_json.dumps(told)) == told
    assert strict_json.loads(strict_json.dumps({"epsilon": math.inf})) == {"epsilon": "inf"}


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "[" * 2000 + "]" * 2000, "1" * 5000, b"\xff", None, 5]
)
def test_what_is_none_is_one_error(text):
    with pytest.raises(ValueError, match=r"."):
        strict_json.loads(text)


def test_a_name_that_stands_there_twice_is_refused():
    with pytest.raises(ValueError, match="it says 'rounds' twice"):
        strict_json.loads('{"delta": 1, "inner": {"rounds": 1, "noise": 2, "rounds": 100}}')
