"""A plan under each assumption that it could be run with, side by side, in the time that a page has: a tenth of a second.

All epsilons are upper bounds, as near to the accountant's as `curves` is.
"""

import functools
import math
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dpcore.errors import InvalidValueError
from dpcore.mechanisms import choices
from dpcore.mechanisms.events import SampledGaussian
from dpcore.mechanisms.noise import Banded
from dpcore.plan import FixedClipping, PrivacyPlan
from dpcore.privacy import assumptions, gaussian

_CORRELATED = ("independent", "tree", "banded")  # beside each other on a known schedule
_MOST_TREE_ROUNDS = 256  # in how many a tree's sensitivity is found in passing
_CLOSE, _STEEP, _TRIES = 1e-3, 1.3, 12  # of the target; how fast epsilon falls with noise, by factors


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to run a plan.

    Attributes:
        plan: The plan with it.
        epsilon: At the plan's noise.
        needed: The same with as much noise as the epsilon takes that is compared at; `None` where none reaches it.
    """

    plan: PrivacyPlan
    epsilon: float
    needed: PrivacyPlan | None


def ways(plan: PrivacyPlan, target: float) -> list[Way]:
    """Returns the plan under each assumption, the plan's own among them; a known schedule also with correlated noise.

    Correlated noise has fixed clipping, and so has what adaptive clipping leaves no room for.

    Args:
        plan: Has noise, and at least one round.
        target: What the noise is to reach; the plan itself does.
    """
    plans, seen = _plans(plan), {_kind(plan): plan.event.mechanism.noise_multiplier}
    return [
        Way(
            plan=one,
            epsilon=epsilon,
            needed=plan if one == plan else _with_noise(one, _noise_for(one, target, seen)),
        )
        for one, epsilon in zip(plans, assumptions.bounds(plans), strict=True)
    ]


def noise_by_round(plan: PrivacyPlan) -> NDArray[np.float64]:
    """Returns the root mean square of the noise in the sum of the first t averages, for t from 1: float64 [rounds].

    In clip norms. Independent noise adds up by the root of the rounds; of what is correlated, later rounds take back
    a part.

    >>> noise_by_round(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120, rounds=4)).round(4)
    array([0.0101, 0.0142, 0.0174, 0.0201])
    """
    found: NDArray[np.float64] = plan.value_noise_multiplier * np.sqrt(plan.noise.prefix_errors(plan.rounds))
    return found / plan.clients_per_round


def effective_noise(plan: PrivacyPlan) -> float:
    """Returns the noise on the average, in clip norms.

    Of correlated noise, it is that of the independent noise that is as large on the path, in the mean square over all
    rounds.
    """
    on_sum = plan.path_noise if plan.noise.is_correlated else plan.value_noise_multiplier
    return on_sum / plan.clients_per_round


def _plans(plan: PrivacyPlan) -> list[PrivacyPlan]:
    found: list[PrivacyPlan] = []
    for one in assumptions.plans(plan):
        found.append(one)
        if not one.event.is_sampled and one.cohorts.pattern(one.fleet).separation > 1:
            found += [other for other in map(functools.partial(_correlated, one), _CORRELATED) if other]
    return list(dict.fromkeys(found))


def _correlated(plan: PrivacyPlan, kind: str) -> PrivacyPlan | None:
    """A plan of a schedule with another noise; `None` where there can be none."""
    if kind == "tree" and plan.rounds > _MOST_TREE_ROUNDS:
        return None
    with suppress(InvalidValueError):
        separation = plan.cohorts.pattern(plan.fleet).separation
        _same, noise = choices.chosen("schedule", kind, plan.fleet, min_separation=separation)
        if noise in (plan.noise, Banded(bands=1)):  # the latter is independent
            return None
        clipping = (
            FixedClipping(clip_norm=plan.clipping.initial_clip_norm) if noise.is_correlated else plan.clipping
        )
        return replace(plan, noise=noise, clipping=clipping)
    return None


def _with_noise(plan: PrivacyPlan, noise: float) -> PrivacyPlan | None:
    for clipping in (plan.clipping, FixedClipping(clip_norm=plan.clipping.initial_clip_norm)):
        with suppress(InvalidValueError):
            return replace(plan, noise_multiplier=noise, clipping=clipping)
    return None


_Kind = tuple[float, bool, int]


def _kind(plan: PrivacyPlan) -> _Kind:
    """What two plans have in common that need the same noise, in units of how far a user moves it."""
    mechanism, rounds = plan.event
    return mechanism.sampling_prob, mechanism.replaces, rounds


def _noise_for(plan: PrivacyPlan, target: float, seen: dict[_Kind, float]) -> float:
    """Noise with which a plan reaches a target, hardly more than it takes; not a number where it is not known.

    Args:
        plan: Any.
        target: An epsilon.
        seen: What was found already, and what is found now.
    """
    mechanism, rounds = plan.event
    if not mechanism.noise_multiplier > 0 or not 0 < target < math.inf or plan.delta == 0:
        return math.nan
    kind = _kind(plan)
    if kind not in seen:
        seen[kind] = math.sqrt(rounds) * _gaussian_noise(plan.delta, target)  # if all took part
        if mechanism.sampling_prob < 1:
            seen[kind] = min(seen[kind], _sampled_noise(mechanism, rounds, plan.delta, target))
    return plan.noise_multiplier / mechanism.noise_multiplier * seen[kind]


@functools.lru_cache(maxsize=1024)
def _gaussian_noise(delta: float, target: float) -> float:
    low, high = 1e-6, 1e9
    for _half in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if gaussian.deltas(middle, target) <= delta else (middle, high)
    return high


@functools.lru_cache(maxsize=1024)
def _sampled_noise(mechanism: SampledGaussian, rounds: int, delta: float, target: float) -> float:
    """By secants of the logarithms, from the noise that there is; infinite where that leads nowhere."""
    noise, steep, aim = mechanism.noise_multiplier, _STEEP, target * (1 - _CLOSE / 2)
    epsilon = assumptions.bound(mechanism, rounds, delta)
    low, high = 1e-3, 1e9  # too little, and more than enough
    for _try in range(_TRIES):
        if target * (1 - _CLOSE) <= epsilon <= target:
            return noise
        low, high = (max(low, noise), high) if epsilon > target else (low, min(high, noise))
        following = noise * (epsilon / aim) ** (1 / steep) if 0 < epsilon < math.inf else 0.0
        if not low < following < high:
            following = math.sqrt(low * high)
        reached = assumptions.bound(mechanism._replace(noise_multiplier=following), rounds, delta)
        if 0 < reached < math.inf and 0 < epsilon < math.inf:
            steep = min(max(-math.log(reached / epsilon) / math.log(following / noise), 0.2), 30.0)
        noise, epsilon = following, reached
    return math.inf
