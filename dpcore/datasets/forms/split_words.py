"""What people call the examples that are for training and for testing."""

import re

import numpy as np

from dpcore.errors import DatasetError
from dpcore.language import N_, _

TRAIN = ("train", "training")
VALID = ("valid", "validation", "val", "dev", "eval", "evaluation")
TEST = ("test", "testing", *VALID)
_YES, _NO = ("1", "1.0", "true", "yes", "t", "y"), ("0", "0.0", "false", "no", "f", "n")


def split_of_path(parts: tuple[str, ...]) -> str | None:
    """Returns "train", "test" or another word of a file's place: of its folder, or the only one in its name."""
    for part in reversed(parts):
        words = {word for word in re.split(r"[^a-z]+", part.lower()) if word in TRAIN + TEST}
        if len(words) == 1:
            return words.pop()
    return None


def test_values(column: str, values: list[str]) -> tuple[np.ndarray, str]:
    """Returns which of a split column's values mean testing, bool [num_values], and what to know of that; in English.

    Args:
        column: Its name, which says what yes and no answer.
        values: The distinct values of the column, [num_values].

    Raises:
        DatasetError: If a value means neither training nor testing.
    """
    words = [value.strip().lower() for value in values]
    if all(word in TRAIN + TEST for word in words):
        both = sorted({*words} & {*VALID}) if len({*words} & {*TEST}) > 1 else []
        note = N_("Examples that the split column calls {words} are for testing, like those that it calls test.")
        return np.array([word in TEST for word in words]), note.format(words=", ".join(both)) if both else ""
    if all(word in _YES + _NO for word in words):
        named = re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower())
        train = any(word in TRAIN for word in named)
        clear = train != any(word in (*TEST, "holdout", "heldout", "held") for word in named)
        note = N_(
            "Column {column} does not say what its values mean: {no} is taken for training, {yes} for testing."
        )
        yes, no = (next((v for v, w in zip(values, words, strict=True) if w in known), "") for known in (_YES, _NO))
        tests = np.array([(word in _YES) != (train and clear) for word in words])
        return tests, "" if clear else note.format(column=repr(column), no=no or _NO[0], yes=yes or _YES[0])
    wrong = next(value for value, word in zip(values, words, strict=True) if word not in TRAIN + TEST)
    message = _(
        "Expected 'train' or 'test' in column {column!r}, found {value!r}. Rename the values, or "
        "choose no split column: each user's examples are then split by a seed."
    )
    raise DatasetError(message.format(column=column, value=wrong[:40]))
