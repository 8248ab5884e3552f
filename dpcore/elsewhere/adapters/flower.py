"""Flower: the log that a server prints, and the state of its accountant.

Neither says whether weights are equal or an optimiser works inside, which is left open. Cohorts are drawn by Flower: of a
fixed size, from whoever is online.
"""

import math
import re
from typing import Any

from dpcore import rounding
from dpcore.elsewhere.adapters import state
from dpcore.errors import InvalidValueError
from dpcore.language import N_, _

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NUMBER = r"([0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][-+]?[0-9]{1,3})?)"
_ROUND = re.compile(r"\[ROUND (\d{1,9})(?:/(\d{1,9}))?\]")
_PLANNED = re.compile(r"(?:Number of rounds: |num_rounds=)(\d{1,9})")
_SAMPLED = re.compile(
    r"configure_(?:train|fit): (?:strategy )?sampled (\d{1,10}) (?:nodes|clients) \(out of (\d{1,10})\)", re.I
)
_RECEIVED = re.compile(r"aggregate_(?:train|fit): received (\d{1,10}) results and (\d{1,10}) failures", re.I)
_NOISE = re.compile(rf"central DP noise with {_NUMBER} stdev added")
_LOCAL = re.compile(rf"local DP noise with {_NUMBER} stddev added")
_LOCAL_CLIP = re.compile(rf"LocalDpMod: parameters are clipped by value: {_NUMBER}")
_MULTIPLIER = re.compile(rf"Noise multiplier: {_NUMBER}")
_CLIP = re.compile(rf"Clipping norm: {_NUMBER}")
_SPENT = re.compile(rf"Privacy spent: epsilon={_NUMBER} at delta={_NUMBER} after")
_STRATEGY = re.compile(r"Starting (\w{1,80}) strategy")
_INSIDE = re.compile(r"(FedOpt|FedAvgM|FedTrimmedAvg|q-FedAvg) settings:")  # those that say that they are there
_SKIPPED = re.compile(r"Skipping aggregation|differs from the number of sampled clients", re.I)
_ENDED = re.compile(r"Strategy execution finished|\[SUMMARY\]|Run finished \d+ round")
_METRICS = re.compile(r"Aggregated MetricRecord|Aggregated ClientApp-side \w+ Metrics|History \(metrics")
_HALF_DIGIT = 0.5e-4  # of a number with four digits after the point


def is_log(text: str) -> bool:
    """Whether a text is what Flower's server prints."""
    return bool(_ROUND.search(text) and re.search(r"configure_(?:train|fit)|aggregate_(?:train|fit)", text))


def from_log(text: str, rounds: int | None = None) -> dict[str, Any]:
    """Returns the values of a round log.

    Args:
        text: What the server printed.
        rounds: How many rounds were run, by whoever knows; for a log that breaks off.

    Raises:
        InvalidValueError: If it is no log of one whole run.
    """
    lines = [_COLOURS.sub("", line) for line in text.splitlines()]
    if not any(map(_ROUND.search, lines)):
        raise InvalidValueError("file", _("Expected a log of Flower's server with lines [ROUND 1/3], found none."))
    seen = _rounds(lines)
    _check_whole(lines, seen, rounds)
    settings = _settings(lines)
    local = any(one["local"] for one in seen)
    values: dict[str, Any] = {
        "framework": {"name": "flower"},
        "unit": "client",
        "sampling": {"kind": "fixed-size"},
        "average": {"divisor": "replies"},
        "clipping": {"kind": "adaptive" if settings["adaptive"] else "fixed", "covers": "update"},
        "noise": {"kind": "gaussian", "of": "average", "where": "client" if local else "server"},
        "rounds": [],
    }
    if settings["clip"]:
        values["clipping"]["norm"] = settings["clip"]
    if not any(one["noise"] or one["local"] for one in seen):
        values["noise"]["kind"] = "none"
    elif local:
        values["noise"] |= {"of": "sum"}
    else:
        _configured(values, settings, seen)
    values["rounds"] = [_round(one, values) for one in seen]
    _inside(values, settings)
    if any(map(_METRICS.search, lines)):
        values["also_released"] = [N_("metrics of training and evaluation, without noise")]
    if spent := [found for line in lines if (found := _SPENT.search(line))]:
        values["claimed"] = [
            {
                "adjacency": "add-or-remove-one",  # the only one that it accounts for without amplification
                "epsilon": _number(spent[-1][1]),
                "delta": _number(spent[-1][2]),
                "accountant": "flower rdp",
                "sampling": "no-amplification",
            }
        ]
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = _("Expected a number in the log, found {value}: it is damaged.")
        raise InvalidValueError("file", message.format(value=text[:40])) from None


def _rounds(lines: list[str]) -> list[dict[str, Any]]:
    """What the log says of each round."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if begun := _ROUND.search(line):
            found.append({"number": int(begun[1]), "noise": [], "local": [], "clips": [], "skipped": False})
        if not found:
            continue
        now = found[-1]
        if drawn := _SAMPLED.search(line):
            now |= {"sampled": int(drawn[1]), "online": int(drawn[2])}
        if came := _RECEIVED.search(line):
            now |= {"replied": int(came[1]), "failed": int(came[2])}
        for name, pattern in (("noise", _NOISE), ("local", _LOCAL), ("clips", _LOCAL_CLIP)):
            if amount := pattern.search(line):
                now[name].append(_number(amount[1]))
        now["skipped"] = now["skipped"] or bool(_SKIPPED.search(line))
    return found


def _check_whole(lines: list[str], seen: list[dict[str, Any]], rounds: int | None) -> None:
    """Refuses a log that lacks rounds, or has those of several runs."""
    numbers = [one["number"] for one in seen]
    if numbers != list(range(1, len(numbers) + 1)):
        message = _(
            "Expected the rounds of one run, from 1 on, found {found}: the log is of several runs, or damaged."
        )
        raise InvalidValueError("file", message.format(found=", ".join(map(str, numbers[:8]))))
    if any(len(one["noise"]) > 1 for one in seen):
        raise InvalidValueError(
            "file", _("Expected noise to be added once a round, found it twice: the log is damaged.")
        )
    planned = [int(found[1]) for line in lines if (found := _PLANNED.search(line))]
    planned += [int(found[2]) for line in lines if (found := _ROUND.search(line)) and found[2]]
    ended = any(map(_ENDED.search, lines))
    expected = rounds if rounds is not None else max(planned, default=0)
    whole = len(seen) == expected and (ended or rounds is not None)
    if not (whole or (not planned and ended and rounds is None)):
        message = _(
            "Expected the log of a run that has ended, found {found} of {expected} rounds or no end: it breaks off. "
            "Where the run ended there, say so with --rounds {found}."
        )
        raise InvalidValueError("file", message.format(found=len(seen), expected=expected or "?"))
    for one in seen:
        if "sampled" not in one or not ("replied" in one or one["skipped"]):
            message = _(
                "Expected lines on who was sampled and who replied in round {number}, found none: it breaks off."
            )
            raise InvalidValueError("file", message.format(number=one["number"]))


def _settings(lines: list[str]) -> dict[str, Any]:
    text = "\n".join(lines)
    multiplier, clip, strategy = _MULTIPLIER.search(text), _CLIP.search(text), _STRATEGY.search(text)
    inside = _INSIDE.search(text)
    return {
        "multiplier": _number(multiplier[1]) if multiplier else None,
        "clip": _number(clip[1]) if clip else None,
        "strategy": strategy[1] if strategy else None,
        "inside": inside[1] if inside else None,
        "adaptive": "Target clipped quantile" in text or "AdaptiveClipping" in text,
    }


def _configured(values: dict[str, Any], settings: dict[str, Any], seen: list[dict[str, Any]]) -> None:
    """The cohort that the noise was scaled by: what multiplier times clip norm was divided by, as far as digits tell."""
    if settings["multiplier"] is not None:
        values["noise"]["multiplier"] = settings["multiplier"]
    amounts = {one["noise"][0] for one in seen if one["noise"]}
    scale = (settings["multiplier"] or 0) * (settings["clip"] or 0)
    if not scale or settings["adaptive"]:
        return
    amount = min(amounts)
    if amount <= _HALF_DIGIT:
        return  # nothing is known of so little
    low = math.ceil(scale / (amount + _HALF_DIGIT) - 1e-9)
    high = math.floor(scale / (amount - _HALF_DIGIT) + 1e-9)
    if low > high or high < 1 or len(amounts) > 1:
        message = _(
            "Expected noise of multiplier x clip norm / cohort, {scale} over a whole number, found {found}: the log is "
            "of several settings, or damaged."
        )
        raise InvalidValueError("file", message.format(scale=rounding.given(scale), found=rounding.given(amount)))
    values["average"]["configured"] = high


def _inside(values: dict[str, Any], settings: dict[str, Any]) -> None:
    """The strategy inside the wrapper, where the log names it: an optimiser, or something else than a mean."""
    inside, strategy = settings["inside"], settings["strategy"] or ""
    if inside in ("FedOpt", "FedAvgM"):
        values["noise"]["optimizer_inside"] = inside
    elif inside:
        values["average"]["kind"] = "trimmed-mean" if inside == "FedTrimmedAvg" else "other"
    if "Median" in strategy:
        values["average"]["kind"] = "median"


def _round(one: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {name: one[name] for name in ("sampled", "online", "replied", "failed") if name in one}
    if one["local"]:  # what each client adds: the least of it, over the most that it clips to
        least, most = min(one["local"]) - _HALF_DIGIT, max(one["clips"], default=0) + _HALF_DIGIT
        clip = {"clip": most} if one["clips"] else {}
        return {**known, "released": True, "noise": max(least, 0.0), **clip}
    if one["noise"]:
        of_log = "configured" in values["average"]
        return {**known, "released": True, **({} if of_log else {"noise": max(one["noise"][0] - _HALF_DIGIT, 0.0)})}
    nothing = one["skipped"] or one.get("failed", 0) > 0 or one.get("replied", 0) == 0
    if nothing:
        return {**known, "released": False}
    return {**known, "released": True, "multiplier": 0.0}  # put together, and no noise is noted


def is_state(values: Any) -> bool:
    """Whether a JSON is what Flower's accountant keeps."""
    return isinstance(values, dict) and {"schema_version", "compositions", "config"} <= set(values)


def from_state(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of a round log.

    In accounted mode Flower releases a round only if all who were sampled have replied.

    Raises:
        InvalidValueError: If it is no such state.
    """
    state.expect(values, ("schema_version", "backend", "config", "orders", "compositions"))
    config = state.part(
        values,
        "config",
        ("target_delta", "population_size", "neighboring_relation", "sampling_method", "max_epsilon"),
    )
    if values["schema_version"] != 1:
        message = _("Expected schema_version 1 of Flower's accountant, found {found}.")
        raise InvalidValueError("file", message.format(found=str(values["schema_version"])[:40]))
    rounds = [_composed(one) for one in state.several(values, "compositions", ("event", "count"))]
    if not rounds:
        raise InvalidValueError(
            "file", _("Expected compositions of Flower's accountant, found none: nothing was released.")
        )
    return {
        "framework": {"name": "flower"},
        "unit": "client",
        "population": {"size": state.whole(config, "population_size")},
        "sampling": {"kind": "fixed-size"},
        "clipping": {"kind": "fixed", "covers": "update"},
        "noise": {"kind": "gaussian", "of": "average", "where": "server"},
        "average": {"divisor": "replies"},
        "rounds": rounds,
        "claimed": _claimed(values["orders"], config, rounds),
    }


def _composed(one: dict[str, Any]) -> dict[str, Any]:
    event = state.part(one, "event", ("noise_multiplier", "sample_size", "population_size"))
    size = state.whole(event, "sample_size")
    return {
        "repeat": state.whole(one, "count"),
        "sampled": size,
        "replied": size,
        "online": state.whole(event, "population_size"),
        "multiplier": state.number(event, "noise_multiplier"),
    }


def _claimed(orders: Any, config: dict[str, Any], rounds: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """What the accountant says of its own state: without amplification, the only way that Flower lets runs account."""
    delta = state.number(config, "target_delta")
    if config["sampling_method"] != "no-amplification":
        return None
    epsilon = state.claimed_rdp([(one["multiplier"], 1.0, one["repeat"]) for one in rounds], delta, orders)
    if epsilon is None:
        return None
    relation = config["neighboring_relation"]
    claim = {"epsilon": epsilon, "delta": delta, "accountant": "flower rdp", "sampling": "no-amplification"}
    return [claim | ({"adjacency": relation} if relation in ("add-or-remove-one", "replace-one") else {})]
