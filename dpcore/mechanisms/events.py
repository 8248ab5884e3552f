"""What a run costs: the question that accountants are asked."""

from typing import Any, NamedTuple


class SampledGaussian(NamedTuple):
    """A Gaussian on a sum to which each user contributes by an independent coin.

    Attributes:
        noise_multiplier: Standard deviation of the noise over the most by which neighbouring data sets move the sum.
        sampling_prob: The probability that a given user contributes; 1 where everybody does.
        replaces: Whether contributors are drawn together, so many without replacement, and the neighbouring data set has
            another user in one's place; else each contributes by an independent coin, and it has one more.
    """

    noise_multiplier: float
    sampling_prob: float
    replaces: bool = False


class Event(NamedTuple):
    """All that a run releases: one mechanism, in so many rounds.

    Attributes:
        mechanism: What is released each time.
        rounds: How often; 0 where nothing is.
    """

    mechanism: SampledGaussian
    rounds: int

    @property
    def is_sampled(self) -> bool:
        """Whether a user can be absent, so that sampling amplifies the guarantee."""
        return self.mechanism.sampling_prob < 1

    def arguments(self) -> dict[str, Any]:
        """Returns the event as keywords of `dpcore.privacy.curves`, which take arrays for all of them."""
        return {**self.mechanism._asdict(), "rounds": self.rounds}
