"""Opacus: what `accountant.state_dict()` holds, noise, sampling probability and steps, if the loader drew by coins.

It is the same whether the loader did or dealt all rows out in turn, and whatever a row stands for: both are left open.
"""

import math
from typing import Any

from dpcore import limits
from dpcore.elsewhere.adapters import state
from dpcore.errors import InvalidValueError
from dpcore.language import _
from dpcore.privacy import gaussian

_ORDERS = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))  # of its accountant by RDP


def is_record(values: Any) -> bool:
    """Whether a JSON is a state of its accountants."""
    return isinstance(values, dict) and "history" in values


def from_record(values: Any) -> dict[str, Any]:
    """Returns the values of a round log.

    Raises:
        InvalidValueError: If it is no such state.
    """
    state.expect(values, ("history", "mechanism"))
    kinds = []
    for one in state.listed(values, "history"):
        if not isinstance(one, list | tuple) or len(one) != 3:
            message = _("Expected an entry of history to be noise, sampling probability and steps, found {found}.")
            raise InvalidValueError("file", message.format(found=repr(one)[:60]))
        named = dict(zip(("noise", "probability", "steps"), one, strict=True))
        kinds.append(
            (state.number(named, "noise"), state.number(named, "probability"), state.whole(named, "steps"))
        )
    if not kinds:
        raise InvalidValueError(
            "file", _("Expected a history with steps, found an empty one: nothing was trained.")
        )
    delta = float(limits.DELTA.default)
    return {
        "framework": {"name": "opacus"},
        "delta": delta,
        "sampling": {"probability": max(prob for _noise, prob, _steps in kinds)},
        "noise": {"kind": "gaussian", "of": "sum", "where": "server", "optimizer_inside": "none"},
        "average": {"weights": "equal", "divisor": "fixed"},
        "rounds": [{"repeat": steps, "multiplier": noise} for noise, _prob, steps in kinds if steps],
        "claimed": _claimed(str(values["mechanism"]), kinds, delta),
    }


def _claimed(mechanism: str, kinds: list[tuple[float, float, int]], delta: float) -> list[dict[str, Any]] | None:
    """What `get_epsilon` says of it, at the usual delta; nothing for its accountant PRV, which needs all of Opacus."""
    if mechanism == "rdp":
        epsilon = state.claimed_rdp(kinds, delta, _ORDERS)
    elif mechanism == "gdp" and len(kinds) == 1 and kinds[0][0] > 1e-2 and kinds[0][1] * kinds[0][2] > 0:
        noise, prob, steps = kinds[0]
        mu = prob * math.sqrt(steps) * math.sqrt(math.expm1(min(noise**-2, 600.0)))
        epsilon = float(gaussian.epsilons(1 / mu, delta)) if mu < 1e3 else None
    else:
        epsilon = None
    if epsilon is None:
        return None
    return [
        {
            "adjacency": "add-or-remove-one",
            "epsilon": epsilon,
            "delta": delta,
            "accountant": f"opacus {mechanism}",
            "sampling": "poisson",
        }
    ]
