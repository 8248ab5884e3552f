"""Epsilon as a game: from what a training released, did this user take part?

The release is the worst case that the guarantee is about. The attacker knows everything but the one user, so that in
each round, along that user's update, there is left: the update itself, one clip norm long, if the user was drawn, and
the noise. Nothing of the mechanism is simplified by that: the accountant assumes it as well.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from dpcore.plan import PrivacyPlan

_TELLING = 10  # wrong accusations whose rate is near the true one


@dataclass(frozen=True, kw_only=True, eq=False)
class Game:
    """What one training released along one user's update, and the truth.

    Attributes:
        took_part: Whether the user was among those that cohorts were drawn from.
        joined: In which rounds the user was in the cohort, bool [num_rounds].
        seen: What is left in each round when all others are taken off, in clip norms, float64 [num_rounds].
        evidence: The log-likelihood ratio after each round, float64 [num_rounds]; above 0 speaks for having taken part.
    """

    took_part: bool
    joined: np.ndarray
    seen: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Score:
    """How guesses went.

    Attributes:
        members: Games whose user took part.
        true_positives: Those of them in which the guess was "took part".
        others: Games whose user did not take part.
        false_positives: Those of them in which the guess was "took part".
    """

    members: int = 0
    true_positives: int = 0
    others: int = 0
    false_positives: int = 0

    @property
    def games(self) -> int:
        return self.members + self.others

    @property
    def right(self) -> int:
        """How many guesses were right."""
        return self.true_positives + self.others - self.false_positives

    @property
    def accused_rate(self) -> float | None:
        """The rate of wrong accusations to look up on the guarantee's curve; `None` before enough games tell one.

        Ten accusations tell it. Fewer of at least twenty games say only what it is at most: the curve rises steeply at 0,
        and none in two games is no rate of 0.
        """
        if self.false_positives >= _TELLING:
            return self.false_positives / self.others
        return confidence_interval(self.false_positives, self.others)[1] if self.others >= 2 * _TELLING else None

    def __add__(self, other: "Score") -> "Score":
        return Score(**{name: count + getattr(other, name) for name, count in vars(self).items()})


def score(took_part: np.ndarray | bool, said: np.ndarray | bool) -> Score:
    """Returns the score of guesses, bool [num_games] or one alone: what was true, and what was said."""
    true, guess = np.atleast_1d(took_part), np.atleast_1d(said)
    return Score(
        members=int(true.sum()),
        true_positives=int((true & guess).sum()),
        others=int((~true).sum()),
        false_positives=int((~true & guess).sum()),
    )


def confidence_interval(count: int, total: int) -> tuple[float, float]:
    """Returns the 95% confidence interval of a rate of which `count` of `total` games are known; [0, 1] without a game.

    Source: Clopper & Pearson (1934), as `scipy.stats` has it; it covers the true rate at least so often.

    >>> tuple(round(rate, 3) for rate in confidence_interval(1, 10))
    (0.003, 0.445)
    """
    if total == 0:
        return 0.0, 1.0
    interval = binomtest(count, total).proportion_ci(0.95, "exact")
    return float(interval.low), float(interval.high)


def log_likelihood_ratio(plan: PrivacyPlan, seen: np.ndarray) -> np.ndarray:
    """Returns how much each observation speaks for the user having taken part, in nats; the shape of `seen`.

    The density with the user is (1 - q) N(0, z²) + q N(1, z²), without it N(0, z²). By the lemma of Neyman and Pearson
    (1933), no attack finds more users at the same rate of wrong accusations than one that decides by the sum of these.

    Args:
        plan: Gives the noise multiplier z, which is not 0, and the sampling probability q.
        seen: Observations in clip norms.
    """
    z, q = plan.noise_multiplier, plan.sampling_prob
    if q == 1:
        return (2 * seen - 1) / (2 * z**2)
    return np.logaddexp(np.log1p(-q), np.log(q) + (2 * seen - 1) / (2 * z**2))


def _release(
    plan: PrivacyPlan, took_part: np.ndarray, draw: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joined rounds, observations and evidence of games, each [num_games, num_rounds]."""
    shape = (len(took_part), plan.rounds)
    joined = (draw.random(shape) < plan.sampling_prob) & took_part[:, None]
    seen = joined + draw.normal(0, plan.noise_multiplier, shape)
    return joined, seen, log_likelihood_ratio(plan, seen).cumsum(axis=1)


def play(plan: PrivacyPlan, draw: np.random.Generator) -> Game:
    """Returns one game: a fair coin says whether its user takes part."""
    took_part = draw.random(1) < 0.5
    joined, seen, evidence = _release(plan, took_part, draw)
    return Game(took_part=bool(took_part[0]), joined=joined[0], seen=seen[0], evidence=evidence[0])


def play_many(plan: PrivacyPlan, draw: np.random.Generator, games: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns of many games the truth, bool [games], and the evidence at their end, float64 [games]."""
    took_part = draw.random(games) < 0.5
    _, _, evidence = _release(plan, took_part, draw)
    return took_part, evidence[:, -1]
