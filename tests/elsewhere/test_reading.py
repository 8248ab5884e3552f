"""Bad input: one sentence for whatever a file holds, and nothing of it is executed."""

import json
import pickle
import random
import zlib
from pathlib import Path

import pytest

from dpcore.elsewhere import account, reading
from dpcore.errors import EpsilonLabError, InvalidValueError
from tests.elsewhere import logs

RECORDS = sorted(path for path in Path(__file__).with_name("records").rglob("*") if path.is_file())


class Boom:
    def __reduce__(self):
        return (print, ("executed",))


def refused(content, form=None):
    with pytest.raises(EpsilonLabError) as caught:
        reading.read(content, form)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    assert len(text) < 700
    return text


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_not_opened(protocol, capsys):
    for form in (None, *reading.FORMS):
        refused(pickle.dumps(Boom(), protocol), form)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"   \n",
        b"\x00\x01\x02",
        b"\xff\xfe",
        b"PK\x03\x04",
        zlib.compress(b"a log"),
        b"{",
        b"[]",
        b"{}",
        b"null",
        b"1e308",
        b'"text"',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"(" * 100_000,
        b"GaussianDpEvent(" * 5_000,
        b"ComposedDpEvent(events=[" * 4_000,
        b"GaussianDpEvent(noise_multiplier=__import__('os').system('id'))",
        b"GaussianDpEvent(noise_multiplier=nan)",
        b"GaussianDpEvent(noise_multiplier=1e999)",
        b"GaussianDpEvent(-1)",
        b"LaplaceDpEvent(1.0)",
        b"SelfComposedDpEvent(GaussianDpEvent(1.0), 1e300)",
        b"SelfComposedDpEvent(GaussianDpEvent(1.0))",
        b"PoissonSampledDpEvent(2.0, GaussianDpEvent(1.0))",
        b"PoissonSampledDpEvent(0.1, PoissonSampledDpEvent(0.1, GaussianDpEvent(1.0)))",
        b"sampled,online\n",
        b"sampled,sampled\n1,2\n",
        b"sampled,epsilom\n1,2\n",
        b"sampled,online\n1\n",
        b'sampled,online\n"1,2\n',
        b"sampled,online\n1,many\n",
        b"sampled,online\nnan,2\n",
        b"sampled,online\n-1,2\n",
        b"sampled,online\n1e308,2\n",
        b"sampled,online\n" + b"9" * 5000 + b",2\n",
        b"<html><script>alert(1)</script></html>",
        b'{"history": [["1", 0.1, 50]], "mechanism": "rdp"}',
        b'{"history": [[1, 0.1]], "mechanism": "rdp"}',
        b'{"history": [[1, NaN, 5]], "mechanism": "rdp"}',
        b'{"history": [[1, 0.1, 1e400]], "mechanism": "rdp"}',
        b'{"history": [[1, 0.1, true]], "mechanism": "rdp"}',
        b'{"history": [], "mechanism": "rdp"}',
        b'{"history": {}, "mechanism": "rdp"}',
        b'{"accountant": [], "metrics": []}',
        b'{"accountant": {"num_compositions": 1, "mechanism": "laplace", "noise_parameter": 1}, "metrics": []}',
        b'{"svt_privacy_budget": {"epsilon_total": -1}}',
        b'{"svt_privacy_budget": "nothing"}',
        b'{"schema_version": 2, "compositions": [], "config": {}}',
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_is_no_record_is_one_sentence(content):
    refused(content)


def test_a_huge_file_is_one_sentence():
    assert "at most 32 MB" in refused(b"x" * (reading.MOST_BYTES + 1))


def test_a_known_form_is_not_taken_for_another():
    refused(json.dumps(logs.values()).encode(), "flower")
    refused(b"sampled,online\n1,2\n", "opacus")
    refused((RECORDS[0].parent / "nothing").name.encode(), "pfl")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_no_truncated_or_garbled_record_breaks_anything(path):
    """Whatever is left of a record is read or refused; and what is read has an answer or a refusal."""
    content, draw = path.read_bytes(), random.Random(path.name)
    for _try in range(25):
        damaged = bytearray(content[: draw.randrange(len(content))] if draw.random() < 0.5 else content)
        for _change in range(draw.randrange(4)):
            if damaged:
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        said = ""
        try:
            reading.read(bytes(damaged))
        except EpsilonLabError as err:
            said = str(err)
        assert "\n" not in said


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_the_order_of_bytes_are_no_part_of_a_record(encoding):
    text = json.dumps(logs.values())
    assert reading.read(text.encode(encoding)) == logs.run()
    flower = (Path(__file__).parent / "records" / "flower" / "run.log").read_text()
    assert reading.read(flower.replace("\n", "\r\n").encode(encoding)) == reading.read(flower.encode())


def test_one_of_several_runs_is_chosen_by_its_name():
    both = json.dumps({"first": logs.values(), "second": logs.values(delta=1e-6)}).encode()
    assert reading.read(both, run="second").delta == 1e-6
    with pytest.raises(InvalidValueError, match="first"):
        reading.read(both)
    with pytest.raises(InvalidValueError, match="third"):
        reading.read(both, run="third")


def test_a_name_with_markup_stands_in_a_sentence_as_it_is():
    log = logs.run(noise={"optimizer_inside": "<b>[x](https://evil.example)</b>"})
    assert "<b>[x](https://evil.example)</b>" in account.verdict(log).because[0]
