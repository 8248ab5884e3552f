"""NVFlare: what its filter SVTPrivacy writes into the metadata of a message, and its ledger.

The filter works at a site on what that sends, and states its cost at delta 0.
"""

from typing import Any

from dpcore.elsewhere.adapters import state
from dpcore.errors import InvalidValueError
from dpcore.language import _

_BUDGET, _ACCOUNTANT = "svt_privacy_budget", "svt_privacy_accountant"
_PARTS = ("epsilon_threshold", "epsilon_query", "epsilon_release")


def is_record(values: Any) -> bool:
    """Whether a JSON has such metadata."""
    if not isinstance(values, dict):
        return False
    meta = values.get("meta", values)
    return isinstance(meta, dict) and bool({_BUDGET, _ACCOUNTANT} & set(meta))


def from_record(values: Any) -> dict[str, Any]:
    """Returns the values of a round log.

    Raises:
        InvalidValueError: If it is no such record, or its ledger lacks rounds.
    """
    state.expect(values, ())
    meta = state.expect(values.get("meta", values), (), "meta")
    ledger = state.several(values, "ledger", ("epsilon_total",)) if "ledger" in values else []
    if not ledger and _BUDGET in meta:
        ledger = [state.part(meta, _BUDGET, ("epsilon_total",))]
    costs = [max(state.number(one, "epsilon_total"), _parts(one)) for one in ledger]
    total, calls = sum(costs), len(costs)
    if _ACCOUNTANT in meta:
        accountant = state.part(meta, _ACCOUNTANT, ("epsilon_total",))
        stated = state.number(accountant, "epsilon_total")
        if stated > total * (1 + 1e-9):  # the accountant has seen more than is listed
            costs, calls = [*costs, stated - total], calls + 1
    if not costs:
        raise InvalidValueError("file", _("Expected NVFlare's metadata to say what was spent, found nothing."))
    passing = _passes_scalars(ledger, meta)
    _check_accountants([*ledger, *(meta[name] for name in (_BUDGET, _ACCOUNTANT) if name in meta)])
    return {
        "framework": {"name": "nvflare"},
        "unit": "client",
        "delta": 0.0,
        "noise": {"kind": "pure", "where": "client"},
        "also_released": ["scalars"] if passing else [],
        "rounds": [{"epsilon": cost, "released": True} for cost in costs],
        "claimed": [{"adjacency": "replace-one", "epsilon": sum(costs), "delta": 0.0, "accountant": "pure_dp_sum"}],
    }


def _passes_scalars(ledger: list[dict[str, Any]], meta: dict[str, Any]) -> bool:
    """Whether scalars went out as they were, in any message that is known; also where a message does not say."""
    noted = "scalar" in str(state.expect(meta.get(_ACCOUNTANT, {}), ()).get("note", ""))
    messages = [*ledger, *([meta[_BUDGET]] if _BUDGET in meta else [])]
    return noted or any(state.expect(one, ()).get("has_scalar_passthrough") is not False for one in messages)


def _parts(one: dict[str, Any]) -> float:
    return sum(state.number(one, name) for name in _PARTS if name in one)


def _check_accountants(found: list[Any]) -> None:
    for one in found:
        name = state.expect(one, ()).get("accountant", "pure_dp_sum")
        if name != "pure_dp_sum":
            message = _("Expected NVFlare's accountant pure_dp_sum, found {found}: no other is known here.")
            raise InvalidValueError("file", message.format(found=repr(name)[:60]))
