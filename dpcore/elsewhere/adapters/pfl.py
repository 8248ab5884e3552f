"""pfl-research: the fields of its accountant, and its metrics of each iteration.

Which sampler drew cohorts, and from how many, is in neither: its accountant's probability is what somebody has typed.
"""

from typing import Any

from dpcore.elsewhere.adapters import state
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_EXACT = {
    "norm before clipping": N_("metrics without noise: norm before clipping"),
    "fraction of clipped norms": N_("metrics without noise: fraction of clipped norms"),
    "signal-to-DP-noise ratio on summed stats": N_("metrics without noise: signal-to-DP-noise ratio"),
}
_CLIP, _NOISE, _DEVICES = "l2 norm bound", "DP noise std. dev. on summed stats", "number of devices"


def is_record(values: Any) -> bool:
    """Whether a JSON has pfl's accountant beside its metrics."""
    return isinstance(values, dict) and "accountant" in values and "metrics" in values


def from_record(values: Any) -> dict[str, Any]:
    """Returns the values of a round log.

    Raises:
        InvalidValueError: If it is no such record, or of another mechanism than the Gaussian one.
    """
    state.expect(values, ("accountant", "metrics"))
    accountant = state.part(values, "accountant", ("num_compositions", "mechanism", "noise_parameter"))
    if str(accountant["mechanism"]).lower() != "gaussian":
        message = _("Expected pfl's mechanism to be gaussian, found {found}: no other is accounted for here.")
        raise InvalidValueError("file", message.format(found=repr(accountant["mechanism"])[:60]))
    metrics = [_by_name(one) for one in state.listed(values, "metrics")]
    trained = [one for one in metrics if _DEVICES in one]
    if not trained:
        raise InvalidValueError("file", _("Expected metrics of pfl with a number of devices, found none."))
    rounds = [_round(one) for one in trained]
    missing = state.whole(accountant, "num_compositions") - len(rounds)
    if missing > 0:  # planned, and nothing says that they were not run
        least = min(rounds, key=lambda one: one["noise"] / one["clip"] if one["clip"] else 0.0)
        rounds.append({**least, "sampled": max(one["sampled"] for one in rounds), "repeat": missing})
    varies = len({one["clip"] for one in rounds}) > 1
    return {
        "framework": {"name": "pfl"},
        "unit": "user",
        "clipping": {"kind": "adaptive" if varies else "fixed", "covers": "update"},
        "noise": {
            "kind": "gaussian",
            "multiplier": state.number(accountant, "noise_parameter"),
            "of": "sum",
            "where": "server",
            "optimizer_inside": "none",
        },
        "average": {"divisor": "replies"},
        "also_released": [words for name, words in _EXACT.items() if any(name in one for one in trained)],
        "rounds": rounds,
        "claimed": _claimed(accountant),
    }


def _by_name(one: Any) -> dict[str, Any]:
    """Metrics by what stands behind the last bar of their names, those of training before others."""
    values = state.expect(one, (), "metrics")
    ordered = sorted(values.items(), key=lambda item: item[0].startswith(("Train", "Central DP")))
    return {name.split("|")[-1].strip(): value for name, value in ordered}


def _round(one: dict[str, Any]) -> dict[str, Any]:
    state.expect(one, (_CLIP, _NOISE), "metrics")
    devices = state.whole(one, _DEVICES)
    return {
        "sampled": devices,
        "replied": devices,
        "clip": state.number(one, _CLIP),
        "noise": state.number(one, _NOISE),
    }


def _claimed(accountant: dict[str, Any]) -> list[dict[str, Any]] | None:
    if accountant.get("epsilon") is None or accountant.get("delta") is None:
        return None
    return [
        {
            "adjacency": "add-or-remove-one",
            "epsilon": state.number(accountant, "epsilon"),
            "delta": state.number(accountant, "delta"),
            "accountant": "pfl",
            "sampling": "poisson",
        }
    ]
