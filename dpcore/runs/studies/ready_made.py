"""Studies that need no form: what they ask is fixed, and their noise is solved for."""

import functools
from collections.abc import Callable, Mapping

from dpcore.language import N_
from dpcore.mechanisms import choices
from dpcore.plan import FixedClipping, Plan, PrivacyPlan
from dpcore.privacy import calibration
from dpcore.privacy.precision import Precision
from dpcore.runs.studies.mechanisms import Mechanism
from dpcore.runs.studies.study import NONE, Study

_TARGET_EPSILON = 2.0
_SEEDS = 3
# Each with the noise that it takes for one and the same epsilon: secret coins; no secret; no secret, and bands.
_COMPARED = (("poisson", "independent"), ("schedule", "independent"), ("schedule", "banded"))


@functools.lru_cache(maxsize=1)
def secrecy() -> Study:
    """Returns "What is secrecy worth?": one guarantee on the Writers, given in three ways, three seeds each.

    >>> [(one.participation.kind, one.noise.kind) for one in secrecy().mechanisms][-1]
    ('schedule', 'banded')
    """
    plan = PrivacyPlan(clipping=FixedClipping(), noise_multiplier=0.0)
    return Study(
        plan=Plan(privacy=plan),
        noise_multipliers=(),
        clients_per_round=(plan.clients_per_round,),
        rounds=(plan.rounds,),
        clippings=(plan.clipping,),
        mechanisms=tuple(_at_the_target(plan, *kinds) for kinds in _COMPARED),
        seeds=tuple(range(_SEEDS)),
        target_epsilon=None,
        baseline=NONE,
    )


def _at_the_target(plan: PrivacyPlan, participation: str, noise: str) -> Mechanism:
    forming, adding = choices.chosen(participation, noise, plan.fleet)
    mechanism = Mechanism(participation=forming, noise=adding)
    # On the coarser grid, whose epsilon is an upper bound as well: a page has it in a second.
    wanted = calibration.solve(
        mechanism.of(plan, noise_multiplier=1.0),
        "noise",
        target_epsilon=_TARGET_EPSILON,
        precision=Precision.PREVIEW,
    )
    return Mechanism(participation=forming, noise=adding, noise_multipliers=(wanted.noise_multiplier,))


STUDIES: Mapping[str, Callable[[], Study]] = {"secrecy": secrecy}
TITLES: Mapping[str, str] = {"secrecy": N_("What is secrecy worth?")}
ABOUT: Mapping[str, str] = {
    "secrecy": N_(
        "The same guarantee on the Writers, given in three ways: by sampling of which nobody may learn who was drawn; "
        "on a schedule that everybody may know, with the noise that this takes; and on that schedule with correlated "
        "noise. What is the accuracy of each?"
    )
}
