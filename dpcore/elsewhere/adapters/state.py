"""What JSON of other programs holds, picked out with a sentence for whatever is not as it should be."""

import math
from collections.abc import Sequence
from typing import Any

from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.limits import refusal

_MOST = 100_000


def expect(values: Any, names: Sequence[str], where: str = "the record") -> dict[str, Any]:
    """Returns an object that has these names, whatever else it has.

    Raises:
        InvalidValueError: If it is none, or lacks one.
    """
    if not isinstance(values, dict):
        message = _("Expected {name} to be an object of JSON with {fields}, found {value}.")
        raise refusal(where, message, values, fields=", ".join(names))
    for name in names:
        if name not in values:
            missing = _("Expected {name} to have {field}, found none.")
            raise InvalidValueError("file", missing.format(name=where, field=name))
    return values


def part(values: dict[str, Any], name: str, names: Sequence[str]) -> dict[str, Any]:
    """Returns an object inside another one, as `expect` does."""
    return expect(values.get(name), names, name)


def several(values: dict[str, Any], name: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Returns a list of objects inside another one, each as `expect` does."""
    found = listed(values, name)
    return [expect(one, names, f"{name}[{number}]") for number, one in enumerate(found)]


def listed(values: dict[str, Any], name: str) -> list[Any]:
    """Returns a list inside an object."""
    found = values.get(name)
    if not isinstance(found, list) or len(found) > _MOST:
        message = _("Expected {name} to be a list of at most {most} entries, found {value}.")
        raise refusal(name, message, found, most=f"{_MOST:,}")
    return found


def number(values: dict[str, Any], name: str) -> float:
    """Returns a finite number of at least 0 inside an object, as a plain float."""
    found = values.get(name)
    if isinstance(found, int | float) and not isinstance(found, bool) and 0 <= found <= 1e15:
        return float(found)
    raise refusal(name, _("Expected {name} to be a finite number of at least 0, found {value}."), found)


def whole(values: dict[str, Any], name: str) -> int:
    """Returns a whole number of at least 0 inside an object."""
    found = number(values, name)
    if found != int(found):
        raise refusal(name, _("Expected {name} to be a whole number of at least 0, found {value}."), values[name])
    return int(found)


def claimed_rdp(kinds: Sequence[tuple[float, float, int]], delta: float, orders: Any) -> float | None:
    """Returns what an accountant by RDP says of rounds with its orders; `None` where it could not say it.

    Args:
        kinds: Noise, sampling probability and number of rounds.
        delta: In (0, 1).
        orders: Above 1.
    """
    alright = isinstance(orders, list) and 0 < len(orders) <= 1_000
    if not alright or not 0 < delta < 1 or not kinds or len(kinds) > _MOST:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and 1 < one < 1e5 for one in orders):
        return None
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant

    counts: dict[tuple[float, float], int] = {}
    for noise, prob, count in kinds:
        if noise < 1e-2 or prob <= 0:
            return None
        counts[noise, prob] = counts.get((noise, prob), 0) + count
    if len(counts) > 8:
        return None
    accountant = RdpAccountant([float(one) for one in orders])
    for (noise, prob), count in counts.items():
        gaussian = GaussianDpEvent(noise)
        accountant.compose(gaussian if prob >= 1 else PoissonSampledDpEvent(prob, gaussian), count)
    found = float(accountant.get_epsilon(delta))
    return found if math.isfinite(found) else None
