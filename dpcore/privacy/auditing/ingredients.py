"""What an audited run measures of the mechanism that ran, beside what the plan says: step, noise, sampling.

Nothing here is a bound on epsilon; it is arithmetic on what ran, along the directions that were looked at.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from dpcore import rounding
from dpcore.mechanisms.clipping import MARGIN
from dpcore.plan import PrivacyPlan
from dpcore.privacy.auditing.dispersion import Dispersion
from dpcore.privacy.auditing.trace import Trace

ALARM_LEVEL, CONFIDENCE = 1e-3, 0.95
RUN_STEP, ROUND_STEP, STEP_BY_ROUND = "step_of_run_canaries", "step_of_round_canaries", "step_by_round"
ACROSS_DIRECTIONS, ACROSS_ROUNDS = "noise_across_directions", "noise_across_rounds"
NOISE_OF_A_ROUND, NOISE_OF_A_LAYER = "noise_of_a_round", "noise_of_a_layer"
CORRELATION = "correlation_of_rounds"
RATE, RATE_BY_ROUND, RATE_BY_CANARY = "participation_rate", "participation_by_round", "participation_by_canary"

# Users' updates are alike in neighbouring rounds, and a little of that is in every direction: so much is never told of.
_ALIKE = 0.1
# By how many of its standard deviations the planned noise is taken for less, where users may be the rest.
_SURE = 4.0
_FLOAT32 = 1e-6  # of the noise, what rounding makes of it: where rounds have the same noise, nothing else is left
_FEWEST_JOINED = 100  # expected in all, for their dispersion to be judged


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One number that the guarantee rests on.

    Attributes:
        name: One of this module's names.
        planned: What the plan says.
        measured: What the run shows; of several (rounds, layers, pairs) that which is least like the plan.
        low: Where its 95% interval begins; of several, so that all of them are in theirs together.
        high: Where it ends.
        p: How often an honest run shows something at least as far out, times the number of ingredients: so 0.001 is
            for all of them together. `rounding.LEAST_P` for that or less.
        unsafe: On which side of the plan it weakens the guarantee: "above" or "below". Noise rings on that side alone,
            since users' updates along a direction look like more noise.
    """

    name: str
    planned: float
    measured: float
    low: float
    high: float
    p: float
    unsafe: str

    @property
    def alarms(self) -> bool:
        """Whether it is not what the plan says, at `ALARM_LEVEL`. No alarm does not mean that it is."""
        return self.p < ALARM_LEVEL


def ingredients(trace: Trace, plan: PrivacyPlan) -> tuple[Ingredient, ...]:
    """Returns what can be measured in a run; what its canaries are too few for is left out.

    Assumed: noise is Gaussian, and the directions were drawn apart from the data. What users' updates add along the
    bystanders' directions makes noise look larger, so it can hide that there is too little; `noise_across_rounds`
    takes out what two neighbouring rounds have in common. Neither sees what lies outside the canaries' coordinates.
    """
    rows = [*_noises(trace), *_layers(trace), *_correlation(trace), *_steps(trace), *_sampling(trace, plan)]
    return tuple(replace(row, p=min(1.0, max(row.p * len(rows), rounding.LEAST_P))) for row in rows)


def _noise(name: str, trace: Trace, squares: float, count: int, looks: int = 1) -> Ingredient:
    """The noise from the sum of squares of so many numbers that have it, the least of so many sums.

    Source: a sum of squares over the variance is chi-squared.
    """
    tail = (1 - CONFIDENCE) / 2 / looks
    low, high = (math.sqrt(squares / special.chdtri(count, beyond)) for beyond in (tail, 1 - tail))
    p = min(1.0, looks * float(special.chdtr(count, squares / trace.noise**2)))
    measured = math.sqrt(squares / count)
    return Ingredient(name=name, planned=trace.noise, measured=measured, low=low, high=high, p=p, unsafe="below")


def _noises(trace: Trace) -> Iterator[Ingredient]:
    noise, (rounds, directions) = trace.bystanders, trace.bystanders.shape
    squares = np.einsum("td,td->t", noise, noise)
    yield _noise(ACROSS_DIRECTIONS, trace, float(squares.sum()), noise.size)
    if rounds > 1:
        # Pairs that share no round: their differences are independent, whatever is the same in both.
        even = rounds // 2 * 2
        apart = (noise[0:even:2] - noise[1:even:2]).ravel() / math.sqrt(2)
        yield _noise(ACROSS_ROUNDS, trace, float(apart @ apart), apart.size)
    yield _noise(NOISE_OF_A_ROUND, trace, float(squares.min()), directions, looks=rounds)


def _layers(trace: Trace) -> Iterator[Ingredient]:
    """The noise of the layer with the least; users' updates and canaries add to it, and can hide that it has none."""
    if not trace.layer_size.size:
        return
    scales = trace.layer_scale * (trace.noise / trace.round_noise)[:, None]
    squares, counts = scales**2 * trace.layer_size, np.broadcast_to(trace.layer_size, scales.shape)
    if trace.innovations is None:  # else rounds are not independent: each is judged by itself
        squares, counts = squares.sum(axis=0), counts.sum(axis=0)
    least = np.unravel_index(np.argmin(special.chdtr(counts, squares / trace.noise**2)), squares.shape)
    yield _noise(NOISE_OF_A_LAYER, trace, float(squares[least]), int(counts[least]), looks=squares.size)


def _correlation(trace: Trace) -> Iterator[Ingredient]:
    """The largest correlation between the noise of two rounds, beyond what rounds have in common for users' sake.

    What a round has beyond the planned noise may be users' updates; those of two rounds are correlated by no more than
    the shares that they have in each allow (Cauchy and Schwarz). So users ring no alarm however alike they are. Noise
    that hides behind them is looked for in all rounds together (`_p_value_of_dependence`).

    Source: Fisher (1921), "On the probable error of a coefficient of correlation": arctanh of it is nearly normal with
    variance 1 / (num_directions - 3). The mean over the rounds is taken from each direction, which leaves the noise of
    any two rounds with a covariance of -1 / rounds of its variance.
    """
    rounds, directions = trace.bystanders.shape
    if rounds < 3:
        return
    apart = trace.bystanders - trace.bystanders.mean(axis=0)
    moments, variance = apart @ apart.T / directions, trace.noise**2
    squares = np.diag(moments).clip(1e-12 * variance)
    sure = max(0.0, 1 - _SURE * math.sqrt(2 / directions))
    of_users = (1 - sure * variance * (1 - 1 / rounds) / squares).clip(0)
    first, second = np.triu_indices(rounds, 1)
    scale = np.sqrt(squares[first] * squares[second])
    found = np.arctanh(((moments[first, second] + variance / rounds) / scale).clip(-1 + 1e-12, 1 - 1e-12))
    alike = np.arctanh(np.sqrt(of_users[first] * of_users[second]).clip(_ALIKE, 1 - 1e-12))
    worst, spread = int(np.argmax(np.abs(found) - alike)), 1 / math.sqrt(directions - 3)
    largest, far = float(found[worst]), float(np.abs(found[worst]) - alike[worst]) / spread
    reach = -float(special.ndtri((1 - CONFIDENCE) / 2 / len(found))) * spread
    yield Ingredient(
        name=CORRELATION,
        planned=0.0,
        measured=math.tanh(largest),
        low=math.tanh(largest - reach),
        high=math.tanh(largest + reach),
        p=min(1.0, 2 * min(2 * len(found) * float(special.ndtr(-far)), _p_value_of_dependence(trace))),
        unsafe="above",
    )


def _p_value_of_dependence(trace: Trace) -> float:
    """Returns how often, at most, independent noise lets some mixture of all rounds have as little of it as one has.

    Whatever users add, a mixture of rounds has the noise that is off their span, directions less rounds of it. What is
    too little in a round alone is set right before: other rows tell of that.

    Source: Davidson and Szarek (2001), "Local operator theory, random matrices and Banach spaces", theorem II.13: the
    least singular value of a Gaussian matrix.
    """
    rounds, directions = trace.bystanders.shape
    if directions <= 2 * rounds:
        return 1.0
    moments = trace.bystanders @ trace.bystanders.T / trace.noise**2
    sizes = np.sqrt((np.diag(moments) / directions).clip(1e-12, 1))
    least = max(0.0, float(np.linalg.eigvalsh(moments / np.outer(sizes, sizes))[0]))
    far = math.sqrt(directions - rounds) - math.sqrt(rounds) - math.sqrt(least)
    return math.exp(-(max(far, 0.0) ** 2) / 2)


def _steps(trace: Trace) -> Iterator[Ingredient]:
    """How far one canary moves the sum, by what differs within each of them between rounds, and from round to round.

    What else moves along a canary's direction moves along those of bystanders alike, noise and users. Of a known schedule
    the same users come every so many rounds, and the same canaries with them; so it is the bystanders' second moments
    between all rounds that say how an estimate spreads, along what each canary has sent.
    """
    split, (rounds, directions) = trace.run_canaries, trace.bystanders.shape
    moments = trace.bystanders @ trace.bystanders.T / directions
    moments += np.eye(rounds) * (_FLOAT32 * trace.noise) ** 2
    for name, which in ((RUN_STEP, slice(split)), (ROUND_STEP, slice(split, trace.num_canaries))):
        sent = trace.sent[:, which] - trace.sent[:, which].mean(axis=0)
        weight = float(np.vdot(sent, sent))
        if weight < 1:
            continue
        measured = float(np.vdot(sent, trace.released[:, which])) / weight
        spread = math.sqrt(float(np.vdot(sent, moments @ sent))) / weight
        reach = -float(special.ndtri((1 - CONFIDENCE) / 2)) * spread
        yield Ingredient(
            name=name,
            planned=1 - MARGIN,
            measured=measured,
            low=measured - reach,
            high=measured + reach,
            p=2 * float(special.ndtr(-abs(measured - 1 + MARGIN) / spread)),
            unsafe="above",
        )
    yield from _step_by_round(trace)


def _step_by_round(trace: Trace) -> Iterator[Ingredient]:
    """Whether the step is the same in all rounds: what its estimates spread, over what noise makes them spread.

    It is by the round canaries: those that joined against those that did not, in the same round.
    """
    which = slice(trace.run_canaries, trace.num_canaries)
    joined, released = trace.joined[:, which], trace.projections[:, which].astype(float)
    here, away = joined.sum(axis=1), (~joined).sum(axis=1)
    seen = (here > 0) & (away > 0)
    if np.count_nonzero(seen) < 2:
        return
    joined, released, here, away = joined[seen], released[seen], here[seen], away[seen]
    inside = np.einsum("td,td->t", released, joined.astype(float))
    steps = inside / here - (released.sum(axis=1) - inside) / away
    noise = np.mean(trace.projections[seen, trace.num_canaries :].astype(float) ** 2, axis=1)
    weights = 1 / (noise * (1 / here + 1 / away))
    spread = float(weights @ (steps - np.average(steps, weights=weights)) ** 2)
    free = len(steps) - 1
    tail = (1 - CONFIDENCE) / 2
    yield Ingredient(
        name=STEP_BY_ROUND,
        planned=1.0,
        measured=spread / free,
        low=spread / float(special.chdtri(free, tail)),
        high=spread / float(special.chdtri(free, 1 - tail)),
        p=float(special.chdtrc(free, spread)),
        unsafe="above",
    )


def _sampling(trace: Trace, plan: PrivacyPlan) -> Iterator[Ingredient]:
    """How often run canaries join whose coin is in, and whether they do so independently."""
    joined: NDArray[np.bool_] = trace.joined[:, : trace.run_canaries][:, trace.run_coins]
    if not plan.cohorts.by_coins_alone or not joined.size:
        return
    prob = plan.sampling_prob
    test = stats.binomtest(int(joined.sum()), joined.size, prob)
    found = test.proportion_ci(CONFIDENCE, method="exact")
    row = Ingredient(
        name=RATE,
        planned=prob,
        measured=float(joined.mean()),
        low=float(found.low),
        high=float(found.high),
        p=float(test.pvalue),
        unsafe="above",
    )
    yield row
    if prob == 1 or joined.size * prob < _FEWEST_JOINED:
        return
    for name, axis in ((RATE_BY_ROUND, 1), (RATE_BY_CANARY, 0)):
        spread = Dispersion(counts=joined.sum(axis=axis), trials=joined.shape[axis], prob=prob)
        low, high = spread.interval(CONFIDENCE)
        yield replace(row, name=name, planned=1.0, measured=spread.index, low=low, high=high, p=spread.p_value())
