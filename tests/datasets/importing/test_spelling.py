"""Who is who does not depend on blanks, on the form of Unicode, on the file's form, or on the rest of the table."""

import datetime
import decimal
import math
import unicodedata
import uuid

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpcore.datasets import columns
from dpcore.datasets.importing import spelling
from dpcore.errors import DatasetError

SOME_UUID = uuid.UUID("0123abcd-4567-89ab-cdef-fedcba987654")


@pytest.mark.parametrize(
    "around", [" ", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\ufeff", "\u2060", "\0"]
)
def test_blanks_around_a_name_are_no_part_of_it(around):
    for written in (f"u1{around}", f"{around}u1", f"{around} u1 {around}"):
        assert spelling.text(written) == "u1"


def test_a_name_is_in_one_form_of_unicode():
    for name in ("José", "Ångström", "가각", "が"):
        forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
        assert len(forms) == 2
        assert {spelling.text(form) for form in forms} == {name}


@given(st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_a_spelling_is_its_own_spelling(written):
    once = spelling.text(written)
    assert spelling.text(once) == once
    assert spelling.comparison_key(spelling.comparison_key(once)) == spelling.comparison_key(once)
    assert once == once.strip()


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (pa.array([1.0, -0.0, 0.0, 2.5, 1e16]), ["1", "0", "0", "2.5", "10000000000000000"]),
        (pa.array([1, 0.1], pa.float32()), ["1", "0.1"]),
        (pa.array(np.array([1, 2.5], np.float16)), ["1", "2.5"]),
        (pa.array([2**53 + 1, -1]), ["9007199254740993", "-1"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([decimal.Decimal("1.00"), decimal.Decimal("2.50")]), ["1", "2.5"]),
        (pa.array([decimal.Decimal(10**30)], pa.decimal128(38, 0)), ["1" + "0" * 30]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["a ", "b"], pa.large_string()), ["a", "b"]),
        (pa.array(["a ", "b"], pa.string_view()), ["a", "b"]),
        (pa.array(["a ", "a"]).dictionary_encode(), ["a", "a"]),
        (pa.array([1.0, 2.5]).dictionary_encode(), ["1", "2.5"]),
        (pa.array([b"a ", "José".encode(), b"\xff\x00"]), ["a", "José", "0xff00"]),
        (pa.array([b"u1\0\0", "u1\u00a0".encode(), "Ann\u00a0L".encode()]), ["u1", "u1", "Ann\u00a0L"]),
        (pa.array([b"ab", b"cd"], pa.binary(2)), ["ab", "cd"]),
        (pa.array([SOME_UUID.bytes], pa.binary(16)), [str(SOME_UUID)]),
        (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([SOME_UUID.bytes], pa.binary(16))), [str(SOME_UUID)]),
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["a", "b"])), ["a", "a", "b"]),
        (pa.array([datetime.date(2020, 1, 2)]), ["2020-01-02"]),
        (pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("s")), ["2020-01-02 00:00:00"]),
    ],
)
def test_every_kind_of_column_names_its_rows(column, names):
    codes = columns.Codes("who")
    assert [codes.values[number] for number in codes(column, 0)] == names


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], [2]]),
        pa.array([{"a": 1}]),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([pa.MonthDayNano([1, 2, 3])]),
        pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("us", "Nowhere/Land")),
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((3, 2, 2))),
    ],
)
def test_a_column_that_names_nothing_is_told(column):
    with pytest.raises(DatasetError, match="Expected text or numbers in column 'who', found"):
        columns.Codes("who")(column, 0)


def test_whole_numbers_in_four_bytes_are_as_many_names():
    """Among them those that look like blanks, or like blanks around a letter."""
    numbers = [9, 10, 32, 65, 65 * 256, 65 * 256 + 32, 32 * 256 + 65, 9 * 256 + 65, 1, 127, 2**31 - 1]
    column = pa.array([number.to_bytes(4, "little") for number in numbers], pa.binary(4))
    assert columns.Codes("who")(column, 0).tolist() == [*range(len(numbers))]


VALUES = {
    "floats": (st.floats(allow_infinity=False, allow_nan=False, width=64), pa.float64()),
    "large": (st.sampled_from([1e16, 1e16 + 2, 0.5, -0.0, 0.0, 3.0, 1e19, 1e300]), pa.float64()),
    "integers": (st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "text": (st.text(st.sampled_from("aA1.0 \u00a0\u200be\u0301é"), min_size=1, max_size=3), pa.string()),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_spelling_does_not_depend_on_the_batch(kind):
    """One row at a time or all at once, alone or beside others: the same names."""
    strategy, arrow = VALUES[kind]

    @given(st.lists(strategy, min_size=1, max_size=12))
    @settings(max_examples=60, deadline=None)
    def check(values):
        whole, single = (columns.Codes("who", option="missing_user", missing="drop") for _ in range(2))
        numbers = whole(pa.array(values, arrow), 0)
        one_by_one = np.concatenate([single(pa.array([value], arrow), 0) for value in values])
        assert whole.values == single.values
        assert numbers.tolist() == one_by_one.tolist()

    check()


@pytest.mark.parametrize(
    "word",
    [
        *(
            "NA",
            "na",
            "N/A",
            "n/a",
            "nan",
            "NaN",
            "NULL",
            "null",
            "None",
            "<NA>",
            "-",
            "--",
            "—",
            "NaT",
            "\\N",
            "ＮＡ",
        ),
        *(
            "(null)",
            "<none>",
            "[NA]",
            "(blank)",
            "<nan>",
            "1.#QNAN",
            "-1.#IND",
            "#REF!",
            "#VALUE!",
            "inf",
            "-Infinity",
        ),
    ],
)
def test_what_programs_write_for_nothing_is_no_name(word):
    assert spelling.means_missing(word)


@pytest.mark.parametrize(
    "word",
    [
        "Nana",
        "0",
        "no",
        "empty",
        "info",
        "(a)",
        "#1",
        "none of them",
        "-1",
        "+",
        "Nan Goldin",
        ".",
        "x-y",
        "unknown",
    ],
)
def test_what_may_be_a_name_is_one(word):
    assert not spelling.means_missing(word)


@pytest.mark.parametrize(
    "same",
    [
        ("1", "1.0", "01", "1e0", "+1", "1.", "１", "①", "١", "10e-1"),
        ("0", "-0", "0.0", "000"),
        ("Ann Lee", "ann lee", "ANN  LEE", "Ann\u00a0Lee", "Ａｎｎ Lee", "Ann\u200b Lee"),
        ("straße", "STRASSE", "Strasse"),
        ("9007199254740993", "9007199254740993.0"),
        ("1" * 50, "0" + "1" * 50, "1" * 50 + ".0"),
    ],
)
def test_spellings_that_may_be_one_are_found_together(same):
    assert len({spelling.comparison_key(one) for one in same}) == 1
    [group] = spelling.groups_alike([*same, "somebody else"])
    assert group == list(same)


@pytest.mark.parametrize(
    "different",
    [
        ("9007199254740992", "9007199254740993"),  # one as float64
        ("1" * 40 + "1", "1" * 40 + "2"),
        ("0.1", "0.10000000000000001"),
        ("1_0", "10"),
        ("0x10", "16"),
        ("1e400", "1e401"),
        ("u1", "u01"),
        ("nan", "inf"),
        ("1e99999999999999999999", "2e99999999999999999999"),
    ],
)
def test_spellings_of_others_are_not(different):
    assert spelling.groups_alike(different) == []


def test_numbers_are_compared_exactly():
    """Held to fractions: two texts have a key in common if, and only if, they are one number."""
    draw = np.random.default_rng(0)
    texts = [
        f"{draw.integers(-20, 20)}.{draw.integers(0, 100):02d}{'0' * draw.integers(0, 3)}e{draw.integers(-2, 3)}"
        for _ in range(2000)
    ]
    keys = {}
    for text in texts:
        keys.setdefault(decimal.Decimal(text), set()).add(spelling.comparison_key(text))
    assert all(len(found) == 1 for found in keys.values())
    assert len({next(iter(found)) for found in keys.values()}) == len(keys)


def test_numbers_that_floats_cannot_tell_apart_are_noticed():
    for value, noticed in ((2.0**53, False), (2.0**53 + 2, True), (3.5, False)):
        codes = columns.Codes("who")
        codes(pa.array([value]), 0)
        assert codes.inexact == noticed


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinite_number_names_nobody(value):
    for missing in columns.MISSING:
        with pytest.raises(
            DatasetError, match=r"Expected text or finite numbers in column 'who', found -?inf in row 2"
        ):
            columns.Codes("who", option="missing_user", missing=missing)(pa.array([1.0, value]), 0)
