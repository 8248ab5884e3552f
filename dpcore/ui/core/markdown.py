"""Markdown: a table of texts; and other people's words, a run's name, a part of a link, a person's name."""

import re
from collections.abc import Sequence

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Returns Markdown that reads as a text stands: no link, no picture, no heading.

    >>> plain("[more](https://evil.example)")
    '\\\\[more\\\\]\\\\(https\\\\:\\\\/\\\\/evil\\\\.example\\\\)'
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def table(heads: Sequence[str], sides: str, rows: Sequence[Sequence[str]]) -> str:
    """Returns a table of texts; `sides` says of each column where it is set, "l" or "r".

    >>> print(table(("Noise", "Epsilon"), "lr", [("tree", "2.0")]))
    | Noise | Epsilon |
    | --- | --: |
    | tree | 2.0 |
    """
    ruled = ["--:" if side == "r" else "---" for side in sides]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ruled, *rows))
