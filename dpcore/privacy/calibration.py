"""The search for the one number of a plan that is not given, so that it reaches a target."""

import functools
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dpcore import limits, rounding
from dpcore.errors import InvalidValueError, UnattainableTargetError
from dpcore.language import _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.bounds import COMPOSED_LEAST_DELTA
from dpcore.privacy.precision import Precision
from dpcore.privacy.risk import risk
from dpcore.privacy.shortfall import TOLERATED, Shortfall

UNKNOWNS = ("clients", "clients_at_noise", "noise", "rounds", "delta", "population", "max_participations")

# What stands in a plan for a number that is looked for, so that the plan itself is never refused for it.
PLACEHOLDERS: dict[str, dict[str, Any]] = {
    "clients": {"clients_per_round": 1, "noise_multiplier": 0.0},
    "noise": {"noise_multiplier": 0.0},
    "population": {"population": int(limits.POPULATION.maximum)},
}

Measure = Callable[[PrivacyPlan], float]
_SMALL = 0.03  # an epsilon
_CORRECTIONS = 5


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """The plans that differ in the unknown alone, from the least private to the most.

    Attributes:
        at: The plan at a step.
        steps: The last step.
        advice: What else to change where no step reaches a target.
        number: The number of a plan in which they differ.
        between: What keeps an answer from lying between two steps, as `Shortfall` names it.
        end: What keeps it from lying before the first, and the numbers of that.
    """

    at: Callable[[int], PrivacyPlan]
    steps: int
    advice: str
    number: str
    between: str
    end: tuple[str, dict[str, float]]


def _clients(plan: PrivacyPlan, ratio: float) -> _Axis:
    most = replace(plan, clients_per_round=1, noise_multiplier=0).most_noise
    if ratio >= most * (1 - 1e-9):
        raise InvalidValueError(
            "noise_to_clients_ratio",
            _(
                "Expected noise_to_clients_ratio to be below {most}, found {ratio}: adaptive clipping "
                "spends part of the noise on its own count. Lower the ratio, or use fixed clipping."
            ).format(most=rounding.down(most, 12), ratio=rounding.given(ratio)),
        )
    fewest = math.ceil(limits.LEAST_NOISE / ratio * (1 - 1e-12))  # not decided by the last bit of a float
    if fewest > plan.population:
        raise InvalidValueError(
            "noise_to_clients_ratio",
            _(
                "Expected noise_to_clients_ratio of at least {least} for {population:,} users, found {ratio}: "
                "less noise protects nobody. Raise the ratio."
            ).format(
                least=rounding.up(limits.LEAST_NOISE / plan.population),
                population=plan.population,
                ratio=rounding.given(ratio),
            ),
        )

    def at(step: int) -> PrivacyPlan:
        clients = fewest + step
        # The product is rounded so that 120 clients at 0.01 are 1.2 and not 1.2000000000000002.
        return replace(plan, clients_per_round=clients, noise_multiplier=round(clients * ratio, 12))

    return _Axis(
        at=at,
        steps=plan.population - fewest,
        advice=_(
            "even with all {population:,} users in each of {rounds:,} rounds at a ratio of {ratio}. "
            "Raise the target or the ratio, or train fewer rounds"
        ).format(population=plan.population, rounds=plan.rounds, ratio=rounding.given(ratio)),
        number="clients_per_round",
        between="whole_clients",
        end=("fewest_clients", {}) if fewest == 1 else ("noise_of_fewer_clients", {"least": limits.LEAST_NOISE}),
    )


def _clients_at_noise(plan: PrivacyPlan) -> _Axis:
    fewest = 1
    per_client = replace(plan, clients_per_round=1, noise_multiplier=0).most_noise
    if plan.noise_multiplier:
        fewest = math.floor(plan.noise_multiplier / per_client * (1 + 1e-9)) + 1
    return _Axis(
        at=lambda step: replace(plan, clients_per_round=plan.population - step),
        steps=plan.population - fewest,
        advice=_(
            "even with the {fewest:,} clients per round that this noise needs at least. Raise the target or the "
            "noise, or train fewer rounds"
        ).format(fewest=fewest),
        number="clients_per_round",
        between="whole_clients",
        end=("all_users", {"population": plan.population}),
    )


def _noise(plan: PrivacyPlan) -> _Axis:
    most = min(plan.most_noise, limits.NOISE_MULTIPLIER.maximum)
    if most < plan.most_noise:
        advice = _(
            "even with noise {most:g}, the most there may be. Raise the target, or train fewer rounds"
        ).format(most=most)
    else:
        advice = _(
            "even with the most noise that adaptive clipping leaves room for at {clients:,} clients "
            "per round. Raise the target or the clients, train fewer rounds, or use fixed clipping"
        ).format(clients=plan.clients_per_round)
    return _Axis(
        at=lambda step: replace(plan, noise_multiplier=_five_digits(step, limits.LEAST_NOISE)),
        steps=bisect_left(range(2_000_000), most * (1 - 1e-8), key=lambda s: _five_digits(s, limits.LEAST_NOISE))
        - 1,
        advice=advice,
        number="noise_multiplier",
        between="noise_jump",
        end=("least_noise", {"least": limits.LEAST_NOISE}),
    )


def _rounds(plan: PrivacyPlan) -> _Axis:
    most = int(limits.ROUNDS.maximum)
    return _Axis(
        at=lambda step: replace(plan, rounds=most - step),
        steps=most - 1,
        advice=_("even in a single round. Raise the target or the noise"),
        number="rounds",
        between="whole_rounds",
        end=("most_rounds", {"most": most}),
    )


def _delta(plan: PrivacyPlan) -> _Axis:
    least = 1e-30
    return _Axis(
        at=lambda step: replace(plan, delta=_five_digits(step, least)),
        steps=bisect_left(range(3_000_000), 1.0, key=lambda s: _five_digits(s, least)) - 1,
        advice=_("at any delta. Raise the target or the noise, or train fewer rounds"),
        number="delta",
        between="delta_jump",
        end=("least_delta", {"least": least}),
    )


def _population(plan: PrivacyPlan) -> _Axis:
    most = int(limits.POPULATION.maximum)
    return _Axis(
        at=lambda step: replace(plan, population=plan.clients_per_round + step),
        steps=most - plan.clients_per_round,
        advice=_("even with {most:,} users. Raise the target or the noise, or train fewer rounds").format(
            most=most
        ),
        number="population",
        between="whole_users",
        end=("smallest_population", {"population": plan.clients_per_round}),
    )


def _participations(plan: PrivacyPlan) -> _Axis:
    fewest = -(-plan.rounds // (plan.population // plan.clients_per_round))  # groups are no more than users allow
    most = max(plan.rounds, 1)
    return _Axis(
        at=lambda step: replace(plan, participation=plan.participation.at_most(most - step, plan.fleet)),
        steps=most - max(fewest, 1),
        advice=_(
            "with the {fewest:,} rounds a user that {rounds:,} rounds of so many clients need. Raise the target, the "
            "noise or the population, or train fewer rounds"
        ).format(fewest=max(fewest, 1), rounds=plan.rounds),
        number="participations",
        between="whole_participations",
        end=("all_rounds", {"rounds": plan.rounds}),
    )


_AXES = {
    "clients_at_noise": _clients_at_noise,
    "noise": _noise,
    "rounds": _rounds,
    "delta": _delta,
    "population": _population,
    "max_participations": _participations,
}


def _axis(plan: PrivacyPlan, unknown: str, noise_to_clients_ratio: float) -> _Axis:
    limits.check_choice("solve", unknown, UNKNOWNS)
    if unknown == "clients":
        return _formed(_clients(plan, limits.NOISE_TO_CLIENTS_RATIO.check(noise_to_clients_ratio)))
    return _formed(_AXES[unknown](plan))


def _formed(axis: _Axis) -> _Axis:
    """The part of an axis whose plans there can be: cohorts are not formed in every way of any number of users."""

    def is_refused(step: int) -> bool:
        try:
            axis.at(step)
        except InvalidValueError:
            return True
        return False

    first, last = 0, axis.steps
    if is_refused(last):
        axis.at(first)  # or nothing can be formed
        last = _first(first, last, is_refused) - 1
        advice = _(
            "even with as many as cohorts can be formed of. Raise the target or the noise, or train fewer rounds"
        )
        return replace(axis, steps=last, advice=advice)
    if is_refused(first):
        first = _first(first, last, lambda step: not is_refused(step))
        return replace(axis, at=lambda step: axis.at(first + step), steps=last - first, end=("not_formed", {}))
    return axis


def _five_digits(step: int, least: float) -> float:
    """The number `step` places after `least`, a power of ten, among those with five significant digits."""
    exponent, mantissa = divmod(step, 90_000)
    return float(f"{10_000 + mantissa}e{round(math.log10(least)) - 4 + exponent}")


def solution(
    plan: PrivacyPlan,
    unknown: str,
    *,
    target_epsilon: float,
    noise_to_clients_ratio: float = limits.NOISE_TO_CLIENTS_RATIO.default,
    accountant: str = "pld",
    precision: Precision = Precision.REPORTED,
) -> tuple[PrivacyPlan, Shortfall | None]:
    """Returns the plan that reaches a target epsilon, all but one of its numbers held, and why it stays well below it.

    The answer is on the safe side: the fewest clients at a constant noise-to-clients ratio (as in the tutorial
    "Differential Privacy in TFF": a model that bears the noise on the average at a small cohort bears it at a
    large one); the most clients at a constant noise; the least noise or delta, to five digits, rounded up; the
    most rounds; or the smallest population.

    Args:
        plan: Gives the numbers that are held.
        unknown: One of `UNKNOWNS`.
        target_epsilon: The epsilon that may be reached.
        noise_to_clients_ratio: Noise multiplier over clients per round, where the unknown is "clients".
        accountant: "rdp", or "pld" for the smaller of the two.
        precision: That of the epsilons which it goes by.

    Raises:
        InvalidValueError: If an argument is out of range.
        UnattainableTargetError: If not even the most private of the plans reaches the target.
    """
    target = limits.TARGET_EPSILON.check(target_epsilon)
    limits.check_choice("accountant", accountant, accounting.ACCOUNTANTS)
    axis = _axis(plan, unknown, noise_to_clients_ratio)

    def measure(candidate: PrivacyPlan) -> float:
        return _epsilon(candidate, accountant, precision)

    def estimate(step: int) -> float:
        return _estimate(axis.at(step), accountant)

    # Where what is never below the accountant's reaches the target, it does too, and need not be asked.
    lowest = estimate(axis.steps)
    if not lowest <= target:
        lowest = measure(axis.at(axis.steps))
    if not lowest <= target:
        advice = axis.advice
        if plan.delta == 0 and unknown != "delta":
            advice = _("at delta 0, with whatever noise. Raise delta")
        raise UnattainableTargetError(
            "target_epsilon",
            _("Expected target_epsilon of at least {lowest}, found {target}: that is the least, {advice}.").format(
                lowest=rounding.epsilon(lowest), target=rounding.given(target), advice=advice
            ),
        )
    step = _search(axis, measure, functools.cache(estimate), target)
    return axis.at(step), _shortfall(axis, step, measure, target, accountant)


def solve(plan: PrivacyPlan, unknown: str, **wanted: Any) -> PrivacyPlan:
    """Returns the plan that `solution` finds; arguments and errors as there.

    >>> found = solve(PrivacyPlan(), "clients", target_epsilon=2.0, accountant="rdp")
    >>> found.clients_per_round, found.noise_multiplier
    (120, 1.2)
    """
    return solution(plan, unknown, **wanted)[0]


def lowest_epsilon(
    plan: PrivacyPlan,
    unknown: str,
    *,
    noise_to_clients_ratio: float = limits.NOISE_TO_CLIENTS_RATIO.default,
    accountant: str = "pld",
    precision: Precision = Precision.REPORTED,
) -> float:
    """Returns the lowest epsilon that any value of the unknown reaches; arguments and errors as in `solve`."""
    axis = _axis(plan, unknown, noise_to_clients_ratio)
    return _epsilon(axis.at(axis.steps), accountant, precision)


FEASIBILITY_ROUNDS = (50, 100, 500)


def lowest_epsilons(population: int, delta: float, noise_to_clients_ratio: float) -> dict[int, float]:
    """Returns the least epsilon that any plan reaches on so many users, by the number of rounds.

    It is that of all users in each round, with the noise that a ratio then gives; errors as in `solve`.

    >>> lowest_epsilons(3383, 1e-5, 0.01)[100]
    1.1135...
    """
    return {
        rounds: lowest_epsilon(
            PrivacyPlan(population=population, clients_per_round=1, noise_multiplier=0, rounds=rounds, delta=delta),
            "clients",
            noise_to_clients_ratio=noise_to_clients_ratio,
        )
        for rounds in FEASIBILITY_ROUNDS
    }


def solution_for_risk(
    plan: PrivacyPlan,
    *,
    true_positive_rate: float,
    false_positive_rate: float,
) -> tuple[PrivacyPlan, Shortfall | None]:
    """Returns the plan with the least noise at which the best attack stays at a wanted rate, and why well below it.

    Args:
        plan: Gives all but the noise.
        true_positive_rate: The most users that may be found, as a fraction.
        false_positive_rate: The fraction of others that the attack may accuse.

    Raises:
        InvalidValueError: If the rates are no rates, finding no more than accusing is asked for, or nothing bounds an
            attack, whatever the noise.
        UnattainableTargetError: If the most noise is not enough.
    """
    wanted = limits.TRUE_POSITIVE_RATE.check(true_positive_rate)
    rate = limits.FALSE_POSITIVE_RATE.check(false_positive_rate)
    if wanted <= rate:
        raise InvalidValueError(
            "true_positive_rate",
            _(
                "Expected true_positive_rate above the false-positive rate {rate}, found {wanted}: random guessing "
                "already reaches that. Raise it."
            ).format(rate=rounding.given(rate), wanted=rounding.given(wanted)),
        )
    if plan.zeroing:
        raise InvalidValueError(
            "zeroing",
            _(
                "Expected a plan without zeroing, found one with it: its threshold follows the updates without "
                "noise, so that no bound on attacks holds. Leave it out."
            ),
        )
    axis = _noise(plan)

    def measure(candidate: PrivacyPlan) -> float:
        return float(risk(candidate).true_positive_rate(rate))

    lowest = measure(axis.at(axis.steps))
    if lowest > wanted:
        raise UnattainableTargetError(
            "true_positive_rate",
            _(
                "Expected true_positive_rate of at least {lowest}, found {wanted}: that is the least, {advice}."
            ).format(lowest=rounding.up(lowest, 4), wanted=rounding.given(wanted), advice=axis.advice),
        )
    step = _first(0, axis.steps, lambda step: measure(axis.at(step)) <= wanted)
    return axis.at(step), _shortfall(axis, step, measure, wanted, "true_positive_rate")


def noise_for_risk(plan: PrivacyPlan, **wanted: Any) -> PrivacyPlan:
    """Returns the plan that `solution_for_risk` finds; arguments and errors as there."""
    return solution_for_risk(plan, **wanted)[0]


def _shortfall(axis: _Axis, step: int, measure: Measure, target: float, measured: str) -> Shortfall | None:
    """Why a step of the axis misses the target; `None` where it hardly does."""
    reached = measure(axis.at(step))
    if reached >= target * (1 - TOLERATED):
        return None
    name, numbers = axis.end
    if step:
        following = axis.at(step - 1)
        name, numbers = axis.between, {"next": getattr(following, axis.number), "beyond": measure(following)}
    return Shortfall(name=name, numbers=numbers, measure=measured, reached=reached, target=target)


def _epsilon(plan: PrivacyPlan, accountant: str, precision: Precision) -> float:
    if accountant == "rdp":
        return accounting.epsilon_by_round(plan, [plan.rounds])[0].value
    return accounting.epsilon(plan, precision).value


def _estimate(plan: PrivacyPlan, accountant: str) -> float:
    """An epsilon a little above the accountant's, in a millisecond: where to begin to look."""
    from dpcore.privacy import composition, curves  # SciPy, which a page that only accounts does not wait for

    estimate = curves.rdp_epsilons if accountant == "rdp" else curves.epsilons
    found = float(estimate(**curves.plan_arguments(plan)))
    mechanism, count = plan.event
    small = accountant == "pld" and 0 < found < _SMALL  # beside a step of the curves' grid
    if small and plan.event.is_sampled and not mechanism.replaces and plan.delta >= COMPOSED_LEAST_DELTA:
        found = composition.epsilon([(*mechanism[:2], count)], plan.delta, closeness=math.inf)[0]
    return found


def _search(axis: _Axis, measure: Measure, estimate: Callable[[int], float], target: float) -> int:
    """Returns the step of the least private plan whose measure, by the accountant itself, is at most the target.

    The estimate takes milliseconds and finds the place; what it is off by there is measured and taken off, again where
    that leads elsewhere, so that one or two steps are left to the accountant.
    """
    off, near = 1.0, -1
    ends: dict[int, float] = {}
    for _try in range(_CORRECTIONS):
        before = near
        near = _first_below(axis.steps, estimate, target / off, ends)
        if near == before:
            break
        measured, estimated = measure(axis.at(near)), estimate(near)
        if not 0 < estimated < math.inf:
            break
        off = measured / estimated
    return _first_near(near, axis.steps, lambda step: measure(axis.at(step)) <= target)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number of low..high where `holds`, which then stays true; `high` if it is nowhere before."""
    return low + bisect_left(range(low, high), True, key=holds)


def _first_below(last: int, falling: Callable[[int], float], bound: float, known: dict[int, float]) -> int:
    """The first step of 0..last at which what falls from step to step is at most a bound; the last, if there is none.

    By regula falsi on logarithms, and by bisection where that has not halved what is left: in half as many calls.

    Args:
        last: The last step.
        falling: What falls.
        bound: Above 0.
        known: Its values at some steps, where to begin; those that are asked for are added.
    """

    def excess(step: int) -> float:
        if step not in known:
            known[step] = falling(step)
        return math.log(known[step] / bound) if 0 < known[step] < math.inf else math.copysign(50, known[step] - 1)

    low = max((step for step, value in known.items() if not value <= bound), default=-1)  # above the bound
    high = min((step for step, value in known.items() if value <= bound and step > low), default=last)
    halve = low < 0
    while high - low > 1:
        width = high - low
        middle = low + width // 2
        if not halve and low in known and high in known:
            above, below = excess(low), excess(high)
            middle = min(max(low + round(width * above / (above - below)), low + 1), high - 1)
        if excess(middle) <= 0:
            high = middle
        else:
            low = middle
        halve = not halve and high - low > width // 2
    return high


def _first_near(near: int, high: int, holds: Callable[[int], bool]) -> int:
    """As `_first(0, high, holds)`, with few calls where the answer is near `near`."""
    width = 1
    if holds(near):
        while near - width >= 0 and holds(near - width):
            near, width = near - width, 2 * width
        return _first(max(near - width + 1, 0), near, holds)
    while near + width < high and not holds(near + width):
        near, width = near + width, 2 * width
    return _first(near + 1, min(near + width, high), holds)
