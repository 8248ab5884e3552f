"""Other people's words in Markdown: a run's name, a part of a link, a person's name."""

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """Returns Markdown that reads as a text stands: no link, no picture, no heading.

    >>> plain("[more](https://evil.example)")
    '\\\\[more\\\\]\\\\(https\\\\:\\\\/\\\\/evil\\\\.example\\\\)'
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
