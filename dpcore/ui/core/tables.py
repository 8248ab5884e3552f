"""Tables that pages show and draw."""

from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dpcore import limits, rounding
from dpcore.errors import InvalidValueError
from dpcore.mechanisms.participation import Full
from dpcore.plan import PrivacyPlan
from dpcore.privacy import curves
from dpcore.privacy.assumptions import comparison
from dpcore.privacy.risk import rate_from_pair, risk
from dpcore.rounds import Round

_POINTS = 60
_MAP_POINTS = 24
_PATH_POINTS = 200
_PARTICIPATIONS = "participations"

_cached = st.cache_data(max_entries=500, show_spinner=False)


@_cached
def epsilon_against(plan: PrivacyPlan, name: str) -> pd.DataFrame:
    """Columns `name`, `PLD` and `RDP`: epsilon over one number of a plan, around what it is there."""
    values = _range(plan, name)
    if name == _PARTICIPATIONS:
        given = curves.arguments_by_participations(plan, values.tolist())
        own = values == plan.participations  # as far apart as the plan has them
        given["noise_multiplier"] = np.where(own, plan.event.mechanism.noise_multiplier, given["noise_multiplier"])
    else:
        given = curves.plan_arguments(plan, **{name: values})
    return pd.DataFrame({name: values, "PLD": curves.pld_epsilons(**given), "RDP": curves.rdp_epsilons(**given)})


def _range(plan: PrivacyPlan, name: str) -> np.ndarray:
    """Values of one number of a plan, ascending, among them the plan's own; only those that a plan may have."""
    now = getattr(plan, name)
    if name == "rounds":
        values = np.unique(np.linspace(0, 2 * now, 2 * min(now, _POINTS // 2) + 1).round().astype(int))
        return values[[_is_plan(plan, rounds=int(count)) for count in values]]
    if name == "delta":
        return np.unique([*rounding.short(np.geomspace(1e-10, 1e-2, _POINTS)), now])
    if name == "noise_multiplier":
        values = np.unique([*rounding.short(np.geomspace(max(now / 5, limits.LEAST_NOISE), now * 5, _POINTS)), now])
        return values[values < plan.most_noise * (1 - 1e-9)]
    if name == _PARTICIPATIONS:
        fewest = -(-plan.rounds // (plan.population // plan.clients_per_round))
        values = np.unique([*np.geomspace(fewest, plan.rounds, _POINTS).round().astype(int), now])
        return np.unique(-(-plan.rounds // -(-plan.rounds // values)))  # those that groups taking turns can have
    if plan.cohorts == Full():  # everybody is everybody
        return np.array([now])
    ends = (1, plan.population) if name == "clients_per_round" else (plan.clients_per_round, 100 * now)
    most = int(limits.POPULATION.maximum)
    values = np.unique([*np.geomspace(ends[0], min(ends[1], most), _POINTS).round().astype(int), now])
    return values[[_is_plan(plan, **{name: int(count)}) for count in values]]


def _is_plan(plan: PrivacyPlan, **numbers: Any) -> bool:
    """Whether a plan may have these numbers."""
    with suppress(InvalidValueError):
        replace(plan, **numbers)
        return True
    return False


@_cached
def ways(plan: PrivacyPlan, target: float) -> list[comparison.Way]:
    """The plan under each assumption, and the noise with which it reaches a target."""
    return comparison.ways(plan, target)


@_cached
def noise_on_path(plans: dict[str, PrivacyPlan]) -> pd.DataFrame:
    """Column `round`, and one for each plan, by its name: the noise on the path, in clip norms.

    Args:
        plans: Of as many rounds each.
    """
    rounds = next(iter(plans.values())).rounds
    shown = np.unique(np.linspace(1, rounds, min(rounds, _PATH_POINTS)).round().astype(int))
    return pd.DataFrame(
        {"round": shown, **{name: comparison.noise_by_round(plan)[shown - 1] for name, plan in plans.items()}}
    )


@_cached
def surface(plan: PrivacyPlan) -> pd.DataFrame:
    """Columns `clients_per_round`, `noise_multiplier`, `epsilon`: the smaller bound; no number where no plan is."""
    top = min(plan.population, max(10_000, 4 * plan.clients_per_round))
    clients = np.unique(np.geomspace(min(10, top), top, _MAP_POINTS).round().astype(int))
    highest = max(10.0, 2 * plan.noise_multiplier)
    lowest = min(0.3, plan.noise_multiplier)
    noise = np.unique([lowest, *rounding.short(np.geomspace(lowest, highest, _MAP_POINTS))[1:]])
    all_clients, all_noise = (part.ravel() for part in np.meshgrid(clients, noise))
    epsilons = curves.epsilons(
        **curves.plan_arguments(plan, noise_multiplier=all_noise, clients_per_round=all_clients)
    )
    possible = [
        _is_plan(plan, clients_per_round=count, noise_multiplier=noise)
        for count, noise in zip(all_clients.tolist(), all_noise.tolist(), strict=True)
    ]
    return pd.DataFrame(
        {
            "clients_per_round": all_clients,
            "noise_multiplier": all_noise,
            "epsilon": np.where(possible, epsilons, np.nan),
        }
    )


@_cached
def trade_off(plan: PrivacyPlan, epsilon: float) -> pd.DataFrame:
    """Columns `wrongly accused`, `found`, `found by one pair alone`: fractions of users."""
    rates = np.array(rounding.short(np.geomspace(1e-4, 1, 81)))
    return pd.DataFrame(
        {
            "wrongly accused": rates,
            "found": risk(plan).true_positive_rate(rates),
            "found by one pair alone": [rate_from_pair(epsilon, plan.delta, rate) for rate in rates],
        }
    )


def rounds(rows: list[Round]) -> pd.DataFrame:
    """One row per round, columns as in the store and `signal_to_noise`."""
    table = pd.DataFrame([asdict(row) for row in rows], columns=list(Round.__dataclass_fields__))
    table["signal_to_noise"] = pd.Series([row.signal_to_noise for row in rows], dtype=float)
    return table
