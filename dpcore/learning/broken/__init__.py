"""The ways in which the default engine can be broken on purpose, by name; `engine` has their code."""

from dpcore import limits
from dpcore.language import N_

BREAKS = {
    "clip-off": N_("Updates are not clipped at all."),
    "clip-twice": N_("Updates are clipped to twice the clip norm."),
    "noise-half": N_("The noise is half of what it should be."),
    "noise-reused": N_("Every round adds the noise of the first round again."),
    "value-noise-not-split": N_(
        "The sum gets the plan's noise, and the part that the clip count costs is forgotten."
    ),
    "user-twice": N_("Whoever is drawn is counted twice."),
    "with-replacement": N_("So many as are expected are drawn with replacement: some are in a round twice."),
    "divided-by-who-came": N_("The clipped sum is divided by the number that came, and not by the expected one."),
    "no-noise-on-biases": N_("The biases get no noise."),
    "no-noise-on-count": N_("The count of unclipped updates, which moves the clip norm, gets no noise."),
    "clip-off-for-users": N_("Users' updates are not clipped at all; what canaries send is."),
}
NONE = "none"
CHOICES = {NONE: N_("Nothing is broken, to compare with."), **BREAKS}


def check(name: str) -> str:
    """Returns `name` if there is such a break, or it is `NONE`, the engine as it is.

    Raises:
        InvalidValueError: If there is not.
    """
    return limits.check_choice("break", name, tuple(CHOICES))
