"""What is said on the screen of published guarantees: the claims, the reasons to choose from, the explanations.

Each explanation is filled in with the numbers of its claim: `claimed` and `actual` epsilon, and what else it names.
"""

from typing import Any

from dpcore.language import N_
from dpcore.lesson import mistakes

REASONS = {
    mistakes.HOLDS: N_("Nothing: it holds"),
    mistakes.SAMPLING: N_("The users are not drawn as the accountant was told"),
    mistakes.SENSITIVITY: N_("One user can move what is released further than the noise is made for"),
    mistakes.TOGETHER: N_("Something else was released of the same users"),
    mistakes.DELTA: N_("Delta allows to publish somebody's data"),
    mistakes.NOISELESS: N_("Something follows the updates without noise"),
}

CLAIMS = {
    "fixed_size": N_(
        "In each of {rounds} rounds we draw exactly {clients:,} of our {population:,} users at random. Their updates are "
        "clipped and summed, with Gaussian noise of {noise} clip norms. By the accountant for Poisson sampling, RDP:"
    ),
    "tutorial": N_(
        "In each of {rounds} rounds, each of our {population:,} users joins by a coin of their own, with probability "
        "{clients:,} / {population:,}. The clipped sum gets noise and is divided by {clients:,}, however many came. The "
        "clip norm follows a noisy count; the noise on sum and count together is worth {noise}. All settings were "
        "chosen on public data. By RDP:"
    ),
    "sweep": N_(
        "We trained with noise 0.5, 0.75 and 1 at 50 clients, compared the accuracies, and trained the final model with "
        "noise {noise} at {clients:,} clients: {rounds} rounds each, on the same {population:,} users, who join by "
        "coins of their own. Only the final model is released. By PLD:"
    ),
    "delta": N_(
        "In each of {rounds} rounds, each of our {population:,} users joins by a coin of their own, with probability "
        "{clients:,} / {population:,}. The noise multiplier is {noise}. At delta {delta}, one in a thousand, by PLD:"
    ),
    "everybody": N_(
        "All our {population:,} users take part in each of {rounds} rounds: nobody is sampled. Their clipped updates are "
        "summed, with Gaussian noise of {noise} clip norms. By PLD:"
    ),
    "came": N_(
        "In each of {rounds} rounds, each of our {population:,} users joins by a coin of their own, with probability "
        "{clients:,} / {population:,}. The average of the clipped updates, over the users that came, gets Gaussian noise "
        "of {noise} / {clients:,} clip norms. By PLD:"
    ),
    "zeroing": N_(
        "In each of {rounds} rounds, each of our {population:,} users joins by a coin of their own, with probability "
        "{clients:,} / {population:,}. Updates with an outlying entry become zero: the threshold follows a quantile of "
        "the updates. The others are clipped and summed, with noise {noise}. By PLD:"
    ),
}

EXPLANATIONS = {
    "fixed_size": N_(
        "Where the number is fixed, who comes takes another's place. So neighbouring data sets replace a user, and the "
        "sum moves by two clip norms, not one. What dp-accounting can prove for that is epsilon {actual}, not {claimed}. "
        "Here, the sampler tosses the very coins that the accountant is told of, and a plan that samples and replaces is "
        "refused."
    ),
    "tutorial": N_(
        "It holds. Epsilon is an upper bound, and RDP gives one, if not the smallest: PLD proves {actual} for the same "
        "training. Who claims {claimed} claims less privacy than there is, which is safe."
    ),
    "sweep": N_(
        "The accuracies were looked at, and the choice was made by them, so all four trainings tell of these users: "
        "composed as if all four had been fixed beforehand, epsilon {actual}. With a noise-free one among them there "
        "would be no bound at all. Choose on other data, or count everything. Here, the Ledger does."
    ),
    "delta": N_(
        "Delta is above 1 / {population:,}. Whoever publishes all data of {published} users, drawn at random, keeps to "
        "such a delta, with epsilon 0. At delta {usual} the same training has epsilon {actual}. Here, a plan says so "
        "from delta = 1 / population on."
    ),
    "everybody": N_(
        "It holds. Sampling is one way to spend less, not a condition. {rounds} rounds of noise {noise} are one of "
        "{noise} / √{rounds} = {once}, whose delta has a closed form, from which epsilon follows: {actual}. It holds "
        "even towards those who know who came to which round."
    ),
    "came": N_(
        "One user changes the sum and the number that it is divided by. Where all others agree and this user is opposed, "
        "the average moves by 2 / {clients:,} clip norms if {clients:,} came: twice what the noise is made for. That "
        "would be epsilon {actual}, and smaller cohorts move further. Here, the sum is divided by the expected number, "
        "which no user changes (McMahan et al. 2018)."
    ),
    "zeroing": N_(
        "One user among {clients:,} moves the quantile that the threshold follows by {moved:.1%}, without noise to hide "
        "it, and by it whether others' updates count. So no epsilon can be stated. The clip norm moves by "
        "{clip_moved:.2%}, under noise of {clip_noise:.0%}: that is accounted for. Here, zeroing is off; where the "
        "tutorial's is wanted, the statement says that the claim does not cover it."
    ),
}

# A page that shows it, its query, and what the link says.
LINKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "fixed_size": ("accountant", {}, N_("Such a plan, with coins, in the Accountant")),
    "tutorial": ("accountant", {}, N_("This plan in the Accountant")),
    "sweep": ("ledger", {}, N_("The Ledger: what all runs spend together")),
    "delta": ("accountant", {"delta": 1e-3}, N_("This plan in the Accountant, with its warning")),
    "everybody": (
        "accountant",
        {"everybody": True, "noise_multiplier": 30},
        N_("This plan in the Accountant"),
    ),
    "came": ("accountant", {"noise_multiplier": 0.6}, N_("Half the noise, in the Accountant")),
    "zeroing": ("train", {"zeroing": True}, N_("Train with zeroing: what is said of it")),
}
