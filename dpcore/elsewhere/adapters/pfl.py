"""pfl-research: the fields of its accountant, and its metrics of each iteration.

Which sampler drew cohorts, and from how many, is in neither: its accountant's probability is what somebody has typed.
"""

import itertools
from typing import Any

from dpcore.elsewhere.adapters import csv_rounds, state
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_EXACT = {
    "norm before clipping": N_("metrics without noise: norm before clipping"),
    "fraction of clipped norms": N_("metrics without noise: fraction of clipped norms"),
    "signal-to-DP-noise ratio on summed stats": N_("metrics without noise: signal-to-DP-noise ratio"),
}
_ROUNDED = 0.5e-6  # of a number with six digits after the point
_CLIP, _NOISE, _DEVICES = "l2 norm bound", "DP noise std. dev. on summed stats", "number of devices"


def is_record(values: Any) -> bool:
    """Whether a JSON has pfl's accountant beside its metrics."""
    return isinstance(values, dict) and "accountant" in values and "metrics" in values


def is_table(text: str) -> bool:
    """Whether a text is the CSV that pfl's callback writes."""
    return _CLIP in text[:5_000].partition("\n")[0]


def from_table(text: str) -> dict[str, Any]:
    """Returns the values of a round log, of metrics that `AggregateMetricsToDisk` wrote: rounded, and every so many.

    Raises:
        InvalidValueError: If it is no such table.
    """
    names, *rows = csv_rounds.rows_of(text)
    listed = [{name: _cell(cell) for name, cell in zip(names, row, strict=False) if cell} for row in rows]
    metrics = state.listed({"metrics": listed}, "metrics")
    values = _of_metrics(metrics, None)
    iterations = [state.whole(one, "central_iteration") for one in metrics]
    if len(iterations) > 1:  # those between were trained, and not written down; and so were those after the last
        apart = max(after - before for before, after in itertools.pairwise(iterations))
        _add_missing(values["rounds"], max(iterations) + max(apart, 1) - len(values["rounds"]))
    for one in values["rounds"]:
        one |= {"clip": one["clip"] + _ROUNDED, "noise": max(one["noise"] - _ROUNDED, 0.0)}
    return values


def _cell(cell: str | None) -> Any:
    try:
        return float(cell or "")
    except ValueError:
        return cell


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
    made = _of_metrics(state.listed(values, "metrics"), state.number(accountant, "noise_parameter"))
    _add_missing(made["rounds"], state.whole(accountant, "num_compositions") - len(made["rounds"]))
    return {**made, "claimed": _claimed(accountant)}


def _add_missing(rounds: list[dict[str, Any]], missing: int) -> None:
    """Adds rounds that were planned, as nothing says that they were not run: like the worst of those that are known."""
    if missing > 0:
        least = min(rounds, key=lambda one: one["noise"] / one["clip"] if one["clip"] else 0.0)
        rounds.append({**least, "sampled": max(one["sampled"] for one in rounds), "repeat": missing})


def _of_metrics(listed: list[Any], multiplier: float | None) -> dict[str, Any]:
    metrics = [_by_name(one) for one in listed]
    trained = [one for one in metrics if _DEVICES in one]
    if not trained:
        raise InvalidValueError("file", _("Expected metrics of pfl with a number of devices, found none."))
    rounds = [_round(one) for one in trained]
    varies = len({one["clip"] for one in rounds}) > 1
    return {
        "framework": {"name": "pfl"},
        "unit": "user",
        "clipping": {"kind": "adaptive" if varies else "fixed", "covers": "update"},
        "noise": {
            "kind": "gaussian",
            "multiplier": multiplier,
            "of": "sum",
            "where": "server",
            "optimizer_inside": "none",
        },
        "average": {"divisor": "replies"},
        "also_released": [words for name, words in _EXACT.items() if any(name in one for one in trained)],
        "rounds": rounds,
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
