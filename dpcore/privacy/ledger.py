"""Many runs on the same users: what all of them together guarantee."""

from collections.abc import Sequence
from dataclasses import replace

from dpcore.language import _
from dpcore.plan import ADD_OR_REMOVE, PrivacyPlan
from dpcore.privacy import accounting
from dpcore.privacy.accounting import Account
from dpcore.privacy.precision import Precision


def why_uncovered(plan: PrivacyPlan) -> str:
    """Why a run of this plan leaves no guarantee at all, in a sentence; empty where it leaves one."""
    if plan.noise_multiplier == 0:
        return _("It is trained without noise.")
    if plan.zeroing:
        return _("It zeroes outlying updates, and that threshold follows the updates without noise.")
    if not plan.bounds_updates:
        return _("Its clip norm was so low that it bounded nothing.")
    return ""


def compose(plans: Sequence[PrivacyPlan], delta: float, precision: Precision = Precision.REPORTED) -> Account:
    """Returns the epsilon of all the plans together, by both accountants, for adding or removing a user.

    With one run that leaves no guarantee, the whole has none.

    Args:
        plans: Runs on one data set, in any order. Their own deltas do not matter.
        delta: That of the whole.
        precision: What the answer is for.

    >>> sweep = [PrivacyPlan(clients_per_round=50, noise_multiplier=z) for z in (0.5, 0.75, 1.0)]
    >>> round(compose([*sweep, PrivacyPlan()], 1e-5, Precision.PREVIEW).headline.value, 2)
    8.39
    """
    # A run that was accounted for replacing a user is the same mechanism for adding or removing one.
    runs = [replace(plan, adjacency=ADD_OR_REMOVE) for plan in plans if plan.rounds]
    if any(why_uncovered(run) for run in runs):
        runs = [replace(runs[0], noise_multiplier=0)]
    return accounting.compose(runs, delta, precision)
