"""What an epsilon means: what the best attack on a plan can achieve.

All of it comes from the whole privacy profile, delta as a function of epsilon, not from one pair of them:
a pair alone allows attacks that the mechanism does not.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpcore.language import _
from dpcore.plan import PrivacyPlan
from dpcore.privacy import accounting, ledger

# Rates and priors that can be asked for are above e^-28: what is beyond tells nothing of them.
_POINTS, _HIGHEST = 1_001, 40.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Risk:
    """The best attack that decides whether one user's data was used, against a whole run.

    The attacker knows everything else: all other users' data, the model at every round, and the plan.

    Attributes:
        epsilons: float64 [num_points], ascending from 0.
        deltas: The privacy profile at them, float64 [num_points].
    """

    epsilons: NDArray[np.float64]
    deltas: NDArray[np.float64]

    @property
    def advantage(self) -> float:
        """The most by which true-positive rate can exceed false-positive rate: the profile at 0.

        Source: Kulynych et al. (2024) <https://arxiv.org/abs/2407.02191>, section 2; the total variation.
        """
        return float(self.deltas[0])

    def true_positive_rate(self, false_positive_rate: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Returns the most users that an attack finds among those that took part, as a fraction.

        Never below the true value: each point of the profile bounds it, and the least bound is taken.

        Source: Dong et al. (2022) <https://arxiv.org/abs/1905.02383>, proposition 2.12.

        Args:
            false_positive_rate: The fraction of users that it accuses among those that did not, [num_rates].
        """
        rates = np.asarray(false_positive_rate, float)[..., None]
        accused = self.deltas + np.exp(self.epsilons) * rates
        spared = 1 - np.exp(-self.epsilons) * (1 - self.deltas - rates)
        found: NDArray[np.float64] = np.clip(np.minimum(accused.min(-1), spared.min(-1)), 0, 1)
        return found

    def posterior(self, prior: float, false_positive_rate: float) -> float:
        """How sure an attacker of that rate can be of a user it accuses, having been sure to `prior` before.

        Source: Bayes' rule on the rates.
        """
        found = prior * float(self.true_positive_rate(false_positive_rate))
        return found / (found + (1 - prior) * false_positive_rate)

    def best_guess(self, prior: float) -> float:
        """How often the best guess is right about a user who took part with probability `prior`.

        It is right `max(prior, 1 - prior)` of the time without looking. With odds e^t against taking part, looking
        adds prior * delta(t): the profile is the most by which the rates can differ at those odds.
        """
        rarer = min(prior, 1 - prior)
        if not rarer:
            return 1.0
        # A line between two points lies above the profile where it is convex: in e^epsilon, and not in epsilon.
        gained = np.interp((1 - rarer) / rarer, np.exp(self.epsilons), self.deltas)
        return float(1 - rarer + rarer * gained)


def rate_from_pair(epsilon: float, delta: float, false_positive_rate: float) -> float:
    """The true-positive rate that one (epsilon, delta) pair alone would allow.

    Source: Kairouz et al. (2015) <https://arxiv.org/abs/1311.0776>, theorem 2.1.
    """
    accused = delta + math.exp(min(epsilon, 700.0)) * false_positive_rate
    spared = 1 - math.exp(-epsilon) * (1 - delta - false_positive_rate)
    return min(1.0, accused, spared)


def why_unbounded(plan: PrivacyPlan) -> str:
    """Why nothing bounds an attack on a run of this plan, in two sentences; empty where something does.

    A delta of 0 is no reason: an attack is bounded by the whole profile.
    """
    why = ledger.why_uncovered(plan) if plan.rounds else ""
    return _("Nothing bounds an attack on such a run.") + " " + why if why else ""


@functools.lru_cache(maxsize=64)
def risk(plan: PrivacyPlan) -> Risk:
    """Returns what the best attack on a plan can achieve: everything, where nothing bounds it.

    >>> found = risk(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120))
    >>> round(found.advantage, 3), round(float(found.true_positive_rate(0.01)), 3)
    (0.136, 0.026)
    """
    if why_unbounded(plan):
        return Risk(epsilons=np.zeros(1), deltas=np.ones(1))
    top = accounting.epsilon_by_round(plan, [plan.rounds])[0].value + 12
    epsilons = np.linspace(0, min(top, _HIGHEST), _POINTS)
    return Risk(epsilons=epsilons, deltas=accounting.deltas(plan, epsilons))
