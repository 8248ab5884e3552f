"""How a plan forms cohorts and adds noise, as pages say it."""

from dpcore.language import _
from dpcore.mechanisms.noise import Independent
from dpcore.mechanisms.participation import Poisson
from dpcore.plan import PrivacyPlan


def mechanism(plan: PrivacyPlan) -> str:
    """Returns how cohorts are formed, and the noise where it is correlated."""
    cohorts = _(plan.cohorts.title)
    if not plan.noise.is_correlated:
        return cohorts
    return _("{cohorts}, {noise}").format(cohorts=cohorts, noise=plan.noise.label)


def unusual_mechanism(plan: PrivacyPlan) -> str:
    """Returns the same; empty for Poisson sampling and independent noise, which go without saying."""
    is_usual = plan.cohorts == Poisson() and plan.noise == Independent()
    return "" if is_usual else mechanism(plan)
