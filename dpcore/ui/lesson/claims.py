"""What is said on the screen of published guarantees: the claims, the reasons to choose from, the explanations.

Each explanation is filled in with the numbers of its claim: `claimed` and `actual` epsilon, and what else it names.
"""

from typing import Any

from dpcore.language import N_
from dpcore.lesson import mistakes

REASONS = {
    mistakes.HOLDS: N_("Nothing: it holds"),
    mistakes.SAMPLING: N_("The sampling is not what the accountant assumes"),
    mistakes.SENSITIVITY: N_("The sensitivity to one user is larger than the noise assumes"),
    mistakes.TOGETHER: N_("Other releases about the same users are not composed"),
    mistakes.DELTA: N_("Delta is so large that publishing a user's data satisfies it"),
    mistakes.NOISELESS: N_("A statistic of the updates is used without noise"),
}

CLAIMS = {
    "fixed_size": N_(
        "In each of {rounds} rounds we sample exactly {clients:,} of our {population:,} users at random. Their "
        "updates are clipped and summed, with Gaussian noise of {noise} clip norms. By the accountant for Poisson "
        "sampling, PLD:"
    ),
    "tutorial": N_(
        "In each of {rounds} rounds, each of our {population:,} users is sampled independently with probability "
        "{clients:,} / {population:,} (Poisson sampling). The clipped sum gets noise and is divided by {clients:,}, "
        "whatever the size of the cohort. The clip norm follows a noisy count; the noise on sum and count together "
        "amounts to a noise multiplier of {noise}. All settings were chosen on public data. By RDP:"
    ),
    "sweep": N_(
        "We trained with noise 0.5, 0.75 and 1 at 50 clients, compared the accuracies, and trained the final model "
        "with noise {noise} at {clients:,} clients: {rounds} rounds each, on the same {population:,} users, with "
        "Poisson sampling. Only the final model is released. By PLD:"
    ),
    "schedule": N_(
        "Our {population:,} users take turns on a schedule that we have published: groups of about {clients:,}, each of "
        "them in every {apart}th of {rounds} rounds. Their clipped updates are summed, with Gaussian noise of {noise} "
        "clip norms. As only {clients:,} of {population:,} take part in a round, by the accountant for Poisson sampling, "
        "PLD:"
    ),
    "delta": N_(
        "In each of {rounds} rounds, each of our {population:,} users is sampled independently with probability "
        "{clients:,} / {population:,} (Poisson sampling). The noise multiplier is {noise}. At delta {delta}, by PLD:"
    ),
    "everybody": N_(
        "All our {population:,} users take part in each of {rounds} rounds: full participation. Their clipped "
        "updates are summed, with Gaussian noise of {noise} clip norms. By PLD:"
    ),
    "came": N_(
        "In each of {rounds} rounds, each of our {population:,} users is sampled independently with probability "
        "{clients:,} / {population:,} (Poisson sampling). The average of the clipped updates, over the actual size "
        "of the cohort, gets Gaussian noise of {noise} / {clients:,} clip norms. By PLD:"
    ),
    "zeroing": N_(
        "In each of {rounds} rounds, each of our {population:,} users is sampled independently with probability "
        "{clients:,} / {population:,} (Poisson sampling). Updates with an outlying entry become zero: the threshold "
        "follows a quantile of the updates. The others are clipped and summed, with noise {noise}. By PLD:"
    ),
}

EXPLANATIONS = {
    "fixed_size": N_(
        "With a fixed cohort size, who is drawn takes another's place: with a user more, the sum loses one update and "
        "gains one, and so moves by up to two clip norms, not one. That is Poisson sampling at half the noise: "
        "epsilon {actual}, not {claimed}, and updates that all point one way attain it. Where a user is replaced by "
        "another, {replaced} can be proven, by RDP. Here, fixed-size cohorts are accounted for as such."
    ),
    "tutorial": N_(
        "It holds. Epsilon is an upper bound, and RDP gives one, if not the smallest: PLD proves {actual} for the "
        "same training. Claiming {claimed} understates the privacy, which is safe."
    ),
    "sweep": N_(
        "The choice was made by looking at the accuracies, so all four trainings leak information about these users: "
        "composed as if all four had been fixed beforehand, epsilon {actual}. With a non-private baseline among them "
        "there would be no bound at all. Choose on other data, or compose everything. Here, the Ledger does."
    ),
    "schedule": N_(
        "Sampling amplifies a guarantee only as long as nobody knows who is in the sample. A schedule that is known "
        "hides nothing: each user takes part in up to {often} rounds, which are seen one by one. Those are one "
        "Gaussian of noise {noise} / √{often}: epsilon {actual}, not {claimed}. Here, a known schedule is accounted "
        "for so, and correlated noise makes up for the secret."
    ),
    "delta": N_(
        "Delta is above 1 / {population:,}. Publishing all data of {published} users, drawn at random, satisfies "
        "such a delta, with epsilon 0. At delta {usual} the same training has epsilon {actual}. Here, a plan warns "
        "from delta = 1 / population on."
    ),
    "everybody": N_(
        "It holds. Sampling is one way to spend less, not a condition. {rounds} rounds of noise {noise} are "
        "equivalent to one of {noise} / √{rounds} = {once}, whose delta has a closed form, from which epsilon "
        "follows: {actual}. It holds even against those who know who took part in which round."
    ),
    "came": N_(
        "One user changes the sum and the number that it is divided by. Where all others agree and this user is "
        "opposed, the average moves by 2 / {clients:,} clip norms in a cohort of {clients:,}: twice the sensitivity "
        "that the noise assumes. That would be epsilon {actual}, and smaller cohorts move further. Here, the sum is "
        "divided by the expected number, which no user changes (McMahan et al. 2018)."
    ),
    "zeroing": N_(
        "One user among {clients:,} moves the quantile that the threshold follows by {moved:.1%}, without noise, and "
        "thereby whether others' updates become zero. So no epsilon can be stated. The clip norm moves by "
        "{clip_moved:.2%}, under noise of {clip_noise:.0%}: that is accounted for. Here, adaptive zeroing is off; "
        "where it is turned on, as in the tutorial, the statement says that the guarantee does not cover it."
    ),
}

# A page that shows it, its query, and what the link says.
LINKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "fixed_size": ("accountant", {"participation": "fixed"}, N_("This plan in the Accountant")),
    "tutorial": ("accountant", {}, N_("This plan in the Accountant")),
    "sweep": ("ledger", {}, N_("The Ledger: what all runs spend together")),
    "schedule": ("accountant", {"participation": "schedule"}, N_("This plan in the Accountant")),
    "delta": ("accountant", {"delta": 1e-3}, N_("This plan in the Accountant, with its warning")),
    "everybody": (
        "accountant",
        {"everybody": True, "noise_multiplier": 30},
        N_("This plan in the Accountant"),
    ),
    "came": ("accountant", {"noise_multiplier": 0.6}, N_("Half the noise, in the Accountant")),
    "zeroing": ("train", {"zeroing": True}, N_("Train with zeroing, and its warning")),
}
