"""JSON that every program reads: it has no numbers for infinity and "not a number", which become strings."""

import json
import math
from typing import Any


def dumps(value: Any, **options: Any) -> str:
    """Returns `value` as JSON; options as of `json.dumps`.

    >>> dumps({"epsilon": math.inf, "rounds": (1, 2.5)})
    '{"epsilon": "inf", "rounds": [1, 2.5]}'
    """
    return json.dumps(_plain(value), allow_nan=False, **options)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
