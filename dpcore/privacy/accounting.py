"""The epsilon of a plan, by `dp-accounting`."""

import functools
import math
from dataclasses import dataclass

import dp_accounting
import numpy as np
from dp_accounting.rdp import RdpAccountant, compute_epsilon

from dpcore.plan import PrivacyPlan

# The Renyi orders of the tutorial "Differential Privacy in TFF".
RDP_ORDERS = [1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5, *range(5, 64), 128, 256, 512]

# log A(order) of a round is summed from float64 terms near 1. Where sampling makes it tiny, it carries an
# absolute error of up to some 1e-13 and can cancel to 0: `dp-accounting` 0.4.3 then answers epsilon 0 where
# 0.04 is right. Adding more than that keeps the answer an upper bound; it moves the tutorial's epsilon in
# the tenth digit. (Where log A is large, its error is relative, 1e-16.)
_LOG_A_ERROR = 1e-12


@dataclass(frozen=True, kw_only=True)
class Epsilon:
    """One accountant's answer.

    Attributes:
        value: The epsilon; infinite without noise.
        accountant: The name of the accountant.
        order: The Renyi order that gave it, or `None` where no order did.
    """

    value: float
    accountant: str
    order: float | None = None


def round_event(*, noise_multiplier: float, clients_per_round: int, population: int) -> dp_accounting.DpEvent:
    """What one round releases, as an event that accountants understand.

    The noisy sum and the noisy clip count come from the same cohort and are together one Gaussian of the
    plan's noise multiplier (Andrew et al. 2021, theorem 1), so sampling is wrapped once, around both:
    two separately sampled events would claim more privacy than there is.
    """
    gaussian = dp_accounting.GaussianDpEvent(float(noise_multiplier))
    if clients_per_round == population:
        return gaussian  # everyone takes part: sampling adds nothing
    return dp_accounting.PoissonSampledDpEvent(clients_per_round / population, gaussian)


@functools.lru_cache(maxsize=4096)
def _round_rdp(noise_multiplier: float, clients_per_round: int, population: int) -> np.ndarray:
    """Renyi divergences of one round, float64 [num_orders], never below the true ones."""
    event = round_event(
        noise_multiplier=noise_multiplier, clients_per_round=clients_per_round, population=population
    )
    rdp = RdpAccountant(RDP_ORDERS).compose(event).rdp
    # What overflowed bounds nothing; left as "not a number", it would come out as epsilon 0.
    rdp = np.where(np.isfinite(rdp), rdp, np.inf)
    return rdp + _LOG_A_ERROR / (np.array(RDP_ORDERS) - 1)


def epsilon_by_round(plan: PrivacyPlan, rounds: list[int]) -> list[Epsilon]:
    """Returns the epsilon after each of `rounds` rounds of the plan, by RDP.

    Renyi divergences add up over rounds, so one round's vector answers for all.

    Source: Mironov (2017) <https://arxiv.org/abs/1702.07476>; Mironov et al. (2019)
    <https://arxiv.org/abs/1908.10530> for the sampled Gaussian; the conversion to (epsilon, delta) is
    Canonne et al. (2020) <https://arxiv.org/abs/2004.00010>, proposition 12.
    """
    if plan.noise_multiplier == 0:
        return [Epsilon(value=0.0 if r == 0 else math.inf, accountant="rdp") for r in rounds]
    one = _round_rdp(plan.noise_multiplier, plan.clients_per_round, plan.population)
    answers = []
    for count in rounds:
        if count == 0:
            answers.append(Epsilon(value=0.0, accountant="rdp"))
            continue
        value, order = compute_epsilon(RDP_ORDERS, count * one, plan.delta)
        answers.append(Epsilon(value=float(value), accountant="rdp", order=order))
    return answers


def epsilon(plan: PrivacyPlan) -> Epsilon:
    """Returns the epsilon of the whole plan, by RDP with the tutorial's orders.

    >>> round(epsilon(PrivacyPlan(noise_multiplier=1.2, clients_per_round=120)).value, 3)
    1.989
    """
    return epsilon_by_round(plan, [plan.rounds])[0]
