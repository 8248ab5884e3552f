"""How users and classes are spelt: by each value alone, whatever the file's form, so that nobody is two of them.

A spelling must not depend on the rest of a table: else one user more would change who others are, and what becomes of
their examples, and no guarantee about one user would hold.
"""

import math
import re
import unicodedata
import uuid
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import numpy as np

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_WRITTEN_OUT = 40  # digits; a larger number keeps its exponent
# What programs write where there is nothing, or no number, in lower case. A blank, and dashes alone, say so as well.
_WORDS = (
    *"na n/a n.a. nan -nan 1.#qnan -1.#qnan 1.#ind -1.#ind nat null none nil undefined \\n ?".split(),
    *"inf -inf +inf infinity -infinity +infinity #na #n/a #ref! #value! #name? #num! #null! #div/0!".split(),
)
_NOTHING = {form.format(word) for word in _WORDS for form in ("{}", "<{}>", "({})", "[{}]")}
_NOTHING |= {"(blank)", "(empty)", "(missing)", "()", "[]", "<>", "{}"}
_INVISIBLE = frozenset(
    ("Zs", "Zl", "Zp", "Cc", "Cf")
)  # blanks of all widths, none among them, and control characters
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # but for tabs and the ends of lines
_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and a pattern of dots that show nothing


def _is_blank(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or character in _FILLERS


def text(value: str) -> str:
    """Returns a text in one form of Unicode, without blanks around it; empty if it was all blank.

    >>> text(" u1\\u00a0"), text("Jose\\u0301") == "José", text("\\u200b")
    ('u1', True, '')
    """
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    elif value[:1] > " " < value[-1:] < "\x7f":  # as most are: a million of them should not take seconds
        return value
    start, end = 0, len(value)
    while start < end and _is_blank(value[start]):
        start += 1
    while end > start and _is_blank(value[end - 1]):
        end -= 1
    return value[start:end]


def spelled(value: Any) -> str | None:
    """Returns how a value is spelt; `None` where there is none.

    >>> spelled("u1 "), spelled(3.0), spelled(-0.0), spelled(1e16), spelled(b"u1"), spelled(float("nan"))
    ('u1', '3', '0', '10000000000000000', 'u1', None)
    """
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return text(value) or None
    if isinstance(value, bytes):
        return _of_bytes(value)
    if isinstance(value, float | np.floating) and math.isfinite(value) and value == math.floor(value):
        return str(int(value))  # 3.0 is 3, written by a program that knows no integers
    if isinstance(value, Decimal):
        return _written(value)
    return str(value)


def _of_bytes(value: bytes) -> str | None:
    """As text where they are some; else in hexadecimal, sixteen of them as the UUID that they mostly are.

    Zeros that only fill up a width are no part of a text; but 32 and 8,224 in four bytes are no blanks.
    """
    with suppress(UnicodeDecodeError):
        inner = value.rstrip(b"\0").decode()
        if not _CONTROL.search(inner) and (inner == inner.strip() or not value.endswith(b"\0")):
            return text(inner) or None
    return str(uuid.UUID(bytes=value)) if len(value) == 16 else f"0x{value.hex()}"


def means_missing(spelling: str) -> bool:
    """Whether a spelling is one of those that programs write for a missing value.

    >>> [word for word in ("NA", "<NA>", "None", "—", "nobody") if means_missing(word)]
    ['NA', '<NA>', 'None', '—']
    """
    folded = spelling.lower() if spelling.isascii() else unicodedata.normalize("NFKC", spelling).casefold()
    return folded in _NOTHING or (
        not folded[0].isalnum() and all(unicodedata.category(c) == "Pd" or c == "\u2212" for c in folded)
    )


def comparison_key(spelling: str) -> str:
    """Returns what the spellings of one name have in common: of other case, width or blanks, or the same number.

    >>> {comparison_key(one) for one in ("1", "1.0", "01", "1e0", "+1", "\\uff11")}
    {'1'}
    >>> comparison_key("Ann\\u00a0Lee") == comparison_key("ann lee")
    True
    """
    if spelling.isascii():
        folded = spelling.lower()
        if folded.isdigit() and len(folded) < _WRITTEN_OUT:
            return folded.lstrip("0") or "0"
    else:
        seen = "".join(c for c in spelling if unicodedata.category(c) != "Cf")
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    if not folded.isalnum():
        folded = " ".join(folded.split())
    if folded[:1].isalpha() or not _NUMBER.fullmatch(folded):
        return folded
    try:
        return _written(Decimal(folded))
    except InvalidOperation:  # an exponent beyond all bounds
        return folded


def _written(number: Decimal) -> str:
    """A number without zeros that say nothing."""
    with localcontext() as context:
        context.prec = max(len(number.as_tuple().digits), 1)  # or the last digits of a long one would be lost
        number = number.normalize()
    if not number:
        return "0"
    return f"{number:f}" if abs(number.adjusted()) < _WRITTEN_OUT else str(number)


def groups_alike(spellings: Iterable[str]) -> list[list[str]]:
    """Returns those of distinct spellings that have a `comparison_key` in common, together; each list has two or more."""
    first: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for spelling in spellings:
        common = comparison_key(spelling)
        if first.setdefault(common, spelling) is not spelling:
            groups.setdefault(common, [first[common]]).append(spelling)
    return list(groups.values())
